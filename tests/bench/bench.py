"""The agent's numbers against floors and peers, measured in one run; prints a table and writes it into docs/performance.md.

    bench.py AGENT [--quick]

Real MLflow (two workers) on PostgreSQL. Ratios come from pairs measured one after the other, so that a machine whose speed drifts
does not matter much; the median is given, with lowest and highest.
"""

import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "python")]

import fill  # noqa: E402
import proxies  # noqa: E402
import servers  # noqa: E402

CONNECTIONS = 4  # the agent's default


class BenchServer(servers.Server):
    """A server with two workers on a filled PostgreSQL."""

    def __init__(self, models, versions, version="main"):
        super().__init__(f"bench-{versions}", version=version, postgres=True, options=["--workers", "2"])
        self.models, self.versions = models, versions

    def __enter__(self):
        begin = time.monotonic()
        self.postgres.start()
        self.postgres.psql("CREATE DATABASE mlflow")
        python = servers.venv(self.version) / "bin" / "python"
        # makes the schema and the default experiment, in every version
        store = "import sys; from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as S; S(sys.argv[1], 'mlflow-artifacts:/')"
        subprocess.run([python, "-c", store, self.database], check=True, capture_output=True, env=servers.clean_environment())
        fill.fill(f"host=127.0.0.1 port={self.postgres.port} user=mlflow dbname=mlflow", self.models, self.versions)
        self.filled = True
        self.launch()
        self.ready()
        note(f"a server with {self.models} models and {self.versions} versions is up after {time.monotonic() - begin:.0f} s")
        return self

    def __exit__(self, *_):
        self.stop()


def note(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Usage:
    """One finished process: seconds, CPU seconds, peak resident memory in MiB, what it printed.

    GNU time stands between: the kernel counts a parent's memory at the fork as the child's peak, and this parent is large.
    """

    def __init__(self, command, **env):
        with tempfile.NamedTemporaryFile("r") as figures:
            run = subprocess.run(["/usr/bin/time", "-o", figures.name, "-f", "%e %U %S %M", *map(str, command)],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=servers.clean_environment(**env))
            self.output = run.stdout.decode()
            if run.returncode != 0:
                raise RuntimeError(f"{command} ended with {run.returncode}: {self.output[-2000:]}")
            seconds, user, system, kib = figures.read().split()
        self.seconds = float(seconds)
        self.cpu = float(user) + float(system)
        self.peak = int(kib) / 1024


def sync(agent, url, state, *options):
    usage = Usage([agent, "sync", "--format", "json", *options], MLFLOW_TRACKING_URI=url, VW_STATE_DIR=str(state))
    usage.result = json.loads(usage.output)
    return usage


def status(agent, state):
    return json.loads(Usage([agent, "status", "--format", "json"], VW_STATE_DIR=str(state)).output)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def floor_command(agent, url, scratch):
    """A curl command that sends exactly the requests of a sync, as many at once as the agent, and does nothing with the answers."""
    with proxies.Proxy(url) as proxy:
        sync(agent, proxy.url, fresh(scratch / "recorded"))
        requests = list(proxy.requests)
    lines = []
    for i, request in enumerate(requests):
        lines.append(f'url = "{url}{request.target}"')
        lines.append('output = "/dev/null"')
        if request.method == "POST":
            (scratch / f"body{i}").write_bytes(request.body)
            lines += [f'data-binary = "@{scratch}/body{i}"', 'header = "Content-Type: application/json"']
        lines += ["compressed", "next"]
    (scratch / "floor.curl").write_text("\n".join(lines[:-1]) + "\n")
    return ["curl", "--silent", "--fail", "--parallel", "--parallel-immediate", "--parallel-max", str(CONNECTIONS), "--config",
            str(scratch / "floor.curl")], len(requests)


def spread(values, unit="×", digits=2):
    return f"{statistics.median(values):.{digits}f}{unit} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def row(rows, what, target, measured, met):
    rows.append((what, target, measured, {True: "met", False: "**missed**", None: ""}[met]))
    note(f"{what}: {measured}")


def against_floor(rows, agent, server, scratch, pairs):
    command, requests = floor_command(agent, server.url, scratch)
    ratios, cpu = [], []
    for _ in range(pairs):
        ours = sync(agent, server.url, fresh(scratch / "state"))
        floor = Usage(command)
        ratios.append(ours.seconds / floor.seconds)
        cpu.append(ours.cpu / server.versions * 1e6)
    row(rows, f"requests of a first full sync, {server.models:,} models / {server.versions:,} versions", "≤ 150",
        str(requests), requests <= 150)
    row(rows, "first full sync / the same requests by bare curl, as many at once", "≤ 1.2×", spread(ratios),
        statistics.median(ratios) <= 1.2)
    row(rows, "CPU of the agent for one version", "", spread(cpu, " µs", 0), None)
    return ours


def against_client(rows, agent, server, scratch):
    """Over a tenth of the registry: the loop over all of it takes ten minutes."""
    prefix = "bench-model-000"
    python = servers.venv("main") / "bin" / "python"
    loop = Usage([python, HERE / "client_loop.py", prefix], MLFLOW_TRACKING_URI=server.url)
    versions = int(loop.output)
    times, cpus = [], []
    for _ in range(3):
        ours = sync(agent, server.url, fresh(scratch / "state"))
        share = versions / server.versions
        times.append(loop.seconds / (ours.seconds * share))
        cpus.append(loop.cpu / (ours.cpu * share))
    row(rows, f"a loop over MLflow's Python client ({versions:,} versions) / first full sync (all, scaled to as many), time", "≥ 20×",
        spread(times, digits=0), statistics.median(times) >= 20)
    row(rows, "the same, CPU seconds of the client", "≥ 20×", spread(cpus, digits=0), statistics.median(cpus) >= 20)


def unchanged(rows, agent, server, scratch):
    state = fresh(scratch / "state")
    first = sync(agent, server.url, state)
    before = status(agent, state)
    second = sync(agent, server.url, state)
    after = status(agent, state)
    entries = after["ledger_sequence"] - before["ledger_sequence"]
    transactions = after["last_transaction"] - before["last_transaction"]
    row(rows, "second sync, nothing changed: ledger entries / write transactions", "1 / 1", f"{entries} / {transactions}",
        entries == 1 and transactions == 1)
    row(rows, "second sync, nothing changed: bytes that LMDB grew by", "",
        f"{after['used_bytes'] - before['used_bytes']:,}", None)
    row(rows, "second sync, nothing changed: time / first, requests", "",
        f"{second.seconds / first.seconds:.2f}×, {second.result['counts']['requests']}", None)
    quick = sync(agent, server.url, state, "--quick")
    row(rows, "quick sync, nothing changed: time / first, requests", "",
        f"{quick.seconds / first.seconds:.2f}×, {quick.result['counts']['requests']}", None)
    row(rows, "LMDB, bytes for each version", "", f"{after['used_bytes'] / server.versions:,.0f}", None)


def memory(rows, agent, server, scratch):
    usage = sync(agent, server.url, fresh(scratch / "state"))
    row(rows, f"peak resident memory of a first full sync, {server.versions:,} versions", "≤ 32 MiB", f"{usage.peak:.1f} MiB",
        usage.peak <= 32)


def write(rows, command):
    lines = ["# Performance", "", f"Measured by `{command}` on {platform.machine()} with {os.cpu_count()} cores, real MLflow on PostgreSQL, two workers, all on one machine. "
             "Ratios are medians of pairs measured in turn, with the lowest and highest. A machine under other load gives other numbers: run it yourself.", "",
             "| what | target | measured | |", "|---|---|---|---|"]
    lines += ["| " + " | ".join(r) + " |" for r in rows]
    text = "\n".join(lines) + "\n"
    path = ROOT / "docs" / "performance.md"
    kept = path.read_text() if path.exists() else ""
    marker = "<!-- notes -->"
    notes = kept[kept.index(marker):] if marker in kept else marker + "\n"
    path.write_text(text + "\n" + notes)
    print(text)


def main(agent, *options):
    agent = str(pathlib.Path(agent).resolve())
    short = "--quick" in options
    rows = []
    size = os.path.getsize(agent) / 2**20
    row(rows, "agent binary, static-pie, stripped", "≤ 8 MiB", f"{size:.2f} MiB", size <= 8)
    with tempfile.TemporaryDirectory(prefix="vw-bench-") as folder:
        scratch = pathlib.Path(folder)
        with BenchServer(100, 1000) as server:
            memory(rows, agent, server, scratch)
        if not short:
            with BenchServer(1000, 10000) as server:
                memory(rows, agent, server, scratch)
                against_floor(rows, agent, server, scratch, 5)
                unchanged(rows, agent, server, scratch)
                against_client(rows, agent, server, scratch)
            with BenchServer(5000, 50000) as server:
                memory(rows, agent, server, scratch)
    if short:
        print("\n".join(" | ".join(r) for r in rows))
    else:
        write(rows, "ci/bench")


if __name__ == "__main__":
    main(*sys.argv[1:])

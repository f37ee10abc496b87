"""The fleet's numbers: real controllers with either store, real TLS, gRPC and identities; the load is tests/bench/load.

    fleet.py VW_AGENT VW_CONTROLLER BUILD [--quick]

BUILD is where bench_load and bench_ingest were built. Prints the table and puts it into docs/performance.md, between its marks. --quick: a tenth of
everything, and nothing is written.
"""
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent / "python"), str(HERE)]
BEGIN, END = "<!-- fleet -->", "<!-- /fleet -->"
TICK = os.sysconf("SC_CLK_TCK")


def row(rows, what, target, measured, good):
    rows.append((what, target, measured, "" if good is None else "met" if good else "**missed**"))
    print("  ".join(str(cell) for cell in rows[-1]), file=sys.stderr, flush=True)


def spread(values, unit="", digits=0):
    return f"{statistics.median(values):,.{digits}f}{unit} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


class Process:
    """What /proc says of a process."""

    def __init__(self, pid):
        self.root = pathlib.Path("/proc") / str(pid)

    def resident(self):
        """MiB."""
        return int(re.search(r"VmRSS:\s+(\d+)", (self.root / "status").read_text())[1]) / 1024

    def cpu(self):
        """Seconds, user and system."""
        fields = (self.root / "stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def wakeups(self):
        return sum(int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text())[1])
                   for task in (self.root / "task").iterdir())


class Load:
    def __init__(self, program, controller, scratch):
        self.program, self.controller, self.file = program, controller, scratch / "identities"

    def prepare(self, agents, organizations):
        c = self.controller
        subprocess.run([self.program, "prepare", "--store", c.store_url, "--authority", c.authority_folder, "--trust-domain", "verifywise.local",
                        "--agents", str(agents), "--organizations", str(organizations), "--file", self.file], check=True, stdout=subprocess.DEVNULL)

    def start(self, mode, *options):
        return subprocess.Popen([self.program, "run", "--file", self.file, "--connect", f"127.0.0.1:{self.controller.port}", "--mode", mode,
                                 *map(str, options)], stdout=subprocess.PIPE, text=True)

    def run(self, mode, *options):
        return self.read(self.start(mode, *options))

    @staticmethod
    def read(process):
        output, _ = process.communicate(timeout=600)
        return json.loads(output)


class BenchController:
    """One controller whose store is filled before it runs."""

    def __init__(self, program, scratch, database=None):
        from servers import free_port
        self.program, self.folder, self.database = program, scratch, database
        self.port, self.https = free_port(), free_port()
        self.authority_folder = scratch / "data" / "authority"
        self.name = database.make() if database else None
        self.store_url = database.url(self.name) if database else f"lmdb:{scratch}/data/store"
        self.config = scratch / "controller.yaml"
        self.config.write_text(f"data_dir: {scratch}/data\nlog: {{level: warn}}\nstore: {{url: \"{self.store_url}\"}}\n"
                               f"sessions: {{listen: \"127.0.0.1:{self.port}\", endpoint: \"127.0.0.1:{self.port}\", max_age: 7d, heartbeat: 60s}}\n"
                               f"https: {{listen: \"127.0.0.1:{self.https}\"}}\nrest: {{requests_per_second: 100000, burst: 100000}}\n")
        environment = dict(os.environ)
        if database:
            import fleet
            environment["VW_CONTROLLER_STORE_URL"] = database.url(self.name, fleet.OWNER)
        subprocess.run([program, "--config", self.config, "init"], check=True, stdout=subprocess.DEVNULL, env=environment)
        if database:
            database.let_in()

    def __enter__(self):
        self.process = subprocess.Popen([self.program, "--config", self.config, "serve"])
        end = time.monotonic() + 60
        while not (self.folder / "data" / "control.sock").exists():
            if time.monotonic() > end or self.process.poll() is not None:
                sys.exit("the controller did not start")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=120)

    def cli(self, *arguments):
        return subprocess.run([self.program, "--config", self.config, *arguments], check=True, capture_output=True, text=True).stdout

    @property
    def proc(self):
        return Process(self.process.pid)


def uplink(rows, tools, controller_program, scale, database=None):
    """Agents that have a backlog of 2 KB entries, until all is acknowledged."""
    agents, entries = 4, 50000 // scale
    rates, cpus = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory(prefix="vw-bench-") as folder:
            scratch = pathlib.Path(folder)
            controller = BenchController(controller_program, scratch, database)
            load = Load(tools / "bench_load", controller, scratch)
            load.prepare(agents, 2)
            with controller:
                before = controller.proc.cpu()
                result = load.run("send", "--entries", entries, "--batch", 500, "--seconds", 300)
                cpus.append((controller.proc.cpu() - before) / (agents * entries) * 1e6)
            assert result["entries_acknowledged"] == agents * entries, result
            rates.append(result["entries_per_second"])
    kind = "PostgreSQL" if database else "the embedded store"
    row(rows, f"uplink over mTLS, {agents} agents × {entries:,} entries of 2 KB, {kind}: entries acknowledged a second",
        "" if database else "≥ 50,000", spread(rates), None if database else statistics.median(rates) >= 50000)
    row(rows, f"the same, CPU of the controller for one entry, {kind}", "", spread(cpus, " µs"), None)


def sessions(rows, tools, controller_program, scale):
    """As many agents as the target says: accepted, held, told something, and again after a restart."""
    agents = 10000 // scale
    with tempfile.TemporaryDirectory(prefix="vw-bench-") as folder:
        scratch = pathlib.Path(folder)
        controller = BenchController(controller_program, scratch)
        load = Load(tools / "bench_load", controller, scratch)
        load.prepare(agents, 10)
        with controller:
            empty = controller.proc.resident()
            holding = load.start("answer", "--seconds", 240)
            wait_connected(controller, agents)
            time.sleep(5)
            full = controller.proc.resident()
            cpu = controller.proc.cpu()
            time.sleep(20)
            idle = (controller.proc.cpu() - cpu) / 20
            for organization in range(1, 11):
                ask_all(controller, organization)
            result = load.read(holding)
        row(rows, f"sessions held by one controller, {agents:,} agents: welcomed / refused or lost",
            f"{agents:,} / 0", f"{result['welcomed']:,} / {result['failed'] + result['lost']}", result["welcomed"] == agents and result["failed"] + result["lost"] == 0)
        row(rows, "the same, time to accept all (the load's own TLS on the same two cores)", "", f"{result['seconds_to_welcome_all']:.1f} s", None)
        row(rows, "the same, resident memory for one session", "", f"{(full - empty) * 1024 / agents:.1f} KiB", None)
        row(rows, "the same, CPU of the controller while all are idle", "", f"{idle * 100:.1f} % of a core", None)
        row(rows, "the same, a command to all by ten requests: until it is answered, 50th / 99th percentile, slowest", "",
            " / ".join(f"{result['command_ms'][key] / 1000:.1f} s" for key in ("p50", "p99", "max")), None)
        with controller:
            result = load.run("connect")
        row(rows, "reconnect storm after a restart: time until all are welcomed / refused or lost", "",
            f"{result['seconds_to_welcome_all']:.1f} s / {result['failed'] + result['lost']}", result["failed"] + result["lost"] == 0)


def wait_connected(controller, agents):
    end = time.monotonic() + 240
    while True:
        metrics = read_metrics(controller)
        if metrics >= agents:
            return
        if time.monotonic() > end:
            sys.exit(f"only {metrics} of {agents} agents were welcomed")
        time.sleep(0.5)


def control(controller, method, path, body=None):
    """One request over the control socket, as the operator's command line makes it."""
    import http.client
    import socket

    class Connection(http.client.HTTPConnection):
        def connect(self):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(str(controller.folder / "data" / "control.sock"))

    connection = Connection("localhost", timeout=300)
    connection.request(method, path, body=json.dumps(body) if body is not None else None)
    answer = connection.getresponse()
    text = answer.read().decode()
    assert answer.status < 300, text
    return text


def read_metrics(controller):
    return int(re.search(r"^vw_controller_sessions (\d+)", control(controller, "GET", "/metrics"), re.M)[1])


def ask_all(controller, organization):
    control(controller, "POST", f"/api/v1/commands?organization={organization}", {"kind": "reevaluate"})


def idle_agent(rows, agent, controller_program, scratch, seconds):
    """A real agent of 1,000 versions, enrolled and connected, between two syncs."""
    from bench import BenchServer
    with BenchServer(100, 1000) as server:
        controller = BenchController(controller_program, scratch)
        with controller:
            controller.cli("org", "create", "bench")
            token = controller.cli("token", "create", "--organization", "1")
            environment = {"PATH": os.environ["PATH"], "HOME": str(scratch), "MLFLOW_TRACKING_URI": server.url, "VW_LISTEN": "off"}
            config = scratch / "agent.yaml"
            config.write_text("schedule: {quick: 30d, full: 30d}\n")
            command = [agent, "--config", config, "--state", scratch / "state"]
            subprocess.run([*command, "enroll", f"https://127.0.0.1:{controller.https}", "--token-file", "-"], input=token, text=True, check=True,
                           env=environment, stdout=subprocess.DEVNULL)
            process = subprocess.Popen([*command, "run"], env=environment, stderr=subprocess.DEVNULL)
            try:
                time.sleep(15)
                proc = Process(process.pid)
                cpu, wakeups = proc.cpu(), proc.wakeups()
                time.sleep(seconds)
                row(rows, "agent, connected and idle: resident memory", "≤ 10 MiB", f"{proc.resident():.1f} MiB", proc.resident() <= 10)
                row(rows, "agent, connected and idle: CPU an hour", "", f"{(proc.cpu() - cpu) / seconds * 3600:.1f} s", None)
                row(rows, "agent, connected and idle: wake-ups a second", "", f"{(proc.wakeups() - wakeups) / seconds:.1f}", None)
            finally:
                process.terminate()
                process.wait(timeout=30)


def against_copy(rows, tools):
    output = subprocess.run([sys.executable, HERE / "postgres.py", tools / "bench_ingest"], check=True, capture_output=True, text=True).stdout
    middle, low, high = re.search(r"median ([\d.]+), ([\d.]+) to ([\d.]+)", output).groups()
    row(rows, "ingest into PostgreSQL / COPY of the same rows (tests/bench/postgres.py)", "≥ 0.5×", f"{middle}× ({low}–{high})", float(middle) >= 0.5)


def write(rows):
    path = ROOT / "docs" / "performance.md"
    text = path.read_text()
    if BEGIN not in text:
        text = text.rstrip() + f"\n\n## The fleet\n\n{BEGIN}\n{END}\n"
    table = "\n".join(["Measured by `ci/bench` (`tests/bench/fleet.py`): everything on one machine of two cores, the load too.", "",
                       "| what | target | measured | |", "|---|---|---|---|"] + ["| " + " | ".join(r) + " |" for r in rows])
    path.write_text(text[:text.index(BEGIN)] + f"{BEGIN}\n{table}\n{END}" + text[text.index(END) + len(END):])


def main(agent, controller, build, *options):
    agent, controller, tools = (pathlib.Path(p).resolve() for p in (agent, controller, build))
    os.environ["VW_CONTROLLER"], os.environ["VW_AGENT"] = str(controller), str(agent)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    import fleet
    short = "--quick" in options
    scale = 10 if short else 1
    rows = []
    size = os.path.getsize(agent) / 2**20
    row(rows, "agent binary with gRPC, static-pie, stripped", "≤ 8 MiB", f"{size:.2f} MiB", size <= 8)
    with tempfile.TemporaryDirectory(prefix="vw-bench-") as folder:
        idle_agent(rows, agent, controller, pathlib.Path(folder), 10 if short else 60)
    uplink(rows, tools, controller, scale)
    database = fleet.Database("fsync=on", "synchronous_commit=on", "full_page_writes=on")
    try:
        uplink(rows, tools, controller, scale, database.start())
    finally:
        database.stop()
    sessions(rows, tools, controller, scale)
    if not short:
        against_copy(rows, tools)
        write(rows)
    print("\n".join(" | ".join(r) for r in rows))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""vw-agent run: the schedule, reloads, health in three, metrics, and what the service manager hears."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest
from agent import BINARY, CONFIGURATION, DATABASE
from daemon import Daemon, Manager
from proxies import Answer, Proxy
from servers import ROOT, free_port

SECRET = "daemon-Ww58-secret-of-the-uri"
OFTEN = "schedule: {quick: 5s, full: 1h}\n"
# a sanitizer's own work at exit is not the agent's
WITHIN = 4.0 if any(word in str(BINARY) for word in ("coverage", "asan", "tsan")) else 1.0


def post(server, path, body, method="POST"):
    request = urllib.request.Request(f"{server.url}/api/2.0/mlflow/{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"}, method=method)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.load(answer)


@pytest.fixture
def model(playground):
    """A registered model of its own, with one version."""
    name = f"daemon-{time.monotonic_ns()}"
    post(playground, "registered-models/create", {"name": name, "tags": [{"key": "owner", "value": "team"}]})
    post(playground, "model-versions/create", {"name": name, "source": "s3://nowhere/model"})
    yield name
    post(playground, "registered-models/delete", {"name": name}, "DELETE")


@pytest.fixture
def slow(small):
    """A server that stalls on everything while .stall is set, and refuses while .down is set."""
    class Switch:
        stall, down = 0, False

    def before(request):
        return Answer(503, b"down") if Switch.down else Answer(503, b"{}", stall=Switch.stall) if Switch.stall else None

    with Proxy(small.url, before=before) as proxy:
        Switch.proxy, Switch.url = proxy, proxy.url
        yield Switch


# ---- health and metrics ----


@pytest.mark.tsan
def test_health_and_metrics(small, agent):
    a = agent(small.url)
    with Daemon(a) as d:
        d.wait_ready()
        assert d.ask("/livez")[0] == 200 and d.ask("/nothing")[0] == 404 and d.ask("/metrics", method="POST")[0] == 405
        line = d.wait_syncs(1)[0]
        assert (line["level"], line["depth"], line["outcome"], line["versions"]) == ("info", "full", "ok", "18")
        d.wait(lambda: d.value("sync_running") == 0)
        assert d.value("models") == 6 and d.value("ready") == 1
        records = a.inventory()  # other commands read beside it
        audit = a.audit()
        by_status = {s: d.value("versions", status=s) for s in ("compliant", "gaps", "unknown")}
        assert sum(by_status.values()) == len(records) == 18
        gaps = a.run("gaps", "--format", "json").json
        for severity in ("info", "low", "medium", "high", "critical"):
            shown = [f for r in records for f in r["compliance"]["findings"] if f["state"] == "gap" and f["severity"] == severity]
            assert d.value("gaps", severity=severity) == len(shown), severity
        assert d.value("unknown_findings") == sum(f["state"] == "unknown" for r in records for f in r["compliance"]["findings"])
        assert gaps and sum(d.metrics()["vw_agent_gaps"]["samples"].values()) > 0
        assert d.value("ledger_sequence") == max(r["sequence"] for r in audit)
        assert d.value("syncs_total", depth="full", outcome="ok") == 1
        assert d.value("mlflow_requests_total") == int(line["requests"]) > 0
        assert d.value("mlflow_received_bytes_total") == int(line["bytes_received"]) > 0
        assert abs(d.value("last_sync_success_timestamp_seconds", depth="full") - time.time()) < 30
        assert abs(d.value("last_sync_duration_seconds", depth="full") - int(line["duration_ms"]) / 1000) < 0.0011
        assert d.value("store_file_bytes") >= d.value("store_used_bytes") > 10_000
        status, progress = d.progress()
        assert status == 200 and progress["progressing"] and not progress["running"]
        assert progress["last_sync"]["outcome"] == "ok" and progress["consecutive_failures"] == 0
        assert progress["stale_after_seconds"] == 900 and progress["last_success_age_seconds"] < 30
        assert d.stop() < WITHIN
    a.verify()


def test_listens_on_loopback_alone_or_not_at_all(small, agent):
    a = agent(small.url)
    with Daemon(a) as d:
        d.wait_ready()
        ports = {line.split()[1] for family in ("tcp", "tcp6") if (f := pathlib.Path(f"/proc/net/{family}")).exists()
                 for line in f.read_text().splitlines()[1:] if line.split()[3] == "0A"}
        assert [p for p in ports if p.endswith(f":{d.port:04X}")] == [f"0100007F:{d.port:04X}"]
        d.stop()
    with Daemon(a, VW_LISTEN="off") as d:
        d.wait_syncs(2)  # with the earlier life's
        with pytest.raises(OSError):
            d.ask("/livez")
        d.stop()
    assert a.run("run", code=CONFIGURATION, VW_LISTEN="0.0.0.0:9477").err.count("loopback") == 1


def test_the_port_is_taken(small, agent):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = agent(small.url).run("run", code=CONFIGURATION, VW_LISTEN=address)
    assert address in result.err and "listen" in result.err


def test_one_daemon_for_one_state(small, agent):
    a = agent(small.url)
    with Daemon(a) as d:
        d.wait_ready()
        assert a.run("run", code=DATABASE, VW_LISTEN="off").err
        assert a.sync(code=DATABASE).err
        d.stop()
    a.sync()


# ---- the schedule ----


def test_a_quick_sync_sees_a_new_version(playground, model, agent):
    a = agent(playground.url, f"{OFTEN}scope: {{include: [{model}]}}\n")
    with Daemon(a) as d:
        d.wait_ready()
        d.wait(lambda: sum(d.metrics()["vw_agent_versions"]["samples"].values()) == 1)
        post(playground, "model-versions/create", {"name": model, "source": "s3://nowhere/model"})
        d.wait(lambda: sum(d.metrics()["vw_agent_versions"]["samples"].values()) == 2, 12)
        line = d.wait_syncs(1, depth="quick", created="1")[0]
        assert line["outcome"] == "ok"
        d.stop()
    assert [r["version_number"] for r in a.inventory()] == ["1", "2"]


def test_a_full_sync_sees_what_moves_no_timestamp(playground, model, agent):
    a = agent(playground.url, f"schedule: {{quick: 5s, full: 5s}}\nscope: {{include: [{model}]}}\n")
    with Daemon(a) as d:
        d.wait_syncs(1, created="1")
        post(playground, "registered-models/alias", {"name": model, "alias": "champion", "version": "1"})
        d.wait_syncs(1, depth="full", updated="1")
        d.stop()
    assert a.record(model, "1")["lifecycle"]["lifecycle_stage"] == "Production"


def test_a_server_that_is_down_at_first(slow, agent):
    slow.down = True
    a = agent(slow.url, f"{OFTEN}mlflow: {{retries: 0}}\n")
    with Daemon(a) as d:
        failed = d.wait_syncs(1, outcome="failed")[0]
        assert failed["level"] == "error" and failed["depth"] == "full" and failed["error"] != "none" and failed["reason"]
        assert failed["retries"] == "0"
        assert d.ask("/readyz")[0] == 503 and d.ask("/livez")[0] == 200
        status, progress = d.progress()
        assert status == 200 and progress["consecutive_failures"] >= 1  # it has not been long enough
        assert progress["last_sync"]["outcome"] == "failed" and progress["last_success_at"] is None
        d.wait(lambda: d.progress()[0] == 503, 20)  # three intervals
        slow.down = False
        d.wait_syncs(1, outcome="ok", depth="full")
        d.wait(lambda: d.ask("/readyz")[0] == 200 and d.progress()[0] == 200)
        assert d.value("sync_consecutive_failures") == 0 and d.value("syncs_total", depth="full", outcome="failed") >= 1
        d.stop()
    starts = [time.mktime(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S")) for line in d.log.splitlines() if "sync_finished" in line]
    assert all(b - a >= 4 for a, b in zip(starts, starts[1:])), starts  # never more often than the quick interval


def test_ready_at_once_with_an_inventory_from_before(slow, agent):
    a = agent(slow.url, "mlflow: {retries: 0}\n")
    a.sync()
    slow.down = True
    with Daemon(a) as d:
        d.wait(lambda: d.ask("/readyz")[0] == 200, 10)
        d.wait_syncs(1, outcome="failed")
        assert d.ask("/readyz")[0] == 200 and d.value("last_sync_success_timestamp_seconds", depth="full") > 0
        assert sum(d.metrics()["vw_agent_versions"]["samples"].values()) == 18
        d.stop()


# ---- reload ----


@pytest.mark.tsan
def test_a_good_reload(small, agent):
    """Credentials of the environment were wiped there when they were read; a reload still has them."""
    wanted = []

    def before(request):
        wanted.append(request.headers.get("authorization"))

    with Proxy(small.url, before=before, hidden_headers=["authorization"]) as proxy:
        a = agent(proxy.url.replace("http://", f"http://reader:{SECRET}@"), "schedule: {quick: 5m}\n")
        with Daemon(a) as d:
            d.wait_syncs(1)
            a.config.write_text("schedule: {quick: 10m}\nlog: {level: debug}\n")
            line = d.reload("reloaded")
            assert line["changed"] == "yes" and line["credential"] == "basic:reader"
            lines = d.wait_syncs(2)
            assert (lines[1]["depth"], lines[1]["outcome"], lines[1]["unchanged"]) == ("full", "ok", "18")
            assert d.progress()[1]["stale_after_seconds"] == 1800
            assert d.value("config_reloads_total", outcome="ok") == 1 and d.value("config_last_reload_successful") == 1
            assert d.reload("reloaded")["changed"] == "no"
            assert d.wait_syncs(3)[2]["depth"] == "quick"
            d.stop()
            assert SECRET not in d.log
        assert len(set(wanted)) == 1 and wanted[0].startswith("Basic ")
    assert [r["kind"] for r in a.audit()].count("config_changed") == 1


def bad_configurations(tmp_path):
    (tmp_path / "policy.yaml").write_text("policy: {id: x}\nrules: [{id: a, severity: terrible}]\n")
    yield "mlflow: {connections: none}\n", "connections"
    yield "schedule: [\n", "agent"
    yield f"policy_file: {tmp_path}/policy.yaml\n", "policy.yaml"
    yield f"policy_file: {tmp_path}/nowhere.yaml\n", "nowhere.yaml"
    yield f"mlflow: {{username: x, password_file: {tmp_path}/nowhere}}\n", "nowhere"
    yield "mask_patterns: ['(']\n", "pattern 1"


def test_a_bad_reload_changes_nothing(small, agent, tmp_path):
    config = tmp_path / "agent.yaml"
    config.write_text("schedule: {quick: 7m}\n")
    a = agent(small.url, config)
    with Daemon(a) as d:
        d.wait_syncs(1)
        for count, (text, word) in enumerate(bad_configurations(tmp_path), 1):
            config.write_text(text)
            line = d.reload("reload_refused")
            assert line["level"] == "warn" and word in line["reason"], line
            assert d.value("config_reloads_total", outcome="refused") == count and d.value("config_last_reload_successful") == 0
        config.unlink()
        d.reload("reload_refused")
        assert d.progress()[1]["stale_after_seconds"] == 3 * 7 * 60
        config.write_text("schedule: {quick: 8m}\n")
        d.reload("reloaded")
        assert len(d.wait_syncs(2, outcome="ok")) == 2
        assert d.progress()[1]["stale_after_seconds"] == 3 * 8 * 60 and d.value("config_last_reload_successful") == 1
        d.stop()


def test_what_cannot_change_while_running(small, agent, tmp_path):
    """A state is bound to its folder and its server."""
    config = tmp_path / "agent.yaml"
    one = f"mlflow: {{tracking_uri: '{small.url}'}}\nstate_dir: {tmp_path}/one\n"
    config.write_text(one)
    a = agent(None, config, state=tmp_path / "one")
    a.env.pop("VW_STATE_DIR")
    with Daemon(a) as d:
        d.wait_syncs(1)
        config.write_text(one.replace("/one", "/two"))
        assert "state_dir" in d.reload("reload_refused")["reason"]
        config.write_text(one.replace("127.0.0.1", "localhost"))
        assert "tracking_uri" in d.reload("reload_refused")["reason"]
        config.write_text(f"state_dir: {tmp_path}/one\n")
        assert "MLFLOW_TRACKING_URI" in d.reload("reload_refused")["reason"]
        d.stop()
    assert not (tmp_path / "two").exists()


def test_a_reload_moves_the_health_server(small, agent):
    a = agent(small.url, "")
    first, second = free_port(), free_port()
    a.env.pop("VW_LISTEN", None)
    a.config.write_text(f"listen: 127.0.0.1:{first}\n")
    with Daemon(a, VW_LISTEN="") as d:
        d.wait(lambda: d.ask("/readyz", first)[0] == 200)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            a.config.write_text(f"listen: 127.0.0.1:{taken.getsockname()[1]}\n")
            d.reload("reload_refused")
        assert d.ask("/livez", first)[0] == 200
        a.config.write_text(f"listen: 127.0.0.1:{second}\n")
        d.reload("reloaded")
        assert d.ask("/readyz", second)[0] == 200
        with pytest.raises(OSError):
            d.ask("/livez", first)
        a.config.write_text("listen: off\n")
        d.reload("reloaded")
        with pytest.raises(OSError):
            d.ask("/livez", second)
        d.stop()


def test_a_new_policy_judges_what_is_stored(small, agent, tmp_path):
    policy = tmp_path / "policy.yaml"
    rule = "  - {{id: r, title: t, severity: {}, require: {{field: identity.business_purpose, is: never}}}}\n"
    policy.write_text("policy: {id: mine, version: 1}\nrules:\n" + rule.format("low"))
    a = agent(small.url, f"policy_file: {policy}\n")
    with Daemon(a) as d:
        d.wait_syncs(1)
        d.wait(lambda: d.value("gaps", severity="low") == 18)
        policy.write_text("policy: {id: mine, version: 2}\nrules:\n" + rule.format("critical"))
        d.reload("reloaded")
        d.wait(lambda: d.value("gaps", severity="critical") == 18)
        assert d.value("gaps", severity="low") == 0
        d.stop()
    assert [r["kind"] for r in a.audit()].count("policy_changed") == 1


# ---- signals ----


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ends_within_a_second_in_the_middle_of_a_sync(slow, agent, number):
    slow.stall = 30
    a = agent(slow.url)
    with Daemon(a) as d:
        d.wait(lambda: len(slow.proxy.calls()) >= 1)
        d.wait(lambda: d.value("sync_running") == 1)
        assert d.stop(number) < WITHIN
        assert d.events("sync_finished")[0]["outcome"] == "cancelled"
        assert d.events("stopped")[0]["signal"] == str(int(number))
    a.verify()


def test_a_signal_in_the_first_moment(small, agent):
    """Whenever it comes, it ends the process, and well."""
    a = agent(small.url)
    for delay in (0.0, 0.003, 0.006, 0.01, 0.02, 0.05, 0.1):
        with Daemon(a) as d:
            d.wait(lambda: b"MLFLOW" in pathlib.Path(f"/proc/{d.process.pid}/environ").read_bytes(), 5)
            time.sleep(delay)
            d.send(signal.SIGTERM)
            assert d.process.wait(10) in (0, -signal.SIGTERM), d.log
    a.sync()
    a.verify()


def test_a_hangup_in_the_middle_of_a_sync_waits_for_its_end(slow, agent):
    slow.stall = 2
    a = agent(slow.url, "mlflow: {retries: 1}\n")
    with Daemon(a) as d:
        d.wait(lambda: d.value("sync_running") == 1)
        d.send(signal.SIGHUP)
        slow.stall = 0
        d.wait(lambda: d.events("reloaded"))
        lines = d.log.splitlines()
        assert next(i for i, x in enumerate(lines) if "sync_finished" in x) < next(i for i, x in enumerate(lines) if "=reloaded" in x)
        d.stop()


def test_as_process_one(small, agent):
    """Alone in a PID namespace, where signals without a handler are ignored."""
    wrapper = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("this user may not make a PID namespace")
    a = agent(small.url, "")
    with Daemon(a, wrapper) as d:
        d.wait_ready()
        children = pathlib.Path(f"/proc/{d.process.pid}/task/{d.process.pid}/children").read_text().split()
        assert re.search(r"NSpid:\s+\d+\s+1$", pathlib.Path(f"/proc/{children[0]}/status").read_text(), re.M)
        os.kill(int(children[0]), signal.SIGHUP)
        d.wait(lambda: d.events("reloaded"))
        start = time.monotonic()
        os.kill(int(children[0]), signal.SIGTERM)
        assert d.process.wait(10) == 0 and time.monotonic() - start < WITHIN


# ---- secrets ----


def test_no_secret_is_left_in_proc_or_said(small, agent):
    with Proxy(small.url, hidden_headers=["authorization"]) as proxy:
        a = agent(proxy.url.replace("http://", f"http://reader:{SECRET}@"), "log: {level: debug}\n",
                  MLFLOW_TRACKING_TOKEN=SECRET)
        with Daemon(a) as d:
            d.wait_syncs(1)
            d.reload("reloaded")
            proc = pathlib.Path(f"/proc/{d.process.pid}")
            for name in ("environ", "cmdline"):
                assert SECRET.encode() not in (proc / name).read_bytes(), name
            assert b"MLFLOW_TRACKING_URI" in (proc / "environ").read_bytes()
            said = "".join(d.ask(path)[2] for path in ("/livez", "/readyz", "/progressz", "/metrics"))
            d.stop()
            assert SECRET not in said + d.log


def test_a_token_that_is_replaced(small, agent, tmp_path):
    """The next sync shows the new one, and the audit trail names it (S4.4); one that went away leaves the old one."""
    seen, token = [], tmp_path / "token"
    token.write_text("first-token\n")
    with Proxy(small.url, before=lambda r: seen.append(r.headers.get("authorization")), hidden_headers=["authorization"]) as proxy:
        a = agent(proxy.url, f"{OFTEN}mlflow: {{token_file: {token}}}\n")
        with Daemon(a) as d:
            d.wait_syncs(1)
            token.write_text("second-token\n")
            d.wait_syncs(2)
            token.unlink()
            d.wait_syncs(3, outcome="ok")
            assert d.events("credential_kept")[0]["level"] == "warn"
            d.stop()
    assert list(dict.fromkeys(seen)) == ["Bearer first-token", "Bearer second-token"]
    rows = [r for r in a.audit() if r["kind"] in ("sync_finished", "credential_changed")]
    assert [r["kind"] for r in rows].count("credential_changed") == 1
    assert len({r["access"]["credential"] for r in rows if r["kind"] == "sync_finished"}) == 2


# ---- the service manager ----


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_the_service_manager_hears_of_it(slow, agent, tmp_path, kind):
    manager = Manager(f"{tmp_path}/notify" if kind == "path" else f"@vw-test-{time.monotonic_ns()}")
    a = agent(slow.url, "")
    with Daemon(a, NOTIFY_SOCKET=manager.name, WATCHDOG_USEC="600000") as d:
        assert manager.receive().startswith("READY=1\nSTATUS=")
        manager.until("STATUS=18 versions of 6 models; last sync ok at 2")
        manager.until("WATCHDOG=1")
        manager.until("WATCHDOG=1")
        before = time.monotonic_ns() // 1000
        d.send(signal.SIGHUP)
        reloading = manager.until("RELOADING=1")[-1]
        said = int(re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=(\d+)\n", reloading)[1])
        assert before <= said <= time.monotonic_ns() // 1000
        manager.until("READY=1")
        manager.until("STATUS=")
        # a sync that waits for a silent server is not dead
        slow.stall = 3
        d.send(signal.SIGHUP)
        d.wait(lambda: d.value("sync_running") == 1)
        for _ in range(4):
            manager.until("WATCHDOG=1", 1.5)
        assert d.value("sync_running") == 1
        slow.stall = 0
        d.send(signal.SIGTERM)
        manager.until("STOPPING=1")
        assert d.process.wait(10) == 0
    manager.close()


# ---- what is packaged ----


def uncommented(text):
    """With each "#key: value" in force."""
    return re.sub(r"^( *)#(?=\w+:)", r"\1", text, flags=re.M)


@pytest.mark.parametrize("every", [False, True])
def test_the_packaged_configuration(agent, tmp_path, every):
    text = (ROOT / "packaging" / "agent.yaml").read_text()
    if every:
        text = uncommented(text).replace("/etc/verifywise", str(tmp_path))
        assert text.count("\n  ") > 15
        for name in ("mlflow-password", "headers", "ca.pem", "client.pem", "client.key"):
            (tmp_path / name).write_text("X-Key: value\n")
            (tmp_path / name).chmod(0o600)
        (tmp_path / "policy.yaml").write_text(agent().run("config", "policy").out)
    a = agent(None, text)
    a.run("config", "check")
    shown = a.run("config", "show").out
    assert "tracking_uri: http://127.0.0.1:5000" in shown
    if every:
        # every setting of the example is in force, and those that show a default show the right one
        plain = agent(None, "").run("config", "show").out
        for line in ("connections: 4", "requests_per_second: 20", "burst: 40", "retries: 5", "quick: 5m", "full: 6h", "level: info"):
            assert f"{line} " in shown and f"{line} " in plain and line in text


def test_the_packaged_unit(tmp_path):
    """systemd understands each line of it, also those that are commented out, and finds little that it exposes."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    text = (ROOT / "packaging" / "systemd" / "vw-agent.service").read_text()
    assert re.search(r"^#LoadCredential=mlflow_token:", text, re.M)
    text = re.sub(r"^#(?=\w+=)", "", text, flags=re.M).replace("/usr/bin/vw-agent", str(BINARY))
    unit = tmp_path / "vw-agent.service"
    unit.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))  # of manual pages that are not installed
    for command in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=20"]):
        done = subprocess.run(["systemd-analyze", *command, unit], capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "Unknown key" not in said and "ignoring" not in said, said

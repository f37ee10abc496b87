"""vw-agent run with a controller that is not ours: health, what the controller gives, pause, and what a stop or a crash cuts off (S4.2, S9, S11.1)."""

import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import shutil
import signal
import time

import pytest
from agent import Agent
from daemon import Daemon
from proxies import Answer, Proxy
from protos import fleet_pb2
from servers import free_port
from test_clock import clock  # noqa: F401

POLICY = b"""policy: {id: given, version: 7}
rules:
  - {id: r, title: t, severity: low, require: {field: identity.business_purpose, is: never}}
"""
HIDDEN = "remote-q7Zk-handed-over"


def seal(public_key, text):
    sodium = ctypes.CDLL(ctypes.util.find_library("sodium"))
    plain, sealed = text.encode(), ctypes.create_string_buffer(len(text) + 48)
    assert sodium.crypto_box_seal(sealed, plain, ctypes.c_ulonglong(len(plain)), public_key) == 0
    return sealed.raw


def secret(peer, name, text, version=1):
    return fleet_pb2.SealedSecret(name=name, version=version, sealed=seal(peer.sealing_key, text))


class Fleet:
    """An enrolled agent, its controller and the stream that is open now."""

    def __init__(self, folder, peer, uri, config=""):
        file = folder / "agent.yaml"
        file.write_text(f"schedule: {{quick: 1h, full: 1d}}\n{config}")
        self.peer, self.config = peer, file
        self.agent = Agent(folder / "state", uri, file)
        token = folder / "token"
        token.write_text(peer.token())
        token.chmod(0o600)
        self.agent.run("enroll", peer.url, "--token-file", token)

    def run(self, **env):
        return Daemon(self.agent, **env)

    def stream(self, daemon):
        """The newest stream, once it is welcomed."""
        name = "vw_agent_controller_connected"
        daemon.wait(lambda: daemon.metrics().get(name, {"samples": {(): 0}})["samples"][()] == 1)
        return self.peer.streams[-1]

    def command(self, daemon, kind, **more):
        return self.stream(daemon).command(kind, **more)

    def outcome(self, daemon, id, seconds=30):
        """How a command ended."""
        def found():
            over = [m.command for s in self.peer.streams for m in s.seen if m.WhichOneof("body") == "command" and
                    m.command.id == id and m.command.state != fleet_pb2.COMMAND_STATE_RUNNING]
            return over[-1] if over else None
        return daemon.wait(found, seconds)

    def do(self, daemon, kind, **more):
        return self.outcome(daemon, self.command(daemon, kind, **more))

    def done(self, daemon, kind, **more):
        update = self.do(daemon, kind, **more)
        assert update.state == fleet_pb2.COMMAND_STATE_DONE, update.text
        return update

    def failed(self, daemon, kind, **more):
        update = self.do(daemon, kind, **more)
        assert update.state == fleet_pb2.COMMAND_STATE_FAILED, update
        return update.text

    def given(self, name):
        return self.agent.state / "controller" / name

    def kinds(self):
        return [e.audit.kind for e in self.peer.chain.entries() if e.HasField("audit")]


@pytest.fixture
def fleet(tmp_path, peer, small):
    def make(config="", uri=small.url):
        peer.serve()
        return Fleet(tmp_path, peer, uri, config)
    return make


# ---- health ----


def test_health_shows_the_uplink_as_it_is(fleet, peer):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        f.stream(d)
        d.wait(lambda: d.value("controller_queued_entries") == 0 and d.value("controller_acknowledged_sequence") > 5)
        status, progress = d.progress()
        controller = progress["controller"]
        assert status == 200 and progress["troubles"] == [] and not progress["paused"]
        assert controller["state"] == "connected" and controller["error"] is None and controller["rejection"] is None
        assert controller["last_sequence"] == controller["sent_sequence"] == controller["acknowledged_sequence"]
        assert 6 * 86400 < controller["certificate_seconds_left"] < 7 * 86400 and controller["waiting_seconds"] == 0
        assert d.value("controller_state", state="connected") == 1 and d.value("enrolled") == 1
        assert d.value("controller_entries_total") >= controller["last_sequence"] and d.value("controller_connects_total") == 1
        assert d.value("controller_certificate_expiry_timestamp_seconds") > time.time() + 6 * 86400
        peer.stop_streams()
        d.wait(lambda: d.value("controller_connected") == 0)
        status, progress = d.progress()
        assert status == 200 and progress["controller"]["state"] in ("connecting", "waiting")
        assert "127.0.0.1" not in json.dumps(progress)
        d.stop()


@pytest.mark.tsan
def test_health_while_the_uplink_begins_anew(fleet):
    """The health server never asks an uplink that is gone."""
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        for _ in range(5):
            d.send(signal.SIGHUP)
            for _ in range(40):
                status, progress = d.progress()
                assert d.value("enrolled") == 1 and status == 200, progress
        d.wait(lambda: d.value("controller_connected") == 1)
        d.stop()


def test_a_refusal_is_not_green(fleet, peer):
    peer.behaviours = [lambda session: session.reject("REVOKED")]
    f = fleet()
    with f.run() as d:
        d.wait(lambda: d.value("controller_state", state="refused") == 1)
        status, progress = d.progress()
        assert status == 503 and progress["troubles"] == ["uplink_refused"]
        assert progress["controller"]["rejection"] == "revoked"
        assert d.value("controller_rejected", reason="revoked") == 1 and d.value("progressing") == 0
        assert d.ask("/livez")[0] == 200
        d.stop()


def test_without_a_controller_there_is_none(small, agent):
    with Daemon(agent(small.url)) as d:
        d.wait_syncs(1)
        assert d.progress()[1]["controller"] is None and d.value("enrolled") == 0
        assert not [name for name in d.metrics() if name.startswith("vw_agent_controller_")]
        d.stop()


def blocks(pid, thread, number):
    with open(f"/proc/{pid}/task/{thread}/status") as status:
        return int(re.search(r"SigBlk:\s*([0-9a-f]+)", status.read())[1], 16) >> (number - 1) & 1


# not for the thread sanitizer, which holds signals of other threads back
def test_a_signal_that_a_librarys_thread_gets_wakes_the_main_thread(fleet):
    """It sleeps for an hour otherwise: the kernel gives a signal to whichever thread does not block it."""
    f = fleet()
    tgkill = ctypes.CDLL(None).tgkill
    with f.run() as d:
        d.wait_syncs(1)
        f.stream(d)
        pid = d.process.pid
        others = [t for t in map(int, os.listdir(f"/proc/{pid}/task")) if t != pid and not blocks(pid, t, signal.SIGTERM)]
        assert others, "gRPC's threads are expected to take signals"
        assert tgkill(pid, others[0], signal.SIGHUP) == 0
        d.wait(lambda: d.events("reloaded"), 5)
        f.stream(d)
        others = [t for t in map(int, os.listdir(f"/proc/{pid}/task")) if t != pid and not blocks(pid, t, signal.SIGTERM)]
        assert tgkill(pid, others[-1], signal.SIGTERM) == 0
        assert d.process.wait(5) == 0


# ---- commands ----


@pytest.mark.tsan
def test_pause_outlives_the_process(fleet):
    f = fleet("listen: 127.0.0.1:1\n")
    with f.run() as d:
        d.wait_syncs(1)
        f.done(d, "PAUSE")
        assert d.value("paused") == 1 and d.progress() == (200, d.progress()[1])
        f.done(d, "PAUSE")
        d.reload("reloaded")
        assert d.value("paused") == 1
        d.stop()
    with f.run() as d:
        f.stream(d)
        assert d.value("paused") == 1
        time.sleep(1)
        assert len(d.events("sync_finished")) == 1  # of the first life; a start would sync at once
        f.done(d, "SYNC", model="*")  # one that is asked for is done
        assert len(d.events("sync_finished")) == 2
        f.done(d, "RESUME")
        d.wait_syncs(3)  # the one that was due
        assert d.value("paused") == 0 and d.progress()[0] == 200
        d.stop()
    kinds = [r["kind"] for r in f.agent.audit()]
    assert kinds.count("paused") == kinds.count("resumed") == 1


def test_sync_and_its_result(fleet, small):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        result = json.loads(f.done(d, "SYNC", depth="quick").result)
        assert result["sync_id"] == d.events("sync_finished")[-1]["sync_id"] and "counts" in result
        model = f.agent.inventory()[0]["model_name"]
        f.done(d, "SYNC", depth="full", model=model)
        f.done(d, "SYNC", depth="reconcile")
        assert "no depth deeper" in f.failed(d, "SYNC", depth="deeper")
        d.stop()


def test_a_command_that_a_stop_cuts_off_is_done_in_the_next_life(fleet, small):
    class Switch:
        stall = 0

    with Proxy(small.url, before=lambda r: Answer(503, b"{}", stall=Switch.stall) if Switch.stall else None) as slow:
        f = fleet(uri=slow.url)
        with f.run() as d:
            d.wait_syncs(1)
            Switch.stall = 30
            id = f.command(d, "SYNC")
            d.wait(lambda: d.value("sync_running") == 1)
            d.stop()
        Switch.stall = 0
        with f.run() as d:
            assert f.outcome(d, id).state == fleet_pb2.COMMAND_STATE_DONE
            d.stop()
    finished = [r for r in f.agent.audit("--kind", "command_finished")]
    assert len(finished) == 1


# ---- what the controller gives ----


@pytest.mark.tsan
def test_a_policy_is_tried_kept_and_used(fleet, peer):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        result = json.loads(f.done(d, "SET_POLICY", content=POLICY).result)
        assert result["counts"]["reevaluated"] == 18
        assert d.value("gaps", severity="low") == 18 and f.given("policy.yaml").read_bytes() == POLICY
        assert oct(f.given("policy.yaml").stat().st_mode)[-3:] == "600"
        before = f.agent.state / "controller"
        for bad in (b"rules: [", b"policy: {id: x, version: 1}\nrules: [{id: r}]\n", b"\0\1"):
            assert f.failed(d, "SET_POLICY", content=bad)
            assert f.given("policy.yaml").read_bytes() == POLICY and sorted(os.listdir(before)) == ["policy.yaml"]
        assert d.value("gaps", severity="low") == 18
        d.stop()
    assert f.agent.run("config", "policy").out.encode() == POLICY
    with f.run() as d:
        assert f.stream(d).hello.policy_sha256 == hashlib.sha256(POLICY).digest()
        f.done(d, "SET_POLICY", content=b"")
        assert not f.given("policy.yaml").exists()
        d.stop()
    assert "id: given" not in f.agent.run("config", "policy").out


def test_kill_at_any_moment_leaves_a_policy_that_can_be_used(fleet, peer):
    """An invalid one is never on disk, and the next life ends the command."""
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        d.stop()
    ends = []
    for i in range(12):
        content = POLICY.replace(b"7", str(i).encode()) if i % 2 else b"rules: nonsense " + bytes([65 + i])
        with f.run() as d:
            id = f.command(d, "SET_POLICY", content=content)
            time.sleep(0.004 * i)
            d.process.kill()
            d.process.wait()
        f.agent.run("config", "check")
        ends.append((id, i % 2))
    with f.run() as d:
        f.stream(d)
        for id, good in ends:
            known = [m for s in peer.streams for m in s.seen if m.WhichOneof("body") == "command" and m.command.id == id]
            if known:  # those that were not even received stay with the controller
                assert (f.outcome(d, id).state == fleet_pb2.COMMAND_STATE_DONE) == bool(good)
        d.stop()
    f.agent.verify()


def test_configuration_within_what_the_local_file_allows(fleet):
    f = fleet("controller: {settings: [schedule.quick, schedule.full, listen]}\n")
    with f.run() as d:
        d.wait_syncs(1)
        f.done(d, "SET_CONFIGURATION", content=b"schedule: {quick: 5s}\n")
        d.wait(lambda: d.progress()[1]["stale_after_seconds"] == 15)
        for key, text in (("mlflow.tracking_uri", b"mlflow: {tracking_uri: 'http://127.0.0.1:1'}\n"),
                          ("controller.refuse", b"controller: {refuse: [sync]}\n"),
                          ("controller.secrets", b"controller: {secrets: true}\n"),
                          ("state_dir", b"state_dir: /tmp\n"),
                          ("mlflow.insecure_tls", b"schedule: {quick: 5s}\nmlflow: {insecure_tls: true}\n"),
                          ("schedule.quick", b"schedule: {quick: often}\n"),
                          ("listen", f"listen: 127.0.0.1:{f.peer.port}\n".encode()), ("controller:2", b"schedule: [\n")):
            assert key in f.failed(d, "SET_CONFIGURATION", content=text)
            assert f.given("configuration.yaml").read_bytes() == b"schedule: {quick: 5s}\n"
        assert d.progress()[1]["stale_after_seconds"] == 15
        d.stop()
    assert "quick: 5s  # controller" in f.agent.run("config", "show").out
    f.given("configuration.yaml").write_bytes(b"schedule: {quick: 5s\n")
    assert "configuration.yaml" in f.agent.run("status", code=3).err


def test_what_the_local_file_refuses(fleet):
    f = fleet("controller: {refuse: [all], secrets: false}\n")
    with f.run() as d:
        d.wait_syncs(1)
        for kind in ("SYNC", "SET_POLICY", "PAUSE", "RESEND", "DIAGNOSE"):
            assert f.do(d, kind).state == fleet_pb2.COMMAND_STATE_REFUSED
        d.stop()
    f.config.write_text("controller: {refuse: [set_polcy]}\n")
    assert "set_polcy" in f.agent.run("config", "check", code=3).err
    f.config.write_text("controller: {settings: [controller.refuse]}\n")
    assert "controller.refuse" in f.agent.run("config", "check", code=3).err


def test_a_policy_that_is_refused_later_is_not_said_to_be_in_force(fleet):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        f.done(d, "SET_POLICY", content=POLICY)
        d.stop()
    f.config.write_text("controller: {refuse: [set_policy]}\n")
    f.agent.sync()  # what the last one judged by is told too
    with f.run() as d:
        assert f.stream(d).hello.policy_sha256 != hashlib.sha256(POLICY).digest()
        d.stop()


# ---- secrets ----


def test_secrets_are_used_and_never_shown(fleet, peer, small, tmp_path):
    seen = []

    def look(request):
        seen.append(request.headers.get("authorization"))

    with Proxy(small.url, before=look) as proxy:
        f = fleet(uri=proxy.url)
        with f.run() as d:
            d.wait_syncs(1)
            f.done(d, "SET_SECRETS", secrets=[secret(peer, "mlflow.token", HIDDEN)])
            f.done(d, "SYNC")
            assert seen[-1] == f"Bearer {HIDDEN}"
            bad = secret(peer, "mlflow.token", "x" + HIDDEN)
            bad.sealed = bad.sealed[:-1] + bytes([bad.sealed[-1] ^ 1])
            assert "mlflow.token" in f.failed(d, "SET_SECRETS", secrets=[bad])
            assert "s3.key" in f.failed(d, "SET_SECRETS", secrets=[secret(peer, "s3.key", HIDDEN)])
            assert f.failed(d, "SET_SECRETS", secrets=[secret(peer, "mlflow.username", "only-a-name")])
            f.done(d, "SYNC")
            assert seen[-1] == f"Bearer {HIDDEN}"  # what was there stays
            bundle = json.loads(f.done(d, "DIAGNOSE").result)
            assert bundle["controller"]["secrets"][0]["name"] == "mlflow.token"
            d.stop()
        with f.run() as d:  # in the next life too
            d.wait_syncs(len(d.events("sync_finished")) + 1)
            assert seen[-1] == f"Bearer {HIDDEN}"
            f.done(d, "SET_SECRETS")
            f.done(d, "SYNC")
            assert seen[-1] is None
            d.stop()
        changed = [r for r in f.agent.audit("--kind", "secret_changed")]
        assert len(changed) == 2
        texts = [d.log, f.agent.run("audit", "export").out, f.agent.run("diagnose").out, json.dumps(bundle)]
        assert not any(HIDDEN in text for text in texts)
        for file in f.agent.state.rglob("*"):
            assert not file.is_file() or HIDDEN.encode() not in file.read_bytes(), file


def test_status_shows_the_key_that_secrets_are_sealed_to(fleet, peer):
    f = fleet()
    assert f.agent.run("status", "--format", "json").json["controller"]["sealing_key"] == peer.sealing_key.hex()
    assert peer.sealing_key.hex() in f.agent.run("status").out


def test_secrets_of_another_enrolment_are_left_out(fleet, peer, tmp_path):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        f.done(d, "SET_SECRETS", secrets=[secret(peer, "mlflow.token", HIDDEN)])
        d.stop()
    other = tmp_path / "other"
    shutil.copytree(f.agent.state / "identity", other)
    # the sealing key of another: as after a restored half
    spare = Agent(tmp_path / "spare" / "state")
    spare.run("enroll", peer.url, "--token-file", tmp_path / "token")
    shutil.copy(spare.state / "identity" / "sealing.key", f.agent.state / "identity" / "sealing.key")
    assert "secrets_unusable" in f.agent.sync().err


def test_leaving_forgets_what_was_given(fleet, peer, tmp_path):
    f = fleet()
    with f.run() as d:
        d.wait_syncs(1)
        f.done(d, "SET_POLICY", content=POLICY)
        f.done(d, "SET_SECRETS", secrets=[secret(peer, "mlflow.token", HIDDEN)])
        f.done(d, "PAUSE")
        d.stop()
    f.agent.run("unenroll")
    assert not f.given("policy.yaml").exists() and not (f.agent.state / "identity" / "sealing.key").exists()
    f.agent.run("unenroll", code=None)
    state = json.loads(f.agent.run("diagnose").out)["controller"]
    assert not state["enrolled"] and not state["paused"] and not state["secrets"] and not state["controllers_policy"]
    assert state["acknowledged_sequence"] > 0
    before = len(d.events("sync_finished"))
    with f.run() as d:
        d.wait_syncs(before + 1)
        d.stop()
    f.agent.verify()


# ---- doctor ----


def checks(f, code=None):
    return {c["check"]: c for c in f.agent.run("doctor", "--format", "json", code=code).json}


def test_doctor_looks_at_the_controller(fleet, peer):
    f = fleet()
    f.agent.sync()
    found = checks(f, 0)
    for name in ("controller", "certificate", "controller's HTTPS", "controller's clock", "controller's address",
                 "controller's TLS"):
        assert found[name]["result"] == "ok", found[name]
    assert found["acknowledged"]["result"] == "warning"  # nothing was sent yet
    peer.stop_streams()
    found = checks(f, 4)
    assert found["controller's address"]["result"] == "failed" and "controller's TLS" not in found
    assert found["controller's HTTPS"]["result"] == "ok"


def test_doctor_names_a_proxy_that_refuses(fleet, peer):
    f = fleet()
    f.agent.sync()
    f.config.write_text(f"controller: {{proxy: 'http://user:{HIDDEN}@127.0.0.1:{free_port()}'}}\n")
    result = f.agent.run("doctor", code=4)
    assert "proxy" in result.out and HIDDEN not in result.out + result.err


def test_doctor_sees_an_expired_certificate_and_a_clock_that_is_off(fleet, clock):  # noqa: F811
    f = fleet()
    f.agent.sync()
    for ahead, certificate in ((5 * 86400, "warning"), (30 * 86400, "failed")):
        found = {c["check"]: c for c in f.agent.run("doctor", "--format", "json", code=None, **clock(ahead)).json}
        assert found["certificate"]["result"] == certificate
        if "controller's clock" in found:
            assert found["controller's clock"]["result"] == "failed"

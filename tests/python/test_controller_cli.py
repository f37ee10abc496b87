"""vw-controller as its operator sees it: exit codes, what is printed and where, signals, what is taken, away or in the way (S4.1, S4.4)."""

import hashlib
import itertools
import json
import os
import pathlib
import pty
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import time

import pytest
from agent import CANCELLED, CHAIN, CONFIGURATION, FAILURE, OK, SANITIZED, USAGE
from fleet import CONTROLLER, OWNER, REFUSED, STORE, STORES, Controller, Database, Fleet, fleet_of, until
from servers import ROOT, die_with_parent, free_port, stop_process

class Around(Fleet):
    """A fleet around a controller that runs already."""

    def __init__(self, folder, controller):
        self.folder, self.controller = folder, controller
        self.members, self.replicas, self.numbers = [], [], itertools.count(1)


ESCAPES = set("\x1b\x07\x9b\u202e")


@pytest.fixture(scope="module", params=STORES)
def fleet(request, tmp_path_factory):
    fleet = fleet_of(request.param, tmp_path_factory.mktemp(f"cli-{request.param}"))
    yield fleet
    fleet.end()


@pytest.fixture(scope="module")
def database():
    database = Database().start()
    yield database
    database.stop()


@pytest.fixture
def controller(tmp_path):
    controller = Controller(tmp_path / "c").init()
    yield controller
    controller.end()


@pytest.fixture
def member(fleet):
    before = len(fleet.members)
    yield fleet.member
    for m in fleet.members[before:]:
        m.end()
    del fleet.members[before:]


def start(controller, *arguments, **more):
    command = [str(CONTROLLER), "--config", str(controller.path), *map(str, arguments)]
    return subprocess.Popen(command, env=controller.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=die_with_parent, **more)


def finish(process, seconds=20):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out.decode(), err.decode()


# ---- what is printed ----

LISTS = ["org list", "token list", "users list", "agents list", "agents commands", "records", "trail"]
OBJECTS = ["version", "doctor"]


def test_every_listing_in_every_format(fleet, member):
    c, m = fleet.controller, member().start().connected()
    c.token(m.organization)
    c.user(m.organization)
    m.command("sync")
    c.operator("PUT", f"/api/v1/agents/{m.id}/secrets/mlflow.token", {"sealed": "A" * 128}, organization=m.organization)
    org = ["--organization", m.organization]
    lists = [(name.split(), [] if name == "org list" else org) for name in LISTS]
    lists += [(["secrets", "list", m.id], org), (["agents", "commands", m.id], org)]
    for words, options in lists:
        table = c.cli(*words, *options).out
        whole = json.loads(c.cli(*words, *options, "--format", "json").out)
        lines = [json.loads(line) for line in c.cli(*words, *options, "--format", "ndjson").out.splitlines()]
        assert whole["items"] == lines and whole["next"] is None, words
        assert len(table.splitlines()) == len(lines) + 1, (words, table)
        assert lines or words == ["records"], words
    for words in (["agents", "show", m.id, *map(str, org)], ["ledger", "verify", m.id, *map(str, org)], ["version"]):
        text = c.cli(*words).out
        whole = json.loads(c.cli(*words, "--format", "json").out)
        assert isinstance(whole, dict) and text.strip(), words
    assert "presence.connected" in c.cli("agents", "show", m.id, *org).out
    assert {check["check"] for check in json.loads(c.cli("doctor", "--format", "json", code=None).out)} >= {"store", "server"}
    assert c.cli("org", "list", "--format", "csv", code=USAGE).out == ""


def test_all_pages(fleet):
    c = fleet.controller
    for i in range(120):
        c.operator.post("/api/v1/organizations", {"name": f"page {i:03}"})
    count = len(c.operator.all("/api/v1/organizations"))
    assert count > 120
    assert len(c.cli("org", "list").out.splitlines()) == count + 1
    items = json.loads(c.cli("org", "list", "--format", "json").out)["items"]
    assert len({row["id"] for row in items}) == len(items) == count
    assert c.cli("org", "list", "--format", "ndjson").out.count("\n") == count


def on_terminal(controller, *arguments, columns=300):
    """What a terminal is sent."""
    near, far = pty.openpty()
    process = subprocess.Popen([str(CONTROLLER), "--config", str(controller.path), *map(str, arguments)], stdout=far, stderr=far,
                               stdin=far, env={**controller.env, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)},
                               preexec_fn=die_with_parent)
    os.close(far)
    text = b""
    while select.select([near], [], [], 20)[0]:
        try:
            part = os.read(near, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    process.wait(20)
    os.close(near)
    return text.decode()


def test_nothing_that_a_terminal_obeys(fleet, member):
    """Names come from hosts, people and agents."""
    c = fleet.controller
    name = "ACME \x1b]0;title\x07\x1b[31m \u202e evil"
    organization = c.operator.post("/api/v1/organizations", {"name": name})["id"]
    c.token(organization, label="\x1b[2J label")
    c.operator.post("/api/v1/users", {"name": "\x9b31m user", "role": "auditor"}, organization=organization)
    m = member(organization)
    c.operator.post(f"/api/v1/agents/{m.id}/revoke", {"reason": "because \x1b[8m of\nthis"}, organization=organization)
    org = ["--organization", organization]
    for words in (["org", "list"], ["token", "list", *org], ["users", "list", *org], ["trail", *org], ["agents", "list", *org],
                  ["agents", "show", m.id, *org], ["org", "create", name], ["agents", "show", "\x1b[31m"],
                  ["secrets", "list", m.id, *org]):
        for text in (on_terminal(c, *words), (r := c.cli(*words, code=None)).out + r.err):
            assert not ESCAPES & set(text), (words, text)
    assert "ACME" in c.cli("org", "list").out
    assert "no UTF-8" in c.cli("org", "create", "\udcff", code=USAGE).err


def test_tokens_are_on_standard_output_and_nowhere_else(fleet):
    c, organization = fleet.controller, fleet.controller.organization()
    made = [c.cli("token", "create", "--organization", organization), c.cli("users", "create", "x", "--organization", organization)]
    for result in made:
        assert re.fullmatch(r"vw[tu]1\.[0-9a-f]{16}\.[A-Za-z0-9_-]{43}(\.[A-Za-z0-9_-]{43})?\n", result.out)
        secret = result.out.strip().split(".")[2]
        assert secret not in result.err and result.out.split(".")[1] in result.err
        assert secret not in c.log and secret not in c.cli("trail", "--organization", organization, "--format", "json").out
        assert secret not in c.cli("token", "list", "--organization", organization, "--format", "json").out
        for path in c.folder.rglob("*"):
            assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    as_json = json.loads(c.cli("token", "create", "--organization", organization, "--format", "json").out)
    assert as_json["token"].split(".")[1] == as_json["public_id"]
    # without a server it is no different
    run = c.cli("token", "create", "--organization", organization, "--label", "x", "--uses", "3", "--expires-in", "7d")
    row = [r for r in c.operator.all("/api/v1/tokens", organization=organization) if r["public_id"] == run.out.split(".")[1]][0]
    assert (row["label"], row["uses_allowed"]) == ("x", 3)


# ---- exit codes ----


def test_exit_codes(fleet, member):
    c, m = fleet.controller, member()
    org = ["--organization", m.organization]
    nobody = "00000000-0000-4000-8000-000000000000"
    for words in (["agents", "show", nobody, *org], ["agents", "show", "x", *org], ["agents", "revoke", nobody, *org],
                  ["ledger", "verify", nobody, *org], ["ledger", "export", nobody, *org], ["token", "revoke", "0" * 16, *org],
                  ["org", "disable", "99999"], ["agents", "command", m.id, "reboot", *org], ["records", "--severity", "awful", *org],
                  ["secrets", "list", nobody, *org], ["agents", "list", "--organization", "99999"],
                  ["agents", "command", m.id, "sync", "--depth", "deep", *org], ["token", "create", "--organization", "99999"]):
        result = c.cli(*words, code=None)
        assert result.code == REFUSED and result.err.startswith("vw-controller: ") and not result.out, (words, result)
    for words in (["agents"], ["agents", "show"], ["nothing"], ["org", "create"], ["org", "create", "a", "b"], ["records", "--nothing"],
                  ["token", "create", "--uses", "-1"], ["org", "create", "x", "--id", "x"]):
        result = c.cli(*words, code=USAGE)
        assert result.err and not result.out
    assert c.cli("org", "list", "--config", "/nowhere.yaml", code=CONFIGURATION).err
    assert c.cli("agents", "command", m.id, "set_policy", "--file", "/nowhere.yaml", *org, code=CONFIGURATION).err
    assert "Usage" in c.cli("--help").out or "usage" in c.cli("--help").out


def test_one_command_after_another_without_a_server(tmp_path):
    c = Controller(tmp_path / "c").init()
    one, two = start(c, "org", "create", "one"), start(c, "org", "create", "two")
    results = [finish(one), finish(two)]
    assert [code for code, _, _ in results] == [0, 0], results  # one waits for the other
    assert len(c.cli("org", "list", "--format", "ndjson").out.splitlines()) == 2
    c.cli("org", "create", "one", code=REFUSED)


# ---- serve: what is in the way ----


def held_port():
    s = socket.create_server(("127.0.0.1", 0))
    return s, s.getsockname()[1]


@pytest.mark.parametrize("which", ["sessions", "https", "http"])
def test_a_port_that_is_taken(controller, which):
    held, port = held_port()
    controller.settings.setdefault(which, {})["listen"] = f"127.0.0.1:{port}"
    controller.write()
    result = controller.cli("serve", code=None, timeout=30)
    held.close()
    assert result.code == CONFIGURATION and f"127.0.0.1:{port}" in result.err and "in use" in result.err, result
    assert "event=started" not in result.err
    controller.start()
    controller.stop()


def test_an_address_that_is_not_ours(controller):
    controller.settings["https"]["listen"] = "192.0.2.1:8443"
    controller.write()
    assert "192.0.2.1" in controller.cli("serve", code=CONFIGURATION, timeout=30).err


def test_nothing_was_made(tmp_path):
    c = Controller(tmp_path / "c")
    for words in (["serve"], ["org", "list"], ["migrate"]):
        assert "vw-controller init" in c.cli(*words, code=CONFIGURATION).err, words
    assert "vw-controller init" in c.cli("doctor", code=FAILURE).out


def test_a_second_one_on_the_same_data(fleet):
    c = fleet.controller
    second = Controller(c.folder / "second", like=c, replica="z")
    second.settings["data_dir"] = str(c.data)
    second.write()
    began = time.monotonic()
    result = second.cli("serve", code=STORE, timeout=60)
    assert ("in use by process" if c.kind == "lmdb" else "another process answers there") in result.err, result
    assert time.monotonic() - began < 20
    assert c.cli("org", "list").out  # the first one still answers
    assert c.process.poll() is None


def test_after_a_kill(controller):
    """The socket's file stays; nobody listens there."""
    controller.start()
    controller.cli("org", "create", "one")
    controller.kill()
    assert (controller.data / "control.sock").exists()
    assert "one" in controller.cli("org", "list").out
    controller.start()
    assert "one" in controller.cli("org", "list").out
    controller.stop()
    assert not (controller.data / "control.sock").exists()


def test_a_folder_whose_name_is_too_long_for_a_socket(tmp_path, database):
    c = Controller(tmp_path / ("d" * 60) / ("e" * 60), database).init().start()
    assert c.events("no_control_socket")
    c.cli("org", "create", "one")  # PostgreSQL takes more than one
    c.stop()
    c = Controller(tmp_path / ("f" * 60) / ("g" * 60)).init().start()
    result = c.cli("org", "create", "one", code=STORE)
    assert "nobody answers" in result.err and "in use by process" in result.err
    c.stop()
    c.cli("org", "create", "one")


def read_only(folder):
    """A view of the folder, in a mount namespace of its own, where it cannot be written."""
    return ["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"', str(folder)]


def has_namespaces(folder):
    return subprocess.run([*read_only(folder), "true"], capture_output=True).returncode == 0


def test_a_data_folder_that_cannot_be_written(tmp_path, database):
    """A replica's copy of the authority may be another host's to write."""
    c = Controller(tmp_path / "c", database).init()
    if not has_namespaces(c.data):
        pytest.skip("no mount namespaces here")
    c.wrapper = read_only(c.data)
    c.start()
    assert c.events("no_control_socket") and not c.events("server_certificate_kept")
    c.organization("x")
    c.stop()
    # the server's certificate is not there: then it cannot be served
    (c.data / "authority" / "server.pem").unlink()
    done = subprocess.run([*c.wrapper, str(CONTROLLER), "--config", str(c.path), "serve"], env=c.env, capture_output=True, timeout=60)
    assert done.returncode == CONFIGURATION and b"may this user write there?" in done.stderr, done
    embedded = Controller(tmp_path / "e").init()
    done = subprocess.run([*read_only(embedded.data), str(CONTROLLER), "--config", str(embedded.path), "serve"], env=embedded.env,
                          capture_output=True, timeout=60)
    assert done.returncode not in (0, -6, -11) and str(embedded.data).encode() in done.stderr, done


def test_files_of_the_authority_that_were_lost(controller):
    authority = controller.data / "authority"
    before = (authority / "server.pem").read_bytes()
    (authority / "server.pem").unlink()
    controller.start()
    assert (authority / "server.pem").read_bytes() != before and controller.events("server_certificate_issued")
    controller.stop()
    kept = (authority / "ca.pem").read_bytes()
    (authority / "ca.pem").unlink()
    for words in (["serve"], ["init"], ["org", "list"]):
        assert "ca.pem" in controller.cli(*words, code=CONFIGURATION).err
    (authority / "ca.pem").write_bytes(kept)
    (authority / "ca.key").chmod(0o644)
    assert "chmod 600" in controller.cli("serve", code=CONFIGURATION).err
    (authority / "ca.key").chmod(0o600)
    controller.settings["trust_domain"] = "other.example"
    controller.write()
    assert "put trust_domain back" in controller.cli("serve", code=CONFIGURATION).err


# ---- PostgreSQL ----


def test_a_database_that_is_away(tmp_path, database):
    c = Controller(tmp_path / "c", database).init().start()
    c.cli("org", "create", "one")
    password = "hunter2-in-the-url"
    away = f"postgresql://verifywise_fleet_app:{password}@127.0.0.1:{free_port()}/nothing"
    for words in (["org", "list"], ["serve"], ["init"], ["migrate"]):
        other = Controller(tmp_path / f"other-{words[0]}", database, replica="o")
        other.data.mkdir(mode=0o700)
        subprocess.run(["cp", "-a", c.data / "authority", other.data], check=True)
        result = other.cli(*words, code=STORE, timeout=60, VW_CONTROLLER_STORE_URL=away)
        assert password not in result.err + result.out and not result.out.strip().endswith("ready"), result
    doctor = c.cli("doctor", code=FAILURE, VW_CONTROLLER_STORE_URL=away, VW_CONTROLLER_DATA=str(tmp_path / "other-serve" / "data"))
    assert "FAIL  store" in doctor.out and password not in doctor.out
    stop_process(database.process, signal.SIGINT)
    try:
        result = c.cli("org", "list", code=STORE, timeout=60)
        assert "the controller cannot do this now" in result.err
        assert c.process.poll() is None
    finally:
        database.launch()
    until(lambda: c.cli("org", "list", code=None).code == OK, 30)
    c.stop()


def test_the_schema_is_made_by_init(tmp_path, database):
    c = Controller(tmp_path / "c", database)
    c.data.mkdir(mode=0o700)
    done = Controller(tmp_path / "d", database).init()
    subprocess.run(["cp", "-a", done.data / "authority", c.data], check=True)
    assert "init" in c.cli("serve", code=None).err
    assert c.cli("org", "list", code=None).code in (CONFIGURATION, STORE)


# ---- serve: signals ----


def reloads(controller, count):
    until(lambda: len(controller.events("reloaded")) + len(controller.events("reload_refused")) >= count, 10)


def test_hangup(controller):
    controller.start()
    controller.process.send_signal(signal.SIGHUP)
    reloads(controller, 1)
    assert controller.events("reloaded")[-1]["restart_needed"] == "no"
    controller.settings["log"] = {"level": "debug", "format": "text"}
    controller.write()
    controller.process.send_signal(signal.SIGHUP)
    reloads(controller, 2)
    assert controller.events("reloaded")[-1]["restart_needed"] == "no"
    controller.settings["sessions"]["heartbeat"] = "7s"
    controller.write()
    controller.process.send_signal(signal.SIGHUP)
    reloads(controller, 3)
    assert controller.events("reloaded")[-1]["restart_needed"] == "yes"
    controller.path.write_text("sessions: {listen: off}\n")
    controller.process.send_signal(signal.SIGHUP)
    reloads(controller, 4)
    assert controller.events("reload_refused")
    assert controller.cli("org", "list", code=CONFIGURATION).err  # the command line reads the broken file
    assert controller.rest().raw("GET", "/healthz")[0] == 200
    controller.write()
    controller.stop()


def test_a_wiped_url_is_known_at_a_reload(tmp_path, database):
    c = Controller(tmp_path / "c", database).init()
    c.env["VW_CONTROLLER_STORE_URL"] = c.settings.pop("store")["url"]
    c.write()
    c.start()
    c.process.send_signal(signal.SIGHUP)
    reloads(c, 1)
    assert c.events("reloaded")[-1]["restart_needed"] == "no"
    if os.geteuid() == 0:  # nobody else may look
        assert b"postgresql://" not in pathlib.Path(f"/proc/{c.process.pid}/environ").read_bytes()
    c.stop()


def test_the_end_with_open_streams(fleet, member):
    c = fleet.controller
    agents = [member().start() for _ in range(3)]
    for m in agents:
        m.connected()
    began = time.monotonic()
    c.stop()
    assert time.monotonic() - began < (15 if SANITIZED else 8)
    assert c.events("stopping")[-1]["signal"] == str(int(signal.SIGTERM))
    for m in agents:
        assert m.process.poll() is None
    c.start()
    for m in agents:
        m.connected(60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ended_by(controller, number):
    controller.start()
    controller.process.send_signal(number)
    assert controller.process.wait(10) == 0
    controller.stop()


def shown(port, authority, certificate=None):
    """The certificate that a listener shows, DER."""
    context = ssl.create_default_context(cafile=authority)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if certificate:
        context.load_cert_chain(*certificate)
    with socket.create_connection(("127.0.0.1", port), 10) as raw, context.wrap_socket(raw) as tls:
        return tls.getpeercert(True)


def test_a_new_certificate_under_open_connections(tmp_path):
    """Both listeners show it to who comes from now on; who is there stays."""
    fleet = fleet_of("lmdb", tmp_path, certificates={"server_life": "1m"})  # it begins five minutes ago: half of it is over at once
    try:
        c, m = fleet.controller, fleet.member().start().connected()
        pair = [m.agent.state / "identity" / f"current.{kind}" for kind in ("pem", "key")]
        before = [shown(c.https, c.authority), shown(c.port, c.authority, pair)]
        assert before[0] == before[1]
        session = m.presence()
        c.process.send_signal(signal.SIGHUP)
        until(lambda: len(c.events("server_certificate_issued")) >= 2, 10)
        until(lambda: shown(c.https, c.authority) != before[0], 10)
        until(lambda: shown(c.port, c.authority, pair) == shown(c.https, c.authority), 10)
        time.sleep(1)
        assert m.is_connected() and m.presence()["connected_at"] == session["connected_at"]
        fleet.member(m.organization).start().connected()
        # what cannot be written is tried again, and costs nothing
        authority = c.data / "authority"
        authority.rename(authority.with_name("away"))
        c.process.send_signal(signal.SIGHUP)
        until(lambda: c.events("server_certificate_kept"), 10)
        assert m.is_connected() and c.operator.raw("GET", "/healthz")[0] == 200
        authority.with_name("away").rename(authority)
        issued = len(c.events("server_certificate_issued"))
        c.process.send_signal(signal.SIGHUP)
        until(lambda: len(c.events("server_certificate_issued")) > issued, 10)
    finally:
        fleet.end()


# ---- the operator waits ----


def test_waiting_for_an_agent(fleet, member):
    c, m = fleet.controller, member().start().connected()
    org = ["--organization", m.organization]
    result = c.cli("agents", "command", m.id, "reevaluate", "--wait", *org, code=None)
    assert result.code == OK and "done" in result.err and "state" in result.out, result
    result = c.cli("agents", "command", m.id, "sync", "--wait", *org, code=FAILURE)  # its MLflow is not there
    assert "failed" in result.err
    m.stop()
    m.disconnected()
    process = start(c, "agents", "command", m.id, "pause", "--wait", *org)
    until(lambda: any(row["kind"] == "pause" for row in c.operator.all(f"/api/v1/agents/{m.id}/commands", organization=m.organization)))
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, _, err = finish(process)
    assert code == CANCELLED and "the command goes on" in err and time.monotonic() - began < 3, (code, err)
    row = [r for r in c.operator.all(f"/api/v1/agents/{m.id}/commands", organization=m.organization) if r["kind"] == "pause"][0]
    assert row["state"] == "queued"


def test_a_controller_that_does_not_answer(controller):
    controller.start()
    controller.process.send_signal(signal.SIGSTOP)
    process = start(controller, "org", "create", "one")
    time.sleep(1)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process, 5)
    controller.process.send_signal(signal.SIGCONT)
    assert code == CANCELLED and "cancelled" in err
    controller.stop()


def test_a_pipe_that_nobody_reads(controller):
    controller.cli("org", "create", "one")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([str(CONTROLLER), "--config", str(controller.path), "ledger", "export"], env=controller.env, stdout=write,
                          stderr=subprocess.PIPE, timeout=30)
    os.close(write)
    assert done.returncode in (FAILURE, -signal.SIGPIPE)
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(CONTROLLER), "--config", str(controller.path), "org", "list"], env=controller.env, stdout=full,
                              stderr=subprocess.PIPE, timeout=30)
    assert done.returncode == FAILURE and b"standard output" in done.stderr


# ---- secrets ----


def test_a_secret_from_a_pipe_and_from_a_file(fleet, member, tmp_path):
    c, m = fleet.controller, member()
    org = ["--organization", m.organization]
    secret = f"s3cr3t-{time.monotonic_ns()}"
    c.cli("secrets", "put", m.id, "mlflow.token", *org, stdin=f"{secret}\nmore\n".encode())
    file = tmp_path / "secret"
    file.write_text(secret + "\n")
    file.chmod(0o644)
    assert "others can read" in c.cli("secrets", "put", m.id, "mlflow.token", "--file", file, *org).err
    rows = json.loads(c.cli("secrets", "list", m.id, *org, "--format", "json").out)["items"]
    assert [(row["name"], row["version"]) for row in rows] == [("mlflow.token", 2)]
    assert secret not in c.log
    for path in c.folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    if c.database:
        assert secret not in c.database.ask(c.name, "SELECT * FROM secrets", OWNER)[1]
    c.cli("secrets", "put", m.id, "mlflow.nonsense", *org, stdin=b"x\n", code=REFUSED)
    c.cli("secrets", "put", m.id, "mlflow.token", *org, stdin=b"", code=CONFIGURATION)
    c.cli("secrets", "delete", m.id, "mlflow.token", *org)
    c.cli("secrets", "delete", m.id, "mlflow.token", *org, code=REFUSED)


# ---- ledgers ----


def test_a_ledger_that_does_not_verify(controller, tmp_path):
    """A flipped bit in the embedded store is found."""
    m = Around(tmp_path, controller.start()).member().start().connected()
    m.caught_up().stop()
    org = ["--organization", m.organization]
    assert "sound" in controller.cli("ledger", "verify", m.id, *org).out
    payload = m.entries()[-1]
    controller.stop()
    data = controller.data / "store" / "data.mdb"
    text = data.read_bytes()
    at = text.find(bytes.fromhex(payload["chain_sha256"]))
    assert at > 0
    damaged = bytearray(text)
    while at > 0:
        damaged[at] ^= 1
        at = text.find(bytes.fromhex(payload["chain_sha256"]), at + 1)
    data.write_bytes(bytes(damaged))
    result = controller.cli("ledger", "verify", m.id, *org, code=None)
    assert result.code in (CHAIN, STORE), result
    assert controller.cli("ledger", "export", m.id, *org, code=None).code in (OK, STORE)


# ---- an authority of the operator's ----


def openssl(folder, script):
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, capture_output=True)


def make_root(folder):
    openssl(folder, """
        openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 100 -subj '/O=Corporation/CN=Root' \
            -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign
        printf 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' > ca.ext""")


def make_intermediate(folder, name):
    """NAME.key, and NAME.chain of it and the root."""
    openssl(folder, f"""
        openssl ecparam -name prime256v1 -genkey -noout -out {name}.key; chmod 600 {name}.key
        openssl req -new -key {name}.key -subj '/O=Corporation/CN={name}' -out csr
        openssl x509 -req -in csr -CA root.pem -CAkey root.key -CAcreateserial -days 50 -extfile ca.ext -out {name}.pem
        cat {name}.pem root.pem > {name}.chain""")


def audited(controller, member, root, folder):
    export = folder / "export.ndjson"
    export.write_text(controller.cli("ledger", "export", "--organization", member.organization).out)
    return subprocess.run([sys.executable, ROOT / "docs" / "verify_ledger.py", export, "--ca", root], capture_output=True, text=True)


def test_an_intermediate_from_init_to_an_auditor(tmp_path):
    """A corporation's root (RSA), an intermediate of it for this controller: agents enroll, stream, and an auditor trusts the root. Another
    intermediate takes its place, and nobody has to enroll again."""
    pki = tmp_path / "pki"
    pki.mkdir()
    make_root(pki)
    make_intermediate(pki, "first")
    make_intermediate(pki, "second")
    c = Controller(tmp_path / "c")
    authority = c.data / "authority"
    wrong = c.cli("init", "--ca-key", pki / "root.key", "--ca-chain", pki / "first.chain", code=CONFIGURATION)
    assert "root.key" in wrong.err and not (authority / "ca.pem").exists()
    out = c.cli("init", "--ca-key", pki / "first.key", "--ca-chain", pki / "first.chain").out
    der = ssl.PEM_cert_to_DER_cert((pki / "root.pem").read_text())
    assert hashlib.sha256(der).hexdigest() in out
    fleet = Around(tmp_path, c.start())
    try:
        m = fleet.member().start().connected()
        m.caught_up()
        m.order("rotate_certificate")
        m.connected()
        check = audited(c, m, pki / "root.pem", tmp_path)
        assert check.returncode == 0, check
        c.stop()
        for name in ("ca.key", "ca.pem", "receipts.key", "receipts.pem"):
            (authority / name).rename(authority / f"{name}.until-today")
        c.cli("init", "--ca-key", pki / "second.key", "--ca-chain", pki / "second.chain")
        c.start()
        m.connected(60)
        m.agent.run("status")
        m.caught_up()
        assert audited(c, m, pki / "root.pem", tmp_path).returncode == 0
    finally:
        fleet.end()

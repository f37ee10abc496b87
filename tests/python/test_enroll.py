"""Enrolment against controllers that are not what they should be, and after crashes: nothing is believed that the token's pin does not
vouch for, and what was cut off goes on (S4.1, S11.1). With real controllers: test_fleet.py."""

import base64
import hashlib
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
import time
import types
import uuid

import pytest
from agent import DATABASE, SANITIZED, USAGE, Agent, Result
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from fleet_peer import DER, DOMAIN, ORGANIZATION, PEM, Authority, Peer, now_ms, pem_of
from protos import fleet_pb2
from servers import die_with_parent
from test_clock import clock  # noqa: F401
from test_uplink_commands import wait_for
from test_uplink_identity import HOUR, half_spent, now
from uplink import Uplink

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
LAST = "controller.pb"  # with it an agent is enrolled


class Desk:
    """A peer whose HTTPS answers are the test's: functions of the peer's handler, by path; else the peer's own."""

    def __init__(self, peer):
        self.peer, self.instead, self.seen = peer, {}, []
        desk, plain = self, peer.https.RequestHandlerClass

        class Handler(plain):
            def do_GET(self):
                desk.seen.append((self.path, b""))
                desk.instead.get(self.path, plain.do_GET)(self)

            def do_POST(self):
                if self.path in desk.instead:
                    desk.seen.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                    desk.instead[self.path](self)
                else:
                    plain.do_POST(self)

        peer.https.RequestHandlerClass = Handler

    def get(self, answer):
        self.instead["/enroll/v1/authorities"] = answer

    def post(self, answer):
        self.instead["/enroll/v1/enroll"] = answer

    def issue(self, **changes):
        """Like the peer, but for what changes; `certificate(request)` makes another certificate."""
        def handle(handler):
            request = fleet_pb2.EnrollRequest.FromString(self.seen[-1][1])
            make = changes.get("certificate")
            self.peer.agent_id = request.agent_id
            issued = self.peer.issued(make(request) if make else self.peer.certificate_for(request.csr))
            for name, value in changes.items():
                if name != "certificate":
                    setattr(issued, name, value) if not isinstance(value, list) else replace(getattr(issued, name), value)
            handler.answer(fleet_pb2.EnrollResponse(issued=issued).SerializeToString())

        self.post(handle)

    def behave(self):
        self.instead = {}


def replace(field, values):
    del field[:]
    field.extend(values)


def body(data, status=200, headers=()):
    def handle(handler):
        handler.send_response(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        try:
            handler.wfile.write(data)
        except OSError:
            handler.close_connection = True
    return handle


@pytest.fixture
def desk(peer):
    return Desk(peer)


class Newcomer:
    """An agent that wants to enroll."""

    def __init__(self, folder, peer, config=None):
        self.agent, self.peer = Agent(folder / "newcomer", "http://127.0.0.1:9", config), peer
        self.identity = self.agent.state / "identity"

    def command(self, *arguments, url=None):
        return self.agent.command("enroll", url or self.peer.url, "--token-file", "-", *arguments)

    def enroll(self, *arguments, code=0, token=None, url=None, timeout=60, **env):
        command = self.command(*arguments, url=url)
        done = subprocess.run(command, env={**self.agent.env, **env}, input=(token or self.peer.token()).encode(),
                              capture_output=True, timeout=timeout)
        result = Result(command, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or result.code == code, result
        assert "Sanitizer" not in result.err and "runtime error:" not in result.err, result
        return result

    def refused(self, *said, **more):
        """It is not, says why, and is what it was before."""
        result = self.enroll(code=None, **more)
        assert result.code not in (0, None) and result.code > 0 and all(word in result.err for word in said), result
        assert not result.out and not self.is_enrolled()
        return result

    def is_enrolled(self):
        return (self.identity / LAST).exists()

    def keys(self, folder=None):
        return {p.name: p.read_bytes() for p in sorted((folder or self.identity).glob("*.key"))}

    def status(self, code=0):
        return self.agent.run("status", code=code)


@pytest.fixture
def newcomer(tmp_path, peer):
    return Newcomer(tmp_path, peer)


# ---- the controller is known by the token's pin ----


def test_enrolled(newcomer, desk, peer):
    result = newcomer.enroll()
    assert f"of organization {ORGANIZATION} (Test)" in result.out and not result.err
    assert newcomer.is_enrolled() and peer.agent_id in result.out
    for path in newcomer.identity.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert newcomer.identity.stat().st_mode & 0o777 == 0o700
    assert "enrolled already" in newcomer.enroll(code=DATABASE).err


@pytest.mark.parametrize("what", ["garbage", "nothing", "huge", "endless", "binary", "404", "500", "redirect", "another CA"])
def test_authorities_that_are_none(newcomer, desk, peer, what):
    """The token is sent to nobody whose authority it does not name."""
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            for _ in range(100000):
                handler.wfile.write(b"-----BEGIN CERTIFICATE-----\n" + b"A" * 1000)
        except OSError:
            handler.close_connection = True

    good = peer.authority.certificate.public_bytes(PEM)
    answers = {"garbage": (body(b"garbage"), "no certificate"), "nothing": (body(b""), "no certificate"),
               "huge": (body(good * 20000), "too long"), "endless": (endless, "too long"),
               "binary": (body(bytes(range(256)) * 4), "no certificate"), "404": (body(b"x", 404), "HTTP 404"),
               "500": (body(b"x", 500), "HTTP 500"),
               "redirect": (body(good, 302, [("Location", f"{peer.url}/elsewhere")]), "HTTP 302"),
               "another CA": (body(Authority().certificate.public_bytes(PEM)), "another certificate authority")}
    answer, said = answers[what]
    desk.get(answer)
    newcomer.refused(said)
    assert {path for path, _ in desk.seen} == {"/enroll/v1/authorities"}
    assert not newcomer.identity.exists()
    desk.behave()
    newcomer.enroll()


def test_the_right_authority_among_others(newcomer, desk, peer):
    others = [Authority().certificate.public_bytes(PEM) for _ in range(3)]
    desk.get(body(b"words around it\n" + others[0] + peer.authority.certificate.public_bytes(PEM) + others[1] + others[2]))
    newcomer.enroll()
    assert (newcomer.identity / "authorities.pem").read_bytes().split() == peer.authority.certificate.public_bytes(PEM).split()


def relayed(peer, context):
    """Somebody in between: his own TLS, the controller's answers to what may be asked without trust."""
    asked = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            try:
                with context.wrap_socket(self.request, server_side=True) as tls:
                    asked.append(tls.recv(65536))
                    pem = peer.authority.certificate.public_bytes(PEM)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(pem) + pem)
            except (ssl.SSLError, OSError):
                pass

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, asked


@pytest.mark.parametrize("who", ["his own CA", "self-signed", "another host", "an agent", "expired"])
def test_somebody_in_between_who_shows_the_right_authority(tmp_path, newcomer, peer, who):
    """The pin vouches for the CA; the CA has to vouch for who is talked to: the token and the CSR go to nobody else."""
    stranger, key = Authority(), ec.generate_private_key(ec.SECP256R1())
    names = [f"spiffe://{DOMAIN}/controller"]
    certificates = {
        "his own CA": lambda: stranger.issue(key.public_key(), names, SERVER, ["127.0.0.1"]),
        "self-signed": lambda: stranger.certificate,
        "another host": lambda: peer.authority.issue(key.public_key(), names, SERVER, ["192.0.2.1", "other.example"]),
        "an agent": lambda: peer.authority.issue(key.public_key(), [f"spiffe://{DOMAIN}/org/7/agent/{uuid.uuid4()}"], CLIENT,
                                                 ["127.0.0.1"]),
        "expired": lambda: peer.authority.issue(key.public_key(), names, SERVER, ["127.0.0.1"], now() - 3 * HOUR, now() - HOUR)}
    file = tmp_path / "between.pem"
    file.write_bytes(certificates[who]().public_bytes(PEM) + pem_of(stranger.key if who == "self-signed" else key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server, asked = relayed(peer, context)
    newcomer.refused("127.0.0.1", url=f"https://127.0.0.1:{server.server_address[1]}")
    server.shutdown()
    server.server_close()
    assert all(b"GET /enroll/v1/authorities" in request for request in asked)
    assert len(asked) == (who in ("his own CA", "another host", "expired"))  # the others are for no server, and are not asked at all


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://", "https://user:pa55@127.0.0.1:1", "https://127.0.0.1:1/path", "ftp://x",
                                 "127.0.0.1:1", "https://127.0.0.1:1?x", "https://127.0.0.1:99999"])
def test_what_is_no_address(newcomer, peer, url):
    assert "pa55" not in newcomer.refused(url=url).err.replace(url, "")


def test_nobody_there(newcomer):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    newcomer.refused(str(port), url=f"https://127.0.0.1:{port}")


def test_what_is_no_token(newcomer, peer):
    good = peer.token().strip()
    prefix, name, secret, pin = good.split(".")
    for token in ("", "\n", "x", f"{prefix}.{name}.{secret}", f"{good}.x", f"vwt2.{name}.{secret}.{pin}", f"vwu1.{name}.{secret}",
                  f"{prefix}.{name}.{secret[:-1]}.{pin}", f"{prefix}.{name.upper()}X.{secret}.{pin}", "\0", "\xff" * 100, "A" * 100000):
        result = newcomer.refused(token=token or "\n")
        assert secret not in result.err
    newcomer.refused(token=f"{prefix}.{name}.{secret}.{base64.urlsafe_b64encode(hashlib.sha256(b'x').digest()).decode().strip('=')}")


# ---- answers ----


def slow(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


def cut(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\nabc")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.mark.parametrize("what, said", [
    ("garbage", "none of a controller's"), ("nothing", "none of a controller's"), ("huge", "too long"), ("html", "none of a controller's"),
    ("404", "HTTP 404"), ("429", "HTTP 429"), ("503", "HTTP 503"), ("204", "HTTP 204"), ("cut", "127.0.0.1"),
    ("headers", "127.0.0.1")])
def test_answers_that_are_none(newcomer, desk, peer, what, said):
    def headers(handler):
        handler.send_response(200)
        for i in range(2000):
            handler.send_header(f"X-{i}", "x" * 500)
        handler.end_headers()

    desk.post({"garbage": body(b"\xff" * 100), "nothing": body(b""), "huge": body(b"\x0a" + b"x" * 10_000_000),
               "html": body(b"<html>nginx</html>"), "404": body(b"x", 404), "429": body(b"x", 429), "503": body(b"x", 503),
               "204": body(b"", 204), "cut": cut, "headers": headers}[what])
    newcomer.refused(said)
    keys = newcomer.keys()
    assert set(keys) == {"enrollment.key", "current.key", "sealing.key"}
    desk.behave()
    newcomer.enroll()
    assert newcomer.keys() == keys


def test_an_answer_that_does_not_end(tmp_path, desk, peer):
    config = tmp_path / "agent.yaml"
    config.write_text("controller: {request_timeout: 1s}\n")
    newcomer = Newcomer(tmp_path, peer, config)
    desk.post(slow)
    began = time.monotonic()
    newcomer.refused("127.0.0.1")
    assert time.monotonic() - began < 10


def test_cancelled(newcomer, desk):
    desk.post(slow)
    process = subprocess.Popen(newcomer.command(), env=newcomer.agent.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, preexec_fn=die_with_parent)
    process.stdin.write(newcomer.peer.token().encode())
    process.stdin.close()
    while len(desk.seen) < 2:
        time.sleep(0.02)
    began = time.monotonic()
    process.terminate()
    assert process.wait(10) == 130 and time.monotonic() - began < (5 if SANITIZED else 2)
    process.stdout.close()
    process.stderr.close()
    assert not newcomer.is_enrolled()
    desk.behave()
    newcomer.enroll()


def wrong_certificates(peer):
    other = ec.generate_private_key(ec.SECP256R1())
    stranger = Authority()

    def by(issuer, uri=None, key=None, usage=CLIENT, **times):
        def make(request):
            public = key.public_key() if key else x509.load_der_x509_csr(request.csr).public_key()
            name = f"spiffe://{DOMAIN}/org/{ORGANIZATION}/agent/{request.agent_id}" if uri is None else uri
            return issuer.issue(public, [name] if isinstance(name, str) else name, usage, **times)
        return make

    ours = peer.authority
    return {
        "another key": dict(certificate=by(ours, key=other)),
        "another agent": dict(certificate=by(ours, f"spiffe://{DOMAIN}/org/7/agent/{uuid.uuid4()}")),
        "another organization": dict(certificate=by(ours, f"spiffe://{DOMAIN}/org/8/agent/{uuid.uuid4()}")),
        "another trust domain": dict(certificate=by(ours, f"spiffe://other.example/org/7/agent/{uuid.uuid4()}")),
        "a controller": dict(certificate=by(ours, f"spiffe://{DOMAIN}/controller", usage=SERVER)),
        "two names": dict(certificate=by(ours, [f"spiffe://{DOMAIN}/org/7/agent/{uuid.uuid4()}", "spiffe://x/y"])),
        "no name": dict(certificate=by(ours, [])),
        "for servers": dict(certificate=by(ours, usage=SERVER)),
        "no usage": dict(certificate=by(ours, usage=None)),
        "another CA": dict(certificate=by(stranger)),
        "another CA that it brings": dict(certificate=by(stranger), authorities=[stranger.certificate.public_bytes(DER)]),
        "its own CA below it": dict(certificate=by(stranger), authorities=[peer.authority.certificate.public_bytes(DER)]),
        "words of another organization": dict(organization="8"),
        "words of no organization": dict(organization=""),
        "words of another agent": dict(agent_id=str(uuid.uuid4())),
        "words of another domain": dict(trust_domain="other.example"),
        "no endpoint": dict(session_endpoint=""),
        "an endpoint that is none": dict(session_endpoint="http://x/y"),
        "an endpoint with a line end": dict(session_endpoint="a:1\r\nX: y"),
        "no certificate": dict(certificates=[]),
        "garbage as certificate": dict(certificates=[b"garbage"]),
        "too many": dict(certificates=[b"x"] * 100),
        "a name without end": dict(organization_name="x" * 10000),
    }


@pytest.mark.parametrize("what", list(wrong_certificates(types.SimpleNamespace(authority=Authority()))))
def test_what_is_issued_is_ours_or_nothing(newcomer, desk, peer, what):
    desk.issue(**wrong_certificates(peer)[what])
    newcomer.refused()
    assert not (newcomer.identity / "current.pem").exists()
    before = newcomer.keys()
    desk.behave()
    newcomer.enroll()
    assert newcomer.keys() == before
    assert len([row for row in newcomer.agent.audit() if row["kind"] == "enrolled"]) == 1


def test_words_for_a_terminal(newcomer, desk, peer):
    """What a controller says is shown without what a terminal would obey."""
    text = "no \x1b]0;title\x07 \x1b[2J\nfaked: line \u202e"
    desk.post(body(fleet_pb2.EnrollResponse(rejection=fleet_pb2.Rejection(
        reason=fleet_pb2.REJECTION_REASON_TOKEN, text=text)).SerializeToString()))
    result = newcomer.refused("refused")
    assert not set("\x1b\x07\u202e") & set(result.err) and result.err.count("\n") == 1
    desk.post(body(fleet_pb2.EnrollResponse(rejection=fleet_pb2.Rejection()).SerializeToString()))
    newcomer.refused("no reason was given")
    desk.issue(organization_name="ACME \x1b[31m\nBank")
    assert "\x1b" not in newcomer.enroll().out and "\x1b" not in newcomer.status().out


def test_the_secret_is_nowhere(newcomer, peer):
    secret = peer.token().split(".")[2]
    newcomer.enroll()
    for path in newcomer.agent.state.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path
    assert "--token-file" in newcomer.agent.run("enroll", peer.url, code=USAGE).err


# ---- crashes ----

WRITTEN = ["enrollment.key", "current.key", "sealing.key", "current.pem", "authorities.pem", LAST]


@pytest.mark.parametrize("there", range(len(WRITTEN)))
def test_cut_off_between_two_files(newcomer, peer, there):
    """As if it had ended behind the file with this number: enrolling again goes on with the keys that are there."""
    newcomer.enroll()
    first, keys = peer.agent_id, newcomer.keys()
    for name in WRITTEN[there:]:
        (newcomer.identity / name).unlink()
    assert "not enrolled" in newcomer.agent.run("unenroll", code=None).err
    newcomer.enroll()
    assert peer.agent_id == first
    again = newcomer.keys()
    assert all(again[name] == keys[name] for name in WRITTEN[:there] if name in keys)
    newcomer.status()


@pytest.mark.parametrize("lost", ["enrollment.key", "sealing.key", "authorities.pem"])
def test_a_file_that_was_lost_later(newcomer, lost):
    newcomer.enroll()
    (newcomer.identity / lost).unlink()
    result = newcomer.agent.run("status", code=None)
    said = result.out + result.err
    assert "not whole" in said and "unenroll" in said
    assert "enrolled already" in newcomer.enroll(code=DATABASE).err
    newcomer.agent.run("unenroll")
    newcomer.enroll("--new-agent")
    newcomer.status()


def test_a_leftover_of_an_earlier_identity_is_not_shown(newcomer, peer):
    newcomer.enroll()
    for kind in ("key", "pem"):
        shutil.copy(newcomer.identity / f"current.{kind}", newcomer.identity / f"pending.{kind}")
    (newcomer.identity / LAST).unlink()
    newcomer.enroll()
    assert not list(newcomer.identity.glob("pending.*"))


def test_killed_at_any_moment(tmp_path, peer):
    """kill -9 at many points: the next try is enrolled, as the same agent with the same enrolment key."""
    newcomer = Newcomer(tmp_path, peer)
    newcomer.agent.run("audit", "verify", code=None)
    began = time.monotonic()
    Newcomer(tmp_path / "measured", peer).enroll()
    whole = time.monotonic() - began
    keys = None
    for i in range(30):
        process = subprocess.Popen(newcomer.command(), env=newcomer.agent.env, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
        process.stdin.write(peer.token().encode())
        process.stdin.close()
        time.sleep(whole * i / 30)
        process.kill()
        process.wait()
        if newcomer.is_enrolled():
            break
        now = newcomer.keys() if newcomer.identity.exists() else {}
        assert keys is None or all(now[name] == keys[name] for name in keys)
        keys = now
    if not newcomer.is_enrolled():
        newcomer.enroll()
    assert keys and all(newcomer.keys()[name] == keys[name] for name in keys)
    newcomer.status()
    newcomer.agent.verify()


# ---- as a new agent ----


def test_new_agent(newcomer, peer):
    newcomer.enroll()
    first, keys = peer.agent_id, newcomer.keys()
    newcomer.enroll("--new-agent")
    assert peer.agent_id != first and not set(keys.values()) & set(newcomer.keys().values())
    assert newcomer.keys(newcomer.identity.with_name(f"identity.before-{peer.agent_id}")) == keys
    assert peer.agent_id in newcomer.status().out
    newcomer.agent.verify()


def test_new_agent_that_is_refused(newcomer, desk, peer):
    newcomer.enroll()
    first, before = peer.agent_id, newcomer.keys()
    desk.post(body(b"x", 503))
    assert newcomer.enroll("--new-agent", code=None).code != 0
    assert newcomer.keys() == before and first in newcomer.status().out
    kept = newcomer.keys(newcomer.identity.with_name("identity.new"))
    desk.behave()
    newcomer.enroll("--new-agent")
    assert newcomer.keys() == kept and peer.agent_id != first


@pytest.mark.parametrize("at", ["before the first rename", "between the renames"])
def test_new_agent_cut_off_at_its_end(newcomer, peer, at):
    """All is there but the ledger's word and the place: it says so, is not used as the old one, and needs no controller to be completed."""
    newcomer.enroll()
    first = peer.agent_id
    shutil.copytree(newcomer.agent.state, newcomer.agent.state.with_name("copy"))
    newcomer.enroll("--new-agent")
    second, new = peer.agent_id, newcomer.identity.rename(newcomer.agent.state.with_name("new-identity"))
    shutil.rmtree(newcomer.agent.state)
    newcomer.agent.state.with_name("copy").rename(newcomer.agent.state)
    new.rename(newcomer.identity.with_name("identity.new"))
    if at == "between the renames":
        newcomer.identity.rename(newcomer.identity.with_name(f"identity.before-{second}"))
    for command in ("status", "run"):
        result = newcomer.agent.run(command, code=None, timeout=20)
        assert "run the same vw-agent enroll again" in result.out + result.err, result
    peer.https.shutdown()
    assert second in newcomer.enroll("--new-agent").out
    assert second in newcomer.status().out and first not in newcomer.status().out
    assert newcomer.agent.verify()
    peer.https.server_close()
    peer.https.shutdown = peer.https.server_close = lambda: None


def test_the_ledger_of_another_organization(newcomer, desk, peer):
    newcomer.enroll()
    newcomer.agent.run("unenroll")

    def elsewhere(request):
        key = x509.load_der_x509_csr(request.csr).public_key()
        return peer.authority.issue(key, [f"spiffe://{DOMAIN}/org/8/agent/{request.agent_id}"], CLIENT)

    desk.issue(certificate=elsewhere, organization="8")
    for arguments in ((), ("--new-agent",)):
        result = newcomer.enroll(*arguments, code=DATABASE)
        assert "belongs to organization 7 and cannot go to organization 8" in result.err and not newcomer.is_enrolled()
    desk.behave()
    newcomer.enroll("--new-agent")


def test_forgotten(newcomer, peer):
    newcomer.enroll()
    (newcomer.identity / "pending.key.a1b2c3").write_text("left by a crash")
    assert "left the controller" in newcomer.agent.run("unenroll").out
    assert not list(newcomer.identity.iterdir())
    assert "not enrolled" in newcomer.agent.run("unenroll", code=None).err
    assert [row["kind"] for row in newcomer.agent.audit() if "enrolled" in row["kind"]] == ["enrolled", "unenrolled"]
    newcomer.agent.verify()


# ---- renewal ----


class Exact(Peer):
    """Looks at the clock as a controller does."""

    def renew(self, packed):
        opened = fleet_pb2.RenewBody.FromString(fleet_pb2.RenewRequest.FromString(packed).body)
        skewed = abs(opened.sent_at - now_ms()) > 300_000
        self.renew_answer = fleet_pb2.Rejection(reason=fleet_pb2.REJECTION_REASON_CLOCK_SKEW, server_time=now_ms()) if skewed else None
        return super().renew(packed)


@pytest.fixture
def exact(tmp_path):
    peer = Exact(tmp_path)
    yield peer
    peer.stop()


@pytest.mark.parametrize("ahead", [-4500, 3 * 86400])
def test_renewed_with_a_clock_that_is_off(tmp_path, exact, clock, ahead):  # noqa: F811
    """The controller's own time serves for one more try: so a wrong clock does not cost the certificate."""
    exact.certificate_for = half_spent(exact, left=-HOUR)
    uplink = Uplink(tmp_path, exact)
    exact.serve()
    try:
        uplink.start(**clock(ahead))
        wait_for(lambda: len(exact.renewals) >= 2)
        first, second = (r.sent_at for r in exact.renewals[:2])
        assert abs(first - now_ms() - ahead * 1000) < 60_000 and abs(second - now_ms()) < 60_000
        wait_for(lambda: (uplink.agent.state / "identity" / "pending.pem").exists() or exact.streams)
    finally:
        uplink.stop()


def wrong_renewals(peer):
    wrong = wrong_certificates(peer)
    return {name: wrong[name]["certificate"] for name in ("another key", "another agent", "another organization",
                                                           "another trust domain", "another CA", "for servers")}


@pytest.mark.parametrize("what", ["another key", "another agent", "another organization", "another trust domain", "another CA",
                                  "for servers", "words and certificate of another organization"])
def test_a_renewal_that_is_not_ours_changes_nothing(tmp_path, peer, what):
    peer.certificate_for = half_spent(peer)
    uplink = Uplink(tmp_path, peer)
    own = peer.issued

    def renew(packed):
        request = fleet_pb2.RenewRequest.FromString(packed)
        opened = fleet_pb2.RenewBody.FromString(request.body)
        peer.renewals.append(opened)
        issued = own(Peer.certificate_for(peer, opened.csr))
        if what.startswith("words"):
            key = x509.load_der_x509_csr(opened.csr).public_key()
            issued = own(peer.authority.issue(key, [f"spiffe://{DOMAIN}/org/8/agent/{opened.agent_id}"], CLIENT))
            issued.organization = "8"
        else:
            issued = own(wrong_renewals(peer)[what](opened))
        return fleet_pb2.EnrollResponse(issued=issued)

    peer.renew = renew
    peer.serve()
    before = uplink.identity()
    try:
        uplink.start()
        uplink.wait(lambda s: s["phase"] == "connected")
        wait_for(lambda: peer.renewals)
        time.sleep(0.3)
        assert uplink.identity() == before and uplink.look()["phase"] == "connected"
        assert len(peer.streams) == 1
    finally:
        uplink.stop()

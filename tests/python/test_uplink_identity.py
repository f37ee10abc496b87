"""Whom the agent trusts, and how it changes its certificate without losing its stream (S4.1, S11.1)."""

import base64
import contextlib
import datetime
import socket
import socketserver
import ssl
import threading
import time
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from fleet_peer import DOMAIN, ORGANIZATION, WEEK, Authority, Peer, pem_of, PEM
from protos import fleet_pb2
from test_uplink_commands import told, wait_for
from uplink import Uplink

pytestmark = pytest.mark.tsan

HOUR = datetime.timedelta(hours=1)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


# ---- whom the agent trusts ----


def certificates(peer):
    """Each is not the controller's: (issuer, names, usage, not before, not after), and what is said."""
    controller = f"spiffe://{DOMAIN}/controller"
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    return {
        "another CA": (Authority(), [controller], server, None, None, "authority"),
        "an agent's": (peer.authority, [f"spiffe://{DOMAIN}/org/7/agent/{uuid.uuid4()}"], server, None, None, "name"),
        "a receipts' signer": (peer.authority, [f"spiffe://{DOMAIN}/receipts"], server, None, None, "name"),
        "another domain": (peer.authority, ["spiffe://other.example.org/controller"], server, None, None, DOMAIN),
        "two names": (peer.authority, [controller, f"spiffe://{DOMAIN}/receipts"], server, None, None, "name"),
        "no name": (peer.authority, [], server, None, None, "name"),
        "a path more": (peer.authority, [controller + "/x"], server, None, None, "name"),
        "for clients": (peer.authority, [controller], client, None, None, "for a server"),
        "no usage": (peer.authority, [controller], None, None, None, "use by a controller"),
        "expired": (peer.authority, [controller], server, now() - 3 * HOUR, now() - HOUR, "expired"),
        "not yet": (peer.authority, [controller], server, now() + HOUR, now() + 3 * HOUR, "not valid yet"),
    }


@pytest.mark.parametrize("what", ["another CA", "an agent's", "a receipts' signer", "another domain", "two names", "no name",
                                  "a path more", "for clients", "no usage", "expired", "not yet"])
def test_only_the_controller_is_talked_to(peer, uplink, what):
    issuer, names, usage, before, after, said = certificates(peer)[what]
    peer.certificate = issuer.issue(peer.key.public_key(), names, usage, ["127.0.0.1"], before, after)
    peer.serve()
    uplink.start()
    uplink.append(3)
    status = uplink.wait(lambda s: s["error"])
    assert "not the controller's" in status["error"] and said in status["error"], status
    time.sleep(0.2)
    assert not peer.streams and status["phase"] != "connected"


def raw_server(handle):
    """A TCP listener; `handle(socket)` for each connection."""
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            handle(self.request)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def relay(handle):
    """The same in front of the peer's stream port: the uplink is made to go there by the peer's own word."""
    server = raw_server(handle)
    return server, server.server_address[1]


@pytest.fixture
def instead(tmp_path):
    """instead(handle): an enrolled uplink whose controller's stream port is `handle`."""
    made = []

    def make(handle, timeout_ms=2000):
        peer = Peer(tmp_path)
        server, peer.port = relay(lambda sock: handle(sock, peer))
        uplink = Uplink(tmp_path, peer, timeout_ms)
        made.extend([uplink, peer])
        made.append(server)
        return uplink, peer

    yield make
    if made:
        uplink, peer, server = made
        uplink.stop()
        peer.stop()
        server.shutdown()
        server.server_close()


def tls_context(peer, version=None, alpn=("h2",)):
    file = peer.folder / "raw.pem"
    file.write_bytes(peer.certificate.public_bytes(PEM) + pem_of(peer.key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    if version:
        context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def hostile(kind):
    def plain(sock, peer):
        actions = {"closes": lambda: None,
                   "resets": lambda: sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"),
                   "banner": lambda: (sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), time.sleep(1)),
                   "http": lambda: (sock.recv(100), sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")),
                   "silence": lambda: time.sleep(4),
                   "alert": lambda: (sock.recv(4096), sock.sendall(b"\x15\x03\x03\x00\x02\x02\x2d"), time.sleep(0.2))}
        actions[kind]()

    def tls(sock, peer):
        options = {"TLS 1.2": dict(version=ssl.TLSVersion.TLSv1_2), "no ALPN": dict(alpn=None), "HTTP/1": dict(alpn=["http/1.1"])}
        try:
            tls = tls_context(peer, **options.get(kind, {})).wrap_socket(sock, server_side=True)
        except ssl.SSLError:
            return
        try:
            if kind == "garbage":
                tls.sendall(bytes(range(256)) * 2000)
            elif kind == "raw garbage":
                time.sleep(0.2)
                sock2 = socket.socket(fileno=tls.detach())
                sock2.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
                time.sleep(0.5)
                sock2.close()
                return
            elif kind == "settings then nothing":
                tls.sendall(b"\0\0\0\4\0\0\0\0\0")
                time.sleep(4)
            elif kind == "cut":
                tls.sendall(b"\0\0\0\4\0\0\0\0\0")
                tls.recv(1000)
                tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            tls.close()
        except OSError:
            pass

    return plain if kind in ("closes", "resets", "banner", "http", "silence", "alert") else tls


@pytest.mark.parametrize("kind", ["closes", "resets", "banner", "http", "silence", "alert", "TLS 1.2", "no ALPN", "HTTP/1",
                                  "garbage", "raw garbage", "settings then nothing", "cut"])
def test_whatever_is_there_instead_is_survived(instead, kind):
    uplink, peer = instead(hostile(kind), timeout_ms=1500)
    before = uplink.identity()
    uplink.start()
    uplink.append(3)
    status = uplink.wait(lambda s: s["error"])
    assert status["phase"] in ("waiting", "connecting", "connected") and status["acknowledged"] == 0
    if kind != "alert":  # "certificate expired", which anybody can say: a renewal is asked for, nothing else
        assert uplink.identity() == before
    assert uplink.stop() < 3


def test_nothing_there(peer, uplink):
    uplink.start()
    status = uplink.wait(lambda s: s["error"] and s["phase"] == "waiting")
    assert f"127.0.0.1:{peer.port}" in status["error"]


@contextlib.contextmanager
def black_hole(port):
    """An address that takes no connection and refuses none: the queue of one that nobody accepts is full."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket(socket.AF_INET6))
        hole.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        hole.bind(("::1", port))
        hole.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket(socket.AF_INET6))
            waiting.setblocking(False)
            waiting.connect_ex(("::1", port))
        with pytest.raises(TimeoutError):
            socket.create_connection(("::1", port), 0.5)
        yield


def test_a_dead_address_of_a_name_is_not_waited_for(peer, tmp_path):
    """Happy eyeballs (RFC 8305): one address after the other would take half of the time limit, half a minute here."""
    peer.host = "localhost"
    peer.serve()
    uplink = Uplink(tmp_path, peer, timeout_ms=60000)
    with black_hole(peer.port):
        uplink.start()
        uplink.wait(lambda s: s["phase"] == "connected")
        uplink.stop()


# ---- proxies ----


class ConnectProxy:
    def __init__(self, answer=None):
        self.requests, self.answer = [], answer
        self.server = raw_server(self.handle)
        self.port = self.server.server_address[1]

    def handle(self, sock):
        head = b""
        while b"\r\n\r\n" not in head:
            part = sock.recv(4096)
            if not part:
                return
            head += part
        self.requests.append(head.decode())
        if self.answer:
            sock.sendall(self.answer)
            return
        host, port = head.split()[1].decode().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as there:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(there, sock), daemon=True)
            back.start()
            self.pump(sock, there)
            back.join(5)

    @staticmethod
    def pump(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def test_through_a_proxy(peer, uplink):
    proxy = ConnectProxy()
    peer.serve()
    uplink.start(https_proxy=f"http://user:pa55@127.0.0.1:{proxy.port}")
    uplink.append(300, 2000)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 300)
    assert proxy.requests[0].startswith(f"CONNECT 127.0.0.1:{peer.port} ")
    assert base64.b64encode(b"user:pa55").decode() in proxy.requests[0]
    proxy.server.shutdown()


def test_no_proxy_is_honoured(peer, uplink):
    proxy = ConnectProxy()
    peer.serve()
    uplink.start(https_proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="localhost,127.0.0.1")
    uplink.wait(lambda s: s["phase"] == "connected")
    assert not proxy.requests
    proxy.server.shutdown()


@pytest.mark.parametrize("proxy, said", [("refusing", "HTTP 403"), ("asking", "HTTP 407"), ("https://127.0.0.1:1", "http://"),
                                         ("http://127.0.0.1:1", "127.0.0.1"), ("http://us er:hidden-Pa55@x:y:z", "")])
def test_a_proxy_that_does_not_help(peer, uplink, proxy, said):
    answers = {"refusing": b"HTTP/1.1 403 Forbidden\r\n\r\n", "asking": b"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\n\r\n"}
    server = None
    if proxy in answers:
        server = ConnectProxy(answers[proxy])
        proxy = f"http://127.0.0.1:{server.port}"
    peer.serve()
    uplink.start(HTTPS_PROXY=proxy)
    status = uplink.wait(lambda s: s["error"])
    assert said in status["error"] and not peer.streams
    assert not any("hidden-Pa55" in line for line in uplink.log) and "hidden-Pa55" not in status["error"]
    if server:
        server.server.shutdown()


# ---- rotation ----


def test_rotation_keeps_the_stream(peer, uplink):
    """Both streams live at once; the old one ends when the new one was welcomed; nothing is lost in between."""
    id = str(uuid.uuid4())
    ended = []

    def first(session):
        session.welcome()
        session.command("ROTATE_CERTIFICATE", id=id)
        session.stay()
        ended.append(time.monotonic())

    def second(session):
        time.sleep(1)  # the old stream has to bear that
        assert not ended
        session.welcome()
        session.stay()

    peer.behaviours = [first, second, lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    peer.wait_for_stream(2)
    for _ in range(20):
        uplink.append(10)
        assert uplink.look()["phase"] == "connected"
        time.sleep(0.1)
    told(peer, id, "DONE")
    wait_for(lambda: ended)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 200)
    one, two = peer.streams[:2]
    assert one.serial != two.serial and one.hello.instance_id == two.hello.instance_id
    assert len(peer.renewals) == 1 and peer.renewals[0].organization == str(ORGANIZATION)
    names = set(uplink.identity())
    assert {"current.key", "current.pem"} <= names and not {"pending.key", "pending.pem"} & names
    uplink.stop()
    uplink.start()
    assert peer.wait_for_stream(3).serial == two.serial


def test_it_is_renewed_at_half_its_life(tmp_path, peer):
    peer.certificate_for = half_spent(peer)
    uplink = Uplink(tmp_path, peer)
    peer.serve()
    try:
        uplink.start()
        peer.wait_for_stream(1)
        status = uplink.wait(lambda s: s["not_after"] / 1000 > time.time() + 3 * 86400)
        assert len(peer.renewals) == 1 and status["phase"] in ("connected", "connecting")
        uplink.wait(lambda s: s["phase"] == "connected")
    finally:
        uplink.stop()


def half_spent(peer, left=HOUR, age=2 * HOUR):
    """The first certificate is near its end; those that follow are fresh."""
    make, count = peer.certificate_for, []

    def issue(csr, **more):
        count.append(1)
        return make(csr, now() - age, now() + left) if len(count) == 1 else make(csr)

    return issue


def test_an_expired_certificate_is_renewed_by_the_enrolment_key(tmp_path, peer):
    peer.certificate_for = half_spent(peer, left=-HOUR)
    uplink = Uplink(tmp_path, peer)
    peer.serve()
    try:
        uplink.start()
        uplink.append(5)
        uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 5)
        assert len(peer.renewals) == 1 and len(peer.streams) == 1
    finally:
        uplink.stop()


def test_when_a_rejection_says_that_it_expired_it_is_renewed(peer, uplink):
    """The agent's own clock thinks otherwise."""
    def expired(session):
        session.reject("EXPIRED")
        session.wait_end()

    peer.behaviours = [expired, lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["phase"] == "connected", 40)
    assert len(peer.renewals) == 1 and peer.streams[0].serial != peer.streams[1].serial


def test_when_an_alert_says_that_it_expired_it_is_renewed(tmp_path, peer):
    """The renewal in front of the first stream fails. OpenSSL refuses the old certificate by an alert, behind the handshake as TLS 1.3 has it."""
    peer.certificate_for = half_spent(peer, left=-HOUR)
    renew, tries = peer.renew, []

    def not_at_first(body):
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionAbortedError("not now")
        return renew(body)

    def refuse(sock):
        try:
            context.wrap_socket(sock, server_side=True).close()
        except OSError:  # it said why, and is not to be heard with a reset
            sock.settimeout(1)
            with contextlib.suppress(OSError):
                while sock.recv(1000):
                    pass

    peer.renew = not_at_first
    context = tls_context(peer)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=peer.authority.certificate.public_bytes(PEM).decode())
    server = raw_server(refuse)
    peer.port = server.server_address[1]
    uplink = Uplink(tmp_path, peer)
    try:
        uplink.start()
        status = uplink.wait(lambda s: s["error"] and "alert 45" in s["error"])
        assert "certificate expired" in status["error"] and not peer.streams
        wait_for(lambda: len(tries) == 2, 40)
        wait_for(lambda: uplink.logged("certificate_renewed"))
    finally:
        uplink.stop()
        server.shutdown()
        server.server_close()


def test_cut_without_a_word_again_and_again_another_certificate_is_tried(instead):
    """Servers of gRPC send no alert when they refuse a certificate: all that is seen is the end of the connection."""
    def cut(sock, peer):
        try:
            tls_context(peer).wrap_socket(sock, server_side=True).close()
        except OSError:
            pass

    uplink, peer = instead(cut)
    uplink.start()
    status = uplink.wait(lambda s: s["error"] and "right after the handshake" in s["error"])
    assert status["phase"] in ("waiting", "connecting") and not peer.renewals
    wait_for(lambda: peer.renewals, 30)
    assert len(uplink.logged("uplink_ended")) >= 3


def test_a_refused_renewal_costs_nothing(peer, uplink):
    id = str(uuid.uuid4())
    peer.renew_answer = fleet_pb2.Rejection(reason=fleet_pb2.REJECTION_REASON_REVOKED, text="an operator did it")
    peer.behaviours = [lambda s: (s.welcome(), s.command("ROTATE_CERTIFICATE", id=id), s.stay())]
    peer.serve()
    before = uplink.identity()
    uplink.start()
    assert "an operator did it" in told(peer, id, "FAILED").text
    uplink.append(3)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["phase"] == "connected")
    assert uplink.identity() == before and len(peer.streams) == 1
    health = wait_for(lambda: [m.health for m in peer.streams[0].seen if m.WhichOneof("body") == "health"
                               and any(c.name == "certificate" and not c.ok for c in m.health.conditions)], 15)
    assert health[-1].certificate_not_after


def test_a_new_certificate_that_is_refused_gives_way_to_the_old_one(peer, uplink):
    id = str(uuid.uuid4())

    def second(session):
        session.reject("REVOKED", text="not this one")
        session.wait_end()

    peer.behaviours = [lambda s: (s.welcome(), s.command("ROTATE_CERTIFICATE", id=id), s.stay()), second,
                       lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    assert "not this one" in told(peer, id, "FAILED").text
    assert uplink.look()["phase"] == "connected"
    uplink.append(3)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 3)
    peer.stop_streams()
    peer.serve()
    assert peer.wait_for_stream(3).serial == peer.streams[0].serial


def test_a_renewed_certificate_is_used_after_a_crash(peer, uplink):
    """Renewed and not yet shown: the next start shows it."""
    id, gate = str(uuid.uuid4()), threading.Event()

    def second(session):
        gate.wait(10)

    peer.behaviours = [lambda s: (s.welcome(), s.command("ROTATE_CERTIFICATE", id=id), s.stay()), second,
                       lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    peer.wait_for_stream(2)
    uplink.kill()
    gate.set()
    assert "pending.key" in uplink.identity()
    uplink.start()
    uplink.wait(lambda s: s["phase"] == "connected")
    assert peer.streams[2].serial == peer.streams[1].serial != peer.streams[0].serial
    assert "pending.key" not in uplink.identity() and len(peer.renewals) == 1
    told(peer, id, "DONE")

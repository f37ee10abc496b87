"""The listeners in front of the REST interface: old TLS, slow and hostile peers, many of them, and an end in good order."""

import concurrent.futures
import contextlib
import os
import socket
import ssl
import stat
import threading
import time

import pytest
import requests
from fleet import Controller, until
from rest import Client
from servers import free_port

CONNECTIONS = 60
HEAD_SECONDS = 30  # for a handshake and a request's head
TOO_MUCH = 5 << 20


@pytest.fixture(scope="module")
def controller(tmp_path_factory):
    plain = free_port()
    controller = Controller(tmp_path_factory.mktemp("listener") / "controller", https={"connections": CONNECTIONS},
                            http={"listen": f"127.0.0.1:{plain}"}, certificates={"server_life": "60s"}).init().start()
    controller.plain = plain
    controller.acme = controller.organization("ACME")
    yield controller
    controller.end()
    assert "Sanitizer" not in controller.log and "runtime error:" not in controller.log, controller.log[-5000:]


@pytest.fixture
def admin(controller):
    return Client(controller.url, controller.authority, controller.user(controller.acme, "admin").token)


def context(controller, least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_3):
    made = ssl.create_default_context(cafile=controller.authority)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.minimum_version, made.maximum_version = least, most
    return made


@contextlib.contextmanager
def connection(controller, seconds=10, plain=False, **versions):
    port = controller.plain if plain else controller.https
    with socket.create_connection(("127.0.0.1", port), seconds) as raw:
        if plain:
            yield raw
            return
        with context(controller, **versions).wrap_socket(raw, server_hostname="localhost") as secured:
            yield secured


def answer_of(stream):
    """Everything until the peer closes."""
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while piece := stream.recv(65536):
            data += piece
    return data


def take(stream):
    """One answer, whole: its status and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = stream.recv(65536)
        assert piece, data
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
    while len(body) < length:
        body += stream.recv(65536)
    assert len(body) == length
    return int(head.split(b" ", 2)[1]), body


def is_well(controller):
    return requests.get(controller.url + "/healthz", verify=str(controller.authority), timeout=10).status_code == 200


# ---- TLS ----

@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version, taken", [("TLSv1", False), ("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
def test_tls_versions(controller, version, taken):
    only = ssl.TLSVersion[version]
    try:
        with connection(controller, least=only, most=only) as stream:
            assert taken and stream.version().replace(".", "_") == version
    except (ssl.SSLError, ConnectionError):
        assert not taken


@pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(controller, cipher):
    only = context(controller, most=ssl.TLSVersion.TLSv1_2)
    try:
        only.set_ciphers(f"{cipher}:@SECLEVEL=0")
    except ssl.SSLError:
        pytest.skip("this OpenSSL does not have it")
    with socket.create_connection(("127.0.0.1", controller.https), 10) as raw, pytest.raises((ssl.SSLError, ConnectionError)):
        only.wrap_socket(raw, server_hostname="localhost")


def test_plain_http_is_for_loopback_alone(tmp_path):
    controller = Controller(tmp_path / "controller", http={"listen": f"0.0.0.0:{free_port()}"})
    result = controller.cli("serve", code=None, timeout=20)
    assert result.code == 3 and "loopback" in result.err


# ---- what is no request ----

HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
HOSTILE = {
    "garbage": os.urandom(4096),
    "zeros": bytes(4096),
    "no version": b"GET /healthz\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "another version": b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
    "http2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "long line": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long query": b"GET /healthz?a=" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "long header": HEAD + b"X: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"X%d: x\r\n" % i for i in range(10_000)) + b"\r\n",
    "endless headers": HEAD + b"X: x\r\n" * 100_000,
    "spaces before a colon": HEAD + b"Content-Length : 5\r\n\r\nhello",
    "two lengths": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length and chunks": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "huge length": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
    "bad chunk": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/protobuf\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "huge chunk": b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
}


# What a proxy in front could read in another way than we: refused with 400, and the connection is closed.
AMBIGUOUS = ("spaces before a colon", "two lengths", "length and chunks")


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_request_that_can_be_read_in_two_ways(controller, name):
    """RFC 9112, 5.1, 6.1 and 6.3."""
    with connection(controller, plain=True) as stream:
        stream.sendall(HOSTILE[name] + HEAD + b"\r\n")
        data = answer_of(stream)
        assert data.startswith(b"HTTP/1.1 400") and data.count(b"HTTP/1.1") == 1, data
    assert is_well(controller)


@pytest.mark.parametrize("plain", [False, True], ids=["https", "http"])
@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in AMBIGUOUS])
def test_what_is_no_request(controller, name, plain):
    """Refused or cut off, never answered with success twice, and the next one is served."""
    with connection(controller, plain=plain) as stream:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            stream.sendall(HOSTILE[name])
            stream.settimeout(2)
            with contextlib.suppress(TimeoutError):
                data = answer_of(stream)
                assert data.count(b"HTTP/1.1 200") <= 1
    assert is_well(controller)


def test_garbage_instead_of_tls(controller):
    for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(1000), b"\x16\x03\x01\xff\xff" + bytes(70000)):
        with socket.create_connection(("127.0.0.1", controller.https), 10) as raw:
            with contextlib.suppress(ConnectionError):
                raw.sendall(data)
                raw.settimeout(2)
                with contextlib.suppress(TimeoutError):
                    assert b"200 OK" not in answer_of(raw)
    assert is_well(controller)


def test_paths_are_not_normalised(controller):
    with connection(controller, plain=True) as stream:
        for path in (b"/../../etc/passwd", b"//healthz", b"/./healthz", b"/healthz/", b"/%2e%2e/healthz", b"http://x/healthz"):
            stream.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert take(stream)[0] == 404, path


# ---- bodies ----

def post(path, headers=b"", length=None, token=None):
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Content-Type: application/json"]
    lines += [b"Content-Length: %d" % length] if length is not None else [b"Transfer-Encoding: chunked"]
    lines += [b"Authorization: Bearer " + token.encode()] if token else []
    return b"\r\n".join(lines) + b"\r\n" + headers + b"\r\n"


def test_a_long_body_is_refused_before_it_is_sent(controller, admin):
    """401 for those whom nobody knows, 413 for those who are known: neither waits for the body."""
    for token, path, status in ((None, b"/api/v1/commands", 401), (admin.token, b"/api/v1/commands", 413), (None, b"/nothing", 404),
                                (admin.token, b"/api/v1/tokens", 413)):
        with connection(controller) as stream:
            stream.sendall(post(path, length=TOO_MUCH, token=token))
            begun = time.monotonic()
            assert take(stream)[0] == status
            assert time.monotonic() - begun < 5


def test_a_short_body_that_is_unwelcome_gets_its_answer(controller):
    """It is read to its end, so that the answer is not lost with the connection."""
    client = Client(controller.url, controller.authority)
    for size in (10, 1000, 20_000, 200_000):
        assert client.ask("POST", "/api/v1/tokens", b" " * size).status == 401


def test_a_body_without_an_end(controller, admin):
    for token in (None, admin.token):
        with connection(controller) as stream, contextlib.suppress(ConnectionError, ssl.SSLError):
            stream.sendall(post(b"/api/v1/tokens", token=token))
            sent = 0
            while sent < 4 * TOO_MUCH:
                stream.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
                sent += 4096
            pytest.fail("it was read without an end")
    assert is_well(controller)


def test_the_largest_body_is_taken(admin, controller):
    agents = admin.post("/api/v1/commands", {"kind": "set_policy", "content": "#" * (1 << 20)}, code=202).data
    assert agents["agents"] == 0
    assert admin.ask("POST", "/api/v1/commands", {"kind": "set_policy", "content": "#" * ((1 << 20) + 1)}).status == 400
    assert admin.ask("POST", "/api/v1/commands", b" " * ((2 << 20) + 1)).status == 413


@pytest.mark.plain
def test_bodies_of_strangers_take_no_memory(controller):
    """As many as may come, each with nearly two megabytes on the way."""
    before, open_ones = controller.memory(), []
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS // 2 - 5):
            stream = stack.enter_context(connection(controller))
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                stream.settimeout(1)
                stream.sendall(post(b"/enroll/v1/enroll", length=1_900_000).replace(b"json", b"protobuf"))
                stream.sendall(b" " * 60_000)
            open_ones.append(stream)
        assert controller.memory() - before < 24 << 20
    until(lambda: is_well(controller), 10)


# ---- many, and for long ----

def test_one_connection_for_many_requests(controller, admin):
    with connection(controller) as stream:
        for _ in range(200):
            stream.sendall(HEAD + b"\r\n")
            assert take(stream)[0] == 200
    with connection(controller) as stream:  # all at once
        stream.sendall((HEAD + b"\r\n") * 50 + HEAD + b"Connection: close\r\n\r\n")
        assert answer_of(stream).count(b"HTTP/1.1 200") == 51


def test_one_address_does_not_take_all_connections(controller):
    """Half of them; others are still served (S4.5)."""
    def open_one(source):
        raw = socket.create_connection(("127.0.0.1", controller.https), 3, source_address=(source, 0))
        try:
            stream = context(controller).wrap_socket(raw, server_hostname="localhost")
            stream.sendall(HEAD + b"\r\n")
            return stream if take(stream)[0] == 200 else None
        except OSError:
            raw.close()
            return None

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        streams = [s for s in pool.map(open_one, ["127.0.0.1"] * CONNECTIONS) if s]
    try:
        assert len(streams) <= CONNECTIONS // 2
        other = open_one("127.0.0.2")
        assert other
        other.close()
    finally:
        for stream in streams:
            stream.close()
    until(lambda: is_well_again(controller), 10)


def is_well_again(controller):
    try:
        return is_well(controller)
    except requests.RequestException:
        return False


def test_many_at_once(controller, admin):
    """More than there are connections for: those who are turned away come again."""
    def ask(_):
        for _ in range(50):
            with contextlib.suppress(requests.RequestException):
                return Client(controller.url, controller.authority, admin.token).get("/api/v1/agents").status
            time.sleep(0.1)

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert set(pool.map(ask, range(300))) == {200}


def serial(controller):
    with connection(controller) as stream:
        return stream.getpeercert()["serialNumber"]


def test_slow_peers_are_shown_out_and_certificates_change_meanwhile(controller, admin):
    """A byte now and then holds no thread for long; a connection that is used stays, with the certificate it began with."""
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connection(controller, seconds=60)) for _ in range(8)]
        silent = stack.enter_context(socket.create_connection(("127.0.0.1", controller.https), 60))  # no handshake
        used = stack.enter_context(connection(controller, seconds=60))
        first, begun, closed = serial(controller), time.monotonic(), set()
        while time.monotonic() - begun < HEAD_SECONDS + 6 and len(closed) < len(slow):
            for i, stream in enumerate(slow):
                try:
                    stream.sendall(b"X")
                    stream.settimeout(0.01)
                    if stream.recv(1) == b"":
                        closed.add(i)
                except TimeoutError:
                    pass
                except OSError:
                    closed.add(i)
            used.sendall(HEAD + b"\r\n")
            assert take(used)[0] == 200
            time.sleep(1)
        assert len(closed) == len(slow) and time.monotonic() - begun > HEAD_SECONDS - 5
        assert silent.recv(1) == b""
        # half of the certificate's minute is over
        controller.process.send_signal(1)
        until(lambda: serial(controller) != first, 10, what="another certificate")
        used.sendall(HEAD + b"\r\n")
        assert take(used)[0] == 200
    assert admin.get("/api/v1/agents").status == 200


# ---- the control socket ----

def test_the_control_socket_is_its_owners(controller):
    path = controller.data / "control.sock"
    mode = os.lstat(path).st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    controller.cli("token", "create", "--organization", controller.acme, "--label", "by socket")
    event = controller.operator.get("/api/v1/trail", limit=1)["items"][0]
    assert event["actor"].startswith("local:") and event["text"] == "by socket"


def test_a_file_in_the_sockets_place_is_not_deleted(tmp_path):
    """It serves without, and says so."""
    controller = Controller(tmp_path / "controller").init()
    (controller.data / "control.sock").write_text("somebody's")
    try:
        controller.start()
        assert "move it away" in controller.events("no_control_socket")[0]["reason"]
        controller.stop()
        assert (controller.data / "control.sock").read_text() == "somebody's"
    finally:
        controller.end()


# ---- the end ----

def test_the_end_comes_in_good_order(tmp_path):
    """Event streams are ended, answers under way are given, and all of it is quick."""
    controller = Controller(tmp_path / "controller").init().start()
    try:
        organization = controller.organization("ACME")
        client = Client(controller.url, controller.authority, controller.user(organization).token)
        seen, problems = [], []

        def listen():
            try:
                seen.append([e["event"] for e in Client(client.url, controller.authority, client.token).events(seconds=30)])
            except Exception as problem:  # noqa: BLE001
                problems.append(problem)

        threads = [threading.Thread(target=listen) for _ in range(5)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        begun = time.monotonic()
        controller.stop()
        assert time.monotonic() - begun < 8
        for thread in threads:
            thread.join(10)
        assert not problems and seen == [["ready"]] * 5
        assert not (controller.data / "control.sock").exists()
    finally:
        controller.end()

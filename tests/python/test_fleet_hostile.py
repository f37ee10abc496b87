"""All of it at once against a real controller: floods on both listeners while agents of others work. Each kind by itself is in
test_session_hostile.py and test_rest_listener.py; here memory stays under a cap and nobody else notices."""

import contextlib
import os
import random
import socket
import ssl
import struct
import threading
import time

import h2.exceptions
import pytest
from agent import SANITIZED
from fleet import Fleet, until
from protos import fleet_pb2
from session_peer import Authority
from test_fleet_tenants import Door, enrolled
from test_session_hostile import Raw

MIB = 1 << 20
SECONDS = float(os.environ.get("VW_HOSTILE_SECONDS", 12))
CAP = (1024 if SANITIZED else 160) * MIB  # a sanitizer keeps 256 MiB of what was freed, and has margins around the rest


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, small):
    fleet = Fleet(tmp_path_factory.mktemp("hostile"))
    fleet.ca = Authority(fleet.controller.data / "authority")
    fleet.good = [fleet.member(uri=small).start().connected() for _ in range(2)]
    for m in fleet.good:
        m.wait_syncs(1)
    yield fleet
    fleet.end()


class Flood:
    """Does one thing again and again, whatever is answered, until it is told to end. How often it did is counted."""

    def __init__(self, name, what):
        self.name, self.what, self.count, self.stopping = name, what, 0, threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError, ssl.SSLError, h2.exceptions.ProtocolError):
                self.what(self)
            self.stopping.wait(0.001)

    def did(self, count=1):
        self.count += count


def plain(port):
    """From another address than the tests' own questions: one address may not take all connections."""
    return socket.create_connection(("127.0.0.1", port), 5, ("127.0.0.2", 0))


def tls(port, alpn=("h2",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(plain(port))


def floods(fleet, identities):
    """Of strangers and of agents with a good certificate and a bad mind."""
    streams, https, door = fleet.controller.port, fleet.controller.https, Door(fleet)
    held, chance = [], random.Random(7)

    def silent(flood, port):
        """Connections that say nothing; a few hundred at once."""
        held.append(plain(port))
        flood.did()
        if len(held) > 300:
            held.pop(chance.randrange(len(held))).close()

    def strangers(flood):
        """TLS without a certificate, and bytes behind it."""
        with tls(streams) as connection:
            connection.sendall(os.urandom(1000))
            flood.did()

    def garbage(flood):
        with plain(chance.choice([streams, https])) as connection:
            connection.sendall(os.urandom(2000))
            flood.did()

    def after_tls(flood):
        raw = Raw(door, identities[0])
        with raw.tls:
            raw.tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(4000))
            flood.did()

    def pings(flood):
        raw = Raw(door, identities[1]).begin()
        with raw.tls:
            while not flood.stopping.is_set():
                for _ in range(200):
                    raw.h2.ping(b"12345678")
                raw.flush()
                flood.did(200)

    def resets(flood):
        raw = Raw(door, identities[2]).begin()
        with raw.tls:
            while not flood.stopping.is_set():
                for _ in range(20):
                    raw.h2.reset_stream(raw.call())
                raw.flush()
                flood.did(20)

    def headers(flood):
        raw = Raw(door, identities[3]).begin()
        with raw.tls:
            for i in range(200):
                raw.call(extra=[(f"x-{j}", "y" * 4000) for j in range(20)])
                flood.did()

    def giants(flood):
        """A message that says it is large, of which not all comes."""
        raw = Raw(door, identities[4]).begin()
        with raw.tls:
            stream = raw.call()
            raw.h2.send_data(stream, struct.pack(">BI", 0, 2**31 - 1))
            for _ in range(100):
                raw.h2.send_data(stream, b"\0" * 16000)
                raw.flush()
                flood.did()

    def entries(flood):
        """A batch before any hello, as large as the first window lets it be."""
        raw = Raw(door, identities[5]).begin()
        with raw.tls:
            stream = raw.call()
            message = fleet_pb2.AgentMessage()
            message.batch.first_sequence = 1
            message.batch.entries.add(payload=b"x" * 60000, chain_sha256=b"\0" * 32)
            raw.message(stream, message)
            flood.did()

    def slow_reader(flood):
        """Asks and never reads."""
        with tls(https, ("http/1.1",)) as connection:
            connection.sendall(b"GET /api/v1/openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            flood.did(50)
            flood.stopping.wait(2)

    def slow_writer(flood):
        with tls(https, ("http/1.1",)) as connection:
            for byte in b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n":
                connection.sendall(bytes([byte]))
                flood.did()
                if flood.stopping.wait(0.05):
                    return

    def requests(flood):
        """Tokens that are none, as fast as they come."""
        with tls(https, ("http/1.1",)) as connection:
            for _ in range(50):
                connection.sendall(b"GET /api/v1/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + os.urandom(20).hex().encode() + b"\r\n\r\n")
                connection.recv(4096)
                flood.did()

    def enrolments(flood):
        with tls(https, ("http/1.1",)) as connection:
            body = os.urandom(4000)
            connection.sendall(b"POST /enroll/v1/enroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/protobuf\r\n"
                               b"Content-Length: 4000\r\n\r\n" + body)
            connection.recv(4096)
            flood.did()

    kinds = [("silent", lambda f: silent(f, chance.choice([streams, https]))), ("strangers", strangers), ("garbage", garbage),
             ("after TLS", after_tls), ("pings", pings), ("resets", resets), ("headers", headers), ("giants", giants), ("entries", entries),
             ("slow reader", slow_reader), ("slow writer", slow_writer), ("requests", requests), ("enrolments", enrolments)]
    return [Flood(name, what) for name, what in kinds], held


@pytest.mark.both
def test_everything_at_once(fleet):
    organization = fleet.controller.organization()
    identities = [enrolled(fleet, organization) for _ in range(6)]
    opened = [m.value("controller_connects_total") for m in fleet.good]
    before, peak, waits = fleet.controller.memory(), 0, []
    running, held = floods(fleet, identities)
    try:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for m in fleet.good:  # a command there, its result back, and the entries that it makes
                begin = time.monotonic()
                m.order("reevaluate", 20)
                m.wait(lambda: m.value("controller_queued_entries") == 0, 20)
                waits.append(time.monotonic() - begin)
            peak = max(peak, fleet.controller.memory())
            assert peak < CAP, (before, peak)
    finally:
        for flood in running:
            flood.stopping.set()
        for connection in held:
            connection.close()
    for flood in running:
        flood.thread.join(10)
    did = {flood.name: flood.count for flood in running}
    print(f"\nfloods {did}; memory {before >> 20} to {peak >> 20} MiB; {len(waits)} commands of others, the slowest {max(waits):.2f} s")
    assert all(did.values()), did
    assert fleet.controller.process.poll() is None
    assert len(waits) > 6 and max(waits) < 8, waits
    assert [m.value("controller_connects_total") for m in fleet.good] == opened, "somebody else's stream ended"
    for m in fleet.good:
        m.caught_up().same_ledger()
    # the log says what was, and does not fill the disk
    assert fleet.controller.log_path.stat().st_size < 4 * MIB
    # what was taken is given back
    until(lambda: fleet.controller.metric("sessions") == len(fleet.good), 30)
    descriptors = lambda: len(os.listdir(f"/proc/{fleet.controller.process.pid}/fd"))  # noqa: E731
    until(lambda: descriptors() < 100, 90, 0.5, what=descriptors)
    fleet.controller.stop()

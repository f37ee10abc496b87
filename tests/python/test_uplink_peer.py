"""The agent's uplink against a controller that is not ours: protocol, receipts, refusals, commands (S4.1, S9, S10)."""

import os
import queue
import threading
import time
import uuid
from random import Random

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from fleet_peer import DER, DOCUMENT_SIGNING, DOMAIN, Authority, Peer, now_ms
from protos import fleet_pb2
from uplink import Uplink

pytestmark = pytest.mark.tsan


def test_the_ledger_arrives_whole(peer, uplink):
    peer.serve()
    uplink.start()
    uplink.append(1200)
    status = uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 1200)
    assert status["phase"] == "connected" and status["error"] is None
    assert peer.chain.last == status["last"] and peer.chain.duplicates == 0
    hello = peer.streams[0].hello
    assert hello.protocol_major == 1 and len(hello.instance_id) == 16 and hello.agent_version == "0.1.0-driver"
    assert hello.source_uri == "http://mlflow.example.org:5000"
    assert list(hello.capabilities) == ["commands", "policy", "configuration", "secrets"]
    assert uplink.stop() < 2.5
    assert peer.streams[0].closed.wait(5)


# ---- the window, positions, receipts ----


def test_no_more_than_the_window_is_under_way(peer, uplink):
    loads = []

    def behave(session):
        session.welcome(window_bytes=100_000, batch_bytes=30_000)
        time.sleep(1)  # the agent sends until the window is full
        while session.incoming.qsize():
            session.keep(session.receive("batch"))
        loads.append(sum(b[2] for b in session.batches))
        assert max(b[2] for b in session.batches) <= 30_000
        session.acknowledge()
        session.stay()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(300, 2000)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 300)
    assert loads and 60_000 < loads[0] <= 100_000


def test_an_entry_larger_than_the_window_still_goes_alone(peer, uplink):
    peer.behaviours = [lambda session: (session.welcome(window_bytes=1000, batch_bytes=500), session.stay())]
    peer.serve()
    uplink.start()
    uplink.append(3, 50_000)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 3)
    assert all(count == 1 for _, count, size in peer.streams[0].batches if size > 500)


def test_resume_sends_again_from_there(peer, uplink):
    def behave(session):
        session.welcome(batch_entries=10)
        session.store(20)
        session.send(resume=fleet_pb2.Resume(sequence=5))
        while session.batches[-1][0] != 5:
            session.keep(session.receive("batch"))
        session.acknowledge()
        session.stay()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(100)
    status = uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 100)
    assert peer.chain.duplicates >= 16 and status["duplicates_asked"] >= 16


def test_resume_without_end_ends_the_stream(peer, uplink):
    def behave(session):
        session.welcome()
        for _ in range(40):
            session.send(resume=fleet_pb2.Resume(sequence=1))
        session.wait_end()

    peer.behaviours = [behave, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    uplink.append(5)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 5)
    assert any("again and again" in line for line in uplink.logged("uplink_ended"))


@pytest.mark.parametrize("sequence", [0, 10**6])
def test_a_resume_that_cannot_be_ends_the_stream(peer, uplink, sequence):
    def behave(session):
        session.welcome()
        session.send(resume=fleet_pb2.Resume(sequence=sequence))
        session.wait_end()

    peer.behaviours = [behave, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    uplink.append(5)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 5)
    assert any("cannot miss" in line for line in uplink.logged("uplink_ended"))


def test_a_lost_acknowledgement_is_asked_for_again(peer, uplink):
    """The entries were stored, the receipt never came: the last entry is sent again, and not all of them."""

    def first(session):
        session.welcome()
        while session.peer.chain.last < 50:
            session.keep(session.receive("batch"))

    peer.behaviours = [first, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    uplink.append(50)
    status = uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 50)
    assert status["receipts"] == 1 and peer.chain.duplicates == 1


def wrong_receipts():
    other = ec.generate_private_key(ec.SECP256R1())
    return {
        "no receipt": lambda s: fleet_pb2.Receipt(),
        "another key": lambda s: s.receipt(key=other),
        "another agent": lambda s: s.receipt(agent_id=str(uuid.uuid4())),
        "another organization": lambda s: s.receipt(organization="8"),
        "another hash": lambda s: s.receipt(chain_sha256=bytes(32)),
        "another sequence": lambda s: s.receipt(sequence=s.peer.chain.last - 1),
        "an epoch that never began": lambda s: s.receipt(epoch=99),
        "a signer that was not named": lambda s: s.receipt(signer=s.peer.certificate),
        "garbage": lambda s: fleet_pb2.Receipt(body=b"\xff" * 40, signature=b"x", signer_sha256=b"y"),
    }


@pytest.mark.parametrize("what", wrong_receipts())
def test_a_wrong_receipt_is_refused_and_moves_nothing(peer, uplink, what):
    make = wrong_receipts()[what]
    refused = []

    def behave(session):
        session.welcome()
        while session.peer.chain.last < 10:
            session.keep(session.receive("batch"))
        session.acknowledge(receipt=make(session))
        refused.append(session.receive("receipt_refused"))
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(10)
    status = uplink.wait(lambda s: s["phase"] == "refused")
    assert status["acknowledged"] == 0 and status["receipts"] == 0
    assert refused[0].sequence == peer.chain.last and refused[0].text
    assert len([m for m in peer.streams[0].seen if m.WhichOneof("body") == "receipt_refused"]) == 1
    assert uplink.logged("receipt_refused") and status["wait_ms"] > 60_000


def test_a_wrong_receipt_at_the_very_end_counts_too(peer, uplink):
    """The stream ends behind it: there is nobody to tell, but the operator."""
    stored = threading.Event()

    def behave(session):
        session.welcome()
        while session.peer.chain.last < 3:
            session.keep(session.receive("batch"))
        session.acknowledge(sequence=1)
        assert stored.wait(30)  # or the wrong one could overtake it
        session.acknowledge(receipt=session.receipt(chain_sha256=bytes(32)))
        session.end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(3)
    uplink.wait(lambda s: s["acknowledged"] == 1)
    stored.set()
    status = uplink.wait(lambda s: s["phase"] == "refused")
    assert "the chain that it signs" in status["error"] and status["acknowledged"] == 1


def test_an_acknowledgement_of_what_was_not_sent_is_refused(peer, uplink):
    def behave(session):
        session.welcome()
        session.keep(session.receive("batch"))
        session.acknowledge(sequence=10**9, receipt=session.receipt())
        assert session.receive("receipt_refused").sequence == 10**9
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(3)
    status = uplink.wait(lambda s: s["phase"] == "refused")
    assert "was not sent" in status["error"] and status["acknowledged"] == 0


def test_a_signer_of_receipts_must_be_one(peer, uplink):
    """The controller's own certificate, and one of another CA, sign no receipts."""
    other = Authority()
    key = ec.generate_private_key(ec.SECP256R1())
    stranger = other.issue(key.public_key(), [f"spiffe://{DOMAIN}/receipts"], DOCUMENT_SIGNING)

    def behave(session):
        named = [session.peer.certificate.public_bytes(DER), stranger.public_bytes(DER), b"garbage"]
        session.welcome(receipt_certificates=named)
        while session.peer.chain.last < 3:
            session.keep(session.receive("batch"))
        session.acknowledge(receipt=session.receipt(key=key, signer=stranger))
        session.receive("receipt_refused")
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(3)
    uplink.wait(lambda s: s["phase"] == "refused")
    assert uplink.logged("receipts_unverifiable")


# ---- the beginning ----


def test_the_join_sequence_is_kept_before_anything_is_sent(peer, uplink):
    def behave(session):
        session.welcome(join_sequence=41)
        session.next()  # whatever it is: by then the agent has kept it

    peer.behaviours = [behave, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    uplink.append(1)
    peer.wait_for_stream(1)
    while not peer.streams[0].batches and not peer.streams[0].seen[1:]:
        time.sleep(0.01)
    uplink.kill()
    uplink.start()
    assert peer.wait_for_stream(2).hello.join_sequence == 41


@pytest.mark.parametrize("what", ["another hash", "no hash", "more than there is", "resume 0"])
def test_a_controller_with_another_chain_gets_nothing(peer, uplink, what):
    def behave(session):
        changes = {"another hash": dict(resume=3, acknowledged_chain_sha256=b"\1" * 32),
                   "no hash": dict(resume=3, acknowledged_chain_sha256=None),
                   "more than there is": dict(resume=10**6, acknowledged_chain_sha256=b"\1" * 32),
                   "resume 0": dict(resume=0)}[what]
        session.welcome(**changes)
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(5)
    status = uplink.wait(lambda s: s["phase"] == "refused")
    assert not peer.streams[0].batches and status["error"]
    assert uplink.logged("uplink_ended")


def test_a_controller_that_lost_entries_gets_them_again(peer, uplink):
    """Restored from a backup: it is behind its own receipts. The agent has all of it still, and says so."""
    peer.serve()
    uplink.start()
    uplink.append(30)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 30)
    chain = peer.chain
    for n in range(11, chain.last + 1):
        del chain.hashes[n], chain.payloads[n]
    chain.last = 10
    peer.behaviours = [lambda session: (session.welcome(), session.stay())]
    peer.stop_streams()
    peer.serve()
    uplink.append(1)
    deadline = time.monotonic() + 20
    while chain.last < 31:
        assert time.monotonic() < deadline, uplink.log[-10:]
        time.sleep(0.05)
    assert uplink.logged("controller_behind")


def test_unknown_fields_and_a_newer_minor_version_pass(peer, uplink):
    """Fields and messages of a later version, by number: this schema does not have them."""
    unknown = b"\xc2\x3e\x05hello" + b"\xc8\x3e\x07"  # field 1000, bytes; field 1001, varint

    def behave(session):
        welcome = fleet_pb2.Welcome(protocol_minor=7, session_id="s", resume_sequence=1, join_sequence=1, server_time=now_ms(),
                                    receipt_certificates=[session.peer.receipts_certificate.public_bytes(DER)])
        raw = welcome.SerializeToString() + unknown
        message = fleet_pb2.ControllerMessage.FromString(b"\x0a" + varint(len(raw)) + raw + unknown)
        session.outgoing.put(message)
        session.outgoing.put(fleet_pb2.ControllerMessage.FromString(unknown))
        session.stay()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.append(10)
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 10)


@pytest.mark.parametrize("first", ["acknowledgement", "command", "resume"])
def test_what_comes_before_the_welcome_ends_the_stream(peer, uplink, first):
    bodies = {"acknowledgement": fleet_pb2.Acknowledgement(sequence=1), "command": fleet_pb2.Command(id="x"),
              "resume": fleet_pb2.Resume(sequence=1)}

    def behave(session):
        session.send(**{first: bodies[first]})
        session.wait_end()

    peer.behaviours = [behave, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    peer.wait_for_stream(2)
    assert any("neither a welcome" in line for line in uplink.logged("uplink_ended"))


def test_a_controller_that_does_not_answer_is_left(peer, tmp_path):
    peer.behaviours = [lambda session: session.wait_end(20), lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink = Uplink(tmp_path, peer, timeout_ms=1000)
    uplink.start()
    try:
        uplink.wait(lambda s: s["phase"] == "connected")
        assert len(peer.streams) >= 2 and any("did not answer" in line for line in uplink.logged("uplink_ended"))
    finally:
        uplink.stop()


# ---- refusals ----

SLOW = ["UNKNOWN_AGENT", "REVOKED", "DUPLICATE_INSTANCE", "TENANT_DISABLED", "VERSION_TOO_OLD", "ROLLED_BACK", "FORKED",
        "MALFORMED"]


@pytest.mark.parametrize("reason", SLOW)
@pytest.mark.parametrize("when", ["first", "later"])
def test_a_refusal_discards_nothing_and_is_tried_again_much_later(peer, uplink, reason, when):
    def behave(session):
        if when == "later":
            session.welcome()
            session.receive("health")
        session.reject(reason, text="because \u202e of \x1b[31mthis")
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    before = uplink.identity()
    uplink.start()
    status = uplink.wait(lambda s: s["phase"] == "refused")
    assert status["rejection"] == getattr(fleet_pb2, f"REJECTION_REASON_{reason}")
    assert reason.lower() in status["error"] and "because" in status["error"]
    assert "\x1b" not in status["error"] and "\u202e" not in status["error"]
    assert 110_000 < status["wait_ms"] <= 300_000
    assert uplink.identity() == before
    assert uplink.stop() < 2.5


def test_clock_skew_is_recorded_and_tried_again(peer, uplink):
    def behave(session):
        session.reject("CLOCK_SKEW", server_time=now_ms() + 600_000)
        session.wait_end()

    peer.behaviours = [behave, behave, lambda session: (session.welcome(server_time=now_ms() + 2000), session.stay())]
    peer.serve()
    uplink.start()
    status = uplink.wait(lambda s: s["rejection"] == fleet_pb2.REJECTION_REASON_CLOCK_SKEW)
    assert 590_000 < status["clock_offset_ms"] < 610_000 and "behind" in status["error"]
    status = uplink.wait(lambda s: s["phase"] == "connected")
    assert 1000 < status["clock_offset_ms"] < 3000 and status["rejection"] == 0


def test_overloaded_waits_as_long_as_it_is_asked(peer, uplink):
    def behave(session):
        session.reject("OVERLOADED", retry_after_ms=20_000)
        session.wait_end()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    status = uplink.wait(lambda s: s["phase"] == "waiting")
    assert 19_000 < status["wait_ms"] < 32_000


def test_reconnect_and_age(peer, uplink):
    """Both end the stream without an error; one that ends at once is still not a storm."""

    def first(session):
        session.welcome()
        session.send(reconnect=fleet_pb2.Reconnect(after_ms=300, text="drain"))
        session.wait_end()

    def second(session):
        session.welcome(max_age_ms=500)
        session.wait_end(5)

    peer.behaviours = [first, second, lambda session: (session.welcome(), session.stay())]
    peer.serve()
    uplink.start()
    peer.wait_for_stream(3)
    status = uplink.wait(lambda s: s["phase"] == "connected" and s["connects"] == 3)
    assert status["error"] is None


def test_goodbye_in_time_whatever_the_controller_does(peer, uplink):
    """A controller that does not end the stream, and one that is not there."""
    blocked = threading.Event()
    peer.behaviours = [lambda session: (session.welcome(), blocked.wait(20))]
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["phase"] == "connected")
    assert uplink.stop() < 3.5
    blocked.set()
    peer.stop_streams()
    uplink.start()
    uplink.wait(lambda s: s["phase"] == "waiting")
    assert uplink.stop() < 2.5


# ---- whatever a controller sends ----


def some_messages(session):
    """One of each kind, valid."""
    chain = session.peer.chain
    sealed = fleet_pb2.SealedSecret(name="mlflow.token", version=1, sealed=b"x" * 50)
    bodies = [dict(acknowledgement=fleet_pb2.Acknowledgement(sequence=chain.last, receipt=session.receipt())),
              dict(resume=fleet_pb2.Resume(sequence=1)),
              dict(command=fleet_pb2.Command(id=str(uuid.uuid4()), kind=1, depth="full", model="m", issued_by="me", content=b"c",
                                             from_sequence=1, secrets=[sealed], expires_at=now_ms() + 60000)),
              dict(desired=fleet_pb2.Desired(policy=fleet_pb2.DesiredFile(content=b"rules: []"),
                                             secrets=fleet_pb2.SecretSet(secrets=[sealed]))),
              dict(reconnect=fleet_pb2.Reconnect(after_ms=1, text="t")),
              dict(rejection=fleet_pb2.Rejection(reason=1, text="t", server_time=now_ms(), retry_after_ms=1))]
    return [fleet_pb2.ControllerMessage(**body).SerializeToString() for body in bodies]


def mutated(random, message):
    message = bytearray(message)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(message) + 1)
        how = random.randrange(4)
        if how == 0 and at < len(message):
            message[at] = random.randrange(256)
        elif how == 1:
            message[at:at] = random.randbytes(random.choice((1, 2, 9)))
        elif how == 2:
            del message[at:at + random.choice((1, 3, 20))]
        else:
            message[at:at] = message[:random.randrange(40)]
    return bytes(message)


@pytest.mark.parametrize("seed", range(30))
def test_messages_of_any_shape_are_survived(peer, uplink, seed):
    random = Random(seed)

    def behave(session):
        welcome = fleet_pb2.Welcome(resume_sequence=1, join_sequence=1, server_time=now_ms(), window_bytes=1 << 20,
                                    receipt_certificates=[session.peer.receipts_certificate.public_bytes(DER)])
        first = fleet_pb2.ControllerMessage(welcome=welcome).SerializeToString()
        session.outgoing.put(mutated(random, first) if random.random() < 0.3 else first)
        while session.peer.chain.last < 3:
            session.keep(session.receive("batch", 1))
        for _ in range(60):
            session.outgoing.put(mutated(random, random.choice(some_messages(session))))
        session.wait_end(1)

    def forgiving(session):
        try:
            behave(session)
        except (AssertionError, queue.Empty):
            pass

    peer.behaviours = [forgiving, lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    uplink.append(3)
    peer.wait_for_stream(1)
    assert peer.streams[0].closed.wait(20)
    uplink.stop()
    uplink.agent.verify()
    uplink.start("sync")
    uplink.wait(lambda s: s["phase"] == "connected")


def test_a_message_over_the_cap_ends_the_stream(peer, uplink):
    def behave(session):
        session.welcome()
        session.send(command=fleet_pb2.Command(id="x", kind=3, content=b"x" * (3 << 20)))
        session.wait_end()

    peer.behaviours = [behave, lambda s: (s.welcome(), s.stay())]
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["connects"] == 2)
    assert any("gRPC status 8" in line for line in uplink.logged("uplink_ended"))
    assert uplink.ask("next") is None


def resident(process, field="VmRSS"):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field))


@pytest.mark.plain
def test_memory_is_flat_whatever_the_backlog(peer, uplink):
    """40 MB wait; the controller takes them slowly. The agent holds one batch."""
    uplink.start()
    for _ in range(100):
        uplink.do("append 200 2000")
    uplink.kill()  # what appending took of memory is not counted

    def behave(session):
        session.welcome()
        while session.peer.chain.last < 20000:
            session.keep(session.receive("batch"))
            time.sleep(0.02)
            session.acknowledge()
        session.stay()

    peer.behaviours = [behave]
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 20000, 60)
    mapped = os.path.getsize(uplink.agent.state / "data.mdb") // 1024
    assert resident(uplink.process, "VmHWM") - min(mapped, 8192) < 16 * 1024
    flood(peer, uplink)


def flood(peer, uplink):
    """100,000 messages without sense: each is read when the last was dealt with."""
    before = resident(uplink.process)
    for _ in range(100_000):
        peer.streams[-1].outgoing.put(fleet_pb2.ControllerMessage())
    peer.streams[-1].send(command=fleet_pb2.Command(id="after-the-flood", kind=1))
    assert uplink.command(30)["id"] == "after-the-flood"
    assert resident(uplink.process) < before + 4096


def test_health_is_told_on_change_and_not_too_often(peer, uplink):
    peer.serve()
    uplink.start()
    began = time.monotonic()
    while time.monotonic() - began < 6:
        uplink.do(f"health {int(time.monotonic() * 100)}")
        time.sleep(0.05)
    uplink.do("health 42")
    wait_for(lambda: told_health(peer)[-1].models == 42, 12)
    assert 3 <= len(told_health(peer)) <= 4
    assert told_health(peer)[-1].certificate_not_after and told_health(peer)[-1].last_sequence == uplink.look()["last"]
    uplink.do("health 42")
    time.sleep(1)
    assert len(told_health(peer)) <= 4


def told_health(peer):
    return [m.health for s in peer.streams for m in s.seen if m.WhichOneof("body") == "health"]


def test_heartbeats_when_there_is_nothing_else(peer, uplink):
    peer.behaviours = [lambda s: (s.welcome(heartbeat_ms=1000), s.stay())]
    peer.serve()
    uplink.start()
    uplink.wait(lambda s: s["acknowledged"] == s["last"])
    time.sleep(4)
    beats = [m.heartbeat for m in peer.streams[0].seen if m.WhichOneof("body") == "heartbeat"]
    assert 2 <= len(beats) <= 4 and beats[-1].last_sequence == peer.chain.last


def wait_for(find, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not find():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])

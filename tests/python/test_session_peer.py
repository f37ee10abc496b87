"""The controller's gRPC listener and a peer that is not ours (S4.1, S4.2, S11.1): what it says, what it takes, whom it refuses."""

import hashlib
import json
import os
import ssl
import socket
import subprocess
import time
import uuid

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from google.protobuf import json_format
from protos import fleet_pb2
from servers import ROOT, gotool
from session_peer import DOMAIN, Authority, Ledger, Stand, agent_uri, key_pem, new_key, now_ms, until

pytestmark = pytest.mark.tsan


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    stand = Stand(tmp_path_factory.mktemp("stand"))
    stand.organization(1)
    stand.organization(2)
    yield stand
    stand.stop()


@pytest.fixture
def quick(tmp_path):
    """Heartbeats of 400 ms, so that silence is soon."""
    stand = Stand(tmp_path / "stand", heartbeat_ms=400)
    stand.organization(1)
    yield stand
    stand.stop()


def verify_receipt(stand, welcome, receipt, organization, agent_id, ledger):
    signer = x509.load_der_x509_certificate(welcome.receipt_certificates[0])
    signer.verify_directly_issued_by(stand.authority.certificate)
    assert hashlib.sha256(welcome.receipt_certificates[0]).digest() == receipt.signer_sha256
    body = fleet_pb2.ReceiptBody.FromString(receipt.body)

    def lp(data):
        return len(data).to_bytes(4, "big") + data

    signed = lp(b"verifywise.receipt.v1") + lp(receipt.body) + lp(b"")
    signer.public_key().verify(receipt.signature, signed, ec.ECDSA(hashes.SHA256()))
    assert (body.organization, body.agent_id) == (str(organization), agent_id)
    assert body.epoch == (1 if body.sequence == 1 else 2)  # of the ledgers of these tests
    assert body.chain_sha256 == ledger.hashes[body.sequence]
    assert abs(body.stored_at - now_ms()) < 10000
    return body.sequence


# ---- The ordinary way ----


def test_welcome_batch_acknowledgement(stand):
    peer = stand.peer(entries=5)
    stream = peer.connect()
    welcome = stream.welcome
    assert (welcome.resume_sequence, welcome.join_sequence) == (1, 1)
    assert abs(welcome.server_time - now_ms()) < 5000
    assert 0.8 * 3600000 <= welcome.max_age_ms <= 3600000
    assert welcome.heartbeat_ms == 30000 and 65536 <= welcome.window_bytes <= 4 << 20
    assert welcome.batch_entries == 512 and welcome.batch_bytes <= 1 << 20
    stream.send(peer.ledger.batch(1, 2))
    acknowledgement = stream.expect("acknowledgement")
    assert acknowledgement.sequence == 2
    assert verify_receipt(stand, welcome, acknowledgement.receipt, 1, peer.agent_id, peer.ledger) == 2
    stream.send(peer.ledger.batch(3, 3))
    assert stream.expect("acknowledgement").sequence == 5
    presence = stand.read(f"presence 1 {peer.agent_id}")
    assert presence["connected"] and presence["hostname"] == "peer.example"
    assert presence["session_id"] == welcome.session_id
    stream.close()
    assert stream.ended() == grpc.StatusCode.OK
    until(lambda: not stand.read(f"presence 1 {peer.agent_id}")["connected"])


def test_goes_on_where_it_ended(stand):
    peer = stand.peer(entries=4)
    first = peer.connect()
    first.send(peer.ledger.batch(1, 4))
    first.expect("acknowledgement")
    first.close()
    first.ended()
    peer.ledger.note()
    second = peer.connect()
    assert (second.welcome.resume_sequence, second.welcome.join_sequence) == (5, 2)
    assert second.welcome.acknowledged_chain_sha256 == peer.ledger.hashes[4]


def test_a_duplicate_is_acknowledged_again(stand):
    peer = stand.peer(entries=4)
    stream = peer.connect()
    before = stand.counts()["duplicates"]
    for _ in range(2):
        stream.send(peer.ledger.batch(1, 4))
        assert stream.expect("acknowledgement").sequence == 4
    stream.send(peer.ledger.batch(2, 2))
    assert stream.expect("acknowledgement").sequence == 4
    assert stand.counts()["duplicates"] == before + 6


def test_a_gap_is_answered_once_with_the_place(stand):
    peer = stand.peer(entries=9)
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 2))
    stream.expect("acknowledgement")
    for first in (5, 6, 7):  # all that was under way
        stream.send(peer.ledger.batch(first, 1))
    assert stream.expect("resume").sequence == 3
    stream.quiet()
    stream.send(peer.ledger.batch(3, 7))
    assert stream.expect("acknowledgement").sequence == 9


def test_many_batches_are_acknowledged_together(stand):
    peer = stand.peer(entries=200)
    stream = peer.connect()
    stand.fault("ingest", 0, 0, 20)
    for n in range(1, 201):
        stream.send(peer.ledger.batch(n, 1))
    last = count = 0
    while last < 200:
        acknowledgement = stream.expect("acknowledgement")
        assert acknowledgement.sequence > last
        verify_receipt(stand, stream.welcome, acknowledgement.receipt, 1, peer.agent_id, peer.ledger)
        last, count = acknowledgement.sequence, count + 1
    stand.fault("ingest", 0, 0, 0)
    assert count < 100


def test_an_entry_of_sixteen_mebibytes(stand):
    peer = stand.peer(entries=2)
    peer.ledger.note(size=16 << 20)
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 3))
    stream.rejected("MALFORMED")  # more than a mebibyte in a batch, though none alone
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 2))
    stream.expect("acknowledgement")
    stream.send(peer.ledger.batch(3, 1))
    assert stream.expect("acknowledgement", 30).sequence == 3


def test_unknown_fields_and_members_pass(stand):
    peer = stand.peer(entries=4)
    stream = peer.open()
    hello = fleet_pb2.AgentMessage.FromString(peer.hello().SerializeToString() + b"\xf8\x07\x01")
    stream.send(hello)
    stream.expect("welcome")
    stream.send(fleet_pb2.AgentMessage.FromString(b"\xc2\x3e\x01x"))  # member 1000
    batch = fleet_pb2.AgentMessage.FromString(b"\xf8\x07\x01" + peer.ledger.batch(1, 4).SerializeToString())
    stream.send(batch)
    assert stream.expect("acknowledgement").sequence == 4


# ---- Whom it lets in ----


def refused_in_handshake(stand, identity):
    peer = stand.peer(known=False)
    stream = peer.open(identity)
    stream.send(peer.hello())
    return stream.ended(20) == grpc.StatusCode.UNAVAILABLE


def test_no_handshake_without_a_certificate_of_ours(stand):
    agent = agent_uri(1, str(uuid.uuid4()))
    assert refused_in_handshake(stand, Authority().issue([agent]))
    assert refused_in_handshake(stand, stand.authority.issue([agent], start=-7200, life=3600))
    assert refused_in_handshake(stand, stand.authority.issue([agent], start=3600))
    assert refused_in_handshake(stand, stand.authority.issue([agent], usage=ExtendedKeyUsageOID.SERVER_AUTH))


def certificates_of_no_agent(authority):
    agent = agent_uri(1, str(uuid.uuid4()))
    yield authority.issue([agent, agent_uri(2, str(uuid.uuid4()))])
    yield authority.issue([agent, "https://example.org/"])
    yield authority.issue([])
    yield authority.issue([], dns=["localhost"])
    yield authority.issue([f"spiffe://{DOMAIN}/controller"])
    yield authority.issue([f"spiffe://{DOMAIN}/receipts"])
    yield authority.issue([agent_uri(1, str(uuid.uuid4()), "elsewhere.example")])
    yield authority.issue([agent_uri(0, str(uuid.uuid4()))])
    yield authority.issue([agent_uri("01", str(uuid.uuid4()))])
    yield authority.issue([agent_uri(1, str(uuid.uuid4()).upper().replace("0", "A"))])
    yield authority.issue([agent + "/more"])
    yield authority.issue(["SPIFFE" + agent[6:]])


def test_a_certificate_that_is_no_agents(stand):
    for identity in certificates_of_no_agent(stand.authority):
        assert refused_in_handshake(stand, identity), identity.uris
    assert "not an agent's certificate" in stand.events()


def test_the_controllers_own_certificates_are_no_clients(stand):
    folder = stand.folder / "authority"
    for name in ("server", "receipts"):
        key = serialization.load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        peer = stand.peer(known=False)
        peer.identity.key, peer.identity.chain = key, (folder / f"{name}.pem").read_bytes()
        assert refused_in_handshake(stand, peer.identity)


def test_an_agent_of_another_organization(stand):
    peer = stand.peer(organization=2)
    other = stand.authority.issue([agent_uri(1, peer.agent_id)])
    stream = peer.open(other)
    stream.send(peer.hello())
    stream.rejected("UNKNOWN_AGENT")
    nobody = stand.peer(organization=99, known=False)
    stream = nobody.open()
    stream.send(nobody.hello())
    stream.rejected("UNKNOWN_AGENT")


def test_another_serial(stand):
    peer = stand.peer()
    stream = peer.open(stand.authority.issue([agent_uri(1, peer.agent_id)]))
    stream.send(peer.hello())
    stream.rejected("REVOKED")


def test_a_pending_certificate_becomes_the_one_in_use(stand):
    peer = stand.peer()
    old = peer.connect()
    renewed = stand.authority.issue([agent_uri(1, peer.agent_id)])
    assert stand.ask(f"pending 1 {peer.agent_id} {renewed.serial}") == "ok"
    old.quiet()
    new = peer.connect(renewed)
    assert old.expect("reconnect").text
    assert old.ended() == grpc.StatusCode.OK
    assert stand.read(f"agent? 1 {peer.agent_id}")["serial"] == renewed.serial
    new.quiet()
    stream = peer.open()
    stream.send(peer.hello())
    stream.rejected("REVOKED")


def handshake(stand, identity, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2"])
    if identity:
        chain, key = stand.folder / "peer.pem", stand.folder / "peer.key"
        chain.write_bytes(identity.chain)
        key.write_bytes(key_pem(identity.key))
        context.load_cert_chain(chain, key)
    with socket.create_connection(("127.0.0.1", stand.port)) as raw, context.wrap_socket(raw) as tls:
        tls.settimeout(5)
        return tls.version(), tls.recv(100)


def test_tls_1_3_alone(stand):
    identity = stand.peer().identity
    version, settings = handshake(stand, identity, ssl.TLSVersion.TLSv1_3)
    assert version == "TLSv1.3" and settings
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(stand, identity, ssl.TLSVersion.TLSv1_2)


def test_not_one_byte_without_a_certificate(stand):
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
        handshake(stand, None, ssl.TLSVersion.TLSv1_3)


def test_the_alert_says_why(stand):
    agent = [agent_uri(1, str(uuid.uuid4()))]
    with pytest.raises(ssl.SSLError, match="CERTIFICATE_EXPIRED"):
        handshake(stand, stand.authority.issue(agent, start=-7200, life=3600), ssl.TLSVersion.TLSv1_3)
    with pytest.raises(ssl.SSLError, match="UNKNOWN_CA|DECRYPT_ERROR"):
        handshake(stand, Authority().issue(agent), ssl.TLSVersion.TLSv1_3)


# ---- Hello ----


def rejected_hello(stand, reason, **fields):
    peer = stand.peer()
    stream = peer.open()
    stream.send(peer.hello(**fields))
    return stream.rejected(reason)


def test_versions(stand):
    rejected_hello(stand, "VERSION_TOO_OLD", protocol_major=2)
    rejected_hello(stand, "VERSION_TOO_OLD", protocol_major=None)
    stand.peer().connect(protocol_minor=77)


def test_clocks(stand):
    for off in (-301000, 301000, -(1 << 62), 1 << 62):
        rejected_hello(stand, "CLOCK_SKEW", sent_at=now_ms() + off)
    rejected_hello(stand, "CLOCK_SKEW", sent_at=None)
    stand.peer().connect(sent_at=now_ms() - 290000)


def test_a_hello_that_is_none(stand):
    rejected_hello(stand, "MALFORMED", instance_id=b"short")
    rejected_hello(stand, "MALFORMED", instance_id=None)
    rejected_hello(stand, "MALFORMED", policy_sha256=b"short")
    rejected_hello(stand, "MALFORMED", hostname="h" * 3000)
    rejected_hello(stand, "MALFORMED", hostname="h" * 70000)
    rejected_hello(stand, "MALFORMED", genesis_agent_id="nobody")
    peer = stand.peer()
    stream = peer.open()
    stream.send(peer.ledger.batch(1, 1))
    stream.rejected("MALFORMED")


def test_a_second_hello(stand):
    peer = stand.peer()
    stream = peer.connect()
    stream.send(peer.hello())
    stream.rejected("MALFORMED")


def test_old_agents(tmp_path):
    stand = Stand(tmp_path / "stand", minimum_version="0.10.0")
    stand.organization(1)
    try:
        for version in ("0.9.9", "0.2", "x", None):
            rejected_hello(stand, "VERSION_TOO_OLD", agent_version=version)
        stand.peer().connect(agent_version="0.10.0")
        stand.peer().connect(agent_version="1.0.0-rc1")
    finally:
        stand.stop()


def test_no_hello_in_ten_seconds(stand):
    peer = stand.peer()
    stream = peer.open()
    begin = time.monotonic()
    assert stream.ended(15) == grpc.StatusCode.DEADLINE_EXCEEDED
    assert 9 < time.monotonic() - begin < 13


# ---- Two at once ----


def test_the_newer_stream_of_one_process_replaces_the_older(stand):
    peer = stand.peer()
    older = peer.connect()
    newer = peer.connect()
    assert older.expect("reconnect").after_ms < 60000
    assert older.ended() == grpc.StatusCode.OK
    newer.send(peer.ledger.batch(1, 1))
    assert newer.expect("acknowledgement").sequence == 1
    assert stand.read(f"presence 1 {peer.agent_id}")["connected"]


def test_another_process_with_this_identity(stand):
    peer = stand.peer()
    first = peer.connect()
    mine, peer.instance = peer.instance, os.urandom(16)
    second = peer.open()
    second.send(peer.hello())
    second.rejected("DUPLICATE_INSTANCE")
    first.send(peer.ledger.batch(1, 1))
    assert first.expect("acknowledgement").sequence == 1
    first.close()
    first.ended()
    until(lambda: not stand.read(f"presence 1 {peer.agent_id}")["connected"])
    peer.connect()
    assert mine != peer.instance


def test_a_silent_one_makes_room(quick):
    peer = quick.peer()
    peer.connect()
    peer.instance = os.urandom(16)
    until(lambda: connects(peer), 5, 0.2)


def connects(peer):
    stream = peer.open()
    stream.send(peer.hello())
    message = stream.next()
    if message.WhichOneof("body") == "rejection":
        assert message.rejection.reason == fleet_pb2.REJECTION_REASON_DUPLICATE_INSTANCE
        peer.channels.pop().close()
        return None
    return stream


def test_a_copy_that_was_connected_is_put_into_quarantine(stand):
    peer = stand.peer()
    for _ in range(3):
        stream = peer.connect()
        stream.close()
        stream.ended()
    stream = peer.open()
    stream.send(peer.hello(join_sequence=0))
    stream.rejected("DUPLICATE_INSTANCE")
    agent = stand.read(f"agent? 1 {peer.agent_id}")
    assert agent["status"] == "quarantined"
    assert stand.ask(f"activate 1 {peer.agent_id}") == "ok"
    peer.connect()


# ---- The ledger ----


def test_a_fork_is_reported_and_never_overwrites(stand):
    peer = stand.peer(entries=5)
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 5))
    stream.expect("acknowledgement")
    fork = Ledger(peer.agent_id, 1).note("before").enroll().notes(8)
    stream.send(fork.batch(5, 2))
    stream.rejected("FORKED")
    assert stand.counts()["forks"] >= 1


def test_a_broken_chain(stand):
    for breaking in ("hash", "payload", "empty", "no entry"):
        peer = stand.peer(entries=6)
        stream = peer.connect()
        message = peer.ledger.batch(1, 6)
        entry = message.batch.entries[3]
        if breaking == "hash":
            entry.chain_sha256 = os.urandom(32)
        elif breaking == "payload":
            entry.payload = entry.payload[:-1] + b"y"
        elif breaking == "empty":
            entry.ClearField("payload")
        else:
            entry.payload = b"\xff\xff\xff"
        stream.send(message)
        stream.rejected("MALFORMED")
        again = peer.connect()
        assert again.welcome.resume_sequence == 4, breaking  # what was before it is stored


def test_a_restored_snapshot(stand):
    peer = stand.peer(entries=5)
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 5))
    stream.expect("acknowledgement")
    stream.close()
    stream.ended()
    stream = peer.open()
    stream.send(peer.hello(last_sequence=3, last_chain_sha256=peer.ledger.hashes[3]))
    stream.rejected("ROLLED_BACK")


def test_an_epoch_of_another_organization(stand):
    peer = stand.peer()
    peer.ledger = Ledger(peer.agent_id, 2).note("before").enroll().notes(2)
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 4))
    stream.rejected("MALFORMED")


# ---- Batches that are none ----


def send_and_be_refused(stand, message, reason="MALFORMED"):
    stream = stand.peer().connect()
    stream.send(message)
    return stream.rejected(reason)


def test_batches_that_are_none(stand):
    ledger = Ledger(str(uuid.uuid4()), 1).note().notes(600)
    send_and_be_refused(stand, ledger.batch(1, 0))
    send_and_be_refused(stand, ledger.batch(1, 513))
    without = ledger.batch(1, 1)
    without.batch.ClearField("first_sequence")
    send_and_be_refused(stand, without)
    far = ledger.batch(1, 1)
    far.batch.first_sequence = (1 << 64) - 1
    send_and_be_refused(stand, far)
    large = Ledger(str(uuid.uuid4()), 1).notes(3, 500000)
    send_and_be_refused(stand, large.batch(1, 3))


def test_control_messages_that_are_none(stand):
    message = fleet_pb2.AgentMessage()
    message.command.id = "x"
    send_and_be_refused(stand, message)
    message.command.state = fleet_pb2.COMMAND_STATE_QUEUED
    send_and_be_refused(stand, message)
    message.command.state = fleet_pb2.COMMAND_STATE_DONE
    message.command.id = "x" * 100
    send_and_be_refused(stand, message)
    message = fleet_pb2.AgentMessage()
    message.health.conditions.add(name="source", text="t" * 70000)
    send_and_be_refused(stand, message)
    message = fleet_pb2.AgentMessage()
    message.applied.what, message.applied.state = "kitchen", fleet_pb2.APPLY_STATE_APPLIED
    send_and_be_refused(stand, message)


# ---- Health ----


def test_health_is_put_down(stand):
    peer = stand.peer()
    stream = peer.connect()
    message = fleet_pb2.AgentMessage()
    message.health.models, message.health.last_sequence = 7, 3
    message.health.conditions.add(name="source", ok=False, text="Grüße")
    stream.send(message)
    presence = until(lambda: (p := stand.read(f"presence 1 {peer.agent_id}"))["health"] and p)
    assert presence["health"]["models"] == 7 and presence["health"]["conditions"][0]["text"] == "Grüße"
    stream.close()
    stream.ended()
    peer.connect()
    assert stand.read(f"presence 1 {peer.agent_id}")["health"]["models"] == 7


def test_what_could_not_be_applied_is_put_down(stand):
    peer = stand.peer()
    stream = peer.connect()
    message = fleet_pb2.AgentMessage()
    message.applied.what, message.applied.state = "policy", fleet_pb2.APPLY_STATE_FAILED
    message.applied.sha256, message.applied.text = b"\xab" * 32, "line 4: no such key"
    stream.send(message)
    error = until(lambda: stand.read(f"presence 1 {peer.agent_id}")["policy_error"])
    assert error == "sha256-8:abababababababab: line 4: no such key"
    message.applied.state = fleet_pb2.APPLY_STATE_APPLIED
    stream.send(message)
    until(lambda: stand.read(f"presence 1 {peer.agent_id}")["policy_error"] is None)
    assert stand.read(f"presence 1 {peer.agent_id}")["policy_sha256"] == "ab" * 32


def test_a_flood_of_health_reports_is_a_write_a_second(stand):
    peer = stand.peer()
    stream = peer.connect()
    before = int(stand.ask("calls presence"))
    for i in range(1000):
        message = fleet_pb2.AgentMessage()
        message.health.models = i
        stream.send(message)
    until(lambda: (stand.read(f"presence 1 {peer.agent_id}")["health"] or {}).get("models") == 999, 20, 0.2)
    assert int(stand.ask("calls presence")) - before < 15


# ---- Commands ----


def test_commands_are_delivered_once_on_a_stream(stand):
    peer = stand.peer()
    waiting, later = str(uuid.uuid4()), str(uuid.uuid4())
    assert stand.ask(f"command 1 {peer.agent_id} {waiting} 1") == "ok"
    stream = peer.connect()
    assert stream.expect("command").id == waiting
    begin = time.monotonic()
    stand.ask(f"command 1 {peer.agent_id} {later} 5")
    command = stream.expect("command")
    assert (command.id, command.kind) == (later, fleet_pb2.COMMAND_KIND_PAUSE)
    assert time.monotonic() - begin < 1
    until(lambda: stand.read(f"state 1 {later}")["state"] == "delivered")
    message = fleet_pb2.AgentMessage()
    message.command.id, message.command.state = later, fleet_pb2.COMMAND_STATE_DONE
    message.command.result = b'{"ok":true}'
    stream.send(message)
    until(lambda: stand.read(f"state 1 {later}")["state"] == "done")
    stream.quiet()
    stream.close()
    stream.ended()
    again = peer.connect()
    assert again.expect("command").id == waiting  # not finished, so it is told again
    again.quiet()


def test_an_update_of_somebody_elses_command_changes_nothing(stand):
    mine, other = stand.peer(), stand.peer()
    command = str(uuid.uuid4())
    stand.ask(f"command 1 {other.agent_id} {command} 1")
    stream = mine.connect()
    message = fleet_pb2.AgentMessage()
    message.command.id, message.command.state = command, fleet_pb2.COMMAND_STATE_DONE
    stream.send(message)
    stream.quiet()
    assert stand.read(f"state 1 {command}")["state"] == "queued"


# ---- Authorization while it is open ----


def test_revocation_within_a_second(stand):
    peer = stand.peer()
    stream = peer.connect()
    begin = time.monotonic()
    stand.ask(f"revoke 1 {peer.agent_id}")
    stream.rejected("REVOKED")
    assert time.monotonic() - begin < 1
    stream = peer.open()
    stream.send(peer.hello())
    stream.rejected("REVOKED")


def test_revocation_while_the_queue_is_full(quick):
    peer, other = quick.peer(entries=2), quick.peer()
    peer.ledger.notes(200, 20000)
    stream = peer.connect()
    quick.fault("ingest", 0, 0, 300)
    for n in range(1, 203):
        stream.send(peer.ledger.batch(n, 1))
    time.sleep(0.5)
    begin = time.monotonic()
    quick.ask(f"revoke 1 {peer.agent_id}")
    while stream.next().WhichOneof("body") != "rejection":
        pass
    assert time.monotonic() - begin < 1
    quick.fault("ingest", 0, 0, 0)
    calls = int(quick.ask("calls ingest"))
    time.sleep(1)
    assert int(quick.ask("calls ingest")) <= calls + 2  # what was queued is dropped
    other.connect()


def test_a_disabled_organization(stand):
    stand.organization(7)
    peers = [stand.peer(organization=7) for _ in range(5)]
    other = stand.peer().connect()
    streams = [peer.connect() for peer in peers]
    begin = time.monotonic()
    stand.ask("disable 7")
    for stream in streams:
        stream.rejected("TENANT_DISABLED")
    assert time.monotonic() - begin < 1
    stream = peers[0].open()
    stream.send(peers[0].hello())
    stream.rejected("TENANT_DISABLED")
    other.quiet(0.1)
    stand.ask("enable 7")
    peers[0].connect()


def test_everything_is_looked_at_again_when_changes_were_lost(stand):
    peer = stand.peer()
    stream = peer.connect()
    command = str(uuid.uuid4())
    stand.ask("lost")
    stream.quiet(0.2)
    stand.ask(f"command 1 {peer.agent_id} {command} 1")
    stand.ask("lost")
    assert stream.expect("command").id == command
    stream.quiet(0.2)


def test_a_certificate_that_expires_while_the_stream_is_open(stand):
    peer = stand.peer(known=False)
    peer.identity = stand.authority.issue([agent_uri(1, peer.agent_id)], start=-3600, life=3604)
    stand.ask(f"agent 1 {peer.agent_id} {peer.identity.serial}")
    peer.connect().rejected("EXPIRED")


# ---- Time ----


def test_silence_of_three_heartbeats(quick):
    peer = quick.peer()
    stream = peer.connect()
    begin = time.monotonic()
    assert stream.ended(5) == grpc.StatusCode.CANCELLED
    assert 1.1 < time.monotonic() - begin < 3
    until(lambda: not quick.read(f"presence 1 {peer.agent_id}")["connected"])
    assert "reason=silent" in quick.events()


def test_heartbeats_keep_it(quick):
    peer = quick.peer()
    stream = peer.connect()
    first = quick.read(f"presence 1 {peer.agent_id}")["last_seen_at"]
    for n in range(10):
        message = fleet_pb2.AgentMessage()
        message.heartbeat.sent_at, message.heartbeat.last_sequence = now_ms(), 40 + n
        stream.send(message)
        stream.quiet(0.3)
    presence = until(lambda: (p := quick.read(f"presence 1 {peer.agent_id}"))["last_seen_at"] != first and p)
    assert presence["last_sequence"] >= 40


def test_reload_and_drain(tmp_path):
    stand = Stand(tmp_path / "stand")
    stand.organization(1)
    peer = stand.peer(entries=6)
    stream = peer.connect()
    assert stand.ask("reload") == "ok"
    other = stand.peer().connect()
    stand.fault("ingest", 0, 0, 300)
    stream.send(peer.ledger.batch(1, 6))
    time.sleep(0.1)
    stand.process.stdin.write("stop\n")
    stand.process.stdin.flush()
    # what was queued is stored and acknowledged; then they are asked to go elsewhere
    assert stream.expect("acknowledgement").sequence == 6
    assert stream.expect("reconnect").after_ms < 60000
    assert stream.ended() == grpc.StatusCode.OK
    other.expect("reconnect")
    assert stand.process.wait(15) == 0
    stand.log.close()


# ---- The store in trouble ----


def test_nothing_is_acknowledged_while_the_store_is_away(stand):
    peer = stand.peer(entries=6)
    stream = peer.connect()
    retries = stand.counts()["store_retries"]
    stand.fault("ingest", -6, 5)  # VW_EAGAIN
    stream.send(peer.ledger.batch(1, 3))
    stream.send(peer.ledger.batch(4, 3))
    last = 0
    while last < 6:
        last = stream.expect("acknowledgement", 20).sequence
    assert stand.counts()["store_retries"] >= retries + 5
    assert "event=ingest_failed" in stand.events()


def test_a_full_disk_waits(stand):
    peer = stand.peer(entries=3)
    stream = peer.connect()
    stand.fault("ingest", -11, 4)  # VW_EFULL
    stream.send(peer.ledger.batch(1, 3))
    until(lambda: stand.counts()["stuck_ms"] > 0)
    assert stream.expect("acknowledgement", 20).sequence == 3
    assert stand.counts()["stuck_ms"] == 0


def test_a_broken_store_sends_away(stand):
    peer = stand.peer(entries=3)
    stream = peer.connect()
    stand.fault("ingest", -12, 1)  # VW_ECORRUPT
    stream.send(peer.ledger.batch(1, 3))
    assert stream.rejected("OVERLOADED").retry_after_ms > 0
    stream = peer.connect()
    stream.send(peer.ledger.batch(1, 3))
    assert stream.expect("acknowledgement").sequence == 3


def test_a_hello_while_the_store_is_away(stand):
    peer = stand.peer()
    stand.fault("join", -6, 1)
    stream = peer.open()
    stream.send(peer.hello())
    assert 1000 < stream.rejected("OVERLOADED").retry_after_ms < 10000
    peer.connect()


def test_a_word_about_a_command_waits_for_the_store(stand):
    peer = stand.peer()
    command = str(uuid.uuid4())
    stand.ask(f"command 1 {peer.agent_id} {command} 1")
    stand.fault("update", -6, 4)
    stream = peer.connect()
    stream.expect("command")
    message = fleet_pb2.AgentMessage()
    message.command.id, message.command.state = command, fleet_pb2.COMMAND_STATE_DONE
    stream.send(message)
    until(lambda: stand.read(f"state 1 {command}")["state"] == "done")


def test_a_slow_organization_does_not_slow_another(stand):
    slow, quick = stand.peer(organization=2, entries=2), stand.peer(organization=1, entries=2)
    slow.ledger.notes(400, 1000)
    many, one = slow.connect(), quick.connect()
    stand.fault("ingest", 0, 0, 50)
    for n in range(1, 403):
        many.send(slow.ledger.batch(n, 1))
    begin = time.monotonic()
    one.send(quick.ledger.batch(1, 2))
    assert one.expect("acknowledgement").sequence == 2
    assert time.monotonic() - begin < 1
    stand.fault("ingest", 0, 0, 0)
    last = 0
    while last < 402:
        last = many.expect("acknowledgement").sequence


# ---- grpcurl ----


def test_grpcurl(stand):
    """Go's gRPC, and the schema's JSON."""
    peer = stand.peer()
    chain, key, root = (stand.folder / f"grpcurl.{kind}" for kind in ("pem", "key", "ca"))
    chain.write_bytes(peer.identity.chain)
    key.write_bytes(key_pem(peer.identity.key))
    root.write_bytes(stand.authority.certificate.public_bytes(serialization.Encoding.PEM))
    messages = [peer.hello(), peer.ledger.batch(1, 3)]
    run = subprocess.run(
        [gotool("grpcurl"), "-cacert", root, "-cert", chain, "-key", key, "-import-path", ROOT / "proto", "-proto",
         "verifywise/v1/fleet.proto", "-d", "@", f"localhost:{stand.port}", "verifywise.v1.Fleet/Session"],
        input="".join(map(json_format.MessageToJson, messages)), capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    decoder, answers, text = json.JSONDecoder(), [], run.stdout.strip()
    while text:
        answer, end = decoder.raw_decode(text)
        answers.append(answer)
        text = text[end:].strip()
    assert answers[0]["welcome"]["resumeSequence"] == "1"
    assert answers[-1]["acknowledgement"]["sequence"] == "3"


# ---- Several replicas ----


@pytest.fixture
def two(tmp_path):
    """Two replicas over one store; heartbeats of 700 ms."""
    stand = Stand(tmp_path / "stand", replicas=2, heartbeat_ms=700)
    stand.organization(1)
    yield stand
    stand.stop()


def test_an_agent_moves_to_another_replica(two):
    peer = two.peer(entries=4)
    first = peer.connect()
    first.send(peer.ledger.batch(1, 2))
    first.expect("acknowledgement")
    second = peer.connect(replica=1)
    assert second.welcome.resume_sequence == 3
    begin = time.monotonic()
    assert first.expect("reconnect").text == "moved"
    assert first.ended() == grpc.StatusCode.OK
    assert time.monotonic() - begin < 1
    presence = two.read(f"presence 1 {peer.agent_id}")
    assert presence["connected"] and presence["replica"] == "b"
    second.send(peer.ledger.batch(3, 2))
    assert second.expect("acknowledgement").sequence == 4
    third = peer.connect(replica=0)
    second.expect("reconnect")
    assert two.read(f"presence 1 {peer.agent_id}")["replica"] == "a"
    third.send(peer.ledger.batch(4, 1))
    assert third.expect("acknowledgement").sequence == 4


def test_a_copy_at_another_replica(two):
    peer = two.peer()
    first = peer.connect()
    peer.instance = os.urandom(16)
    stream = peer.open(replica=1)
    stream.send(peer.hello())
    stream.rejected("DUPLICATE_INSTANCE")
    first.send(peer.ledger.batch(1, 1))
    assert first.expect("acknowledgement").sequence == 1


def test_revocation_reaches_all_replicas(two):
    peers = [two.peer(), two.peer()]
    streams = [peer.connect(replica=n) for n, peer in enumerate(peers)]
    begin = time.monotonic()
    for peer, stream in zip(peers, streams, strict=True):
        two.ask(f"revoke 1 {peer.agent_id}")
        stream.rejected("REVOKED")
    assert time.monotonic() - begin < 1


def test_commands_reach_the_replica_that_has_the_agent(two):
    peer, command = two.peer(), str(uuid.uuid4())
    stream = peer.connect(replica=1)
    two.ask(f"command 1 {peer.agent_id} {command} 1")
    assert stream.expect("command", 2).id == command


def test_a_replica_that_stops_sends_its_agents_away(two):
    peer = two.peer(entries=4)
    stream = peer.connect(replica=1)
    stream.send(peer.ledger.batch(1, 2))
    stream.expect("acknowledgement")
    assert two.ask("end_b") == "ok"
    stream.expect("reconnect")
    assert peer.connect().welcome.resume_sequence == 3

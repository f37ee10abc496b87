"""Tenants apart, with either store: certificates, messages and enrolments of those who may not, clones and snapshots, and the database itself (S4.5)."""

import datetime
import shutil
import statistics
import struct
import time
import urllib.request
import uuid

import grpc
import pytest
from agent import Agent
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fleet import APPLICATION, OWNER, STORES, Member, fleet_of, until
from protos import fleet_pb2
from session_peer import Authority, Identity, Ledger, Peer, agent_uri, key_pem, new_key, now_ms

DOMAIN = "verifywise.local"


@pytest.fixture(scope="module", params=STORES)
def fleet(request, tmp_path_factory):
    fleet = fleet_of(request.param, tmp_path_factory.mktemp(f"tenants-{request.param}"))
    fleet.ca = Authority(fleet.controller.data / "authority")
    yield fleet
    fleet.end()


@pytest.fixture
def member(fleet):
    before = len(fleet.members)
    yield fleet.member
    for m in fleet.members[before:]:
        m.end()
    del fleet.members[before:]


@pytest.fixture(scope="module")
def victim(fleet, small):
    """An agent of an organization that others would like to look into."""
    m = fleet.member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up()
    m.secret_command = m.command("resend", from_sequence=1)
    m.finished(m.secret_command)
    m.caught_up().stop()
    yield m


class Door:
    """What session_peer.Peer asks of a stand, of a real controller."""

    def __init__(self, fleet, authority=None):
        self.fleet, self.authority = fleet, authority or fleet.ca
        self.folder, self.port = fleet.folder, fleet.controller.port

    def channel(self, identity, options=(), replica=0):
        root = self.fleet.controller.authority.read_bytes()
        credentials = grpc.ssl_channel_credentials(root, key_pem(identity.key), identity.chain)
        every = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", 20 << 20), *options]
        return grpc.secure_channel(f"localhost:{self.port}", credentials, every)


@pytest.fixture
def peer(fleet):
    """peer(organization, identity): a peer that is not ours, with any certificate."""
    made = []

    def make(organization, agent_id=None, identity=None, entries=3):
        one = Peer(Door(fleet), organization, agent_id, known=False, entries=entries)
        one.identity = identity or one.identity
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()


def enrolled(fleet, organization, agent_id=None):
    """An agent that is not ours, by the book: its identity with the serial that the controller knows."""
    key, enrollment = new_key(), new_key()
    agent_id = agent_id or str(uuid.uuid4())
    answer = enroll(fleet, enrolment(fleet.controller.token(organization), agent_id, key, enrollment))
    assert answer.WhichOneof("answer") == "issued", answer
    certificate = x509.load_der_x509_certificate(answer.issued.certificates[0])
    identity = Identity(key, certificate.public_bytes(serialization.Encoding.PEM), f"{certificate.serial_number:x}",
                        [agent_uri(organization, agent_id, DOMAIN)])
    identity.enrollment = enrollment
    return identity


# ---- enrolment by hand ----


def lp(data):
    return struct.pack(">I", len(data)) + data


def signed(key, domain, a, b=b""):
    """docs/protocol.md: over SHA-256 of lp(domain) || lp(a) || lp(b)."""
    return key.sign(lp(domain) + lp(a) + lp(b), ec.ECDSA(hashes.SHA256()))


def csr(key, uris=(), dns=(), ca=False):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "me")]))
    names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    if ca:
        builder = builder.add_extension(x509.BasicConstraints(True, None), False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def public(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def enrolment(token, agent_id, key, enrollment, request=None, **fields):
    request = request or csr(key)
    sealing = x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()
    signature = signed(enrollment, b"verifywise.enroll.v1", agent_id.encode(), request)
    message = fleet_pb2.EnrollRequest(token=token, agent_id=agent_id, csr=request, enrollment_key=public(enrollment),
                                      enrollment_signature=signature, sealing_key=sealing, agent_version="0.1.0", hostname="peer",
                                      sent_at=now_ms())
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def post(fleet, path, body):
    request = urllib.request.Request(fleet.controller.url + path, body, {"Content-Type": "application/protobuf"}, method="POST")
    with fleet.controller.rest().opener.open(request, timeout=20) as answer:
        return fleet_pb2.EnrollResponse.FromString(answer.read())


def enroll(fleet, message):
    return post(fleet, "/enroll/v1/enroll", message.SerializeToString())


def reason(answer):
    assert answer.WhichOneof("answer") == "rejection", answer
    return fleet_pb2.RejectionReason.Name(answer.rejection.reason).removeprefix("REJECTION_REASON_")


def test_names_in_a_request_are_not_taken(fleet, victim):
    """Of the CSR only the key: one URI SAN, of the token's organization, whatever it asked for."""
    organization = fleet.controller.organization()
    key, agent_id = new_key(), str(uuid.uuid4())
    asked = csr(key, uris=[agent_uri(victim.organization, victim.id, DOMAIN), f"spiffe://{DOMAIN}/controller"], dns=["controller"], ca=True)
    answer = enroll(fleet, enrolment(fleet.controller.token(organization), agent_id, key, new_key(), asked))
    assert answer.WhichOneof("answer") == "issued", answer
    certificate = x509.load_der_x509_certificate(answer.issued.certificates[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(n.value) for n in names] == [agent_uri(organization, agent_id, DOMAIN)]
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert "me" not in certificate.subject.rfc4514_string()


def test_an_id_of_another_organization_is_another_agent(fleet, victim, peer):
    """The same UUID in two organizations is two agents, and neither sees the other's."""
    organization = fleet.controller.organization()
    before = victim.export()
    identity = enrolled(fleet, organization, victim.id)
    one = peer(organization, victim.id, identity)
    stream = one.connect()
    stream.send(one.ledger.batch(1, one.ledger.last))
    assert stream.expect("acknowledgement").sequence == one.ledger.last
    stream.close()
    assert victim.export() == before and victim.shown()["organization"] == victim.organization
    theirs = fleet.controller.operator.get(f"/api/v1/agents/{victim.id}", organization=organization)
    assert theirs["sequence"] == one.ledger.last and theirs["serial"] != victim.shown()["serial"]
    assert fleet.controller.operator.all("/api/v1/records", organization=organization) == []


def test_an_id_of_the_same_organization_is_taken(fleet, victim):
    before = victim.shown()
    answer = enroll(fleet, enrolment(fleet.controller.token(victim.organization), victim.id, new_key(), new_key()))
    assert reason(answer) == "TAKEN"
    assert victim.shown()["pending_serial"] == before["pending_serial"] and victim.shown()["serial"] == before["serial"]


def other_secret(token):
    prefix, name, secret, pin = token.split(".")
    return ".".join((prefix, name, ("A" if secret[0] != "A" else "B") + secret[1:], pin))


@pytest.mark.parametrize("what", ["signature", "sealing", "id", "csr", "csr of another key", "enrolment key", "token", "rest token", "garbage", "nothing"])
def test_enrolments_that_are_none(fleet, victim, what):
    organization = fleet.controller.organization()
    key, other, agent_id = new_key(), new_key(), str(uuid.uuid4())
    message = enrolment(fleet.controller.token(organization), agent_id, key, new_key())
    changed = {
        "signature": dict(enrollment_signature=signed(other, b"verifywise.enroll.v1", agent_id.encode(), message.csr)),
        "sealing": dict(sealing_key=b"\1" * 31), "id": dict(agent_id="../../etc/passwd"), "csr": dict(csr=b"\x30\x80" * 40),
        "csr of another key": dict(csr=csr(ec.generate_private_key(ec.SECP384R1()))),
        "enrolment key": dict(enrollment_key=public(ec.generate_private_key(ec.SECP384R1()))),
        "token": dict(token=other_secret(message.token)), "rest token": dict(token=fleet.controller.user(organization, "admin").token),
    }
    if what in changed:
        for name, value in changed[what].items():
            setattr(message, name, value)
        answer = enroll(fleet, message)
    else:
        answer = post(fleet, "/enroll/v1/enroll", b"\xff" * 5000 if what == "garbage" else b"")
    assert reason(answer) in ("TOKEN", "MALFORMED"), answer
    assert fleet.controller.operator.all("/api/v1/agents", organization=organization) == []
    # the token is none the worse for it
    assert all(row["uses"] in (0, None) for row in fleet.controller.operator.all("/api/v1/tokens", organization=organization))


def renewal(organization, agent_id, key, enrollment, **fields):
    body = fleet_pb2.RenewBody(organization=str(organization), agent_id=agent_id, csr=csr(key), sent_at=now_ms(), join_sequence=0)
    for name, value in fields.items():
        setattr(body, name, value)
    packed = body.SerializeToString()
    return fleet_pb2.RenewRequest(body=packed, signature=signed(enrollment, b"verifywise.renew.v1", packed)).SerializeToString()


def test_a_renewal_of_somebody_elses_agent(fleet, victim):
    """Refused as if it did not exist, in words and in time."""
    organization = fleet.controller.organization()
    attacker = enrolled(fleet, organization)
    before = victim.shown()
    said, times = {}, {}
    for name, (org, id) in {"exists": (victim.organization, victim.id), "does not": (victim.organization, str(uuid.uuid4())),
                            "no organization": (2**30, victim.id)}.items():
        waits = []
        for _ in range(15):
            packed = renewal(org, id, new_key(), attacker.enrollment)
            begin = time.perf_counter()
            answer = post(fleet, "/enroll/v1/renew", packed)
            waits.append(time.perf_counter() - begin)
            assert reason(answer) == "UNKNOWN_AGENT"
            said[name] = answer.rejection.text
        times[name] = statistics.median(waits)
    assert len(set(said.values())) == 1, said
    assert max(times.values()) < 2.5 * min(times.values()) + 0.01, times
    assert victim.shown() == before
    # its own agent with a body of another organization's: the signature is over all of it
    own = renewal(organization, attacker.agent_id, new_key(), attacker.enrollment)
    assert post(fleet, "/enroll/v1/renew", own).WhichOneof("answer") == "issued"


# ---- certificates ----


def identities(fleet, victim, organization):
    """Those that may not come in, and what the refusal must be: a rejection, or None for the end of the connection."""
    ca, other, attacker = fleet.ca, Authority(), str(uuid.uuid4())
    uri = agent_uri(victim.organization, victim.id, DOMAIN)
    return {
        "another serial": (ca.issue([uri]), "REVOKED"),
        "its id in another organization": (ca.issue([agent_uri(organization, victim.id, DOMAIN)]), "UNKNOWN_AGENT"),
        "an unknown id in its organization": (ca.issue([agent_uri(victim.organization, attacker, DOMAIN)]), "UNKNOWN_AGENT"),
        "an organization that is not there": (ca.issue([agent_uri(2**31 - 1, attacker, DOMAIN)]), "UNKNOWN_AGENT"),
        "expired": (ca.issue([uri], start=-7200, life=3600), None),
        "of tomorrow": (ca.issue([uri], start=86400), None),
        "of another authority": (other.issue([uri]), None),
        "two names": (ca.issue([uri, agent_uri(organization, victim.id, DOMAIN)]), None),
        "a name and a host": (ca.issue([uri], dns=["controller"]), "REVOKED"),
        "no name": (ca.issue([]), None),
        "another trust domain": (ca.issue([agent_uri(victim.organization, victim.id, "elsewhere.example")]), None),
        "organization 0": (ca.issue([f"spiffe://{DOMAIN}/org/0/agent/{victim.id}"]), None),
        "a crooked path": (ca.issue([f"spiffe://{DOMAIN}/org/{victim.organization}/agent/{victim.id}/x"]), None),
        "an id in capitals": (ca.issue([agent_uri(victim.organization, victim.id.upper(), DOMAIN)]), None),
        "the controller's": (ca.issue([f"spiffe://{DOMAIN}/controller"]), None),
        "the signer's of receipts": (ca.issue([f"spiffe://{DOMAIN}/receipts"]), None),
        "a server's": (ca.issue([uri], usage=ExtendedKeyUsageOID.SERVER_AUTH), None),
        "an authority's": (ca.issue([uri], is_ca=True), None),
        "below an agent's": (below(ca, uri), None),
    }


def below(ca, uri):
    """Signed by an agent's certificate, which is no authority."""
    leaf = ca.issue([uri])
    key = new_key()
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
    issuer = x509.load_pem_x509_certificate(leaf.chain)
    builder = x509.CertificateBuilder().issuer_name(issuer.subject).subject_name(issuer.subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), False)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)
    certificate = builder.sign(leaf.key, hashes.SHA256())
    return Identity(key, certificate.public_bytes(serialization.Encoding.PEM) + leaf.chain, "0", [uri])


NAMES = ["another serial", "its id in another organization", "an unknown id in its organization", "an organization that is not there",
         "expired", "of tomorrow", "of another authority", "two names", "a name and a host", "no name", "another trust domain",
         "organization 0", "a crooked path", "an id in capitals", "the controller's", "the signer's of receipts", "a server's",
         "an authority's", "below an agent's"]


def test_certificates_that_may_not(fleet, victim, peer):
    """Every one is turned away, before anything is told and before anything changes."""
    organization = fleet.controller.organization()
    before, held, texts = victim.shown(), victim.export(), {}
    cases = identities(fleet, victim, organization)
    assert list(cases) == NAMES
    for name, (identity, expected) in cases.items():
        one = peer(victim.organization, victim.id, identity)
        one.ledger.agent_id = victim.id
        stream = one.open()
        stream.send(one.hello(last_sequence=len(held), last_chain_sha256=bytes.fromhex(held[len(held)][1])))
        stream.send(one.ledger.batch(1, one.ledger.last))
        if expected:
            rejection = stream.rejected(expected)
            texts.setdefault(expected, set()).add(rejection.text)
        else:
            assert stream.next() is None, name
            assert stream.status() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED), name
    # what is not there is not told apart from what is another's
    assert len(texts["UNKNOWN_AGENT"]) == 1, texts
    after = victim.shown()
    for field in ("serial", "pending_serial", "sequence", "chain_sha256", "status", "join_sequence"):
        assert after[field] == before[field], field
    assert victim.export() == held


def test_a_revoked_agent_says_nothing_more(fleet, peer):
    """Neither with an open stream nor with a new one, whatever it sends."""
    organization = fleet.controller.organization()
    identity = enrolled(fleet, organization)
    one = peer(organization, identity.agent_id, identity, entries=10)
    stream = one.connect()
    stream.send(one.ledger.batch(1, 5))
    assert stream.expect("acknowledgement").sequence == 5
    fleet.controller.operator.post(f"/api/v1/agents/{identity.agent_id}/revoke", {"reason": "test"}, organization=organization)
    stream.send(one.ledger.batch(6, 5))
    stream.rejected("REVOKED")
    for _ in range(2):
        again = one.open()
        again.send(one.hello())
        again.rejected("REVOKED")
    assert reason(post(fleet, "/enroll/v1/renew", renewal(organization, identity.agent_id, new_key(), identity.enrollment))) == "REVOKED"
    assert fleet.controller.operator.get(f"/api/v1/agents/{identity.agent_id}", organization=organization)["sequence"] == 5


# ---- messages ----


def messages(victim, one):
    """Each kind that an agent can send, as if it were about the victim's things."""
    every = [fleet_pb2.AgentMessage() for _ in range(9)]
    for state in (fleet_pb2.COMMAND_STATE_DONE, fleet_pb2.COMMAND_STATE_FAILED, fleet_pb2.COMMAND_STATE_RUNNING):
        update = fleet_pb2.AgentMessage()
        update.command.id, update.command.state, update.command.at = victim.open_command, state, now_ms()
        update.command.text, update.command.result = "by another", b'{"by":"another"}'
        every.append(update)
    every[0].batch.CopyFrom(one.ledger.batch(1, one.ledger.last).batch)
    every[1].health.last_outcome, every[1].health.versions = "ok", 666
    every[2].heartbeat.sent_at = now_ms()
    every[3].applied.what, every[3].applied.state, every[3].applied.sha256 = "policy", fleet_pb2.APPLY_STATE_FAILED, b"\1" * 32
    every[4].receipt_refused.sequence, every[4].receipt_refused.text = 1, "no"
    every[5].heartbeat.last_sequence = 2**63
    every[6].applied.what, every[6].applied.state = "secrets", fleet_pb2.APPLY_STATE_APPLIED
    every[7].health.conditions.add(name="source", ok=False, text="by another")
    every[8].command.id = ""
    return every


def test_no_message_reaches_another_tenants_things(fleet, victim, peer):
    """Who it is comes from the certificate: an agent's words are about itself."""
    organization = fleet.controller.organization()
    victim.open_command = victim.command("pause", expires_in_s=3600)
    fields = ("serial", "sequence", "chain_sha256", "status", "desired_policy_sha256")
    before, held = victim.shown(), victim.export()
    identity = enrolled(fleet, organization)
    one = peer(organization, identity.agent_id, identity)
    for message in messages(victim, one):
        stream = one.connect()
        stream.send(message)
        kind = message.WhichOneof("body")
        if kind == "batch":
            assert stream.expect("acknowledgement").receipt.body
        if kind == "command" or (kind == "heartbeat" and message.heartbeat.last_sequence):
            came = None
            try:
                came = stream.next(0.4)
            except Exception:
                pass
            assert came is None or came.WhichOneof("body") == "rejection", came
        one.stop()
        one.channels.clear()
        until(lambda: not fleet.controller.operator.get(f"/api/v1/agents/{identity.agent_id}", organization=organization)["presence"]["connected"])
    command = victim.command_state(victim.open_command)
    assert command["state"] == "queued" and command["update"] is None, command
    after = victim.shown()
    assert {f: after[f] for f in fields} == {f: before[f] for f in fields}
    assert after["presence"] == before["presence"] and victim.export() == held


def test_an_epoch_of_another_organization_is_refused(fleet, victim, peer):
    """A ledger that names the victim's organization as its owner, from the attacker's agent."""
    organization = fleet.controller.organization()
    identity = enrolled(fleet, organization)
    one = peer(organization, identity.agent_id, identity)
    one.ledger = Ledger(victim.id, victim.organization).note("before").enroll().notes(3)
    stream = one.connect(genesis_agent_id=victim.id)
    stream.send(one.ledger.batch(1, one.ledger.last))
    stream.rejected("MALFORMED")
    shown = fleet.controller.operator.get(f"/api/v1/agents/{identity.agent_id}", organization=organization)
    assert int(shown["sequence"] or 0) <= 1


# ---- clones and snapshots ----


def copy_of(fleet, m, name):
    """The state folder of a member that is stopped, beside it."""
    folder = m.agent.state.parent / name
    shutil.copytree(m.agent.state, folder)
    return folder


def with_state(fleet, m, folder, uri):
    """Another machine with this folder."""
    other = Member(fleet.controller, m.organization, Agent(folder, uri))
    other.id = m.id
    fleet.members.append(other)
    return other


def trail(fleet, m):
    return [row["action"] for row in fleet.controller.operator.all("/api/v1/trail", organization=m.organization) if row["object"] == m.id]


def test_a_clone_beside_its_original_is_turned_away(fleet, member, small):
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up().stop()
    clone = with_state(fleet, m, copy_of(fleet, m, "clone"), small.url)
    m.start().connected()
    clone.start()
    clone.wait(lambda: [e for e in clone.events("uplink_ended") if "duplicate_instance" in e["reason"]])
    assert "duplicate_instance" in until(lambda: m.presence()["last_rejection"])
    m.order("sync", depth="quick")
    m.caught_up()
    assert m.shown()["status"] == "active" and m.value("controller_connected") == 1
    clone.stop()
    # the remedy: it becomes another agent
    result = clone.enroll(None, "--new-agent")
    assert clone.id != m.id, result
    clone.start().connected()
    clone.wait_syncs(1)
    clone.caught_up().same_ledger()
    m.caught_up().same_ledger()
    assert m.is_connected() and clone.is_connected()


def test_a_clone_that_came_first_is_reported(fleet, member, small):
    """It went on with the original's number; when the original comes back both are stopped until somebody has looked."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up().stop()
    clone = with_state(fleet, m, copy_of(fleet, m, "clone"), small.url)
    with clone:
        clone.connected()
        clone.order("sync", depth="full")
        clone.caught_up()
        stored = clone.stored()
        clone.stop()
    with m:
        m.wait(lambda: m.progress()[1]["controller"]["rejection"] in ("rolled_back", "duplicate_instance"))
        shown = m.shown()
        assert shown["status"] == "quarantined" and shown["status_reason"], shown
        assert {"clone_seen", "rollback_seen"} & set(trail(fleet, m))
        assert shown["sequence"] == stored, "it was not obeyed"
        assert not m.is_connected()
        m.stop()
    clone.start()
    clone.wait(lambda: clone.progress()[1]["controller"]["rejection"] is not None)
    assert not clone.is_connected()
    clone.stop()
    # an operator decides that the clone goes on under the id, and the other as a new agent
    fleet.controller.operator.post(f"/api/v1/agents/{m.id}/activate", {"reason": "the clone stays"}, organization=m.organization)
    clone.start().connected()
    clone.wait_syncs(1)
    clone.caught_up().same_ledger()
    old = m.id
    m.enroll(None, "--new-agent")
    m.start().connected()
    m.wait_syncs(1)
    m.caught_up().same_ledger()
    assert m.id != old and clone.is_connected() and len(m.records()) == 18


@pytest.mark.parametrize("how", ["snapshot", "ledger"])
def test_a_restored_snapshot_is_reported(fleet, member, small, how):
    """The whole folder, or the ledger alone with the newest identity: what was acknowledged is missing, so it is not obeyed."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up().stop()
    snapshot = copy_of(fleet, m, "snapshot")
    with m:
        m.connected()
        m.order("sync", depth="full")
        m.order("rotate_certificate")
        m.caught_up()
        stored = m.stored()
        m.stop()
    if how == "ledger":
        shutil.rmtree(snapshot / "identity")
        shutil.copytree(m.agent.state / "identity", snapshot / "identity")
    shutil.rmtree(m.agent.state)
    snapshot.rename(m.agent.state)
    m.start()
    m.wait(lambda: m.progress()[1]["controller"]["rejection"] or m.progress()[1]["controller"]["error"])
    # a certificate that was replaced meanwhile is refused before anything else is looked at
    until(lambda: m.shown()["status"] == ("active" if how == "snapshot" else "quarantined") and m.presence()["last_rejection"])
    shown = m.shown()
    assert not m.is_connected() and shown["sequence"] == stored
    if how == "ledger":
        assert "clone_seen" in trail(fleet, m) or "rollback_seen" in trail(fleet, m)
        assert shown["status_reason"]
    m.stop()
    old = m.id
    m.enroll(None, "--new-agent")
    m.start().connected()
    m.wait_syncs(1)
    m.caught_up().same_ledger()
    assert m.id != old and len(m.records()) == 18
    kept = fleet.controller.operator.get(f"/api/v1/agents/{old}", organization=m.organization)
    assert kept["sequence"] == stored, "evidence of the old one stays"


# ---- the database ----


@pytest.mark.parametrize("fleet", ["postgresql"], indirect=True)
def test_without_an_organization_no_row_is_seen(fleet, victim):
    """By psql, as the role that serves and as the owner: row-level security stands behind every statement."""
    database, name = fleet.controller.database, fleet.controller.name
    other = fleet.controller.organization()
    kinds = {}
    for line in database.psql("SELECT relname, relispartition FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                              " WHERE nspname = 'verifywise_fleet' AND relkind IN ('r', 'p') AND relname <> 'schema_version'", name).split():
        table, is_part = line.split("|")
        kinds.setdefault(is_part == "t", []).append(table)
    tables, parts = kinds[False], kinds[True]
    assert {"ledger", "agents", "versions", "secrets", "commands", "users"} <= set(tables) and len(parts) == 16 * len(tables)

    def counts(of, where=""):
        return " UNION ALL ".join(f"SELECT '{table}', count(*) FROM verifywise_fleet.{table} {where}" for table in of)

    assert sum(not line.endswith("|0") for line in database.psql(counts(tables), name).split()) > 8, "there must be something to hide"
    # what has to be known before the organization is: the owner's functions read it
    lookups = {"organizations", "enrollment_tokens", "users", "controller_events"}
    for role, of in ((APPLICATION, tables), (OWNER, [t for t in tables if t not in lookups]), (OWNER, parts)):
        for setting in ("", "SET app.current_org = '';", f"SET app.current_org = '{2**31 - 1}';"):
            code, out, err = database.ask(name, setting + counts(of), role)
            assert code == 0 and [line for line in out.split() if not line.endswith("|0")] == [], (role, setting, out, err)
        for table in tables:
            assert database.ask(name, f"SET row_security = off; SELECT count(*) FROM verifywise_fleet.{table}", role)[0] != 0 or table in lookups
    granted = database.psql("SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'verifywise_fleet' AND"
                            f" relispartition AND has_table_privilege('{APPLICATION}', c.oid, 'SELECT, INSERT, UPDATE, DELETE')", name)
    assert granted.split() == []
    code, out, err = database.ask(name, f"SET app.current_org = '{other}';" + counts(tables, f"WHERE organization_id <> {other}"))
    assert code == 0 and [line for line in out.split() if not line.endswith("|0")] == [], (out, err)
    code, out, _ = database.ask(name, f"SET app.current_org = '{victim.organization}'; SELECT count(*) FROM verifywise_fleet.ledger")
    assert code == 0 and int(out) == victim.stored()


@pytest.mark.parametrize("fleet", ["postgresql"], indirect=True)
def test_another_organizations_rows_cannot_be_written(fleet, victim):
    database, name = fleet.controller.database, fleet.controller.name
    other, before = fleet.controller.organization(), victim.export()
    own = f"SET app.current_org = '{other}';"
    for sql in (f"INSERT INTO verifywise_fleet.organizations VALUES ({2**30}, 'mine', false, 0)",
                f"INSERT INTO verifywise_fleet.secrets VALUES ({victim.organization}, '{victim.id}', 'mlflow.token', 1, '\\x01', 0, 'me')",
                f"INSERT INTO verifywise_fleet.secrets_3 VALUES ({victim.organization}, '{victim.id}', 'mlflow.token', 1, '\\x01', 0, 'me')",
                f"UPDATE verifywise_fleet.organizations SET organization_id = {victim.organization} WHERE organization_id = {other}"):
        code, out, err = database.ask(name, own + sql)
        assert code != 0 and ("row-level security" in err or "permission denied" in err), (sql, out, err)
    for sql in (f"UPDATE verifywise_fleet.agents SET status = 2 WHERE organization_id = {victim.organization} RETURNING 1",
                f"UPDATE verifywise_fleet.agents SET status = 2 WHERE agent_id = '{victim.id}' RETURNING 1",
                f"DELETE FROM verifywise_fleet.secrets WHERE organization_id = {victim.organization} RETURNING 1",
                "UPDATE verifywise_fleet.organizations SET disabled = true RETURNING organization_id"):
        code, out, err = database.ask(name, own + sql)
        assert (code == 0 and out.split() in ([], [str(other)])) or "permission denied" in err, (sql, out, err)
    # nor can what is written be taken back, or the policies be taken away
    for sql in (f"SET app.current_org = '{victim.organization}'; DELETE FROM verifywise_fleet.ledger",
                f"SET app.current_org = '{victim.organization}'; UPDATE verifywise_fleet.ledger SET payload = '\\x00'",
                f"SET app.current_org = '{victim.organization}'; TRUNCATE verifywise_fleet.ledger",
                f"SET app.current_org = '{victim.organization}'; DELETE FROM verifywise_fleet.controller_events",
                "ALTER TABLE verifywise_fleet.ledger DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant ON verifywise_fleet.ledger",
                "CREATE TABLE verifywise_fleet.mine (a int)", f"SET ROLE {OWNER}", "SET SESSION AUTHORIZATION mlflow"):
        code, out, err = database.ask(name, sql)
        assert code != 0, (sql, out)
    assert victim.export() == before
    role = database.psql(f"SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = '{APPLICATION}'")
    assert role.strip() == "f|f|f|f"

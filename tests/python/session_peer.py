"""A peer of the controller's gRPC listener that shares no code with ours: certificates by `cryptography`, streams by grpcio,
the chain by hashlib. And the listener it talks to: the program session_stand (tests/unit/session/stand.c)."""

import datetime
import hashlib
import json
import os
import pathlib
import queue
import resource
import struct
import subprocess
import threading
import time
import uuid

import grpc
from agent import BINARY
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from protos import audit_pb2, fleet_pb2, fleet_pb2_grpc
from servers import clean_environment, die_with_parent

STAND = pathlib.Path(os.environ.get("VW_SESSION_STAND", BINARY.parents[2] / "tests/unit/session/session_stand"))
DOMAIN = "fleet.example"
MESSAGE_MAX = 20 << 20


def now_ms():
    return time.time_ns() // 1_000_000


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def agent_uri(organization, agent_id, domain=DOMAIN):
    return f"spiffe://{domain}/org/{organization}/agent/{agent_id}"


class Authority:
    """A CA: the stand's own, read from its folder, or another one."""

    def __init__(self, folder=None):
        if folder:
            self.key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
            self.certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
            return
        self.key = new_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another authority")])
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(start)
        builder = builder.not_valid_after(start + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        self.certificate = builder.sign(self.key, hashes.SHA256())

    def issue(self, uris, start=-3600, life=86400, usage=ExtendedKeyUsageOID.CLIENT_AUTH, dns=(), is_ca=False):
        """(key, chain, serial) in PEM, hex as the controller has it."""
        key = new_key()
        begin = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=start)
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, dns)]
        builder = x509.CertificateBuilder().issuer_name(self.certificate.subject)
        builder = builder.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")]))
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(begin).not_valid_after(begin + datetime.timedelta(seconds=life))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), True)
        certificate = builder.sign(self.key, hashes.SHA256())
        octets = certificate.serial_number.to_bytes((certificate.serial_number.bit_length() + 7) // 8, "big")
        return Identity(key, certificate.public_bytes(serialization.Encoding.PEM), octets.hex(), uris)


class Identity:
    def __init__(self, key, chain, serial, uris):
        self.key, self.chain, self.serial, self.uris = key, chain, serial, uris

    @property
    def agent_id(self):
        return self.uris[0].rsplit("/", 1)[1]


class Ledger:
    """An agent's ledger before it was enrolled and after."""

    def __init__(self, agent_id, organization):
        self.agent_id, self.organization = agent_id, str(organization)
        self.owner, self.epoch = ("", agent_id), 1
        self.payloads, self.hashes = [], [bytes(32)]

    def _hash(self, payload):
        def lp(text):
            data = text if isinstance(text, bytes) else text.encode()
            return struct.pack(">I", len(data)) + data

        owner = lp(self.owner[0]) + lp(self.owner[1]) + struct.pack(">QQ", self.epoch, len(self.hashes))
        body = lp("verifywise.ledger.v1") + owner + self.hashes[-1] + hashlib.sha256(payload).digest()
        return hashlib.sha256(body).digest()

    def append(self, payload):
        self.hashes.append(self._hash(payload))
        self.payloads.append(payload)

    def note(self, text="something happened", size=0):
        entry = audit_pb2.Entry(recorded_at=now_ms())
        entry.audit.kind = audit_pb2.AUDIT_KIND_CONFIG_CHANGED
        entry.audit.text = text + "x" * size
        self.append(entry.SerializeToString())
        return self

    def enroll(self):
        entry = audit_pb2.Entry(recorded_at=now_ms())
        entry.audit.kind = audit_pb2.AUDIT_KIND_EPOCH_STARTED
        self.epoch += 1
        self.owner = (self.organization, self.agent_id)
        entry.audit.epoch.organization, entry.audit.epoch.agent_id = self.owner
        entry.audit.epoch.epoch = self.epoch
        self.append(entry.SerializeToString())
        return self

    def notes(self, count, size=0):
        for i in range(count):
            self.note(f"note {i}", size)
        return self

    @property
    def last(self):
        return len(self.payloads)

    def entry(self, sequence):
        return fleet_pb2_entry(self.payloads[sequence - 1], self.hashes[sequence])

    def batch(self, first, count):
        message = fleet_pb2.AgentMessage()
        message.batch.first_sequence = first
        message.batch.entries.extend(self.entry(n) for n in range(first, first + count))
        return message


def fleet_pb2_entry(payload, chain):
    return audit_pb2.ChainedEntry(payload=payload, chain_sha256=chain)


class Stream:
    """One call. What comes is put into a queue by a thread, so that a test may wait for it with a limit."""

    def __init__(self, channel, **call):
        self.out, self.came = queue.Queue(), queue.Queue()
        self.call = fleet_pb2_grpc.FleetStub(channel).Session(iter(self.out.get, None), **call)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for message in self.call:
                self.came.put(message)
        except grpc.RpcError:
            pass
        self.came.put(None)

    def send(self, message):
        self.out.put(message)

    def close(self):
        self.out.put(None)

    def next(self, seconds=10):
        """The next message, None at the end."""
        return self.came.get(timeout=seconds)

    def expect(self, kind, seconds=10):
        message = self.next(seconds)
        assert message is not None, f"ended with {self.status()}, and no {kind}"
        assert message.WhichOneof("body") == kind, message
        return getattr(message, kind)

    def quiet(self, seconds=0.5):
        try:
            message = self.came.get(timeout=seconds)
        except queue.Empty:
            return
        raise AssertionError(f"there came {message}")

    def status(self):
        return self.call.code()

    def ended(self, seconds=10):
        """Its status, when nothing else comes before."""
        assert self.next(seconds) is None
        return self.call.code()

    def rejected(self, reason, seconds=10):
        rejection = self.expect("rejection", seconds)
        assert fleet_pb2.RejectionReason.Name(rejection.reason) == f"REJECTION_REASON_{reason}", rejection
        assert rejection.text and abs(rejection.server_time - now_ms()) < 1000 * max(5, seconds)
        assert self.ended() != grpc.StatusCode.OK
        return rejection


class Peer:
    """An agent: identity, ledger, and the streams that it opens."""

    def __init__(self, stand, organization=1, agent_id=None, known=True, entries=3):
        self.stand, self.organization = stand, organization
        self.agent_id = agent_id or str(uuid.uuid4())
        self.identity = stand.authority.issue([agent_uri(organization, self.agent_id)])
        self.instance, self.join = os.urandom(16), 0
        self.ledger = Ledger(self.agent_id, organization).note("before").enroll().notes(max(0, entries - 2))
        self.channels = []
        if known:
            stand.ask(f"agent {organization} {self.agent_id} {self.identity.serial}")

    def hello(self, **fields):
        message = fleet_pb2.AgentMessage()
        hello = message.hello
        hello.protocol_major, hello.protocol_minor = 1, 0
        hello.capabilities.extend(["commands", "policy", "configuration", "secrets"])
        hello.instance_id, hello.agent_version = self.instance, "0.1.0"
        hello.genesis_agent_id, hello.epoch = self.agent_id, self.ledger.epoch
        hello.last_sequence = self.ledger.last
        hello.last_chain_sha256 = self.ledger.hashes[-1]
        hello.join_sequence, hello.sent_at = self.join, now_ms()
        hello.hostname, hello.source_uri = "peer.example", "http://mlflow.example"
        for name, value in fields.items():
            if value is None:
                hello.ClearField(name)
            else:
                setattr(hello, name, value)
        return message

    def open(self, identity=None, options=(), replica=0, **call):
        channel = self.stand.channel(identity or self.identity, options, replica)
        self.channels.append(channel)
        return Stream(channel, **call)

    def connect(self, identity=None, replica=0, **fields):
        """A stream that was welcomed."""
        stream = self.open(identity, replica=replica)
        stream.send(self.hello(**fields))
        stream.welcome = stream.expect("welcome")
        self.join = stream.welcome.join_sequence
        return stream

    def stop(self):
        for channel in self.channels:
            channel.close()


def prepare(files):
    die_with_parent()
    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


class Stand:
    """The listener alone, over a store in memory."""

    def __init__(self, folder, files=None, **options):
        """`files`: how many it may open."""
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "log", "w+")
        arguments = [f"{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [str(STAND), str(self.folder), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=clean_environment(),
            preexec_fn=lambda: prepare(files),
        )
        line = self.process.stdout.readline()
        assert line.startswith("port "), (line, self.events())
        self.ports = [int(word) for word in line.split()[1:]]
        self.port = self.ports[0]
        self.authority = Authority(self.folder / "authority")
        self.lock = threading.Lock()
        self.peers = []

    def ask(self, line):
        with self.lock:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
            return self.process.stdout.readline().strip()

    def read(self, line):
        return json.loads(self.ask(line))

    def counts(self):
        return self.read("counts")

    def organization(self, number):
        assert self.ask(f"organization {number}") == "ok"

    def fault(self, call, code, count, ms=0):
        assert self.ask(f"fault {call} {code} {count} {ms}") == "ok"

    def peer(self, *arguments, **options):
        peer = Peer(self, *arguments, **options)
        self.peers.append(peer)
        return peer

    def channel(self, identity, options=(), replica=0):
        root = self.authority.certificate.public_bytes(serialization.Encoding.PEM)
        credentials = grpc.ssl_channel_credentials(root, key_pem(identity.key), identity.chain)
        # each channel is a connection of its own
        every = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", MESSAGE_MAX), *options]
        return grpc.secure_channel(f"localhost:{self.ports[replica]}", credentials, every)

    def memory(self):
        """Bytes that are resident."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def events(self):
        return (self.folder / "log").read_text()

    def alive(self):
        return self.process.poll() is None

    def stop(self, seconds=30):
        for peer in self.peers:
            peer.stop()
        if self.alive():
            self.process.stdin.write("stop\n")
            self.process.stdin.close()
        code = self.process.wait(seconds)
        self.log.close()
        assert code == 0, self.events()[-3000:]


def until(question, seconds=10, step=0.02):
    """The first answer that is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = question()
        if answer:
            return answer
        time.sleep(step)
    raise AssertionError("it did not come true")

"""A controller that is not ours: Python's own HTTPS server, grpcio over OpenSSL, and the schema. It has no line of code in common with the agent.

Each stream is dealt with by a function of the test:

    def behave(session):
        session.welcome()
        session.store(3)          # takes entries until sequence 3 is there, acknowledges them
"""

import base64
import concurrent.futures
import datetime
import hashlib
import http.server
import ipaddress
import os
import queue
import ssl
import struct
import threading
import time
import uuid

os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # children do not use gRPC, and its handlers abort some of them

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from protos import audit_pb2, fleet_pb2
from servers import free_port

DOMAIN = "fleet.example.org"
ORGANIZATION = 7
DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")  # RFC 9336
WEEK = datetime.timedelta(days=7)


def now_ms():
    return int(time.time() * 1000)


def lp(part):
    return struct.pack(">I", len(part)) + part


def signed_digest(domain, a, b=b""):
    return hashlib.sha256(lp(domain) + lp(a) + lp(b)).digest()


def sign(key, domain, a, b=b""):
    return key.sign(signed_digest(domain, a, b), ec.ECDSA(utils.Prehashed(hashes.SHA256())))


def pem_of(key):
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


class Authority:
    def __init__(self, name="test fleet CA"):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        self.certificate = (x509.CertificateBuilder().subject_name(self.name).issuer_name(self.name)
                            .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
                            .not_valid_before(now - WEEK).not_valid_after(now + 52 * WEEK)
                            .add_extension(x509.BasicConstraints(True, 0), critical=True)
                            .add_extension(usage(sign_certificates=True), critical=True)
                            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
                            .sign(self.key, hashes.SHA256()))

    def issue(self, public_key, uris, extended, hosts=(), not_before=None, not_after=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        builder = (x509.CertificateBuilder()
                   .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issued")])).issuer_name(self.name)
                   .public_key(public_key).serial_number(x509.random_serial_number())
                   .not_valid_before(not_before or now - datetime.timedelta(hours=1))
                   .not_valid_after(not_after or now + WEEK)
                   .add_extension(x509.BasicConstraints(False, None), critical=True)
                   .add_extension(usage(), critical=True))
        if extended:
            builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def usage(sign_certificates=False):
    return x509.KeyUsage(digital_signature=not sign_certificates, content_commitment=False, key_encipherment=False,
                         data_encipherment=False, key_agreement=False, key_cert_sign=sign_certificates,
                         crl_sign=sign_certificates, encipher_only=False, decipher_only=False)


class Chain:
    """The receiver's side of a ledger, from its description (docs/ledger.md)."""

    def __init__(self, genesis):
        self.organization, self.agent, self.epoch = "", genesis, 1
        self.hashes = {0: bytes(32)}
        self.payloads = {}
        self.last = 0
        self.duplicates = 0

    def follow(self, sequence, entry):
        if sequence <= self.last:
            assert self.payloads[sequence] == entry.payload, "another entry under a sequence that is stored"
            self.duplicates += 1
            return
        assert sequence == self.last + 1, f"entry {sequence} behind {self.last}"
        opened = audit_pb2.Entry.FromString(entry.payload)
        if opened.audit.HasField("epoch"):
            started = opened.audit.epoch
            assert started.epoch == self.epoch + 1
            self.organization, self.agent, self.epoch = started.organization, started.agent_id, started.epoch
        digest = hashlib.sha256(lp(b"verifywise.ledger.v1") + lp(self.organization.encode()) + lp(self.agent.encode())
                                + struct.pack(">QQ", self.epoch, sequence) + self.hashes[self.last]
                                + hashlib.sha256(entry.payload).digest()).digest()
        assert digest == entry.chain_sha256, f"the chain breaks at {sequence}"
        self.last = sequence
        self.hashes[sequence] = digest
        self.payloads[sequence] = entry.payload

    def entries(self):
        return [audit_pb2.Entry.FromString(self.payloads[n]) for n in sorted(self.payloads)]


class Session:
    """One stream, as the test's function sees it."""

    def __init__(self, peer, requests, context):
        self.peer, self.context = peer, context
        self.incoming, self.outgoing = queue.Queue(), queue.Queue()
        self.batches = []  # (first, count, payload bytes)
        self.seen = []  # all messages but batches
        self.closed = threading.Event()
        certificate = context.auth_context().get("x509_pem_cert", [None])[0]
        self.serial = x509.load_pem_x509_certificate(certificate).serial_number if certificate else None
        threading.Thread(target=self._read, args=(requests,), daemon=True).start()
        self.hello = self.receive("hello", seconds=10)

    def _read(self, requests):
        try:
            for message in requests:
                self.incoming.put(message)
        except Exception:
            pass
        self.incoming.put(None)
        self.closed.set()

    # -- receiving --

    def next(self, seconds=10.0):
        """Any message; None when the agent has ended its side."""
        message = self.incoming.get(timeout=seconds)
        if message is not None and message.WhichOneof("body") == "batch":
            self.batches.append((message.batch.first_sequence, len(message.batch.entries),
                                 sum(len(e.payload) for e in message.batch.entries)))
        elif message is not None:
            self.seen.append(message)
        return message

    def receive(self, kind, seconds=10.0, test=lambda m: True):
        """The next message of a kind; others are passed over."""
        deadline = time.monotonic() + seconds
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            assert message is not None, f"the agent ended the stream before a {kind} came"
            body = message.WhichOneof("body")
            if body == "batch" and kind != "batch":
                self.keep(message.batch)
            if body == kind and test(getattr(message, kind)):
                return getattr(message, kind)

    def keep(self, batch):
        for i, entry in enumerate(batch.entries):
            self.peer.chain.follow(batch.first_sequence + i, entry)

    def wait_end(self, seconds=10.0):
        deadline = time.monotonic() + seconds
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if message is None:
                return
            if message.WhichOneof("body") == "batch":
                self.keep(message.batch)

    # -- sending --

    def send(self, **body):
        self.outgoing.put(fleet_pb2.ControllerMessage(**body))

    def end(self):
        self.outgoing.put(None)

    def welcome(self, resume=None, **changes):
        chain = self.peer.chain
        resume = chain.last + 1 if resume is None else resume
        fields = dict(protocol_minor=0, session_id=str(uuid.uuid4()), resume_sequence=resume,
                      join_sequence=self.hello.join_sequence + 1, server_time=now_ms(), heartbeat_ms=30000,
                      max_age_ms=3600000, window_bytes=4 << 20, batch_entries=512, batch_bytes=1 << 20,
                      receipt_certificates=[self.peer.receipts_certificate.public_bytes(DER)],
                      acknowledged_chain_sha256=chain.hashes.get(resume - 1, bytes(32)))
        fields.update(changes)
        self.send(welcome=fleet_pb2.Welcome(**{k: v for k, v in fields.items() if v is not None}))

    def reject(self, reason, text="by the test", **more):
        self.send(rejection=fleet_pb2.Rejection(reason=getattr(fleet_pb2, f"REJECTION_REASON_{reason}"), text=text, **more))

    def receipt(self, sequence=None, key=None, signer=None, **changes):
        chain = self.peer.chain
        sequence = chain.last if sequence is None else sequence
        fields = dict(organization=str(ORGANIZATION), agent_id=self.peer.agent_id, epoch=chain.epoch, sequence=sequence,
                      chain_sha256=chain.hashes.get(sequence, bytes(32)), stored_at=now_ms())
        fields.update(changes)
        body = fleet_pb2.ReceiptBody(**fields).SerializeToString()
        certificate = (signer or self.peer.receipts_certificate).public_bytes(DER)
        return fleet_pb2.Receipt(body=body, signature=sign(key or self.peer.receipts_key, b"verifywise.receipt.v1", body),
                                 signer_sha256=hashlib.sha256(certificate).digest())

    def acknowledge(self, sequence=None, receipt=None):
        sequence = self.peer.chain.last if sequence is None else sequence
        self.send(acknowledgement=fleet_pb2.Acknowledgement(sequence=sequence, receipt=receipt or self.receipt(sequence)))

    def store(self, until, seconds=20.0):
        """Takes batches and acknowledges each until the chain reaches `until`."""
        while self.peer.chain.last < until:
            self.keep(self.receive("batch", seconds))
            self.acknowledge()

    def stay(self):
        """Stores and acknowledges whatever comes until the agent ends the stream."""
        while True:
            try:
                message = self.next(0.2)
            except queue.Empty:
                if self.peer.stopping:
                    return
                continue
            if message is None:
                return
            if message.WhichOneof("body") == "batch":
                self.keep(message.batch)
                self.acknowledge()

    def command(self, kind, id=None, **more):
        id = id or str(uuid.uuid4())
        more.setdefault("expires_at", now_ms() + 3600000)
        self.send(command=fleet_pb2.Command(id=id, kind=getattr(fleet_pb2, f"COMMAND_KIND_{kind}"), issued_at=now_ms(),
                                            issued_by="test", **more))
        return id


class Peer:
    """Authority, HTTPS listener and gRPC listener. `behaviours`: one function for each stream, the last one for all further ones."""

    def __init__(self, folder, controller_uri=f"spiffe://{DOMAIN}/controller", lifetime=WEEK):
        self.folder, self.lifetime = folder, lifetime
        self.authority = Authority()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.authority.issue(self.key.public_key(), [controller_uri], ExtendedKeyUsageOID.SERVER_AUTH,
                                                ["127.0.0.1", "localhost"])
        self.receipts_key = ec.generate_private_key(ec.SECP256R1())
        self.receipts_certificate = self.authority.issue(self.receipts_key.public_key(), [f"spiffe://{DOMAIN}/receipts"],
                                                         DOCUMENT_SIGNING)
        self.host, self.port = "127.0.0.1", free_port()  # of the endpoint that an agent is told
        self.enrollment_key = None
        self.agent_id = None
        self.chain = None
        self.streams, self.failures = [], []
        self.behaviours = [lambda session: (session.welcome(), session.stay())]
        self.renewals = []
        self.renew_answer = None  # a Rejection instead of a certificate
        self.stopping = False
        self.server = None
        self._start_https()

    def token(self):
        pin = hashlib.sha256(self.authority.certificate.public_bytes(DER)).digest()
        text = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (bytes(range(32)), pin)]
        return f"vwt1.{'0123456789abcdef'}.{text[0]}.{text[1]}\n"

    # -- enrolment and renewal --

    def certificate_for(self, csr, not_before=None, not_after=None):
        request = x509.load_der_x509_csr(csr)
        assert request.is_signature_valid
        now = datetime.datetime.now(datetime.timezone.utc)
        return self.authority.issue(request.public_key(), [f"spiffe://{DOMAIN}/org/{ORGANIZATION}/agent/{self.agent_id}"],
                                    ExtendedKeyUsageOID.CLIENT_AUTH, not_before=not_before,
                                    not_after=not_after or now + self.lifetime)

    def issued(self, certificate):
        return fleet_pb2.Issued(certificates=[certificate.public_bytes(DER)],
                                authorities=[self.authority.certificate.public_bytes(DER)], organization=str(ORGANIZATION),
                                organization_name="Test", trust_domain=DOMAIN, agent_id=self.agent_id,
                                session_endpoint=f"{self.host}:{self.port}", server_time=now_ms())

    def enroll(self, body):
        request = fleet_pb2.EnrollRequest.FromString(body)
        key = serialization.load_der_public_key(request.enrollment_key)
        key.verify(request.enrollment_signature,
                   signed_digest(b"verifywise.enroll.v1", request.agent_id.encode(), request.csr),
                   ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        self.enrollment_key, self.agent_id, self.sealing_key = key, request.agent_id, request.sealing_key
        self.chain = Chain(request.agent_id)
        return fleet_pb2.EnrollResponse(issued=self.issued(self.certificate_for(request.csr)))

    def renew(self, body):
        request = fleet_pb2.RenewRequest.FromString(body)
        self.enrollment_key.verify(request.signature, signed_digest(b"verifywise.renew.v1", request.body),
                                   ec.ECDSA(utils.Prehashed(hashes.SHA256())))
        opened = fleet_pb2.RenewBody.FromString(request.body)
        self.renewals.append(opened)
        if self.renew_answer:
            return fleet_pb2.EnrollResponse(rejection=self.renew_answer)
        return fleet_pb2.EnrollResponse(issued=self.issued(self.certificate_for(opened.csr)))

    def _start_https(self):
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(peer.authority.certificate.public_bytes(PEM))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                handle = {"/enroll/v1/enroll": peer.enroll, "/enroll/v1/renew": peer.renew}[self.path]
                self.answer(handle(body).SerializeToString())

            def log_message(self, *arguments):
                pass

        file = self.folder / "controller.pem"
        file.write_bytes(self.certificate.public_bytes(PEM) + pem_of(self.key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        self.https = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.https.socket = context.wrap_socket(self.https.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.https.server_address[1]}"
        threading.Thread(target=self.https.serve_forever, args=(0.05,), daemon=True).start()

    # -- streams --

    def Session(self, requests, context):
        session = Session(self, requests, context)
        behave = self.behaviours[min(len(self.streams), len(self.behaviours) - 1)]
        self.streams.append(session)

        def run():
            try:
                behave(session)
            except Exception as failure:  # the test looks at them at its end
                self.failures.append(failure)
            session.end()

        threading.Thread(target=run, daemon=True).start()
        while (message := session.outgoing.get()) is not None:
            yield message

    def serve(self, options=()):
        def packed(message):
            return message if isinstance(message, bytes) else message.SerializeToString()

        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16), options=[
            ("grpc.max_receive_message_length", 20 << 20), ("grpc.so_reuseport", 0),
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 30000), *options])
        session = grpc.stream_stream_rpc_method_handler(self.Session, fleet_pb2.AgentMessage.FromString, packed)
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("verifywise.v1.Fleet", {"Session": session})])
        credentials = grpc.ssl_server_credentials([(pem_of(self.key), self.certificate.public_bytes(PEM))],
                                                  self.authority.certificate.public_bytes(PEM), require_client_auth=True)
        assert self.server.add_secure_port(f"127.0.0.1:{self.port}", credentials) == self.port
        self.server.start()
        return self

    def stop_streams(self, grace=0):
        if self.server:
            self.server.stop(grace).wait()
            self.server = None

    def stop(self):
        self.stopping = True
        self.stop_streams()
        self.https.shutdown()
        self.https.server_close()
        assert not self.failures, self.failures

    def wait_for_stream(self, count, seconds=15.0):
        deadline = time.monotonic() + seconds
        while len(self.streams) < count:
            assert not self.failures, self.failures
            assert time.monotonic() < deadline, f"{len(self.streams)} streams came, not {count}"
            time.sleep(0.02)
        return self.streams[count - 1]

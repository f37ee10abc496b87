"""A controller's export as docs/ledger.md describes it, written with nothing of ours: the other side of docs/verify_ledger.py.

    python exports.py FOLDER     writes export.ndjson and export-ca.pem, the vector of the unit tests"""
import base64
import datetime
import hashlib
import json
import pathlib
import struct
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AGENT = "0b5c1f5e-7f6e-4d0a-9f0e-3d2c1b0a9f8e"
FORMER = "11111111-2222-3333-4444-555555555555"
RENEWED = "99999999-8888-7777-6666-555555555555"
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
DOCUMENT_SIGNING = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def ms(moment):
    return int(moment.timestamp() * 1000)


def lp(data):
    return struct.pack(">I", len(data)) + data


# ---- Protobuf ----

def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def audit(kind, rest, seconds=0):
    return number(1, ms(NOON) + 1000 * seconds) + data(5, number(1, kind) + rest)


def said(kind, text, seconds=0):
    return audit(kind, data(3, text), seconds)


def epoch_started(organization, agent, epoch):
    return audit(14, data(11, data(1, organization) + data(2, agent) + number(3, epoch)), seconds=1)


# ---- Certificates ----

def certificate(name, key, issuer=None, issuer_key=None, uris=(), ca=False, path=None, begins=NOON, ends=NOON + 10 * DAY,
                usages=(DOCUMENT_SIGNING,), signs=True, more=()):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject_name=subject, issuer_name=issuer.subject if issuer else subject,
                                      public_key=key.public_key(), serial_number=x509.random_serial_number(),
                                      not_valid_before=begins, not_valid_after=ends)
    builder = builder.add_extension(x509.BasicConstraints(ca, path), True)
    builder = builder.add_extension(x509.KeyUsage(signs and not ca, False, False, False, False, ca, ca, False, False), True)
    if usages and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), False)
    if uris:
        builder = builder.add_extension(x509.SubjectAlternativeName(uris), False)
    for extension, critical in more:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key or key, hashes.SHA256())


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def fingerprint(cert):
    return cert.fingerprint(hashes.SHA256()).hex()


RECEIPTS = (x509.UniformResourceIdentifier("spiffe://fleet.example/receipts"),)


class Signer:
    """Who signs: a key, its certificate, and the CA above it."""

    def __init__(self, **options):
        self.ca_key, self.key = new_key(), new_key()
        self.ca = certificate("Fleet CA", self.ca_key, ca=True, path=0, ends=NOON + 3650 * DAY)
        self.certificate = certificate("receipts", self.key, self.ca, self.ca_key, **{"uris": RECEIPTS, **options})
        self.shown = [self.certificate]

    def sign(self, domain, signed):
        message = b"".join(lp(part) for part in (domain, signed, b""))
        return {"signature": base64.b64encode(self.key.sign(message, ec.ECDSA(hashes.SHA256()))).decode(),
                "signer_sha256": fingerprint(self.certificate)}


# ---- Ledgers ----

class Ledger:
    def __init__(self, genesis, sender, payloads):
        self.genesis, self.sender, self.entries, self.owners = genesis, sender, [], []
        owner, chain = ("", genesis, 1), bytes(32)
        for n, payload in enumerate(payloads, 1):
            if isinstance(payload, tuple):
                owner, payload = payload, epoch_started(*payload)
            chain = hashlib.sha256(lp(b"verifywise.ledger.v1") + lp(owner[0].encode()) + lp(owner[1].encode()) +
                                   struct.pack(">QQ", owner[2], n) + chain + hashlib.sha256(payload).digest()).digest()
            self.owners.append(owner)
            self.entries.append({"sequence": n, "payload": base64.b64encode(payload).decode(), "chain_sha256": chain.hex()})
        self.owner = owner

    def head(self):
        last = self.entries[-1] if self.entries else {"sequence": 0, "chain_sha256": "0" * 64}
        return {"ledger": "verifywise.ledger.v1", "organization": self.owner[0], "agent": self.owner[1],
                "epoch": self.owner[2], "genesis_agent": self.genesis, "sender": self.sender,
                "head": {key: last[key] for key in ("sequence", "chain_sha256")}}

    def receipt(self, signer, sequence=None, organization="7", agent=None, epoch=None, chain=None, at=NOON + DAY):
        sequence = sequence or len(self.entries)
        body = (data(1, organization) + data(2, agent or self.sender) + number(3, epoch or self.owners[sequence - 1][2]) +
                number(4, sequence) + data(5, chain or bytes.fromhex(self.entries[sequence - 1]["chain_sha256"])) +
                number(6, ms(at)))
        return {"receipt": {"body": base64.b64encode(body).decode(), **signer.sign(b"verifywise.receipt.v1", body)}}


def ledgers():
    """The example of docs/ledger.md, and an agent that was given a new id."""
    first, second, later = said(1, "first"), said(2, "second", 2), said(1, "später", 86400)
    return [Ledger(AGENT, AGENT, [first, ("7", AGENT, 2), second]),
            Ledger(FORMER, RENEWED, [first, ("7", FORMER, 2), second, ("7", RENEWED, 3), later])]


def first_line(signer, **changes):
    return {"export": "verifywise.ledger.v1", "organization": "7", "organization_name": "Acme",
            "trust_domain": "fleet.example", "exported_at": "2026-03-03T12:00:00.000Z", "ca": pem(signer.ca),
            "receipt_certificates": [pem(cert) for cert in signer.shown], **changes}


def lines_of(ledger, signer):
    return [ledger.head(), *ledger.entries, *([ledger.receipt(signer)] if ledger.entries else [])]


def sealed(signer, lines):
    """The lines as bytes, signed."""
    whole = b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)
    last = signer.sign(b"verifywise.export.v1", hashlib.sha256(whole).digest())
    return whole + json.dumps(last).encode() + b"\n"


if __name__ == "__main__":
    author, folder = Signer(), pathlib.Path(sys.argv[1])
    content = [first_line(author)] + [line for ledger in ledgers() for line in lines_of(ledger, author)]
    (folder / "export.ndjson").write_bytes(sealed(author, content))
    (folder / "export-ca.pem").write_text(pem(author.ca))

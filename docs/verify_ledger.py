#!/usr/bin/env python3
"""Checks an exported ledger without any program of ours; the formats are in docs/ledger.md.

    verify_ledger.py EXPORT.ndjson [SEQUENCE:HASH]               of an agent
    verify_ledger.py EXPORT.ndjson [SEQUENCE:HASH] --ca CA       of a controller: with receipts, and signed

SEQUENCE:HASH is a head that was noted earlier, outside of the machine: the ledger must still contain it.
CA is the controller's certificate authority as you got it by another way than the export: its file (PEM), or the SHA-256
of its certificate in hex. Signatures need Python's package `cryptography`; the chain needs nothing.
Ends with 0 if all is sound, with 1 and what is not, with 2 if only the CA was not given."""
import argparse, base64, datetime, hashlib, json, os, struct, sys

EPOCH_STARTED = 14  # AuditKind of verifywise/v1/audit.proto
DOCUMENT_SIGNING = "1.3.6.1.5.5.7.3.36"  # RFC 9336
UNDERSTOOD = {"2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"}  # key usage, names, basic constraints, extended key usage
BAD = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError, StopIteration,
       struct.error)


def need(condition, problem):
    if not condition:
        raise ValueError(problem)


def sha256(data):
    return hashlib.sha256(data).digest()


def prefixed(data):
    return struct.pack(">I", len(data)) + data


def decoded(text):
    return base64.b64decode(text, validate=True)


def once(pairs):
    need(len(dict(pairs)) == len(pairs), "a key is there twice")
    return dict(pairs)


def parsed(line):
    return json.loads(line.decode("utf-8"), object_pairs_hook=once)


# ---- Protobuf ----

def varint(data, at):
    value = shift = 0
    while True:
        byte, at = data[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128 or shift == 70:
            return value & (1 << 64) - 1, at


def fields(message, *wanted):
    """Some fields of a packed protobuf message by their numbers; each is there once at most."""
    found, at = {}, 0
    while at < len(message):
        key, at = varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(message, at)
        else:
            size, at = varint(message, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
            value, at = message[at:at + size], at + size
        need(at <= len(message) and not (number in wanted and number in found), "its bytes are no packed message")
        found[number] = value
    return {number: found[number] for number in wanted if number in found}


# ---- The chain ----

def new_owner(payload):
    """(organization, agent, epoch) if the ledger has another owner from this entry on, itself included, else None."""
    body = fields(payload, 3, 4, 5)
    audit = fields(body.get(5, b""), 1, 11)
    kind = audit.get(1)
    if kind != EPOCH_STARTED and 11 not in audit:
        return None
    epoch = fields(audit[11], 1, 2, 3)
    owner = epoch[1].decode(), epoch[2].decode(), epoch[3]
    need(kind == EPOCH_STARTED and len(body) == 1 and len(epoch[1]) <= 15 and 1 <= len(epoch[2]) <= 36,
         "it does not say whose the ledger is from here on")
    return owner


class Ledger:
    """One chain, followed entry by entry."""

    def __init__(self, head):
        need(head["ledger"] == "verifywise.ledger.v1", "unknown ledger format")
        self.head, self.owner = head, ("", head.get("genesis_agent", head["agent"]), 1)
        self.n, self.hash, self.passed, self.countersigned = 0, bytes(32), {}, 0

    def follow(self, entry):
        n = self.n + 1
        try:
            payload = decoded(entry["payload"])
            begun = new_owner(payload)
            need(not begun or begun[2] == self.owner[2] + 1, "it begins an epoch that is not the next one")
            owner = begun or self.owner
            start = b"".join(prefixed(part.encode()) for part in (self.head["ledger"], owner[0], owner[1]))
            hashed = sha256(start + struct.pack(">QQ", owner[2], n) + self.hash + sha256(payload))
            need(entry["sequence"] == n and entry["chain_sha256"] == hashed.hex(),
                 "its hash or number does not follow from the entry before")
        except BAD as problem:
            raise ValueError(f"first bad entry: {n} ({problem})")
        self.n, self.owner, self.hash = n, owner, hashed
        self.passed[n] = hashed.hex(), owner[2]

    def finish(self):
        head = self.head
        need((self.n, self.hash.hex()) == (head["head"]["sequence"], head["head"]["chain_sha256"]),
             f"ends with entry {self.n}, not with the head in its first line")
        need(self.owner == (head["organization"], head["agent"], head["epoch"]),
             "belongs to another owner at its end than its first line says")

    def contains(self, noted):
        sequence, hashed = noted.split(":")
        return self.passed.get(int(sequence), ("",))[0] == hashed.lower()

    def __str__(self):
        return f"{self.n} entries, head {self.hash.hex()}"


# ---- Signatures ----

class Signers:
    """The certificates that an export brings, up to the CA that its reader trusts."""

    def __init__(self, first):
        from cryptography import x509
        self.x509, self.identity = x509, f"spiffe://{first['trust_domain']}/receipts"
        self.ca = self.load(first["ca"])
        self.others = [self.load(pem) for pem in first["receipt_certificates"]]

    def load(self, pem):
        return self.x509.load_pem_x509_certificate(pem.encode())

    @staticmethod
    def digest(certificate):
        from cryptography.hazmat.primitives.serialization import Encoding
        return sha256(certificate.public_bytes(Encoding.DER)).hex()

    def is_pinned(self, ca):
        if os.path.exists(ca):
            with open(ca, encoding="utf-8") as pem:
                ca = self.digest(self.load(pem.read()))
        return ca.lower().replace(":", "") == self.digest(self.ca)

    def extension(self, certificate, kind):
        try:
            return certificate.extensions.get_extension_for_class(kind).value
        except self.x509.ExtensionNotFound:
            return None

    def may_issue(self, certificate, below):
        constraints = self.extension(certificate, self.x509.BasicConstraints)
        usage = self.extension(certificate, self.x509.KeyUsage)
        return (constraints and constraints.ca and (usage is None or usage.key_cert_sign) and
                (constraints.path_length is None or constraints.path_length >= below))

    @staticmethod
    def signed(issuer, certificate):
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
        key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
        need(algorithm.name in ("sha256", "sha384", "sha512"), "a certificate is signed with a weak algorithm")
        how = [padding.PKCS1v15(), algorithm] if isinstance(key, rsa.RSAPublicKey) else [ec.ECDSA(algorithm)]
        try:
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)
            return True
        except InvalidSignature:
            return False

    @staticmethod
    def check_time(certificate, at):
        utc = datetime.timezone.utc
        for name, late in (("not_valid_before", False), ("not_valid_after", True)):
            limit = getattr(certificate, name + "_utc", None) or getattr(certificate, name).replace(tzinfo=utc)
            need(at <= limit if late else at >= limit, f"a certificate was not valid when it signed, at {at}")

    def check_path(self, certificate, at):
        below = 0
        while True:
            self.check_time(certificate, at)
            need(all(e.oid.dotted_string in UNDERSTOOD for e in certificate.extensions if e.critical),
                 "a certificate has a critical extension that is not understood here")
            if certificate == self.ca:
                return
            above = [c for c in [self.ca] + self.others if c.subject == certificate.issuer and
                     c != certificate and self.may_issue(c, below) and self.signed(c, certificate)]
            need(above and below < 8, "a signer's certificate does not lead to the CA")
            certificate, below = above[0], below + 1

    def signer(self, digest, at):
        """The certificate with this SHA-256, if it may sign receipts and leads to the CA."""
        found = [c for c in self.others if self.digest(c) == digest]
        need(found, "a signer's certificate is not among those of the export")
        names = self.extension(found[0], self.x509.SubjectAlternativeName)
        usage = self.extension(found[0], self.x509.KeyUsage)
        extended = self.extension(found[0], self.x509.ExtendedKeyUsage)
        need(names and [type(n) for n in names] == [self.x509.UniformResourceIdentifier] and
             names.get_values_for_type(self.x509.UniformResourceIdentifier) == [self.identity] and
             usage and usage.digital_signature and
             DOCUMENT_SIGNING in [oid.dotted_string for oid in extended or []],
             "a signer's certificate is not for receipts")
        self.check_path(found[0], at)
        return found[0]

    def check(self, line, domain, signed, at):
        """ECDSA, P-256, over SHA-256 of lp(domain), lp(signed), lp("")."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        key = self.signer(line["signer_sha256"], at).public_key()
        need(isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1", "not a P-256 key")
        message = b"".join(prefixed(part) for part in (domain, signed, b""))
        try:
            key.verify(decoded(line["signature"]), message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise ValueError("the signature is not over this")


# ---- Exports ----

def check_receipt(ledger, receipt, first, signers):
    body = decoded(receipt["body"])
    said = fields(body, 1, 2, 3, 4, 5, 6)
    at = datetime.datetime.fromtimestamp(said[6] / 1000, datetime.timezone.utc)
    signers.check(receipt, b"verifywise.receipt.v1", body, at)
    need((said[1].decode(), said[2].decode()) == (first["organization"], ledger.head["sender"]),
         "it is another agent's")
    need(ledger.passed.get(said[4]) == (said[5].hex(), said[3]), f"entry {said[4]} is not the one that was stored")
    ledger.countersigned = max(ledger.countersigned, said[4])


def verify_agent(first, lines, noted):
    ledger = Ledger(first)
    for line in lines:
        ledger.follow(parsed(line))
    ledger.finish()
    need(not noted or ledger.contains(noted), f"does not contain the head noted earlier, {noted}: cut off or written anew")
    return [str(ledger)]


def controller_lines(first_line, lines):
    """(line, None) for each but the last, then (line, SHA-256 of all bytes before it)."""
    seen, last = hashlib.sha256(first_line), None
    for line in lines:
        if last is not None:
            yield last, None
            seen.update(last)
        last = line
    need(last is not None, "it is not signed: its last line is missing")
    yield last, seen.digest()


def verify_controller(first, lines, noted, signers):
    ledgers, senders = [], set()
    exported_at = datetime.datetime.fromisoformat(first["exported_at"].replace("Z", "+00:00"))
    for raw, digest in lines:
        line = parsed(raw)
        if digest is not None:
            need("signature" in line, "it is not signed: its last line is missing")
            signers.check(line, b"verifywise.export.v1", digest, exported_at)
        elif "ledger" in line:
            need(line["organization"] in ("", first["organization"]) and line["sender"] not in senders,
                 f"the ledger of agent {line['sender']} does not belong into it")
            senders.add(line["sender"])
            ledgers.append(Ledger(line))
        else:
            try:
                if "receipt" in line:
                    check_receipt(ledgers[-1], line["receipt"], first, signers)
                else:
                    ledgers[-1].follow(line)
            except BAD as problem:
                what = "a receipt: " if "receipt" in line else ""
                raise ValueError(f"agent {ledgers[-1].head['sender'] if ledgers else 'unknown'}: {what}{problem}")
    for ledger in ledgers:
        try:
            ledger.finish()
        except ValueError as problem:
            raise ValueError(f"agent {ledger.head['sender']}: {problem}")
    need(not noted or any(ledger.contains(noted) for ledger in ledgers),
         f"no ledger contains the head noted earlier, {noted}: cut off or written anew")
    return [f"agent {ledger.head['sender']}: {ledger}, countersigned up to {ledger.countersigned}"
            for ledger in ledgers] or ["no ledgers"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("export")
    arguments.add_argument("noted", nargs="?", metavar="SEQUENCE:HASH")
    arguments.add_argument("--ca", help="the CA's certificate (PEM file) or its SHA-256 in hex")
    given = arguments.parse_args()
    with open(given.export, "rb") as lines:
        first_line = next(lines)
        first = parsed(first_line)
        if "export" not in first:
            need(not given.ca, "an agent's export is not signed: it has no CA")
            print("\n".join("sound: " + found for found in verify_agent(first, lines, given.noted)))
            return 0
        need(first["export"] == "verifywise.ledger.v1", "unknown export format")
        signers = Signers(first)
        need(not given.ca or signers.is_pinned(given.ca), "it is signed under another CA than the one given")
        found = verify_controller(first, controller_lines(first_line, lines), given.noted, signers)
    print("\n".join(("sound: " if given.ca else "consistent: ") + line for line in found))
    if given.ca:
        return 0
    print(f"NOT PROVEN: it is signed under the CA {signers.digest(signers.ca)}, which it brings itself.\n"
          "Compare that with the CA you know, and give it with --ca.")
    return 2


try:
    sys.exit(main())
except ImportError:
    sys.exit("a controller's export needs Python's package `cryptography`")
except BAD + (OSError,) as problem:
    sys.exit(f"not sound: {str(problem) or 'no first line'}")

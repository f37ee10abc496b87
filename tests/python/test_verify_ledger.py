"""docs/verify_ledger.py on a controller's exports: what it calls sound, and each thing that it must not (S3.5, S11.1)."""
import json
import pathlib
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

import exports
from exports import AGENT, DAY, FORMER, NOON, RECEIPTS, RENEWED, Ledger, Signer, certificate, first_line, lines_of, sealed

HERE = pathlib.Path(__file__).parent
SCRIPT = HERE.parent.parent / "docs" / "verify_ledger.py"
VECTOR = HERE.parent / "unit" / "fleet" / "data"


def run(*arguments):
    done = subprocess.run([sys.executable, "-W", "error", str(SCRIPT), *map(str, arguments)], capture_output=True, text=True,
                          timeout=60)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture
def verify(tmp_path):
    def check(signer, content, *more, ca=None):
        path, ca_path = tmp_path / "export.ndjson", tmp_path / "ca.pem"
        path.write_bytes(content)
        ca_path.write_text(exports.pem(ca or signer.ca))
        return run(path, *more, "--ca", ca_path)
    return check


def content_of(signer, **changes):
    return [first_line(signer, **changes)] + [line for ledger in exports.ledgers() for line in lines_of(ledger, signer)]


def test_the_vector():
    status, said = run(VECTOR / "export.ndjson", "--ca", VECTOR / "export-ca.pem")
    assert status == 0, said
    assert f"sound: agent {AGENT}: 3 entries, head 96c836035891332c2872b016a226a61b45ef35c18ed024ace141596cc3fccbe5, " \
           "countersigned up to 3" in said
    assert f"sound: agent {RENEWED}: 5 entries" in said


def test_every_byte_of_the_vector_counts(tmp_path):
    """Whatever byte is changed, it is noticed: the export is signed from its first byte to its last line."""
    whole, path = (VECTOR / "export.ndjson").read_bytes(), tmp_path / "export.ndjson"
    for at in range(0, len(whole), len(whole) // 60):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        assert run(path, "--ca", VECTOR / "export-ca.pem")[0] == 1, at


def test_the_ca_is_given_by_file_or_hash_and_not_taken_from_the_export(signer, tmp_path):
    path = tmp_path / "export.ndjson"
    path.write_bytes(sealed(signer, content_of(signer)))
    digest = exports.fingerprint(signer.ca)
    assert run(path, "--ca", digest)[0] == 0
    assert run(path, "--ca", digest.upper())[0] == 0
    status, said = run(path)
    assert status == 2 and "NOT PROVEN" in said and digest in said and "sound" not in said
    for other in ("0" * 64, digest[:-1], "no-such-file.pem", exports.fingerprint(Signer().ca)):
        status, said = run(path, "--ca", other)
        assert status == 1 and "another CA" in said


def test_a_forged_export_under_a_ca_of_its_own(signer, verify):
    status, said = verify(signer, sealed(Signer(), content_of(Signer())))
    assert status == 1 and "another CA" in said
    # the real CA in front, another's signatures behind
    other = Signer()
    content = content_of(other, ca=exports.pem(signer.ca))
    status, said = verify(signer, sealed(other, content))
    assert status == 1 and "does not lead to the CA" in said


def test_nothing_can_be_taken_out_or_added(signer, verify):
    lines = sealed(signer, content_of(signer)).splitlines(keepends=True)
    for at in range(len(lines)):
        status, said = verify(signer, b"".join(lines[:at] + lines[at + 1:]))
        assert status == 1, (at, said)
    for at in range(1, len(lines) - 1):
        assert verify(signer, b"".join(lines[:at] + [lines[at]] + lines[at:]))[0] == 1, at
    assert "last line is missing" in verify(signer, b"".join(lines[:-1]))[1]
    assert verify(signer, b"".join(lines) + b"\n")[0] == 1
    assert verify(signer, b"".join(lines) + lines[-1])[0] == 1
    assert verify(signer, lines[0])[0] == 1
    assert verify(signer, b"")[0] == 1


def test_exports_of_few(signer, verify):
    status, said = verify(signer, sealed(signer, [first_line(signer)]))
    assert status == 0 and "no ledgers" in said
    empty = Ledger(AGENT, AGENT, [])
    status, said = verify(signer, sealed(signer, [first_line(signer), *lines_of(empty, signer)]))
    assert status == 0 and "0 entries" in said and "countersigned up to 0" in said
    # sent, but not yet as far as the entry that says whose it is
    begun = Ledger(AGENT, AGENT, [exports.said(1, "first")])
    assert verify(signer, sealed(signer, [first_line(signer), *lines_of(begun, signer)]))[0] == 0


def test_receipts_stand_anywhere_behind_their_entry(signer, verify):
    ledger = exports.ledgers()[0]
    entries = ledger.entries
    content = [first_line(signer), ledger.head(), entries[0], ledger.receipt(signer, 1), entries[1], entries[2],
               ledger.receipt(signer, 2)]
    status, said = verify(signer, sealed(signer, content))
    assert status == 0 and "countersigned up to 2" in said
    content = [first_line(signer), ledger.head(), ledger.receipt(signer, 1), *entries]
    status, said = verify(signer, sealed(signer, content))
    assert status == 1 and "entry 1 is not the one that was stored" in said


@pytest.mark.parametrize("changes, says", [
    ({"organization": "8"}, "another agent's"),
    ({"agent": FORMER}, "another agent's"),
    ({"epoch": 3}, "not the one that was stored"),
    ({"chain": bytes(32)}, "not the one that was stored"),
    ({"sequence": 1, "chain": b"x" * 32}, "not the one that was stored"),
    ({"at": NOON - DAY}, "not valid when it signed"),
    ({"at": NOON + 11 * DAY}, "not valid when it signed"),
])
def test_receipts_that_are_signed_and_say_something_else(signer, verify, changes, says):
    ledger = exports.ledgers()[0]
    content = [first_line(signer), ledger.head(), *ledger.entries, ledger.receipt(signer, **changes)]
    status, said = verify(signer, sealed(signer, content))
    assert status == 1 and says in said and "a receipt" in said


def test_receipts_that_are_not_the_signers(signer, verify):
    ledger, other = exports.ledgers()[0], Signer()
    good = ledger.receipt(signer)
    forged = ledger.receipt(other)
    forged["receipt"]["signer_sha256"] = good["receipt"]["signer_sha256"]
    # a signature made for another purpose
    body = exports.base64.b64decode(good["receipt"]["body"])
    crossed = {"receipt": {**good["receipt"], **signer.sign(b"verifywise.export.v1", body)}}
    for bad, says in ((forged, "not over this"), (ledger.receipt(other), "not among those"), (crossed, "not over this")):
        status, said = verify(signer, sealed(signer, [first_line(signer), ledger.head(), *ledger.entries, bad]))
        assert status == 1 and says in said
    # the export's own signature by a signer that is none
    lines = sealed(signer, [first_line(signer)]).splitlines(keepends=True)
    last = {**json.loads(sealed(other, [first_line(signer)]).splitlines()[-1])}
    assert "not among those" in verify(signer, lines[0] + json.dumps(last).encode() + b"\n")[1]
    last["signer_sha256"] = exports.fingerprint(signer.certificate)
    assert "not over this" in verify(signer, lines[0] + json.dumps(last).encode() + b"\n")[1]


@pytest.mark.parametrize("options, says", [
    ({"uris": ()}, "not for receipts"),
    ({"uris": RECEIPTS + RECEIPTS}, "not for receipts"),
    ({"uris": RECEIPTS + (x509.DNSName("a.example"),)}, "not for receipts"),
    ({"uris": (x509.DNSName("spiffe://fleet.example/receipts"),)}, "not for receipts"),
    ({"uris": (x509.UniformResourceIdentifier("spiffe://other.example/receipts"),)}, "not for receipts"),
    ({"uris": (x509.UniformResourceIdentifier("spiffe://fleet.example/controller"),)}, "not for receipts"),
    ({"uris": (x509.UniformResourceIdentifier(f"spiffe://fleet.example/org/7/agent/{AGENT}"),)}, "not for receipts"),
    ({"usages": ()}, "not for receipts"),
    ({"usages": (x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH,)}, "not for receipts"),
    ({"signs": False}, "not for receipts"),
    ({"ends": NOON + DAY / 2}, "not valid when it signed"),
    ({"begins": NOON + 5 * DAY}, "not valid when it signed"),
    ({"more": [(x509.PolicyConstraints(0, 0), True)]}, "critical extension"),
])
def test_signers_that_are_none(verify, options, says):
    signer = Signer(**options)
    status, said = verify(signer, sealed(signer, content_of(signer)))
    assert status == 1 and says in said


def test_intermediates(verify):
    signer = Signer()
    root_key, between_key = exports.new_key(), exports.new_key()

    def under(path=None, **options):
        signer.ca = certificate("Root", root_key, ca=True, path=path, ends=NOON + 100 * DAY)
        between = certificate("Between", between_key, signer.ca, root_key, **{"ca": True, **options})
        signer.certificate = certificate("receipts", signer.key, between, between_key, uris=RECEIPTS)
        signer.shown = [between, signer.certificate]
        return verify(signer, sealed(signer, content_of(signer)))

    assert under()[0] == 0
    assert under(path=1)[0] == 0
    assert "does not lead" in under(path=0)[1]
    assert "does not lead" in under(ca=False)[1]
    assert "not valid" in under(ends=NOON + DAY / 2)[1]
    signer.shown = [signer.certificate]
    assert "does not lead" in verify(signer, sealed(signer, content_of(signer)))[1]


def test_a_ca_with_a_key_of_rsa(verify):
    from cryptography.hazmat.primitives.asymmetric import rsa
    signer, key = Signer(), rsa.generate_private_key(65537, 2048)
    signer.ca = certificate("RSA", key, ca=True)
    signer.certificate = certificate("receipts", signer.key, signer.ca, key, uris=RECEIPTS)
    signer.shown = [signer.certificate]
    assert verify(signer, sealed(signer, content_of(signer)))[0] == 0
    # its name and key id, another key
    signer.ca = certificate("RSA", rsa.generate_private_key(65537, 2048), ca=True)
    assert "does not lead" in verify(signer, sealed(signer, content_of(signer)))[1]


def test_ledgers_that_do_not_belong_into_it(signer, verify):
    first, second = exports.ledgers()
    stranger = Ledger(AGENT, AGENT, [exports.said(1, "first"), ("8", AGENT, 2)])
    for content, says in (
            ([*lines_of(first, signer), *lines_of(first, signer)], "does not belong"),
            ([stranger.head(), *stranger.entries], "does not belong"),
            ([{**second.head(), "genesis_agent": AGENT}, *second.entries], f"agent {RENEWED}: first bad entry: 1"),
            ([{**second.head(), "epoch": 2}, *second.entries], "another owner"),
            ([second.head(), *second.entries[:-1]], "ends with entry 4"),
            ([second.head(), *second.entries[:2], *second.entries[3:]], "first bad entry: 3"),
            (first.entries, "agent unknown")):
        status, said = verify(signer, sealed(signer, [first_line(signer), *content]))
        assert status == 1 and says in said, said


def test_a_noted_head(signer, verify):
    content = sealed(signer, content_of(signer))
    for ledger in exports.ledgers():
        for entry in ledger.entries:
            assert verify(signer, content, f"{entry['sequence']}:{entry['chain_sha256']}")[0] == 0
    for noted in (f"4:{exports.ledgers()[0].entries[2]['chain_sha256']}", "99:" + "0" * 64, "x:y", "1"):
        assert verify(signer, content, noted)[0] == 1


def test_other_first_lines(signer, verify):
    for changes in ({"export": "verifywise.ledger.v2"}, {"ca": "x"}, {"receipt_certificates": ["x"]},
                    {"receipt_certificates": []}, {"exported_at": "yesterday"}, {"trust_domain": None}):
        assert verify(signer, sealed(signer, content_of(signer, **changes)))[0] == 1
    assert verify(signer, b'{"export":"verifywise.ledger.v1","export":"verifywise.ledger.v1"}\n')[0] == 1
    assert verify(signer, b"[" * 100000 + b"\n")[0] == 1
    assert verify(signer, b"\xff\n")[0] == 1


def test_an_agents_export_has_no_ca(tmp_path, signer):
    ledger = exports.ledgers()[0]
    path = tmp_path / "agent.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [ledger.head(), *ledger.entries]))
    assert run(path)[0] == 0
    status, said = run(path, "--ca", exports.fingerprint(signer.ca))
    assert status == 1 and "no CA" in said


def test_openssl_verifies_the_vectors_receipt(tmp_path):
    """Three programs that share nothing agree on what is signed: the writer, the verifier, openssl."""
    lines = [json.loads(line) for line in (VECTOR / "export.ndjson").read_text().splitlines()]
    receipt = next(line["receipt"] for line in lines if "receipt" in line)
    body = exports.base64.b64decode(receipt["body"])
    signer = x509.load_pem_x509_certificate(lines[0]["receipt_certificates"][0].encode())
    key = signer.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "signature").write_bytes(exports.base64.b64decode(receipt["signature"]))
    (tmp_path / "signed").write_bytes(b"".join(exports.lp(part) for part in (b"verifywise.receipt.v1", body, b"")))
    subprocess.run(["openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "signature", "signed"], cwd=tmp_path,
                   check=True, timeout=30)

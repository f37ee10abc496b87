#!/usr/bin/env python3
"""Checks an exported vw-agent ledger without vw-agent; the format is in docs/ledger.md.

    verify_ledger.py EXPORT.ndjson [SEQUENCE:HASH]

SEQUENCE:HASH is a head that was noted earlier, outside of the agent's machine: the ledger must still contain it.
Ends with 0 if the chain is whole, with 1 and the first bad entry if it is not."""
import base64, hashlib, json, struct, sys

def sha256(data):
    return hashlib.sha256(data).digest()

def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data

def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)

def verify(lines, noted):
    head = json.loads(next(lines), object_pairs_hook=once)
    if head["ledger"] != "verifywise.ledger.v1":
        raise ValueError("unknown ledger format")
    owner = text(head["ledger"]) + text(head["organization"]) + text(head["agent"]) + struct.pack(">Q", head["epoch"])
    n, chain, hashes = 0, bytes(32), {}
    for n, line in enumerate(lines, 1):
        try:
            entry = json.loads(line, object_pairs_hook=once)
            payload = base64.b64decode(entry["payload"], validate=True)
            chain = sha256(owner + struct.pack(">Q", n) + chain + sha256(payload))
            if entry["sequence"] != n or entry["chain_sha256"] != chain.hex():
                raise ValueError("its hash or number does not follow from the entry before")
        except (ValueError, KeyError, TypeError) as problem:
            raise ValueError(f"first bad entry: {n} ({problem})")
        hashes[n] = chain.hex()
    if (n, chain.hex()) != (head["head"]["sequence"], head["head"]["chain_sha256"]):
        raise ValueError(f"ends with entry {n}, not with the head in its first line")
    if noted and hashes.get(int(noted.split(":")[0])) != noted.split(":")[1].lower():
        raise ValueError(f"does not contain the head noted earlier, {noted}: cut off or written anew")
    return f"{n} entries, head {chain.hex()}"

try:
    with open(sys.argv[1], encoding="utf-8") as export:
        print("sound:", verify(export, sys.argv[2] if len(sys.argv) > 2 else None))
except (ValueError, KeyError, TypeError, IndexError, OSError, StopIteration, struct.error) as problem:
    sys.exit(f"not sound: {str(problem) or 'no first line'}")

#!/usr/bin/env python3
"""Checks an exported vw-agent ledger without vw-agent; the format is in docs/ledger.md.

    verify_ledger.py EXPORT.ndjson [SEQUENCE:HASH]

SEQUENCE:HASH is a head that was noted earlier, outside of the agent's machine: the ledger must still contain it.
Ends with 0 if the chain is whole, with 1 and the first bad entry if it is not."""
import base64, hashlib, json, struct, sys

EPOCH_STARTED = 14  # AuditKind of verifywise/v1/audit.proto

def sha256(data):
    return hashlib.sha256(data).digest()

def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data

def once(pairs):
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)

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
        if at > len(message) or (number in wanted and number in found):
            raise ValueError("its payload is no packed message")
        found[number] = value
    return {number: found[number] for number in wanted if number in found}

def new_owner(payload):
    """(organization, agent, epoch) if the ledger has another owner from this entry on, itself included, else None."""
    body = fields(payload, 3, 4, 5)
    audit = fields(body.get(5, b""), 1, 11)
    kind = audit.get(1)
    if kind != EPOCH_STARTED and 11 not in audit:
        return None
    epoch = fields(audit[11], 1, 2, 3)
    owner = epoch[1].decode(), epoch[2].decode(), epoch[3]
    if kind != EPOCH_STARTED or len(body) != 1 or len(epoch[1]) > 15 or not 1 <= len(epoch[2]) <= 36:
        raise ValueError("it does not say whose the ledger is from here on")
    return owner

def verify(lines, noted):
    head = json.loads(next(lines), object_pairs_hook=once)
    if head["ledger"] != "verifywise.ledger.v1":
        raise ValueError("unknown ledger format")
    owner = "", head.get("genesis_agent", head["agent"]), 1
    n, chain, hashes = 0, bytes(32), {}
    for n, line in enumerate(lines, 1):
        try:
            entry = json.loads(line, object_pairs_hook=once)
            payload = base64.b64decode(entry["payload"], validate=True)
            begun = new_owner(payload)
            if begun and begun[2] != owner[2] + 1:
                raise ValueError("it begins an epoch that is not the next one")
            owner = begun or owner
            organization, agent, epoch = owner
            chain = sha256(text(head["ledger"]) + text(organization) + text(agent) + struct.pack(">QQ", epoch, n) +
                           chain + sha256(payload))
            if entry["sequence"] != n or entry["chain_sha256"] != chain.hex():
                raise ValueError("its hash or number does not follow from the entry before")
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as problem:
            raise ValueError(f"first bad entry: {n} ({problem})")
        hashes[n] = chain.hex()
    if (n, chain.hex()) != (head["head"]["sequence"], head["head"]["chain_sha256"]):
        raise ValueError(f"ends with entry {n}, not with the head in its first line")
    if owner != (head["organization"], head["agent"], head["epoch"]):
        raise ValueError("belongs to another owner at its end than its first line says")
    if noted and hashes.get(int(noted.split(":")[0])) != noted.split(":")[1].lower():
        raise ValueError(f"does not contain the head noted earlier, {noted}: cut off or written anew")
    return f"{n} entries, head {chain.hex()}"

try:
    with open(sys.argv[1], encoding="utf-8") as export:
        print("sound:", verify(export, sys.argv[2] if len(sys.argv) > 2 else None))
except (ValueError, KeyError, TypeError, AttributeError, IndexError, OSError, StopIteration, struct.error) as problem:
    sys.exit(f"not sound: {str(problem) or 'no first line'}")

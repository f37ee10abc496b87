#!/usr/bin/env python3
"""dns.py ADDRESS NAME: a name server on ADDRESS, port 53, that knows one name, and says 127.0.0.1 for it."""
import socket
import struct
import sys


def question(packet):
    """The asked name, its type, and the question's bytes."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack("!H", packet[at + 1 : at + 3])[0], packet[12 : at + 5]


def answer(packet, known):
    name, kind, asked = question(packet)
    found = name.lower() == known
    record = struct.pack("!HHHIH4B", 0xC00C, 1, 1, 60, 4, 127, 0, 0, 1) if found and kind == 1 else b""
    flags = 0x8580 if found else 0x8583
    return packet[:2] + struct.pack("!HHHHH", flags, 1, 1 if record else 0, 0, 0) + asked + record


def main(address, known):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        print("ready", flush=True)
        while True:
            packet, sender = server.recvfrom(4096)
            server.sendto(answer(packet, known), sender)


if __name__ == "__main__":
    main(*sys.argv[1:])

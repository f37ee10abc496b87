"""What a person sees on a terminal: badges in colour, tables as wide as the window, a progress line that goes away."""

import errno
import fcntl
import os
import re
import struct
import subprocess
import termios
import time

import pytest
from agent import OK
from proxies import Proxy

RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"


def on_terminal(a, *arguments, columns=100, **env):
    """Runs on a terminal of this width; all that appeared on it."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(a.command(*arguments), env={**a.env, **env}, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            seen += os.read(ours, 65536)
        except OSError as e:  # the last writer closed it
            assert e.errno == errno.EIO
            break
    os.close(ours)
    assert process.wait(60) == OK, seen
    return seen.decode()


def bare(text):
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text)


@pytest.fixture
def synced(small, agent):
    a = agent(small)
    a.sync()
    return a


def test_badges_in_colour(synced):
    shown = on_terminal(synced, "inventory")
    status = synced.inventory()[0]["compliance"]["status"]
    assert status == "gaps" and f"{RED}gaps" in shown and f"{GREEN}Production" in shown
    assert on_terminal(synced, "show", "model-0", "1").count(RED) > 0
    assert on_terminal(synced, "gaps").count(RED) > 0
    for plain in (on_terminal(synced, "inventory", NO_COLOR="1"), on_terminal(synced, "inventory", "--color", "never"),
                  synced.run("inventory").out):
        assert "\x1b[" not in plain
        assert [line.split() for line in plain.splitlines()][0] == bare(shown).splitlines()[0].split()
    assert PLAIN in synced.run("inventory", "--color", "always").out


@pytest.mark.parametrize("columns", [40, 60, 80, 132])
def test_tables_are_as_wide_as_the_window(synced, columns):
    for command in ("inventory", "gaps", "events"):
        lines = [bare(line.rstrip("\r")) for line in on_terminal(synced, command, columns=columns).split("\n")]
        table = [line for line in lines if line.startswith("model-") or " model-" in line]
        assert table and max(map(len, table)) <= columns, command


def test_a_progress_line_in_a_narrow_window(small, agent):
    with Proxy(small.url, before=lambda r: time.sleep(0.2)) as proxy:
        shown = on_terminal(agent(proxy.url, "mlflow: {page_versions: 3, connections: 1}\n"), "sync", columns=30)
    drawn = shown.split("\r\x1b[K")[1:-1]
    assert drawn and max(map(len, drawn)) < 30 and any(line.endswith("…") for line in drawn)


def test_a_progress_line_that_goes_away(small, agent):
    with Proxy(small.url, before=lambda r: time.sleep(0.2)) as proxy:
        a = agent(proxy.url, "mlflow: {page_versions: 3, page_models: 2, connections: 1}\n")
        shown = on_terminal(a, "sync")
    drawn = shown.split("\r\x1b[K")
    assert len(drawn) > 3
    assert any(re.match(r"models \d+.* \d+ requests", line) for line in drawn)
    assert any(re.match(r"versions \d+/18, \d pages, \d+ runs, \d+ requests, \d+/s, \d+ s left", line) for line in drawn)
    assert "18 new" in drawn[-1] and all("\n" not in line for line in drawn[:-1]), "nothing of it is left"

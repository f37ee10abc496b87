"""A wall clock that goes back between two syncs changes no order, no result and no chain (S3.3, S10.4)."""

import os
import subprocess

import pytest

# the agent's wall clock alone: its durations are measured by another
SOURCE = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *ts) {
    const char *ahead = getenv("VW_TEST_AHEAD");
    int code = (int)syscall(SYS_clock_gettime, id, ts);
    if (code == 0 && id == CLOCK_REALTIME && ahead) ts->tv_sec += atoll(ahead);
    return code;
}
"""
DAY = 86400


@pytest.fixture(scope="module")
def clock(tmp_path_factory):
    """clock(seconds): the environment of an agent whose clock is ahead by so much."""
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(SOURCE)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", folder / "clock.c"], check=True)
    return lambda ahead: {"LD_PRELOAD": str(folder / "clock.so"), "VW_TEST_AHEAD": str(ahead),
                          "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def test_a_clock_that_goes_back(small, agent, clock):
    ahead, level, behind = clock(2 * DAY), clock(0), clock(-2 * DAY)
    a = agent(small)
    a.run("sync", **ahead)
    first, content = a.audit(), a.content()
    for now in (level, behind):
        for depth in ("--quick", "--full"):
            result = a.run("sync", depth, "--format", "json", **now).json
            assert result["outcome"] == "ok" and 0 <= result["duration_ms"] < 60_000
            assert [result["counts"][k] for k in ("created", "updated", "removed")] == [0, 0, 0]
    rows = a.audit()
    assert rows[:len(first)] == first and [r["sequence"] for r in rows] == sorted(r["sequence"] for r in rows)
    finished = [r["recorded_at"] for r in rows if r["kind"] == "sync_finished"]
    assert len(finished) == 5 and finished[0] > finished[1] > finished[3], "entries say what the clock said"
    assert a.content() == content
    assert "clock went back" in a.run("doctor", code=None, **clock(-4 * DAY)).out
    assert a.run("status", **behind).out
    a.verify()

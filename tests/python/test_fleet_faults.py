"""Bad networks, full disks, clocks that jump, replicas that die: nothing is lost, nothing is made up, and it goes on by itself."""

import contextlib
import os
import pathlib
import statistics
import struct
import subprocess
import threading
import time

import pytest
from agent import SANITIZED
from fleet import Fleet, Registry, Toxiproxy, Wire, fleet_of, shared_database, until
from servers import free_port
from test_faults import small_disk
from test_fleet import POLICY

SLOW = 3 if SANITIZED else 1


def backlog(m, tmp_path, rounds):
    """Entries that wait: the same versions judged by one policy after another."""
    m.agent.sync()
    policy = tmp_path / "backlog.yaml"
    for i in range(rounds):
        policy.write_text(POLICY.format(id=f"b{i}", severity="low" if i % 2 else "high"))
        m.agent.run("evaluate", VW_POLICY_FILE=str(policy))
    return m.last()


# ---- networks ----


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A controller whose streams go through toxiproxy, and one member whose stream will be frozen while the other tests run."""
    folder = tmp_path_factory.mktemp("network")
    port = free_port()
    fleet = Fleet(folder, sessions={"endpoint": f"127.0.0.1:{port}", "heartbeat": "2s"})
    fleet.toxic = Toxiproxy(folder)
    fleet.toxic.proxy("streams", port, fleet.controller.port)
    yield fleet
    fleet.end()
    fleet.toxic.stop()


@pytest.fixture
def toxics(network):
    yield lambda kind, stream="downstream", **attributes: network.toxic.add("streams", kind, stream, **attributes)
    network.toxic.clear("streams")


@pytest.fixture
def member(network):
    before = len(network.members)
    yield network.member
    for m in network.members[before:]:
        m.end()
    del network.members[before:]


def test_latency(toxics, member, small, tmp_path):
    """Half a second there and back: a window, not a question and an answer for each batch."""
    m = member(uri=small)
    count = backlog(m, tmp_path, 40)
    toxics("latency", "upstream", latency=250, jitter=50)
    toxics("latency", "downstream", latency=250, jitter=50)
    begin = time.monotonic()
    m.start().connected().caught_up(20 * SLOW)
    assert time.monotonic() - begin < 10 * SLOW and count > 700
    m.order("sync", depth="quick")
    m.caught_up().same_ledger()


def test_a_thin_line(toxics, member, small, tmp_path):
    """A batch takes longer than three heartbeats: the line is slow, not silent."""
    m = member(uri=small)
    backlog(m, tmp_path, 35)
    toxics("bandwidth", "upstream", rate=60)
    m.start().connected()
    m.caught_up(90)
    assert not m.events("uplink_ended"), m.log
    m.same_ledger()


def test_slices(toxics, member, small, tmp_path):
    """Everything comes in crumbs."""
    m = member(uri=small)
    backlog(m, tmp_path, 10)
    for stream in ("upstream", "downstream"):
        toxics("slicer", stream, average_size=70, size_variation=50, delay=20)
    m.start().connected(30).caught_up(60).same_ledger()


def test_resets(network, toxics, member, small, tmp_path):
    """The connection is reset again and again in the middle of a backlog."""
    m = member(uri=small)
    backlog(m, tmp_path, 60)
    toxics("bandwidth", "upstream", rate=100)
    m.start()
    for n in range(1, 4):
        m.wait(lambda: m.value("controller_connects_total") == n, 30)
        time.sleep(0.7)
        network.toxic.add("streams", "reset_peer", timeout=0)
        m.wait(lambda: len(m.events("uplink_ended")) == n)
        network.toxic.remove("streams", "reset_peer")
    network.toxic.clear("streams")
    m.connected(60).caught_up(30).same_ledger()


def test_no_way_at_all_and_then_one(network, member, small, tmp_path):
    m = member(uri=small)
    count = backlog(m, tmp_path, 5)
    network.toxic.call("POST", "/proxies/streams", {"enabled": False})
    try:
        m.start()
        m.wait(lambda: len(m.events("uplink_unreachable")) >= 2)
        m.wait_syncs(1, outcome="ok")
        assert m.value("controller_queued_entries") >= count and m.ask("/progressz")[0] == 200
    finally:
        network.toxic.call("POST", "/proxies/streams", {"enabled": True})
    m.connected(30).caught_up().same_ledger()


@pytest.fixture(scope="module")
def forgotten(tmp_path_factory, small):
    """A member whose connection carries nothing any more, and does not end: begun early, since it needs a while to be noticed."""
    with Wire() as wire:
        fleet = Fleet(tmp_path_factory.mktemp("forgotten"), sessions={"endpoint": f"127.0.0.1:{wire.port}", "heartbeat": "2s"})
        wire.to = [fleet.controller.port]
        m = fleet.member(uri=small).start().connected()
        m.wait_syncs(1)
        m.caught_up()
        wire.freeze()
        m.frozen_at, m.wire = time.monotonic(), wire
        m.fleet = fleet
        yield m
        fleet.end()


@pytest.fixture(scope="module", autouse=True)
def begun_early(forgotten):
    return forgotten


def test_a_machine_that_failed_comes_again(forgotten, small):
    """Its last stream seems alive to the controller: it is told when that will be over, and is in a moment later."""
    m = forgotten.fleet.member(uri=small).start().connected()
    m.wait_syncs(1)
    forgotten.wire.freeze()
    m.kill()
    begin = time.monotonic()
    m.start()
    m.wait(lambda: [e for e in m.events("uplink_ended") if "duplicate_instance" in e["reason"]])
    until(lambda: m.value("controller_connected") == 1, 15 * SLOW, 0.1)
    assert time.monotonic() - begin < 12 * SLOW
    assert m.shown()["status"] == "active"
    m.caught_up().same_ledger()
    m.end()


# ---- disks ----


def fill(path):
    with open(path, "wb", buffering=0) as filler, contextlib.suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


class Growing:
    """Versions with much to say, and a member that reads them."""

    def __init__(self, registry):
        self.registry, self.count = registry, 0
        self.name = registry.model()
        self.config = f"scope: {{include: ['{registry.prefix}*']}}\nschedule: {{quick: 1h, full: 1h}}\nmlflow: {{requests_per_second: 1000, burst: 1000}}\n"

    def grow(self, m, count=25, size=4000):
        """Makes some, and has them read: the outcome."""
        for _ in range(count):
            self.registry.version(self.name, long=f"{self.count:06}" + "x" * size)
            self.count += 1
        return self.read(m)

    def read(self, m):
        before = len(m.events("sync_finished"))
        m.send(1)  # SIGHUP
        until(lambda: len(m.events("sync_finished")) > before, 30 * SLOW)
        return m.events("sync_finished")[-1]


@pytest.fixture
def growing(playground):
    registry = Registry(playground)
    yield Growing(registry)
    registry.close()


def test_the_agents_disk_is_full(growing, playground, tmp_path):
    """S3.3: it stops reading the source; the trail has no hole, and is sent."""
    fleet = Fleet(tmp_path / "fleet")
    (tmp_path / "fleet" / "member-1").mkdir()
    try:
        with small_disk(tmp_path / "fleet" / "member-1", "6m") as remount:
            m = fleet.member(uri=playground, config=growing.config)
            m.log_path = tmp_path / "agent.log"
            m.start().connected()
            m.wait_syncs(1, outcome="ok")
            fill(tmp_path / "fleet" / "member-1" / "filler")
            for _ in range(40):  # what is free inside of the file is used up first
                last = growing.grow(m)
                if last["outcome"] == "failed":
                    break
            assert last["outcome"] == "failed" and ("space" in last["reason"] or "full" in last["reason"]), last
            assert growing.read(m)["outcome"] == "failed"
            assert m.ask("/livez")[0] == 200
            m.agent.verify()
            assert m.stored() <= m.last()
            remount("size=60m")
            assert growing.read(m)["outcome"] == "ok"
            m.connected(60).caught_up(60).same_ledger()
            assert len(m.records()) == len(m.agent.inventory()) == growing.count
            m.end()
            assert "Sanitizer" not in m.log
    finally:
        fleet.end()


@contextlib.contextmanager
def small_store(kind, tmp_path):
    """A fleet whose controller's disk is small, and what makes it larger."""
    if kind == "lmdb":
        with small_disk(tmp_path / "fleet" / "a", "8m") as remount:
            fleet = Fleet(tmp_path / "fleet")
            try:
                yield fleet, lambda: fill(tmp_path / "fleet" / "a" / "filler"), lambda: remount("size=200m")
            finally:
                fleet.end()
        return
    database = shared_database()
    with small_disk(tmp_path / "tablespace", "8m") as remount:
        subprocess.run(["chmod", "a+x", *[str(p) for p in (tmp_path, *tmp_path.parents)][:-1]], check=True)
        subprocess.run(["chown", database.user or "root", tmp_path / "tablespace"], check=True)
        database.psql(f"CREATE TABLESPACE small LOCATION '{tmp_path / 'tablespace'}'")
        fleet = Fleet(tmp_path / "fleet", database)
        try:
            for i in range(16):
                database.psql(f"ALTER TABLE verifywise_fleet.ledger_{i} SET TABLESPACE small", fleet.controller.name)
            yield fleet, lambda: fill(tmp_path / "tablespace" / "filler"), lambda: remount("size=200m")
        finally:
            fleet.end()
            database.psql(f"DROP DATABASE {fleet.controller.name} WITH (FORCE)")
            database.psql("DROP TABLESPACE small")


@pytest.mark.parametrize("kind", ["lmdb", "postgresql"])
def test_the_controllers_disk_is_full(kind, growing, playground, tmp_path):
    """It acknowledges nothing that it has not stored; the agent keeps it; with room again all of it comes."""
    with small_store(kind, tmp_path) as (fleet, fill_disk, make_room):
        m = fleet.member(uri=playground, config=growing.config).start().connected()
        m.wait_syncs(1, outcome="ok")
        m.caught_up()
        fill_disk()
        for _ in range(40):
            assert growing.grow(m)["outcome"] == "ok"
            with contextlib.suppress(AssertionError):
                m.wait(lambda: m.value("controller_queued_entries") == 0, 3)
                continue
            break
        time.sleep(1)
        acknowledged = m.value("controller_acknowledged_sequence")
        assert m.value("controller_queued_entries") > 0
        assert fleet.controller.process.poll() is None
        assert fleet.controller.rest().raw("GET", "/healthz")[0] == 200
        time.sleep(2)
        assert m.value("controller_acknowledged_sequence") == acknowledged
        held = m.export()
        assert max(held) >= acknowledged, "acknowledged, and not there"
        make_room()
        m.wait(lambda: m.value("controller_queued_entries") == 0, 60)
        m.caught_up(60).same_ledger()
        assert len(m.records()) == growing.count
        m.end()


# ---- clocks ----

JUMPING = """
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static const volatile int64_t *ahead;
__attribute__((constructor)) static void find(void) {
    const char *path = getenv("VW_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) ahead = at;
    if (fd >= 0) close(fd);
}
int clock_gettime(clockid_t id, struct timespec *ts) {
    int code = (int)syscall(SYS_clock_gettime, id, ts);
    if (code == 0 && id == CLOCK_REALTIME && ahead) ts->tv_sec += *ahead;
    return code;
}
int gettimeofday(struct timeval *tv, void *zone) {
    struct timespec ts;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *out) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    if (out) *out = ts.tv_sec;
    return ts.tv_sec;
}
"""
DAY = 86400


class Clock:
    """The wall clock of the processes that have its environment: it can jump while they run."""

    def __init__(self, folder, library):
        self.path = pathlib.Path(folder) / "clock"
        self.env = {"LD_PRELOAD": str(library), "VW_TEST_CLOCK": str(self.path),
                    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        self.set(0)

    def set(self, ahead):
        with open(self.path, "r+b" if self.path.exists() else "w+b") as file:
            file.write(struct.pack("=q", ahead))


@pytest.fixture(scope="module")
def jumping(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jumping")
    (folder / "clock.c").write_text(JUMPING)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "clock.so", folder / "clock.c"], check=True)
    return folder / "clock.so"


def test_the_agents_clock_jumps(network, member, small, tmp_path, jumping):
    """A day ahead and a day behind, with a stream open and at its beginning: said, and over when the clock is right."""
    clock = Clock(tmp_path, jumping)
    m = member(uri=small)
    m.env.update(clock.env)
    m.start().connected()
    m.wait_syncs(1)
    for ahead in (DAY, -DAY):
        clock.set(ahead)
        m.order("sync", depth="full")  # what is open goes on
        m.caught_up()
        m.stop()
        m.start()
        m.wait(lambda: m.progress()[1]["controller"]["state"] in ("waiting", "refused"), 20)
        m.wait_syncs(1)
        m.wait(lambda: m.progress()[1]["controller"]["rejection"] == "clock_skew" or m.progress()[1]["controller"]["error"], 20)
        assert not m.is_connected()
        clock.set(0)
        m.connected(60).caught_up()
    assert m.shown()["status"] == "active"
    m.same_ledger()


def test_the_controllers_clock_jumps(small, tmp_path, jumping):
    """Two days ahead every agent's certificate has expired; back again nothing is left of it."""
    clock = Clock(tmp_path, jumping)
    fleet = Fleet(tmp_path / "fleet", sessions={"heartbeat": "2s"})
    try:
        fleet.controller.stop()
        fleet.controller.env.update(clock.env)
        fleet.controller.start()
        m = fleet.member(uri=small).start().connected()
        m.wait_syncs(1)
        m.caught_up()
        before = m.stored()
        clock.set(2 * DAY)
        time.sleep(3)
        m.reload("reloaded")
        m.wait_syncs(2)
        time.sleep(2)
        clock.set(0)
        m.connected(90).caught_up(60).same_ledger()
        assert m.stored() >= before and m.shown()["status"] == "active"
        m.order("rotate_certificate")
        fresh = fleet.member(uri=small).start().connected()
        fresh.wait_syncs(1)
        fresh.caught_up().same_ledger()
    finally:
        fleet.end()


# ---- replicas ----


@pytest.fixture(scope="module")
def replicas(tmp_path_factory, small):
    """Three controllers over one PostgreSQL behind a balancer, and nine agents of three organizations."""
    streams, https = Wire().start(), Wire().start()
    fleet = fleet_of("postgresql", tmp_path_factory.mktemp("replicas"), hosts=["127.0.0.1"],
                     sessions={"endpoint": f"127.0.0.1:{streams.port}", "heartbeat": "2s"})
    fleet.all = [fleet.controller] + [fleet.replica(name, sessions={"endpoint": f"127.0.0.1:{streams.port}", "heartbeat": "2s"}) for name in "bc"]
    streams.to, https.to = [c.port for c in fleet.all], [c.https for c in fleet.all]
    organizations = [fleet.controller.organization() for _ in range(3)]
    fleet.agents = []
    for organization in organizations * 3:
        m = fleet.member(organization, uri=small, enroll=False)
        m.enroll(url=f"https://127.0.0.1:{https.port}")
        fleet.agents.append(m.start())
    for m in fleet.agents:
        m.connected()
        m.wait_syncs(1)
    yield fleet
    fleet.end()
    streams.stop()
    https.stop()


def of(fleet, m):
    """The replica that has its stream."""
    return next(c for c in fleet.all if c.replica == m.presence()["replica"])


def test_agents_are_on_all_replicas_and_each_sees_all(replicas):
    spread = [of(replicas, m) for m in replicas.agents]
    assert {c.replica for c in spread} == {"a", "b", "c"}
    for c in replicas.all:
        assert c.metric("sessions") == spread.count(c)
        assert c.metric("agents_connected") == 9
        for m in replicas.agents:
            assert c.operator.get(f"/api/v1/agents/{m.id}", organization=m.organization)["presence"]["connected"]


def test_commands_come_from_any_replica(replicas):
    """Routed by the database's notifications: at once, wherever the agent is."""
    waits = []
    for m in replicas.agents[:3]:
        for c in replicas.all:
            begin = time.monotonic()
            id = c.operator.post(f"/api/v1/agents/{m.id}/commands", {"kind": "reevaluate"}, organization=m.organization)["id"]
            until(lambda: m.command_state(id)["state"] == "done", 10, 0.01)
            waits.append(time.monotonic() - begin)
    assert statistics.median(waits) < 1 * SLOW, waits


def test_revocation_reaches_the_stream_on_any_replica(replicas):
    """Within a second, said to a replica that has not the stream."""
    for m in replicas.agents[:3]:
        other = next(c for c in replicas.all if c is not of(replicas, m))
        other.operator.post(f"/api/v1/agents/{m.id}/revoke", {"reason": "test"}, organization=m.organization)
        begin = time.monotonic()
        m.wait(lambda: m.value("controller_connected") == 0, 5)
        assert time.monotonic() - begin < 1 * SLOW
        other.operator.post(f"/api/v1/agents/{m.id}/activate", {}, organization=m.organization)
        m.stop()
        m.start().connected()


def test_a_replica_dies_in_mid_stream(replicas, tmp_path):
    """Its agents are on another within seconds, and nothing is lost."""
    victims = [m for m in replicas.agents if of(replicas, m) is replicas.all[1]]
    assert victims
    stop = threading.Event()

    def feed():
        """Streams are busy all the while."""
        while not stop.wait(0.1):
            for m in victims:
                with contextlib.suppress(Exception):
                    m.command("reevaluate")
                    m.command("resend", from_sequence=1)

    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        time.sleep(0.5)
        replicas.all[1].kill()
        begin = time.monotonic()
        for m in victims:
            until(lambda: m.presence()["replica"] != "b" and m.presence()["connected"], 20 * SLOW, 0.05)
        print(f"\n{len(victims)} agents of a killed replica were on another after {time.monotonic() - begin:.1f} s")
        assert time.monotonic() - begin < 10 * SLOW
    finally:
        stop.set()
        feeder.join()
    for m in victims:
        assert replicas.all[2].operator.get(f"/api/v1/agents/{m.id}", organization=m.organization)["presence"]["connected"]
        m.order("sync", depth="quick")
        m.caught_up().same_ledger()
        assert len(m.records()) == 18
    replicas.all[1].start()
    assert replicas.all[1].operator.get("/api/v1/overview", organization=victims[0].organization)


def test_the_database_restarts(replicas):
    """Streams stay, and who comes anew meanwhile gets in as soon as it is back; notifications work again afterwards."""
    database, quiet = replicas.controller.database, replicas.agents[3:]
    ended = [len(m.events("uplink_ended")) for m in quiet]
    database.kill()
    time.sleep(1)
    for m in replicas.agents[:3]:
        m.reload("reloaded")
    database.launch()
    for m in replicas.agents:
        m.connected(20 * SLOW).caught_up(20 * SLOW)
    assert [len(m.events("uplink_ended")) for m in quiet] == ended, "a stream ended because the store was away"
    for m, c in zip(replicas.agents, replicas.all):
        id = c.operator.post(f"/api/v1/agents/{m.id}/commands", {"kind": "reevaluate"}, organization=m.organization)["id"]
        assert m.finished(id, 20)["state"] == "done"
    for m in replicas.agents:
        m.same_ledger()


# ---- what was begun early ----


def test_a_line_that_a_machine_between_forgot(forgotten):
    """Half-open: both ends think that it is there. Each notices by itself, and the agent comes anew."""
    m = forgotten
    until(lambda: [e for e in m.controller.events("session_closed") if e["agent"] == m.id], what="the controller's notice")
    until(lambda: m.events("uplink_ended"), 120, 0.5, what="the agent's notice")
    m.connected(30)
    m.order("sync", depth="quick")
    m.caught_up().same_ledger()

"""The server fails, the disk fails, the agent is killed: nothing committed is lost, nothing wrong is concluded (S12, S3.3)."""

import contextlib
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest
from agent import CANCELLED, CHAIN, DATABASE, OK, SANITIZED, SUSPECT, UNREACHABLE, interrupt
from proxies import Answer, Proxy

API = "/api/2.0/mlflow/"
FAST = "mlflow: {retries: 3, page_versions: 4, page_models: 2, connections: 2, requests_per_second: 1000, burst: 1000}\n"
SEED = int(os.environ.get("VW_TEST_SEED", random.randrange(2**31)))


class Breaker:
    """A proxy in front of a server whose faults can be switched while an agent keeps its address."""

    def __init__(self, url):
        self.before = self.after = None
        self.proxy = Proxy(url, before=lambda r: self.before(r) if self.before else None,
                           after=lambda r, a: self.after(r, a) if self.after else None)

    def heal(self):
        self.before = self.after = None


@pytest.fixture
def breaker(small):
    b = Breaker(small.url)
    with b.proxy:
        yield b


@pytest.fixture
def impatient(breaker, agent):
    return agent(breaker.proxy.url, FAST.replace("retries: 3", "retries: 1"))


@pytest.fixture
def broken(breaker, agent):
    """An agent whose way to the server can be broken."""
    return agent(breaker.proxy.url, FAST)


@pytest.fixture(scope="session")
def reference(small, tmp_path_factory):
    """What a sync without any fault knows."""
    from agent import Agent

    a = Agent(tmp_path_factory.mktemp("reference") / "state", small.url)
    a.sync()
    assert len(a.inventory()) == 18
    return without_source(a.content())


def without_source(content):
    """Without the address, which differs from proxy to proxy and is in the hash."""
    return {k: {f: v for f, v in r.items() if f not in ("source", "record_sha256")} for k, r in content.items()}


def once_each(answer):
    """A fault that strikes the first try of each different request."""
    struck = set()

    def before(request):
        key = (request.method, request.target, request.body)
        if key in struck:
            return None
        struck.add(key)
        return answer() if callable(answer) else answer

    return before


# ---- faults that pass ----


@pytest.mark.parametrize("fault", [
    Answer(500, b'{"error_code": "INTERNAL_ERROR", "message": "AST constructor recursion depth mismatch"}'),
    Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
    Answer(503, b"no"), Answer(504, b""), Answer(reset=True), Answer(200, b"x" * 4000, cut=100),
], ids=["500", "502", "503", "504", "reset", "cut"])
def test_a_fault_that_passes_is_retried(breaker, broken, reference, fault):
    breaker.before = once_each(fault)
    broken.sync()
    assert without_source(broken.content()) == reference
    finished = broken.audit()[-1]
    assert finished["audit"]["outcome"] == "ok" and finished["audit"]["counts"]["retries"] > 0


def test_truncated_json_of_a_complete_answer(breaker, broken, reference):
    struck = set()

    def after(request, answer):
        if request.target in struck or "search" not in request.path:
            return None
        struck.add(request.target)
        return Answer(200, answer.body[:len(answer.body) // 2], {"Content-Type": "application/json"}, cut=len(answer.body))

    breaker.after = after
    broken.sync(code=None)
    breaker.heal()
    broken.sync()
    assert without_source(broken.content()) == reference


def test_retry_after_is_honoured(breaker, broken, reference):
    times = []

    def before(request):
        if request.path.endswith("model-versions/search"):
            times.append(time.monotonic())
            if len(times) == 1:
                return Answer(429, b"slow down", {"Retry-After": "2"})
        return None

    breaker.before = before
    broken.sync()
    assert times[1] - times[0] >= 1.9
    assert without_source(broken.content()) == reference


# ---- faults that stay ----


def test_runs_that_cannot_be_read_make_partial_records(breaker, impatient, reference):
    breaker.before = lambda r: Answer(500, b"{}") if "/runs/" in r.path else None
    result = impatient.sync(code=None, timeout=120)
    records = impatient.inventory()
    assert len(records) == 18, result
    for record in records:
        assert record["completeness"]["state"] == "partial"
        assert {r["code"] for r in record["completeness"]["reasons"]} == {"run_fetch_failed"}
    assert {r["version_number"] for r in impatient.audit() if r["kind"] == "incomplete"}
    breaker.heal()
    impatient.sync()
    assert without_source(impatient.content()) == reference


@pytest.mark.parametrize("call, status", [("runs/search", 400), ("runs/search", 404), ("experiments/search", 404)])
def test_a_server_without_a_batch_call_is_asked_one_by_one(breaker, broken, reference, call, status):
    body = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid attribute key"}' if status == 400 else b"Not Found"
    breaker.before = lambda r: Answer(status, body) if r.path.endswith(call) else None
    broken.sync()
    assert without_source(broken.content()) == reference


def test_an_experiment_that_may_not_be_read(breaker, impatient, reference):
    breaker.before = lambda r: Answer(403, b"Permission denied") if "/experiments/" in r.path else None
    impatient.sync()
    for record in impatient.inventory():
        assert [r["code"] for r in record["completeness"]["reasons"]] == ["experiment_forbidden"]
        assert record["training"]["training_status"] == "FINISHED" and record["lineage"]["experiment_name"] is None
    breaker.heal()
    impatient.sync()
    assert without_source(impatient.content()) == reference


def test_a_known_version_keeps_its_run_while_runs_cannot_be_read(breaker, impatient):
    impatient.sync()
    before = {k: r["training"] for k, r in impatient.content().items()}
    breaker.before = lambda r: Answer(500, b"{}") if "/runs/" in r.path else None
    impatient.sync(code=None, timeout=120)
    assert {k: r["training"] for k, r in impatient.content().items()} == before
    breaker.heal()
    impatient.sync()
    assert all(r["completeness"]["state"] == "complete" for r in impatient.inventory())


@pytest.mark.parametrize("body", [b"{\"model_versions\": [", b"[]", b"null", b"\xff\xfe\x00", b"{}}", b"[" * 5000],
                         ids=["cut", "list", "null", "binary", "extra", "deep"])
def test_one_page_of_nonsense_removes_nothing(breaker, broken, body):
    broken.sync()
    content = broken.content()
    pages = []

    def before(request):
        if request.path.endswith("model-versions/search"):
            pages.append(request)
            if "page_token" in request.parameters:
                return Answer(200, body, {"Content-Type": "application/json"})
        return None

    breaker.before = before
    broken.sync(code=None)
    assert pages
    assert broken.content().keys() == content.keys()
    assert not [e for e in broken.events() if e["field"] == "removed"]
    breaker.heal()
    broken.sync()
    assert broken.content() == content


def test_objects_of_nonsense_beside_good_ones(breaker, broken, reference):
    strange = [None, 7, "x", [], {}, {"name": None}, {"name": "n"}, {"version": "1"}, {"name": 5, "version": "1"},
               {"name": "model-strange", "version": "1", "tags": {"a": 1}, "creation_timestamp": "soon",
                "last_updated_timestamp": 1e300, "current_stage": 9, "run_id": [], "status": None, "aliases": "x"}]

    def after(request, answer):
        if not request.path.endswith("model-versions/search") or answer.status != 200:
            return None
        page = json.loads(answer.body)
        page["model_versions"] = strange + page.get("model_versions", [])
        return Answer(200, json.dumps(page).encode(), {"Content-Type": "application/json"})

    breaker.after = after
    broken.sync(code=None)
    content = without_source(broken.content())
    assert {k: v for k, v in content.items() if k in reference} == reference
    extra = {k for k in content if k not in reference}
    assert extra == {(None, "model-strange", "1"), (None, "5", "1")}, "what has a name and a number is not lost"
    broken.verify()


def test_all_numbers_may_be_strings(breaker, broken, reference):
    """Servers before 1.22 write int64 as strings."""
    def as_strings(value):
        if isinstance(value, dict):
            return {k: as_strings(v) for k, v in value.items()}
        if isinstance(value, list):
            return [as_strings(v) for v in value]
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    def after(request, answer):
        if not request.path.startswith(API):
            return None
        return Answer(answer.status, json.dumps(as_strings(json.loads(answer.body))).encode(), answer.headers)

    breaker.after = after
    broken.sync()
    assert without_source(broken.content()) == reference


def test_empty_pages_with_a_token_go_on(breaker, broken, reference):
    """An empty page in front of each listing, as permissions on single objects make them."""
    def before(request):
        if request.parameters.get("page_token") == ["in-front"]:
            request.query = request.query.replace("page_token=in-front", "").replace("&&", "&").strip("&")
        elif request.method == "GET" and request.path.endswith("/search") and "page_token" not in request.parameters:
            return Answer(200, b'{"next_page_token": "in-front"}', {"Content-Type": "application/json"})
        return None

    breaker.before = before
    broken.sync()
    assert without_source(broken.content()) == reference


def test_a_server_that_refuses_everything(breaker, broken):
    broken.sync()
    content = broken.content()
    for status in (401, 403, 404):
        breaker.before = lambda r, status=status: Answer(status, b"Invalid Host header", {"Content-Type": "text/plain"})
        result = broken.sync(code=None)
        assert result.code not in (OK, SUSPECT) and str(status) in result.err, result
        assert broken.content() == content
    failed = [r for r in broken.audit() if r["kind"] == "sync_finished" and r["audit"]["outcome"] == "failed"]
    assert len(failed) == 3


def test_404_of_a_model_that_is_only_hidden_from_a_listing_is_no_removal(breaker, broken):
    broken.sync()
    content = broken.content()

    def after(request, answer):
        if not request.path.endswith("/search") or answer.status != 200:
            return None
        page = json.loads(answer.body)
        for key in ("model_versions", "registered_models"):
            page[key] = [m for m in page.get(key, []) if m["name"] != "model-3"]
        return Answer(200, json.dumps(page).encode(), {"Content-Type": "application/json"})

    breaker.after = after
    broken.sync(code=None)
    assert broken.content().keys() == content.keys()

    def forbidden(request):
        return Answer(403, b"Permission denied") if request.parameters.get("name") == ["model-3"] else None

    breaker.before = forbidden
    broken.sync(code=None)
    assert broken.content().keys() == content.keys()


def empty_registry(request):
    if request.path.endswith(("registered-models/search", "model-versions/search")):
        return Answer(200, b"{}", {"Content-Type": "application/json"})
    if request.path.endswith(("registered-models/get", "model-versions/get")):
        return Answer(404, b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "not found"}',
                      {"Content-Type": "application/json"})
    return None


def test_an_empty_listing_after_a_full_one_is_suspect(breaker, broken):
    broken.sync()
    content = broken.content()
    breaker.before = empty_registry
    for _ in range(2):
        result = broken.sync(code=SUSPECT)
        assert "--accept-empty" in result.err
        assert broken.content() == content
    result = broken.sync("--accept-empty")
    assert broken.inventory() == []
    assert len([e for e in broken.events() if e["field"] == "removed"]) == 18
    broken.verify()
    broken.sync()  # empty after empty is nothing strange


def test_answers_are_capped(breaker, broken):
    """A gzip bomb and a body that never fits must cost an error, not memory."""
    bomb = gzip.compress(b" " * (300 << 20), 9)
    breaker.before = lambda r: Answer(200, bomb, {"Content-Type": "application/json", "Content-Encoding": "gzip"}) \
        if r.path.endswith("registered-models/search") else None
    process = broken.start("sync")
    peak = 0
    while process.poll() is None:
        with contextlib.suppress(OSError, IndexError):
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max(peak, int(re.search(r"VmHWM:\s+(\d+)", status)[1]) if "VmHWM" in status else 0)
        time.sleep(0.02)
    out, err = process.communicate()
    assert process.returncode > 0, (out, err)
    assert peak < 200_000 or SANITIZED, f"{peak} KiB"  # the cap is 64 MiB of decoded body


# ---- cancelling ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["registered-models/search", "model-versions/search", "runs/search"])
def test_a_signal_ends_a_sync_within_a_second(breaker, broken, reference, number, where):
    stalled = []

    def before(request):
        if request.path.endswith(where):
            stalled.append(request)
            return Answer(200, b"{}", stall=30) if len(stalled) > 1 or where == "runs/search" else None
        return None

    breaker.before = before
    process = broken.start("sync")
    enough = 2 if where != "runs/search" else 1
    end = time.monotonic() + 30
    while len(stalled) < enough and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    at = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == CANCELLED, (process.returncode, out, err)
    assert time.monotonic() - at < (4 if SANITIZED else 1.2)
    broken.verify()
    assert broken.audit()[-1]["audit"]["outcome"] == "cancelled"
    breaker.heal()
    broken.sync()
    assert without_source(broken.content()) == reference


# ---- killing ----


def test_killed_a_hundred_times(breaker, broken, reference):
    """kill -9 at random points; the chain verifies each time, and the next whole sync reaches the same state."""
    chance = random.Random(SEED)
    breaker.before = lambda r: time.sleep(0.004)
    at = time.monotonic()
    broken.sync()
    whole = time.monotonic() - at
    kills = 0
    begun = False  # something was committed to this state
    for attempt in range(400):
        if kills == 100:
            break
        if attempt % 8 == 0:
            shutil.rmtree(broken.state, ignore_errors=True)
            begun = False
        process = broken.start("sync")
        try:
            process.wait(chance.uniform(0, whole * 1.05))
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
        result = broken.run("audit", "verify", code=None)
        empty = result.code == DATABASE and "nothing is stored" in result.err and not begun
        assert result.code == OK or empty, f"seed {SEED}, attempt {attempt}: {result}"
        begun = begun or result.code == OK
        if attempt % 8 == 7:
            broken.sync()
            assert without_source(broken.content()) == reference, f"seed {SEED}, attempt {attempt}"
    assert kills == 100
    broken.sync()
    broken.verify()
    assert without_source(broken.content()) == reference


# ---- the disk ----


@contextlib.contextmanager
def small_disk(path, size):
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", path], capture_output=True)
    if done.returncode:
        pytest.skip("this system does not let us mount a small file system")
    try:
        yield lambda options: subprocess.run(["mount", "-o", f"remount,{options}", path], check=True)
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_is_an_error_and_loses_nothing(newest, agent, tmp_path):
    with small_disk(tmp_path / "disk", "600k") as remount:
        config = "mlflow: {page_versions: 5}\n"
        a = agent(newest, config, state=tmp_path / "disk" / "state")
        a.env["HOME"] = str(tmp_path)
        result = a.sync(code=DATABASE)
        assert "space" in result.err.lower() or "full" in result.err.lower(), result
        check = a.run("audit", "verify", code=None)
        assert check.code in (OK, DATABASE), check
        remount("size=64m")
        a.sync()
        a.verify()
        assert len(a.inventory()) > 80


def test_a_full_disk_between_two_syncs(small, agent, tmp_path):
    with small_disk(tmp_path / "disk", "8m") as remount:
        a = agent(small, state=tmp_path / "disk" / "state")
        a.sync()
        content = a.content()
        with open(tmp_path / "disk" / "filler", "wb", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(b"x" * 4096)
        a.sync(code=None)
        assert a.content() == content
        (tmp_path / "disk" / "filler").unlink()
        a.sync()
        a.verify()
        assert a.content() == content
        assert remount


def test_a_read_only_disk(small, agent, tmp_path):
    with small_disk(tmp_path / "disk", "16m") as remount:
        a = agent(small, state=tmp_path / "disk" / "state")
        a.sync()
        content = a.content()
        remount("ro")
        result = a.sync(code=DATABASE)
        assert "read-only" in result.err.lower(), result
        assert a.content() == content
        a.verify()


def test_a_second_process_on_the_same_state(breaker, broken):
    broken.sync()
    content = broken.content()
    stalled = []

    def before(request):
        if request.path.endswith("model-versions/search"):
            stalled.append(request)
            return Answer(200, b"{}", stall=20)
        return None

    breaker.before = before
    first = broken.start("sync")
    while not stalled and first.poll() is None:
        time.sleep(0.01)
    at = time.monotonic()
    result = broken.sync(code=DATABASE)
    assert time.monotonic() - at < 10
    assert "another" in result.err.lower() or "in use" in result.err.lower(), result
    assert broken.content() == content, "reading goes on beside a sync"
    assert interrupt(first).code == CANCELLED


def flips(data, chance, count):
    changed = bytearray(data)
    for _ in range(count):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_flipped_bits_are_an_error_or_make_no_difference(small, agent, tmp_path):
    chance = random.Random(SEED)
    a = agent(small)
    a.sync()
    file = next(a.state.rglob("*.mdb"))
    file = file.with_name("data.mdb")
    sound, content = file.read_bytes(), a.inventory()
    seen = set()
    for attempt in range(40):
        file.write_bytes(flips(sound, chance, 1 + attempt % 3 * 20))
        check = a.run("audit", "verify", code=None)
        assert check.code in (OK, DATABASE, CHAIN), f"seed {SEED}, attempt {attempt}: {check}"
        seen.add(check.code)
        listing = a.run("inventory", "--format", "json", code=None)
        assert listing.code in (OK, DATABASE), f"seed {SEED}, attempt {attempt}: {listing}"
        if listing.code == OK:
            assert listing.json == content, f"seed {SEED}, attempt {attempt}"
    assert seen != {OK}
    file.write_bytes(sound)
    a.verify()


@pytest.mark.parametrize("keep", [0, 100, 4096, 8192, 0.5, 0.9])
def test_a_torn_file(small, agent, keep):
    a = agent(small)
    a.sync()
    file = next(a.state.rglob("data.mdb"))
    sound, content = file.read_bytes(), a.inventory()
    length = keep if isinstance(keep, int) else int(len(sound) * keep) // 4096 * 4096
    file.write_bytes(sound[:length])
    for command in (["inventory", "--format", "json"], ["audit", "verify"], ["sync"]):
        result = a.run(*command, code=None)
        fresh = command == ["sync"] and keep == 0  # an empty file is a new state
        assert result.code in (DATABASE, CHAIN) or fresh or (result.code == OK and command[0] == "inventory"
                                                             and result.json in (content, [])), result
        assert result.err or result.code == OK


# ---- the server goes away ----


def test_a_server_that_dies_in_the_middle(breaker, broken, reference):
    count = []

    def before(request):
        count.append(request)
        return Answer(reset=True) if len(count) > 7 else None

    breaker.before = before
    result = broken.sync(code=UNREACHABLE, timeout=60)
    assert result.err
    broken.verify()
    breaker.heal()
    broken.sync()
    assert without_source(broken.content()) == reference

"""One sync cycle's decisions, against a stand-in that does what a real server does only at unlucky moments (S1.2, S6, S9, S12)."""

import json
import time

import pytest
from agent import CANCELLED, CONFIGURATION, OK, UNREACHABLE, interrupt
from proxies import Answer
from stand_in import GONE, Space, StandIn, answer, failure

FAST = dict(retries=0, page_versions=4, page_models=2, connections=2, requests_per_second=1000, burst=1000)


@pytest.fixture
def server():
    with StandIn() as s:
        yield s


@pytest.fixture
def synced(server, agent):
    """synced(the rest of the configuration, settings of mlflow): an agent of the stand-in."""
    def make(more="", **mlflow):
        return agent(server.url, f"mlflow: {json.dumps({**FAST, **mlflow})}\n{more}\n")

    return make


def versions(a, *arguments):
    return [(r["workspace"], r["model_name"], r["version_number"]) for r in a.inventory(*arguments)]


def reasons(record):
    return [r["code"] for r in record["completeness"]["reasons"]]


def news(a, *arguments, code=OK):
    before = len(a.audit()) if (a.state / "data.mdb").exists() else 0
    a.sync(*arguments, code=code)
    return a.audit()[before:]


def kinds(rows):
    return [r["kind"] for r in rows]


NOW = int(time.time() * 1000)


# ---- versions whose model is not in the listing of models ----


def test_a_quick_sync_keeps_out_what_is_out_of_scope(server, synced):
    """Editing a version's description moves the version's time and not its model's: the model is not in the quick listing."""
    for i in range(5):
        server.space.version(f"good-{i}", 1, NOW - 10_000_000)
        server.space.version(f"bad-{i}", 1, NOW - 9_000_000)
    server.space.model("prompt", NOW - 9_000_000, {"mlflow.prompt.is_prompt": "true"})
    server.space.version("prompt", 1, NOW - 9_000_000)
    a = synced(more="scope: {exclude: ['bad-*']}")
    a.sync()
    assert len(versions(a)) == 5
    for name in ("good-1", "bad-1", "prompt"):
        server.space.versions[name, "1"].update(description="edited", last_updated_timestamp=NOW)
    server.space.version("good-0", 2, NOW)
    rows = news(a, "--quick")
    assert {(r["model_name"], r["version_number"]) for r in rows if r["kind"] == "ingested"} == {("good-1", "1"), ("good-0", "2")}
    assert rows[-1]["audit"]["counts"]["versions_excluded"] >= 1
    assert kinds(news(a, "--quick")) == ["sync_finished"]


def test_a_quick_sync_asks_for_a_model_it_never_saw(server, synced):
    server.space.version("old", 1, NOW - 10_000_000)
    a = synced()
    a.sync()
    server.space.version("new", 1, NOW, tags=[{"key": "owner", "value": "x"}])
    server.space.models["new"]["last_updated_timestamp"] = 5  # whatever the reason
    server.space.models["new"]["aliases"] = [{"alias": "champion", "version": "1"}]
    a.sync("--quick")
    assert a.record("new", "1")["lifecycle"]["lifecycle_stage"] == "Production"


def test_a_model_made_between_the_two_listings(server, synced):
    server.space.version("seen", 1)
    for name, tags in (("late", {}), ("late-prompt", {"mlflow.prompt.is_prompt": "true"}), ("late-out", {"ignore": "1"})):
        server.space.model(name, tags=tags)
        server.space.version(name, 1)
    late = {"late", "late-prompt", "late-out"}

    def hook(request):
        if request.path.endswith("registered-models/search"):
            server.unlisted = late
        if request.path.endswith("model-versions/search"):
            server.unlisted = set()

    server.hook = hook
    a = synced(more="scope: {exclude_tags: [ignore]}")
    rows = news(a)
    assert versions(a) == [(None, "late", "1"), (None, "seen", "1")]
    counts = rows[-1]["audit"]["counts"]
    assert (counts["models"], counts["models_excluded"], counts["prompts"]) == (2, 1, 1)
    assert (counts["versions"], counts["versions_excluded"]) == (2, 2)
    assert reasons(a.record("late", "1")) == []


def test_a_version_whose_model_cannot_be_read(server, synced):
    server.space.version("m", 1)
    server.space.version("other", 1)
    server.space.models["m"].update(tags=[{"key": "owner", "value": "ann"}], aliases=[{"alias": "champion", "version": "1"}],
                                    description="what it is")
    whole = dict(server.space.models)
    a = synced()
    del server.space.models["m"]
    a.sync()
    first = a.record("m", "1")
    assert reasons(first) == ["model_fetch_failed"] and first["identity"]["owner"] == "ann"
    server.space.models.update(whole)
    a.sync()
    known = a.record("m", "1")
    assert reasons(known) == [] and known["lifecycle"]["lifecycle_stage"] == "Production"
    # the model's facts are forgotten while neither it nor its version is listed, for the versions may still be there
    server.unlisted.add("m")
    server.hook = lambda r: failure(403, "PERMISSION_DENIED") if r.path.endswith("/get") else None
    a.sync()
    assert (None, "m", "1") in versions(a)
    server.unlisted.clear()
    server.hook = lambda r: (failure(403, "PERMISSION_DENIED") if "registered-models/get" in r.path else
                             server.listing([whole["other"]], "registered_models", r.parameters)
                             if "registered-models/search" in r.path else None)
    rows = news(a)
    blind = a.record("m", "1")
    assert reasons(blind) == ["model_fetch_failed"]
    assert blind["identity"] == known["identity"] and blind["lifecycle"] == known["lifecycle"]
    assert not [r for r in rows if r["kind"] == "deployment_event"], "an alias that cannot be seen did not move"
    assert kinds(news(a)) == ["sync_finished"], "what stays partial is not written again"
    server.hook = None
    a.sync()
    assert a.record("m", "1")["record_sha256"] == known["record_sha256"]


# ---- what a server leaves out ----


def test_values_that_are_too_large_or_unreadable_are_said(server, synced):
    huge = "x" * 200_000
    server.space.version("cut", 1, tags=[{"key": "note", "value": huge}, {"key": "owner", "value": "ann"}])
    server.space.version("model-cut", 1)
    server.space.models["model-cut"]["tags"] = [{"key": "note", "value": huge}]
    run = server.space.version("run-odd", 1)
    server.space.runs[run]["data"]["params"] = [{"key": "depth", "value": {"not": "text"}}]
    server.space.version("good", 1)
    a = synced()
    rows = news(a)
    assert reasons(a.record("cut", "1")) == ["value_too_large"]
    assert a.record("cut", "1")["identity"]["owner"] == "ann"
    assert reasons(a.record("model-cut", "1")) == ["value_too_large"]
    assert reasons(a.record("run-odd", "1")) == ["response_invalid"]
    assert a.record("run-odd", "1")["training"]["training_status"] == "FINISHED"
    assert reasons(a.record("good", "1")) == []
    assert {r["model_name"] for r in rows if r["kind"] == "incomplete"} == {"cut", "model-cut", "run-odd"}
    assert kinds(news(a)) == ["sync_finished"]


def test_pages_that_are_too_large_come_in_smaller_ones(server, synced):
    for i in range(9):
        for number in (1, 2):
            server.space.version(f"m{i}", number)
    largest = {"registered-models/search": [], "model-versions/search": [], "runs/search": []}

    def hook(request):
        for end, sizes in largest.items():
            if not request.path.endswith(end):
                continue
            body = json.loads(request.body or b"{}")
            size = int(body.get("max_results") or request.parameters["max_results"][0])
            sizes.append(size)
            if size > (2 if "runs" in end else 1):
                return failure(413, "TOO_LARGE")
        return None

    server.hook = hook
    a = synced()
    a.sync()
    assert len(versions(a)) == 18 and all(reasons(r) == [] for r in a.inventory())
    assert not server.calls("runs/get"), "a batch that is too large is halved"
    assert all(min(sizes) <= 2 for sizes in largest.values())
    server.hook = lambda r: failure(413, "TOO_LARGE") if r.path.endswith("model-versions/search") else None
    result = a.sync(code=UNREACHABLE)
    assert "model-versions/search" in result.err and len(versions(a)) == 18


def test_a_listing_that_goes_round_in_circles_ends(server, synced):
    for i in range(9):
        server.space.version(f"m{i}", 1)

    def hook(request):
        if request.path.endswith("model-versions/search"):
            return answer({"model_versions": list(server.space.versions.values())[:2], "next_page_token": "again"})
        return None

    server.hook = hook
    a = synced()
    result = a.sync(code=UNREACHABLE)
    assert "does not end" in result.err
    assert len(server.calls("model-versions/search")) < 6
    assert a.audit()[-1]["audit"]["outcome"] == "failed"
    assert not [e for e in a.events() if e["field"] == "removed"]


def test_a_page_that_lists_a_version_twice(server, synced):
    server.space.version("m", 1)
    a = synced()
    double = list(server.space.versions.values()) * 2
    server.hook = lambda r: answer({"model_versions": double}) if r.path.endswith("model-versions/search") else None
    assert kinds(news(a)).count("ingested") == 1
    double[:] = [{**double[0], "creation_timestamp": 2000}] * 2
    rows = news(a)
    assert (kinds(rows).count("removed"), kinds(rows).count("ingested")) == (1, 1), "another creation time is a new life"
    a.verify()


# ---- runs and experiments ----


def test_silence_of_a_search_that_failed_confirms_nothing(server, synced):
    """A run that was forbidden once is only taken for forbidden while a search that could show it does not."""
    run = server.space.version("m", 1)
    server.space.version("logged", 1, source="models:/m-0123")
    server.hidden.add("1")
    a = synced()
    a.sync()
    assert reasons(a.record("m", "1")) == ["run_forbidden"]
    server.forget_calls()
    a.sync()
    assert reasons(a.record("m", "1")) == ["run_forbidden"]
    server.hidden.clear()
    server.hook = lambda r: failure(500, "INTERNAL_ERROR") if r.path.endswith("runs/search") else None
    a.sync()
    assert reasons(a.record("m", "1")) == [] and a.record("m", "1")["lifecycle"]["source_run_id"] == run
    server.hook = None
    server.hidden.add("1")
    a.sync()
    assert reasons(a.record("m", "1")) == ["run_forbidden"]
    server.hidden.clear()
    server.hook = lambda r: failure(403, "PERMISSION_DENIED") if r.path.endswith("experiments/search") else None
    a.sync()
    assert reasons(a.record("m", "1")) == [], "and without experiments there is no search at all"


@pytest.mark.parametrize("status, code, reason", [
    (403, "PERMISSION_DENIED", "experiment_forbidden"), (404, GONE, "experiment_not_found"),
    (500, "INTERNAL_ERROR", "experiment_fetch_failed"),
])
def test_why_an_experiment_was_not_seen(server, synced, status, code, reason):
    server.space.version("m", 1)

    def hook(request):
        if request.path.endswith("experiments/get"):
            return failure(status, code)
        return answer({}) if request.path.endswith("experiments/search") else None

    server.hook = hook
    a = synced()
    a.sync()
    record = a.record("m", "1")
    assert reasons(record) == [reason] and record["training"]["training_status"] == "FINISHED"
    server.hook = None
    a.sync()
    assert reasons(a.record("m", "1")) == [] and a.record("m", "1")["lineage"]["experiment_name"] == "one"


def test_a_logged_model_batch_that_fails_blames_no_other(server, synced):
    for i in range(60):
        server.space.version(f"m{i:02}", 1, run=None, source=f"models:/m-{i:04}")

    def hook(request):
        if not request.path.endswith("logged-models/search"):
            return None
        return failure(403, "PERMISSION_DENIED") if b"m-0059" in request.body else None

    server.hook = hook
    a = synced(page_versions=100)
    a.sync()
    blamed = {r["model_name"] for r in a.inventory() if reasons(r) == ["logged_model_fetch_failed"]}
    assert blamed == {f"m{i:02}" for i in range(50, 60)}


def test_a_server_that_is_gone_is_not_every_run_s_misfortune(server, synced):
    for i in range(60):
        server.space.version(f"m{i:02}", 1)
    server.hook = lambda r: Answer(503, b"") if "/runs/" in r.path else None
    a = synced(page_versions=100)
    a.sync(code=UNREACHABLE)
    assert versions(a) == [] and len(server.calls("runs/get")) < 30


# ---- cancelling ----


@pytest.mark.parametrize("where", ["registered-models/search", "registered-models/get", "model-versions/search", "runs/search",
                                   "runs/get", "experiments/get", "model-versions/get", "server-info"])
@pytest.mark.parametrize("by", ["signal", "timeout"])
def test_an_end_in_any_phase_concludes_nothing(server, synced, where, by):
    for i in range(3):
        server.space.version(f"m{i}", 1)
        server.space.version(f"m{i}", 2)
    a = synced(cycle_timeout="1s" if by == "timeout" else "0s")
    a.sync()
    content = a.content()
    # all phases have something to do
    gone = server.space.versions.pop(("m0", "1"))
    server.unlisted.add("m1")
    stalled = []

    def hook(request):
        if request.path.endswith("model-versions/search"):
            server.unlisted.discard("m1")
        if request.path.endswith(where):
            stalled.append(request)
            return Answer(200, b"{}", stall=20)
        if request.path.endswith("experiments/search") and where != "runs/search":
            return failure(403, "PERMISSION_DENIED")
        if request.path.endswith("runs/get"):
            run = {**server.space.runs[request.parameters["run_id"][0]]}
            run["info"] = {**run["info"], "experiment_id": "77"}
            return answer({"run": run})
        return None

    server.hook = hook
    process = a.start("sync")
    end = time.monotonic() + 20
    while not stalled and time.monotonic() < end and process.poll() is None:
        time.sleep(0.01)
    assert stalled, process.communicate()
    if by == "signal":
        result = interrupt(process)
        assert result.code == CANCELLED, result
    else:
        out, err = process.communicate(timeout=10)
        assert process.returncode == UNREACHABLE, (out, err)
    rows = a.audit()
    assert rows[-1]["kind"] == "sync_finished" and rows[-1]["audit"]["outcome"] == ("cancelled" if by == "signal" else "failed")
    assert "removed" not in kinds(rows) and not [r for r in rows if "run_" in r["text"]], rows
    assert a.content().keys() == content.keys()
    a.verify()
    server.hook = None
    server.space.versions["m0", "1"] = gone
    a.sync()
    assert a.content() == content


# ---- the state ----


def test_a_slip_in_the_address_binds_nothing(server, synced, agent):
    server.space.version("m", 1)
    a = synced()
    a.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    a.sync(code=UNREACHABLE)
    a.env["MLFLOW_TRACKING_URI"] = server.url
    a.sync()
    a.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    assert "--accept-source" in a.sync(code=CONFIGURATION).err


def test_a_first_sync_that_was_killed_binds_the_state(server, synced):
    for i in range(9):
        server.space.version(f"m{i}", 1)
    seen = []

    def hook(request):
        if request.path.endswith("model-versions/search"):
            seen.append(request)
            if len(seen) > 1:
                return Answer(200, b"{}", stall=20)
        return None

    server.hook = hook
    a = synced(connections=1)
    process = a.start("sync")
    end = time.monotonic() + 20
    while time.monotonic() < end and not (len(seen) > 1 and a.run("inventory", code=None).out.count("m")):
        time.sleep(0.02)
    process.kill()
    process.communicate()
    assert versions(a)
    a.env["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    assert "--accept-source" in a.sync(code=CONFIGURATION).err


def test_a_time_in_the_future_does_not_blind_quick_syncs(server, synced):
    server.space.version("m", 1, NOW + 10**10)
    a = synced()
    a.sync()
    server.space.version("m", 2, int(time.time() * 1000))
    a.sync("--quick")
    assert len(versions(a)) == 2


def test_a_change_behind_a_long_walk_is_seen_by_the_next_quick_sync(server, synced):
    """The walk has passed `a` when it changes; later it meets a change of `z` that is much newer."""
    server.space.version("a", 1, NOW - 10**9)
    for i in range(20):
        server.space.version(f"m{i:02}", 1, NOW - 10**9)
    server.space.version("z", 1, NOW - 10**9)
    a = synced()
    a.sync()

    def hook(request):
        if request.path.endswith("versions/search") and request.parameters.get("page_token") == ["16"]:
            server.space.versions["a", "1"].update(current_stage="Production", last_updated_timestamp=int(time.time() * 1000))
            server.space.versions["z", "1"].update(last_updated_timestamp=int(time.time() * 1000) + 3_600_000)
        return None

    server.hook = hook
    a.sync("--full")
    server.hook = None
    assert a.record("a", "1")["lifecycle"]["lifecycle_stage"] == "None"
    a.sync("--quick")
    assert a.record("a", "1")["lifecycle"]["lifecycle_stage"] == "Production"


def test_evaluate_starts_no_cycle_and_says_what_changed_once(server, synced, tmp_path):
    server.space.version("m", 1)
    a = synced()
    a.sync()
    policy = tmp_path / "policy.yaml"
    policy.write_text("policy: {id: p, version: 1}\nrules:\n  - {id: r, title: t, severity: high, "
                      "require: {field: identity.business_purpose, present: true}}\n")
    config = tmp_path / "other.yaml"
    config.write_text(a.config.read_text() + f"policy_file: {policy}\n")
    a.config = config
    before = len(a.audit())
    a.run("evaluate")
    rows = a.audit()[before:]
    assert kinds(rows) == ["policy_changed", "config_changed", "ingested"]
    assert all(r["access"]["credential"] is None for r in rows[:2]), "nothing was read with any"
    assert kinds(news(a)) == ["sync_finished"]


def test_out_of_scope_and_back(server, synced):
    for name in ("a", "b"):
        server.space.version(name, 1)
    a = synced()
    a.sync()
    with_b = a.config.read_text()
    a.config.write_text(with_b + "scope: {exclude: [b]}\n")
    rows = news(a)
    assert [r["event"]["source"] for r in rows if r["kind"] == "removed"] == ["configuration"]
    assert versions(a) == [(None, "a", "1")]
    assert not server.calls("registered-models/get"), "nobody has to be asked about it"
    a.config.write_text(with_b)
    rows = news(a)
    assert [(r["model_name"], r["event"]["field"]) for r in rows if r["event"]] == [("b", "first_seen")]
    assert versions(a) == [(None, "a", "1"), (None, "b", "1")]
    a.verify()


def test_one_model_by_name_and_by_glob(server, synced):
    for name in ("a1", "a2", "b1", "a1*"):
        server.space.version(name, 1)
        server.space.version(name, 2)
    a = synced()
    a.sync("--model", "a1")
    assert versions(a) == [(None, "a1", "1"), (None, "a1", "2")]
    a.sync("--model", "a1\\*")
    assert {v[1] for v in versions(a)} == {"a1", "a1*"}
    a.sync("--model", "a*")
    assert {v[1] for v in versions(a)} == {"a1", "a2", "a1*"}
    a.sync()
    for name in ("a1", "a2", "b1"):
        del server.space.versions[name, "1"]
    a.sync("--model", "a1")
    assert len(versions(a)) == 7
    a.sync("--model", "a?")
    assert len(versions(a)) == 6
    del server.space.models["b1"], server.space.versions["b1", "2"]
    a.sync("--model", "b1")
    assert [v for v in versions(a) if v[1] == "b1"] == []
    assert a.run("status", "--format", "json").json["models"] >= 3
    a.sync("--model", "none-such")
    assert len(versions(a)) == 4


# ---- workspaces ----


@pytest.fixture
def spaces(server):
    server.offered = ["default", "team-a", "team-b"]
    server.spaces = {name: Space() for name in server.offered}
    for name, space in server.spaces.items():
        for number in (1, 2):
            space.version("shared", number, tags=[{"key": "owner", "value": name}])
        space.version(f"only-{name}", 1)
    server.spaces["team-a"].model("secret", tags={"mlflow.prompt.is_prompt": "true"})
    return server.spaces


def test_a_prompt_of_one_workspace_is_a_model_in_another(server, spaces, synced):
    spaces["team-b"].version("secret", 1)
    a = synced()
    a.sync()
    assert ("team-b", "secret", "1") in versions(a) and len(versions(a)) == 10
    for workspace in spaces:
        record = next(r for r in a.inventory() if (r["workspace"], r["model_name"]) == (workspace, "shared"))
        assert record["identity"]["owner"] == workspace
    assert kinds(news(a)) == ["sync_finished"]
    del spaces["team-a"].versions["shared", "1"]
    rows = news(a)
    assert len([r for r in rows if r["kind"] == "removed"]) == 1 and len(versions(a)) == 9


def test_one_workspace_that_is_empty_is_suspect_and_the_others_go_on(server, spaces, synced):
    a = synced()
    a.sync()
    kept = {k: dict(v) for k, v in spaces["team-a"].versions.items()}
    spaces["team-a"].versions.clear()
    spaces["team-b"].version("more", 1)
    result = a.sync(code=6)
    assert "team-a" in result.err
    assert ("team-b", "more", "1") in versions(a) and ("team-a", "shared", "1") in versions(a)
    spaces["team-a"].versions.update(kept)
    a.sync()


def test_a_workspace_that_is_not_offered_any_more(server, spaces, synced):
    a = synced()
    a.sync()
    server.offered = ["default", "team-b"]
    server.hook = lambda r: failure(403, "PERMISSION_DENIED") if r.headers.get("x-mlflow-workspace") == "team-a" else None
    a.sync()
    assert ("team-a", "shared", "1") in versions(a), "closed to this credential is not deleted"
    server.hook = None
    del spaces["team-a"]
    rows = news(a)
    assert {r["model_name"] for r in rows if r["kind"] == "removed"} == {"shared", "only-team-a"}
    assert {v[0] for v in versions(a)} == {"default", "team-b"}
    assert kinds(news(a)) == ["sync_finished"]


def test_a_list_of_workspaces_that_fails_is_no_server_without(server, spaces, synced):
    a = synced()
    a.sync()
    for end in ("server-info", "mlflow/workspaces"):
        server.hook = lambda r, end=end: failure(500, "INTERNAL_ERROR") if r.path.endswith(end) else None
        a.sync(code=UNREACHABLE)
        assert {v[0] for v in versions(a)} == {"default", "team-a", "team-b"}


def test_a_server_that_gets_workspaces(server, synced):
    server.space.version("m", 1)
    a = synced()
    a.sync()
    server.offered = ["default"]
    server.spaces = {"default": server.space}
    rows = news(a)
    assert versions(a) == [("default", "m", "1")]
    assert [r["event"]["source"] for r in rows if r["kind"] == "removed"] == ["configuration"]


def test_one_workspace_alone(server, spaces, synced):
    a = synced(workspace="team-a")
    a.sync()
    assert {v[0] for v in versions(a)} == {"team-a"}
    assert all(r.headers.get("x-mlflow-workspace") == "team-a" for r in server.calls("search"))

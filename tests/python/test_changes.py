"""Every edit that MLflow allows is seen by the next sync, as a changed record and as events and audit entries (S9, S10)."""

import itertools
import json
import subprocess
import sys

import pytest
from proxies import Proxy
from servers import HERE

numbers = itertools.count()


@pytest.fixture(scope="session")
def client(playground):
    import os

    os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=playground.url)


@pytest.fixture
def model(client):
    """A registered model with two versions, each with a run, in an experiment of their own."""
    name = f"changes-{next(numbers)}"
    experiment = client.create_experiment(f"{name} experiment")
    client.create_registered_model(name, tags={"owner": "team"})
    for _ in range(2):
        add_version(client, name, experiment)
    yield name
    if name in {m.name for m in client.search_registered_models(f"name = '{name}'")}:
        client.delete_registered_model(name)


def add_version(client, name, experiment=None):
    experiment = experiment or client.get_experiment_by_name(f"{name} experiment").experiment_id
    run = client.create_run(experiment)
    client.log_param(run.info.run_id, "depth", "3")
    client.log_metric(run.info.run_id, "auc", 0.8, timestamp=1_700_000_000_000)
    client.set_terminated(run.info.run_id)
    return client.create_model_version(name, f"{run.info.artifact_uri}/model", run.info.run_id, await_creation_for=0).version


def run_of(client, name, version="1"):
    return client.get_model_version(name, version).run_id


@pytest.fixture
def synced(playground, agent, model):
    """An agent that knows the model, and looks at nothing else."""
    a = agent(playground, f"scope: {{include: ['{model}*']}}\n")
    a.sync()
    assert [r["version_number"] for r in a.inventory()] == ["1", "2"]
    return a


def news(a, *arguments):
    """(events, other audit rows) that a sync adds."""
    before = {r["id"] for r in a.audit()}
    a.sync(*arguments)
    rows = [r for r in a.audit() if r["id"] not in before]
    events = {(r["version_number"], r["event"]["field"]): (r["event"]["from"], r["event"]["to"])
              for r in rows if r["kind"] in ("deployment_event", "removed")}
    return events, rows


def changed(rows):
    """{version: fields} of the rows that say what was ingested."""
    return {r["version_number"]: r["text"] for r in rows if r["kind"] == "ingested"}


def test_first_sight(synced, model):
    events = synced.events()
    assert {(e["model_name"], e["version_number"], e["field"]) for e in events} == \
        {(model, "1", "first_seen"), (model, "2", "first_seen")}
    kinds = [r["kind"] for r in synced.audit()]
    assert kinds[0] == "sync_started" and kinds[-1] == "sync_finished" and kinds.count("ingested") == 2


def test_an_unchanged_registry_costs_one_audit_entry(synced, playground):
    content = synced.content()
    for depth in ("--full", "--quick", "--full"):
        events, rows = news(synced, depth)
        assert [r["kind"] for r in rows] == ["sync_finished"] and not events
        counts = rows[0]["audit"]["counts"]
        assert counts["created"] == counts["updated"] == counts["removed"] == 0
        if depth == "--full":
            assert counts["unchanged"] == 2
        assert rows[0]["access"]["source_uri"] == playground.recorder.url
        assert rows[0]["access"]["credential"] == "none"
        assert synced.content() == content


def test_alias_moves(synced, client, model):
    client.set_registered_model_alias(model, "champion", "1")
    events, rows = news(synced)
    assert events == {("1", "aliases"): (None, "champion"), ("1", "lifecycle_stage"): ("None", "Production"),
                      ("1", "deployment_status"): ("not_deployed", "deployed")} or \
        events == {("1", "aliases"): ("", "champion"), ("1", "lifecycle_stage"): ("None", "Production"),
                   ("1", "deployment_status"): ("not_deployed", "deployed")}
    assert all(e["mlflow_updated_at"] is None for e in synced.events() if e["field"] == "aliases")
    client.set_registered_model_alias(model, "champion", "2")
    events, rows = news(synced)
    assert events[("1", "lifecycle_stage")] == ("Production", "None")
    assert events[("2", "lifecycle_stage")] == ("None", "Production")
    assert {("1", "aliases"), ("2", "aliases")} <= events.keys()
    client.delete_registered_model_alias(model, "champion")
    events, rows = news(synced)
    assert events[("2", "lifecycle_stage")] == ("Production", "None")
    assert set(changed(rows)) >= {"2"}


def test_stage_transition(synced, client, model):
    client.transition_model_version_stage(model, "1", "Production")
    events, rows = news(synced)
    assert events == {("1", "mlflow_stage"): ("None", "Production"), ("1", "lifecycle_stage"): ("None", "Production"),
                      ("1", "deployment_status"): ("not_deployed", "deployed")}
    version = client.get_model_version(model, "1")
    event = next(e for e in synced.events() if e["field"] == "mlflow_stage")
    assert event["source"] == "stage" and event["mlflow_updated_at"] is not None
    assert synced.record(model, "1")["lifecycle"]["last_updated_at"] == event["mlflow_updated_at"]
    assert version.current_stage == "Production"
    client.transition_model_version_stage(model, "2", "Production", archive_existing_versions=True)
    events, rows = news(synced)
    assert events[("1", "lifecycle_stage")] == ("Production", "Archived")
    assert events[("2", "lifecycle_stage")] == ("None", "Production")


def test_a_quick_sync_sees_stages_and_new_versions(synced, client, model):
    client.transition_model_version_stage(model, "2", "Staging")
    add_version(client, model)
    events, rows = news(synced, "--quick")
    assert events[("2", "lifecycle_stage")] == ("None", "Staging")
    assert ("3", "first_seen") in events
    assert ("1", "lifecycle_stage") not in events


def test_tags_are_seen_though_no_timestamp_moves(synced, client, model):
    client.set_model_version_tag(model, "1", "risk_category", "High")
    events, rows = news(synced)
    assert not events and set(changed(rows)) == {"1"}
    assert "risk.risk_category" in changed(rows)["1"] and "lifecycle.tags" in changed(rows)["1"]
    assert synced.record(model, "1")["risk"]["risk_category"] == "high"
    client.set_registered_model_tag(model, "owner", "another team")
    events, rows = news(synced)
    assert set(changed(rows)) == {"1", "2"} and "identity.owner" in changed(rows)["2"]
    client.delete_model_version_tag(model, "1", "risk_category")
    client.delete_registered_model_tag(model, "owner")
    news(synced)
    record = synced.record(model, "1")
    assert record["risk"]["risk_category"] is None and record["lifecycle"]["tags"] == {}
    assert record["identity"]["tags"] == {}


def test_descriptions(synced, client, model):
    client.update_registered_model(model, description="of the model")
    client.update_model_version(model, "2", description="of the version")
    events, rows = news(synced)
    assert set(changed(rows)) == {"1", "2"}
    record = synced.record(model, "2")
    assert (record["identity"]["description"], record["lifecycle"]["version_description"]) == ("of the model", "of the version")


def test_run_edits(synced, client, model):
    run_id = run_of(client, model)
    client.log_metric(run_id, "auc", 0.9, timestamp=1_700_000_000_001, step=1)
    client.log_param(run_id, "width", "7")
    client.set_tag(run_id, "fairness.checked", "yes")
    client.set_terminated(run_id, "FAILED")
    events, rows = news(synced)
    assert not events and set(changed(rows)) == {"1"}
    training = synced.record(model, "1")["training"]
    assert training["metrics"] == [{"key": "auc", "value": 0.9, "step": 1, "timestamp": "2023-11-14T22:13:20.001Z", "dataset": None}]
    assert training["hyperparameters"] == {"depth": "3", "width": "7"}
    assert training["evaluation_tags"] == {"fairness.checked": "yes"}
    assert training["training_status"] == "FAILED"


def test_experiment_edits(synced, client, model):
    experiment = client.get_experiment_by_name(f"{model} experiment").experiment_id
    client.rename_experiment(experiment, f"{model} renamed")
    client.set_experiment_tag(experiment, "regulation", "GDPR")
    events, rows = news(synced)
    assert set(changed(rows)) == {"1", "2"}
    record = synced.record(model, "1")
    assert record["lineage"]["experiment_name"] == f"{model} renamed"
    assert record["risk"]["regulatory_scope"] == ["GDPR"]


def test_deleted_restored_and_collected_run(synced, client, model, playground):
    run_id = run_of(client, model)
    before = synced.record(model, "1")
    client.delete_run(run_id)
    news(synced)
    deleted = synced.record(model, "1")
    assert [r["code"] for r in deleted["completeness"]["reasons"]] == ["run_deleted"]
    assert deleted["training"] == before["training"]
    client.restore_run(run_id)
    news(synced)
    assert synced.record(model, "1")["completeness"] == before["completeness"]
    client.delete_run(run_id)
    for table in ("tags", "params", "latest_metrics", "metrics", "runs"):
        playground.sql(f"DELETE FROM {table} WHERE run_uuid = ?", run_id)
    events, rows = news(synced)
    gone = synced.record(model, "1")
    assert [r["code"] for r in gone["completeness"]["reasons"]] == ["run_not_found"]
    assert gone["completeness"]["state"] == "partial"
    assert gone["training"] == before["training"], "what an earlier complete record knew is kept"
    assert "training" in gone["completeness"]["stale"] and gone["completeness"]["stale_since_at"]
    assert [r["version_number"] for r in rows if r["kind"] == "incomplete"] == ["1"]
    events, rows = news(synced)
    assert [r["kind"] for r in rows] == ["sync_finished"], "a record that stays partial is not written again"


def test_deleted_version(synced, client, model):
    client.transition_model_version_stage(model, "1", "Archived")
    news(synced)
    client.delete_model_version(model, "1")
    events, rows = news(synced)
    assert list(events) == [("1", "removed")]
    removed = next(r for r in rows if r["kind"] == "removed")
    assert removed["event"]["from"] == "Archived"
    assert [r["version_number"] for r in synced.inventory()] == ["2"]
    synced.verify()


def test_a_quick_sync_removes_nothing(synced, client, model):
    client.delete_model_version(model, "1")
    events, rows = news(synced, "--quick")
    assert not events
    events, rows = news(synced, "--full")
    assert list(events) == [("1", "removed")]


def test_deleted_model_and_its_second_life(synced, client, model):
    first = synced.record(model, "1")
    client.delete_registered_model(model)
    result = synced.run("sync", "--accept-empty")
    assert "2 removed" in result.out and synced.inventory() == []
    client.create_registered_model(model, tags={"owner": "second team"})
    add_version(client, model)
    events, rows = news(synced)
    assert list(events) == [("1", "first_seen")]
    second = synced.record(model, "1")
    assert second["identity"]["owner"] == "second team" and second["removed_at"] is None
    assert second["first_seen_at"] >= first["first_seen_at"]
    fields = [e["field"] for e in synced.events() if e["version_number"] == "1"]
    assert fields.count("first_seen") == 2 and fields.count("removed") == 1


def test_recreated_between_two_syncs_is_a_new_life(synced, client, model):
    client.delete_registered_model(model)
    client.create_registered_model(model, tags={"owner": "second team"})
    add_version(client, model)
    events, rows = news(synced)
    assert ("1", "first_seen") in events or ("1", "removed") in events, events
    assert ("2", "removed") in events
    assert synced.record(model, "1")["identity"]["owner"] == "second team"


def test_renamed_model(synced, client, model):
    client.rename_registered_model(model, f"{model}-renamed")
    before = {r["id"] for r in synced.audit()}
    synced.sync()
    rows = [r for r in synced.audit() if r["id"] not in before and r["event"]]
    found = {(r["model_name"], r["version_number"], r["event"]["field"]) for r in rows}
    assert found == {(model, "1", "removed"), (model, "2", "removed"), (f"{model}-renamed", "1", "first_seen"),
                     (f"{model}-renamed", "2", "first_seen")}
    client.rename_registered_model(f"{model}-renamed", model)


def test_what_is_left_out_is_counted_and_not_kept(playground, agent, client, model, tmp_path):
    client.set_registered_model_tag(model, "tier", "sandbox")
    a = agent(playground)
    a.sync()
    all_of_them = len(a.inventory())
    (tmp_path / "scope.yaml").write_text("scope: {exclude_tags: ['tier=sand*']}\n")
    a.config = tmp_path / "scope.yaml"
    result = a.sync()
    assert "left out by configuration: 1 models" in result.out, result
    assert len(a.inventory()) == all_of_them - 2
    assert [r["kind"] for r in a.audit()].count("config_changed") == 1


def test_sync_of_one_model_touches_no_other(playground, agent, client, model):
    a = agent(playground)
    a.sync("--model", model)
    assert {r["model_name"] for r in a.inventory()} == {model}
    a.sync()
    count = len(a.inventory())
    client.delete_model_version(model, "1")
    a.sync("--model", "model-0")
    assert len(a.inventory()) == count
    a.sync("--model", model)
    assert len(a.inventory()) == count - 1


def test_a_listing_that_shifts_while_it_is_read(playground, agent, client, model):
    """A model deleted between two pages moves what follows under the offset: a version that is skipped is not removed."""
    others = [f"{model}-{letter}" for letter in "abcdef"]
    for other in others:
        client.create_registered_model(other)
        for _ in range(3):
            client.create_model_version(other, "s3://elsewhere/x", await_creation_for=0)
    pages = []

    def before(request):
        if request.path.endswith("model-versions/search"):
            pages.append(request)
            if len(pages) == 2 and shifting:
                client.delete_registered_model(others[0])
                shifting.clear()

    shifting = []
    with Proxy(playground.url, before=before) as proxy:
        a = agent(proxy.url, f"scope: {{include: ['{model}*']}}\nmlflow: {{page_versions: 5, connections: 1}}\n")
        a.sync()
        assert len(a.inventory()) == 20
        pages.clear()
        shifting.append(True)
        a.sync()
        assert not shifting
        names = {(r["model_name"], r["version_number"]) for r in a.inventory()}
        assert {(m, str(v)) for m in others[1:] for v in (1, 2, 3)} <= names
        a.sync()
        assert len(a.inventory()) == 17
        assert len([e for e in a.events() if e["field"] == "removed"]) == 3
    for other in others[1:]:
        client.delete_registered_model(other)


POLICY = """policy: {id: mine, version: 3}
rules:
  - id: has-purpose
    title: Each model says what it is for
    severity: high
    require: {field: identity.business_purpose, present: true}
"""


def test_another_policy_judges_without_any_request(synced, playground, model, tmp_path):
    (tmp_path / "policy.yaml").write_text(POLICY)
    config = tmp_path / "with-policy.yaml"
    config.write_text(synced.config.read_text() + f"policy_file: {tmp_path}/policy.yaml\n")
    synced.config = config
    requests = len(playground.recorder.requests)
    before = synced.content()
    synced.run("evaluate")
    assert len(playground.recorder.requests) == requests
    for key, record in synced.content().items():
        assert record["compliance"]["policy"]["id"] == "mine"
        assert [(f["rule"], f["state"]) for f in record["compliance"]["findings"]] == [("has-purpose", "gap")]
        assert record["record_sha256"] == before[key]["record_sha256"]
    assert [r["kind"] for r in synced.audit()].count("policy_changed") == 1


def test_exports_are_verified_by_the_auditors_script(synced, client, model, tmp_path):
    client.set_registered_model_alias(model, "champion", "1")
    client.delete_model_version(model, "2")
    synced.sync()
    synced.verify()
    export = tmp_path / "ledger.ndjson"
    synced.run("audit", "export", "--output", export)
    script = HERE.parent.parent / "docs" / "verify_ledger.py"
    done = subprocess.run([sys.executable, script, export], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = export.read_text().splitlines()
    for at in (1, len(lines) // 2, len(lines) - 1):
        bad = [json.loads(line) for line in lines]
        payload = bad[at]["payload"]
        bad[at]["payload"] = ("B" if payload[8] != "B" else "C").join((payload[:8], payload[9:]))
        forged = tmp_path / "forged.ndjson"
        forged.write_text("".join(json.dumps(line) + "\n" for line in bad))
        assert subprocess.run([sys.executable, script, forged], capture_output=True, timeout=60).returncode != 0
    for cut in (lines[:-1], lines[:2] + lines[3:]):
        forged.write_text("\n".join(cut) + "\n")
        assert subprocess.run([sys.executable, script, forged], capture_output=True, timeout=60).returncode != 0

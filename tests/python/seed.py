"""Fills a real MLflow server with the hard cases. Run with that server's own MLflow:

    MLFLOW_TRACKING_URI=http://... python seed.py SCENARIO DATABASE-URI

What no call can make any more (ids and names that older versions allowed, collected runs) is edited
into the database. Prints facts that the tests need as JSON. Everything in SECRETS must never be seen
in anything that the agent writes.
"""

import json
import sys

SECRETS = {
    "param_password": "hunter2-Pl41n-in-a-param",
    "param_api_key": "ak-3d1b7f64e2-in-a-param",
    "tag_token": "tok-91c2e7aa-in-a-run-tag",
    "version_tag_secret": "s3cr3t-5e1f-in-a-version-tag",
    "model_tag_credential": "cred-77aa-in-a-model-tag",
    "experiment_tag_connection": "postgres://svc:c0nn-Pa55-in-an-experiment-tag@db.example.org/x",
    "experiment_password": "c0nn-Pa55-in-an-experiment-tag",
    "aws_key": "AKIAQ7ZZ3EXAMPLE4KEY",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJlMmUtdGVzdCJ9.c2lnbmF0dXJlLW9mLWEtdGVzdC10b2tlbg",
    "pem_body": "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7e2e7e2e7e2e7",
    "url_password": "url-Pa55-in-a-source",
    "url_signature": "u8GFSm0pXq3J2kzYl1d0bQ7rsig4n4tureEnd",
    "amz_signature": "9f3c0d6a1b2e4f5a7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d",
    "git_password": "g1t-Pa55-in-a-repository-url",
    "email": "maria.musterfrau@example.org",
    "diff": "+diff-line-that-must-never-be-stored-4242",
    "profile": "profile-number-that-must-never-be-stored-8181",
    "schema": "column_that_must_never_be_stored_2323",
}

HARD_NAMES = [
    "100% Ωmega – naïve ✓", "it's", 'say "hi"', "both ' and \"", "hash#tag", "percent%2Fencoded", "question?x=1&y=2",
    " leading and trailing ", "semi;colon, comma", "back\\slash", "emoji 🚀🧪", "مرحبا", "日本語モデル", "LIKE_%_pattern",
    "plus+sign", "{curly} [square] <angle>", "$dollar `tick` |pipe|", "UPPER", "upper", "new\nline", "tab\there",
    "esc\x1b[31mred", "n" * 255,
]
SLASH_NAMES = ["a/b", "team/project/model:v1", "/leading", "colon:name", "../up"]


class Seeder:
    def __init__(self, database):
        import mlflow
        from mlflow.tracking import MlflowClient

        self.version = tuple(int(x) for x in mlflow.__version__.split(".")[:2])
        self.client = MlflowClient()
        self.database = database
        self.postgres = database.startswith("postgresql")
        self.facts = {"runs": {}, "models": {}, "mlflow": mlflow.__version__}
        self.tag_limit = 100_000 if self.version >= (3, 0) and not self.postgres else 4_999

    # -- short forms --

    def run(self, label, experiment, tags=None, params=None, metrics=(), status="FINISHED", start=1_700_000_000_123):
        from mlflow.entities import Metric, Param, RunTag

        run = self.client.create_run(experiment, start_time=start, tags={"mlflow.user": "trainer", **(tags or {})})
        run_id = run.info.run_id
        items = list((params or {}).items())
        for at in range(0, len(items), 90):
            self.client.log_batch(run_id, params=[Param(k, v) for k, v in items[at:at + 90]])
        for at in range(0, len(metrics), 500):
            self.client.log_batch(run_id, metrics=[Metric(*m) for m in metrics[at:at + 500]])
        if status != "RUNNING":
            self.client.set_terminated(run_id, status=status, end_time=start + 61_001)
        self.facts["runs"][label] = run_id
        return run_id

    def model(self, name, tags=None, description=None):
        self.client.create_registered_model(name, tags=tags, description=description)
        return name

    def add(self, name, run_id=None, source=None, stage=None, tags=None, description=None, **more):
        if source is None:
            run = self.client.get_run(run_id) if run_id else None
            source = f"{run.info.artifact_uri}/model" if run else "s3://models.example.org/opaque"
        version = self.client.create_model_version(name, source, run_id, tags=tags, description=description,
                                                   await_creation_for=0, **more)
        if stage:
            self.client.transition_model_version_stage(name, version.version, stage)
        return version.version

    def alias(self, name, alias, version):
        if self.version >= (2, 3):
            self.client.set_registered_model_alias(name, alias, version)

    # -- edits that only the database allows --

    def engine(self):
        import sqlalchemy

        return sqlalchemy.create_engine(self.database)

    def rename_key(self, parent, column, old, new, children):
        """Gives a row another primary key, with everything that points to it."""
        import sqlalchemy

        engine = self.engine()
        meta = sqlalchemy.MetaData()
        meta.reflect(engine)
        table = meta.tables[parent]
        with engine.begin() as db:
            row = dict(db.execute(table.select().where(table.c[column] == old)).mappings().one())
            row[column] = new
            db.execute(table.insert().values(**row))
            for child, key in children:
                if child in meta.tables:
                    db.execute(meta.tables[child].update().where(meta.tables[child].c[key] == old)
                               .values(**{key: new}))
            db.execute(table.delete().where(table.c[column] == old))
        engine.dispose()

    def rename_run(self, label, new):
        children = [(t, "run_uuid") for t in ("tags", "params", "metrics", "latest_metrics")]
        self.rename_key("runs", "run_uuid", self.facts["runs"][label], new, children)
        self.facts["runs"][label] = new

    def rename_model(self, old, new):
        children = [("registered_model_tags", "name"), ("registered_model_aliases", "name"),
                    ("model_versions", "name"), ("model_version_tags", "name")]
        engine = self.engine()
        if self.postgres:  # model_versions are the parents of their tags: ON UPDATE CASCADE does it all
            import sqlalchemy

            with engine.begin() as db:
                db.execute(sqlalchemy.text("UPDATE registered_models SET name = :new WHERE name = :old"),
                           {"new": new, "old": old})
        else:
            self.rename_key("registered_models", "name", old, new, children)
        engine.dispose()

    def execute(self, sql, **values):
        import sqlalchemy

        engine = self.engine()
        with engine.begin() as db:
            db.execute(sqlalchemy.text(sql), values)
        engine.dispose()


def experiments(s):
    credit = s.client.create_experiment("credit", tags={
        "regulatory-scope": "EU AI Act; GDPR", "db_connection_string": SECRETS["experiment_tag_connection"]})
    hard = s.client.create_experiment("Ünïcode / exp #1 %41 'q' \"dq\"")
    gone = s.client.create_experiment("deleted experiment")
    s.facts["experiments"] = {"credit": credit, "hard": hard, "gone": gone}
    return credit, hard, gone


def full_run(s, experiment):
    tags = {
        "mlflow.source.git.commit": "0123456789abcdef0123456789abcdef01234567",
        "mlflow.source.git.branch": "main", "mlflow.source.git.dirty": "true",
        "mlflow.source.git.repoURL": f"https://bot:{SECRETS['git_password']}@git.example.org/credit.git",
        "mlflow.source.git.diff": SECRETS["diff"], "mlflow.source.name": "train.py", "mlflow.source.type": "LOCAL",
        "mlflow.note.content": "note of the run", "mlflow.runName": "full",
        "evaluation.auc_gap": "0.02", "eval_set": "2024-Q4", "fairness_report": "s3://reports/f.html",
        "bias.tested": "yes", "explainability": "shap", "drift-check": "ok", "benchmark_name": "b1", "test_set": "t1",
        "Validation-Window": "30d", "testing": "does not start with test_",
        "dataset_version": "2024-11-02", "ai_act_risk": "High-Risk", "contains_pii": "TRUE", "dpia": "Done",
        "approved_by": "dpo@example.org", "threat_model": "TM-7 v3",
        "access_token": SECRETS["tag_token"], "comment": f"mail {SECRETS['email']} about it",
    }
    params = {f"p{i:03}": str(i) for i in range(120)}
    params.update({
        "db_password": SECRETS["param_password"], "API-Key": SECRETS["param_api_key"], "contact_mail": SECRETS["email"],
        "aws": SECRETS["aws_key"], "jwt": SECRETS["jwt"], "unicode": "ß → ∞ 🚀", "empty": "", "long": "x" * 499,
        "blob": f"https://acc.blob.example.org/c?sv=1&sig={SECRETS['url_signature']}&se=2",
        "presigned": f"https://b.example.org/k?X-Amz-Signature={SECRETS['amz_signature']}",
        "learning_rate": "0.1", "max_tokens": "512",
    })
    metrics = [("auc", 0.5 + i / 100, 1_700_000_000_000 + i, i) for i in range(30)]
    metrics += [("nan", float("nan"), 1_700_000_000_500, 0), ("inf", float("inf"), 1_700_000_000_500, 0),
                ("neg_inf", float("-inf"), 1_700_000_000_500, 0), ("tiny", 5e-324, 1_700_000_000_500, 0),
                ("third", 1 / 3, 1_700_000_000_500, 2**53 + 1), ("negative_step", -0.0, 1_700_000_000_500, -5),
                ("big", 1.7976931348623157e308, 0, 0)]
    metrics += [(f"m/{i:03}", i * 1.1, 1_700_000_001_000, 1) for i in range(150)]
    return s.run("full", experiment, tags=tags, params=params, metrics=metrics)


def dataset_run(s, experiment):
    run_id = s.run("datasets", experiment, metrics=[("loss", 0.25, 1_700_000_000_000, 0)])
    if s.version < (2, 4):
        return run_id
    from mlflow.entities import Dataset, DatasetInput, InputTag

    def dataset(name, digest, context):
        source = json.dumps({"uri": f"s3://data/{name}", "password": SECRETS["url_password"]})
        tags = [InputTag("mlflow.data.context", context)] if context else []
        return DatasetInput(Dataset(name, digest, "s3", source, schema=json.dumps({SECRETS["schema"]: "long"}),
                                    profile=json.dumps({"n": SECRETS["profile"]})), tags)

    s.client.log_inputs(run_id, [dataset("holdout", "d2", "evaluation"), dataset("loans", "d1", "training"),
                                 dataset("no-context", "d3", None)])
    return run_id


def runs(s):
    credit, hard, gone = experiments(s)
    full = full_run(s, credit)
    dataset_run(s, hard)
    s.run("bare", hard)
    s.run("child", hard, tags={"mlflow.parentRunId": full, "purpose": "child of a run"})
    s.run("running", hard, status="RUNNING", metrics=[("loss", 1.5, 1, 1)])
    s.run("failed", hard, status="FAILED")
    s.run("killed", hard, status="KILLED")
    s.client.delete_run(s.run("deleted", credit, params={"depth": "3"}, metrics=[("auc", 0.7, 1, 1)],
                              tags={"owner": "owner of a deleted run"}))
    s.run("experiment_deleted", gone, metrics=[("auc", 0.6, 1, 1)])
    s.run("collected", hard, metrics=[("auc", 0.1, 1, 1)])
    s.run("digits", hard, params={"kind": "all digits"}, metrics=[("auc", 0.2, 1, 1)])
    s.run("upper", hard, params={"kind": "upper case"}, metrics=[("auc", 0.3, 1, 1)])
    s.run("epoch", hard, start=0)


def credit_scoring(s):
    name = s.model("credit-scoring", description="Scores applicants.\nSecond line.", tags={
        "Owner": "risk-team@example.org", "use-case": "creditworthiness of natural persons", "team": "risk",
        "vendor_credential": SECRETS["model_tag_credential"]})
    full = s.facts["runs"]["full"]
    s.add(name, full, stage="Archived", description="first")
    s.add(name, full, stage="Production", tags={"risk-category": "High", "secret_note": SECRETS["version_tag_secret"]})
    s.add(name, s.facts["runs"]["datasets"], stage="Staging", tags={"owner": "challenger-team"})
    s.add(name, s.facts["runs"]["bare"])
    for alias, version in (("champion", "2"), ("challenger", "3"), ("latest-ish", "2"), ("Retired", "1")):
        s.alias(name, alias, version)


def every_run(s):
    name = s.model("every-run")
    versions = {label: s.add(name, run_id) for label, run_id in s.facts["runs"].items()}
    s.facts["every_run"] = versions
    s.rename_run("digits", "12345678901234567890123456789012")
    s.rename_run("upper", "ABCDEF01234567890ABCDEF012345678")
    for label in ("digits", "upper"):
        s.execute("UPDATE model_versions SET run_id = :run WHERE name = :name AND version = :version",
                  run=s.facts["runs"][label], name=name, version=int(versions[label]))
    s.client.delete_experiment(s.facts["experiments"]["gone"])
    for table in ("tags", "params", "latest_metrics", "metrics", "runs"):
        s.execute(f"DELETE FROM {table} WHERE run_uuid = :run", run=s.facts["runs"]["collected"])


def names(s):
    bare = s.facts["runs"]["bare"]
    made = []
    for i, name in enumerate(HARD_NAMES):
        scratch = s.model(f"scratch-{i}", tags={"i": str(i)})
        s.add(scratch, bare, tags={"purpose": f"name {i}"})
        s.alias(scratch, "champion", "1")
        s.rename_model(scratch, name)
        made.append(name)
    for i, name in enumerate(SLASH_NAMES):
        scratch = s.model(f"slash-{i}")
        s.add(scratch, bare)
        s.rename_model(scratch, name)
        made.append(name)
    s.facts["names"] = made


def sources(s):
    name = s.model("raw-sources")
    uris = [
        f"https://user:{SECRETS['url_password']}@files.example.org/m.bin",
        f"https://files.example.org/m.bin?sig={SECRETS['url_signature']}&x=1",
        f"https://files.example.org/m.bin?X-Amz-Signature={SECRETS['amz_signature']}",
        "s3://bucket/path with space/ünï", "gs://b/k", "wasbs://c@a.blob.core.windows.net/x", "dbfs:/x", "file:///srv/m",
        "models:/other/1", "runs:/not-a-run/model", "hdfs://nn:8020/m", "", "x" * 400,
    ]
    for uri in uris:
        version = s.add(name)
        s.execute("UPDATE model_versions SET source = :uri WHERE name = :name AND version = :version",
                  uri=uri, name=name, version=int(version))
    s.execute("UPDATE model_versions SET run_id = '' WHERE name = :name AND version = 1", name=name)
    s.execute("UPDATE model_versions SET run_id = NULL WHERE name = :name AND version = 2", name=name)
    s.execute("UPDATE model_versions SET source = NULL WHERE name = :name AND version = 3", name=name)


def histories(s):
    bare = s.facts["runs"]["bare"]
    s.model("no-versions", description="")
    recreated = s.model("recreated", tags={"owner": "first life"})
    s.add(recreated, bare)
    s.add(recreated, bare)
    s.client.delete_registered_model(recreated)
    s.add(s.model(recreated, tags={"owner": "second life"}), bare)
    holes = s.model("holes")
    for _ in range(12):
        s.add(holes, bare)
    for version in ("2", "11"):
        s.client.delete_model_version(holes, version)
    before = s.model("name-before")
    s.add(before, bare)
    s.client.rename_registered_model(before, "name-after")
    states = s.model("states")
    for state in ("PENDING_REGISTRATION", "FAILED_REGISTRATION", "READY"):
        version = s.add(states, bare)
        s.execute("UPDATE model_versions SET status = :state, status_message = 'because' "
                  "WHERE name = :name AND version = :version", state=state, name=states, version=int(version))


def values(s):
    bare = s.facts["runs"]["bare"]
    big = s.model("big-tags", tags={"big": "m" * s.tag_limit})
    s.add(big, bare, tags={"big": "é" * (s.tag_limit // 2), **{f"t{i:03}": str(i) for i in range(60)}})
    spelling = s.model("spelling", tags={"Risk Category": "limited", "governance.owner": "prefixed", "owner": "bare"})
    s.add(spelling, bare, tags={"verifywise.risk_category": "Minimal", "risk_category": "high", "DPIA-Status": "In Progress"})
    s.add(spelling, bare, tags={"RISK.LEVEL": "unacceptable", "pii": "no", "dpia": "n/a"})
    s.add(spelling, bare, tags={"risk_tier": "something else", "data-classification": "PHI", "pia": "not started"})
    s.add(spelling, bare, tags={"risk_category": "", "data_classification": "Confidential", "compliance_scope": "a, b;a , ;c"})
    masked = s.model("masked")
    pem = f"-----BEGIN PRIVATE KEY-----\n{SECRETS['pem_body']}\n-----END PRIVATE KEY-----"
    s.add(masked, bare, tags={"note": f"key {SECRETS['aws_key']} in text", "auth": f"Bearer {SECRETS['jwt']}", "pem": pem,
                              "url": f"https://u:{SECRETS['url_password']}@h.example.org/",
                              "MY_PASSWD": SECRETS["version_tag_secret"]})
    text = s.model("text", description="controls \x01\x07 \x1b[31mred\x1b[0m, BOM \ufeff, \u202eRTL, 'quotes' \"double\" </script>")
    s.add(text, bare, description="", tags={"empty": "", "multi": "line 1\nline 2\r\n\ttabbed", "Ключ": "значение"})


def lifecycles(s):
    bare = s.facts["runs"]["bare"]
    name = s.model("lifecycles")
    cases = [
        ("Production", "staging", None), ("None", "prod", "archived"), ("None", None, "Production"),
        ("None", None, "live"), ("Archived", None, "production"), ("Staging", None, None), ("None", "shadow", None),
        ("None", "unknown-word", None), ("None", None, "unknown word"), ("None", "rollback-never", None),
    ]
    for stage, alias, tag in cases:
        version = s.add(name, bare, stage=None if stage == "None" else stage, tags={"lifecycle_stage": tag} if tag else None)
        if alias:
            s.alias(name, alias, version)
    version = s.add(name, bare, tags={"deployment_status": "deployed"})
    s.add(name, bare, stage="Production", tags={"Deployment-Status": "Retired"})
    s.alias(name, "canary", version)
    s.alias(name, "release", version)


def logged_models(s):
    if s.version < (3, 0):
        return
    experiment = s.facts["experiments"]["hard"]
    run_id = s.run("logged", experiment, params={"of_run": "1"}, metrics=[("auc", 0.9, 1_700_000_000_000, 3)])
    logged = s.client.create_logged_model(experiment, name="logged", source_run_id=run_id, tags={"owner": "tag of a logged model"},
                                          params={"of_model": "2", "model_password": SECRETS["param_password"]})
    for step, value in ((1, 0.1), (2, 0.2), (2, 0.3)):
        s.client.log_metric(run_id, "quality", value, timestamp=1_700_000_000_000 + int(value * 10), step=step,
                            model_id=logged.model_id)
    s.client.finalize_logged_model(logged.model_id, "READY")
    name = s.model("logged-model")
    s.add(name, run_id, source=f"models:/{logged.model_id}", model_id=logged.model_id)
    from mlflow.entities import LoggedModelOutput

    s.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    s.add(name, run_id)
    s.facts["logged_model"] = logged.model_id


def prompts(s):
    if not hasattr(s.client, "register_prompt"):
        # a server that is older than prompts shows them as models: only the tag tells
        s.client.create_registered_model("a-prompt", tags={"mlflow.prompt.is_prompt": "true"})
        s.add("a-prompt")
        s.facts["prompts_are_listed"] = True
        return
    s.client.register_prompt("a-prompt", template="Say {{word}}")
    s.client.register_prompt("a-prompt", template="Say {{word}} twice")


def full(s):
    runs(s)
    credit_scoring(s)
    every_run(s)
    names(s)
    sources(s)
    histories(s)
    values(s)
    lifecycles(s)
    logged_models(s)
    prompts(s)


def small(s, models=6, versions=3):
    """A few believable models: for tests that change things or break the way to the server."""
    experiment = s.client.create_experiment("small")
    for i in range(models):
        name = s.model(f"model-{i}", tags={"owner": f"team-{i}"}, description=f"Model {i}")
        for j in range(versions):
            run_id = s.run(f"{i}.{j}", experiment, tags={"risk_category": "high"}, params={"depth": str(j)},
                           metrics=[("auc", 0.8 + j / 100, 1_700_000_000_000, 0)])
            s.add(name, run_id)
        s.alias(name, "champion", "1")
    s.facts["experiments"] = {"small": experiment}


def restricted(s):
    """What a user who may only read, and not everything, sees (basic-auth)."""
    from mlflow.server.auth.client import AuthServiceClient

    from servers import READER

    auth = AuthServiceClient(s.client.tracking_uri)
    user = READER[0]
    auth.create_user(*READER)
    small(s, models=2, versions=1)
    hidden = s.client.create_experiment("hidden experiment")
    run_id = s.run("hidden", hidden, tags={"owner": "owner that only the run knows"})
    s.add(s.model("visible-of-hidden-run", tags={"owner": "visible"}), run_id)
    s.add(s.model("hidden-model"), s.facts["runs"]["0.0"])
    auth.grant_user_permission(user, "experiment", hidden, "DENY")
    auth.grant_user_permission(user, "registered_model", "hidden-model", "DENY")
    s.facts["experiments"]["hidden"] = hidden


def spaces(s):
    """Two workspaces with models of the same name (3.10+)."""
    import mlflow

    for workspace in ("team-a", "team-b"):
        s.client.create_workspace(workspace)
        mlflow.set_workspace(workspace)
        run_id = s.run(workspace, s.client.create_experiment(f"experiment of {workspace}"), params={"workspace": workspace})
        s.add(s.model("same-name", tags={"owner": workspace}), run_id)
        s.add(s.model(f"only-{workspace}"), run_id)
    mlflow.set_workspace(None)


if __name__ == "__main__":
    seeder = Seeder(sys.argv[2])
    globals()[sys.argv[1]](seeder)
    print(json.dumps(seeder.facts))

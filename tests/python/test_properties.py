"""Whatever is done to a registry, an agent that followed it step by step knows what a fresh one knows (S9)."""

import itertools
import json
import os
import pathlib
import shutil
import tempfile

import hypothesis
from agent import Agent
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from test_changes import client  # noqa: F401  the fixture

NAMES = ["a", "b'c", "ü d"]
TAGS = ["owner", "risk_category", "stage", "note"]
VALUES = ["high", "production", "team x", "", "dev"]
ALIASES = ["champion", "challenger", "other"]
STAGES = ["None", "Staging", "Production", "Archived"]
prefixes = itertools.count()

names = st.sampled_from(NAMES)
pick = st.integers(0, 1_000)


def has_versions(machine):
    return any(machine.models.values())


class Registry(RuleBasedStateMachine):
    """Random edits on the server; after each sync the state is compared with a fresh agent's."""

    mlflow = None
    server = None

    @initialize()
    def begin(self):
        self.prefix = f"prop{next(prefixes)}-"
        self.experiment = self.mlflow.create_experiment(self.prefix)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vw-prop-"))
        config = self.folder / "config.yaml"
        config.write_text(json.dumps({"scope": {"include": [f"{self.prefix}*"]}, "mlflow": {"page_versions": 3, "requests_per_second": 1000, "burst": 1000}}))
        self.agent = self.make("followed")
        self.models, self.runs, self.pending = {}, [], True
        self.gone = set()

    def make(self, name):
        return Agent(self.folder / name / "state", self.server.recorder.url, self.folder / "config.yaml")

    # -- helpers --

    def existing(self, n):
        """(model, version) of one of all versions."""
        every = [(m, v) for m in sorted(self.models) for v in self.models[m]]
        return every[n % len(every)]

    def done(self):
        self.pending = True

    # -- edits --

    @rule(name=names)
    def create_model(self, name):
        if self.prefix + name in self.models:
            return
        self.mlflow.create_registered_model(self.prefix + name)
        self.models[self.prefix + name] = []
        self.done()

    @rule(name=names, with_run=st.booleans())
    def create_version(self, name, with_run):
        model = self.prefix + name
        if model not in self.models:
            self.create_model(name)
        run_id, source = None, "s3://elsewhere/x"
        if with_run:
            run = self.mlflow.create_run(self.experiment)
            run_id, source = run.info.run_id, f"{run.info.artifact_uri}/model"
            self.mlflow.log_metric(run_id, "auc", 0.5, timestamp=1)
            self.runs.append(run_id)
        self.models[model].append(self.mlflow.create_model_version(model, source, run_id, await_creation_for=0).version)
        self.done()

    @precondition(has_versions)
    @rule(n=pick)
    def delete_version(self, n):
        model, version = self.existing(n)
        self.mlflow.delete_model_version(model, version)
        self.models[model].remove(version)
        self.done()

    @precondition(has_versions)
    @rule(n=pick, again=st.booleans())
    def delete_model(self, n, again):
        model, _ = self.existing(n)
        self.mlflow.delete_registered_model(model)
        del self.models[model]
        self.done()
        if again:
            self.create_version(model.removeprefix(self.prefix), False)

    @precondition(has_versions)
    @rule(n=pick, to=names)
    def rename_model(self, n, to):
        model, _ = self.existing(n)
        if self.prefix + to in self.models:
            return
        self.mlflow.rename_registered_model(model, self.prefix + to)
        self.models[self.prefix + to] = self.models.pop(model)
        self.done()

    @precondition(has_versions)
    @rule(n=pick, stage=st.sampled_from(STAGES), archive=st.booleans())
    def transition(self, n, stage, archive):
        model, version = self.existing(n)
        archive = archive and stage in ("Staging", "Production")
        self.mlflow.transition_model_version_stage(model, version, stage, archive_existing_versions=archive)
        self.done()

    @precondition(has_versions)
    @rule(n=pick, alias=st.sampled_from(ALIASES), remove=st.booleans())
    def alias(self, n, alias, remove):
        model, version = self.existing(n)
        if remove:
            self.mlflow.delete_registered_model_alias(model, alias)
        else:
            self.mlflow.set_registered_model_alias(model, alias, version)
        self.done()

    @precondition(has_versions)
    @rule(n=pick, key=st.sampled_from(TAGS), value=st.sampled_from(VALUES), of_model=st.booleans())
    def tag(self, n, key, value, of_model):
        model, version = self.existing(n)
        if of_model:
            self.mlflow.set_registered_model_tag(model, key, value)
        else:
            self.mlflow.set_model_version_tag(model, version, key, value)
        self.done()

    @precondition(has_versions)
    @rule(n=pick, text=st.sampled_from(["", "one", "two"]), of_model=st.booleans())
    def describe(self, n, text, of_model):
        model, version = self.existing(n)
        if of_model:
            self.mlflow.update_registered_model(model, description=text)
        else:
            self.mlflow.update_model_version(model, version, description=text)
        self.done()

    @precondition(lambda self: self.runs)
    @rule(n=pick, what=st.sampled_from(["metric", "param", "tag", "end", "delete", "restore"]))
    def edit_run(self, n, what):
        run_id = self.runs[n % len(self.runs)]
        if run_id in self.gone and what != "restore":
            return
        if what == "metric":
            self.mlflow.log_metric(run_id, "auc", n / 7, timestamp=n, step=n)
        elif what == "param":
            self.mlflow.log_param(run_id, f"p{n}", str(n))
        elif what == "tag":
            self.mlflow.set_tag(run_id, TAGS[n % len(TAGS)], VALUES[n % len(VALUES)])
        elif what == "end":
            self.mlflow.set_terminated(run_id, "FINISHED", end_time=1_700_000_000_000 + n)
        elif what == "restore":
            self.mlflow.restore_run(run_id)
            self.gone.discard(run_id)
        else:
            self.mlflow.delete_run(run_id)
            self.gone.add(run_id)
        self.done()

    # -- the property --

    @precondition(lambda self: self.pending)
    @rule()
    def quick(self):
        self.agent.sync("--quick", "--accept-empty")

    @precondition(lambda self: self.pending)
    @rule()
    def compare(self):
        self.agent.sync("--full", "--accept-empty")
        fresh = self.make("fresh")
        fresh.sync("--full")
        followed = self.agent.content()
        assert followed == fresh.content()
        assert {(m, v) for m in self.models for v in self.models[m]} == {k[1:] for k in followed}
        shutil.rmtree(fresh.state)
        self.pending = False

    def teardown(self):
        if not hasattr(self, "agent"):
            return
        try:
            if self.pending:
                self.compare()
            self.agent.verify()
        finally:
            for model in self.models:
                self.mlflow.delete_registered_model(model)
            shutil.rmtree(self.folder, ignore_errors=True)


def test_followed_state_equals_a_fresh_one(playground, client):  # noqa: F811
    Registry.mlflow, Registry.server = client, playground
    examples = os.environ.get("VW_TEST_EXAMPLES")  # for a long random run by hand
    run_state_machine_as_test(Registry, settings=hypothesis.settings(
        max_examples=int(examples or 15), stateful_step_count=14, deadline=None, database=None, derandomize=not examples,
        suppress_health_check=list(hypothesis.HealthCheck)))

"""The expected record of every version, computed in plain Python from what MLflow's own client says (dump.py).

Written from the description of the record alone, so that an error of the agent cannot be an error here too.
expected() gives a dictionary of paths; differences() compares it with what `inventory --format json` printed.
"""

import datetime
import math
import unicodedata

PLACES = ("version_tag", "model_tag", "run_tag", "run_param", "experiment_tag")

SPELLINGS = {
    "identity.description": ["mlflow.note.content"],
    "identity.business_purpose": ["business_purpose", "use_case", "purpose", "intended_use"],
    "identity.owner": ["owner", "model_owner", "business_owner", "accountable", "team", "contact"],
    "lifecycle.lifecycle_stage": ["stage", "lifecycle", "lifecycle_stage", "environment", "deployment_stage"],
    "lifecycle.deployment_status": ["deployment_status"],
    "lineage.code_commit": ["mlflow.source.git.commit", "git_commit", "commit", "code_commit"],
    "lineage.code_repository": ["mlflow.source.git.repoURL"],
    "lineage.code_branch": ["mlflow.source.git.branch"],
    "lineage.code_dirty": ["mlflow.source.git.dirty"],
    "lineage.training_entrypoint": ["mlflow.source.name"],
    "lineage.dataset_reference": ["dataset_reference", "dataset_version", "dataset", "training_data"],
    "risk.risk_category": ["risk_category", "risk_level", "ai_act_risk", "risk_tier"],
    "risk.regulatory_scope": ["regulatory_scope", "regulation", "regulations", "compliance_scope"],
    "risk.data_sensitivity": ["data_sensitivity", "data_classification", "pii", "contains_pii", "personal_data"],
    "risk.privacy_assessment_status": ["privacy_assessment_status", "dpia", "dpia_status", "pia", "pia_status",
                                       "privacy_review"],
    "risk.compliance_approver": ["compliance_approver", "approver", "approved_by", "reviewer", "validated_by"],
    "risk.security_assessment_version": ["security_assessment_version", "threat_model", "security_review", "pentest"],
}
STAGE_WORDS = {
    "Production": ["production", "prod", "champion", "live", "release"],
    "Staging": ["staging", "stage", "challenger", "candidate", "shadow", "canary", "preprod"],
    "Archived": ["archived", "retired", "deprecated", "rollback-never"],
    "None": ["none"],
}
ORDER = ["None", "Archived", "Staging", "Production"]
MIRROR = {"Production": "deployed", "Staging": "pre_deployment", "Archived": "retired", "None": "not_deployed"}
VOCABULARY = {
    "risk.risk_category": {"high": ["high", "high_risk"], "limited": ["limited"], "minimal": ["minimal"],
                           "prohibited": ["prohibited", "unacceptable"]},
    "risk.data_sensitivity": {"personal": ["personal", "true", "yes", "1"], "confidential": ["confidential"],
                              "special_category": ["special_category", "phi", "health", "biometric"],
                              "public": ["public"], "none": ["none", "no", "false", "0"]},
    "risk.privacy_assessment_status": {"completed": ["completed", "done"], "in_progress": ["in_progress"],
                                       "missing": ["missing", "not_started"], "not_applicable": ["not_applicable", "n_a"]},
    "lifecycle.deployment_status": {"deployed": ["deployed"], "retired": ["retired"], "not_deployed": ["not_deployed"],
                                    "pre_deployment": ["pre_deployment"]},
}
EVALUATION = ("eval", "evaluation", "validation", "test_", "fairness", "bias", "explainability", "drift", "benchmark")
SECRET_KEYS = ("password", "passwd", "secret", "token", "api_key", "access_key", "credential", "private_key",
               "connection_string")
NEVER = {"mlflow.source.git.diff"}


class Masked:
    """A value of which a part, or all, must have been masked."""

    def __init__(self, secret):
        self.secret = secret

    def __repr__(self):
        return "<masked>"


class Oracle:
    def __init__(self, dump, secrets, uri=None):
        self.dump, self.uri = dump, uri
        self.secrets = [s for s in secrets.values() if s]

    def records(self):
        """{(model, version): {path: expected value}}; prompts are no models."""
        models = {n: m for n, m in self.dump["models"].items() if m["tags"].get("mlflow.prompt.is_prompt") != "true"}
        return {(v["name"], v["version"]): Expectation(self, v).fields() for v in self.dump["versions"] if v["name"] in models}

    # -- text --

    def value(self, key, text, free=False):
        """What may be stored of a tag or parameter."""
        if text is None:
            return None
        folded = fold(key)
        if any(word in folded for word in SECRET_KEYS) and text and folded != "max_tokens":
            return Masked(text)
        found = next((s for s in self.secrets if s in text), None)
        if found and not (free and "@" in found and ":" not in found):
            return Masked(found)
        return clean(text)


def fold(key):
    return "".join("_" if c in "-. " else c.lower() if c.isascii() else c for c in key)


def clean(text):
    """No control characters but tab and line ends: others are replaced."""
    return "".join("\ufffd" if unicodedata.category(c) == "Cc" and c not in "\t\n\r" else c for c in text)


def stripped(text):
    return text if isinstance(text, Masked) else ((text or "").strip() or None)


def moment(ms):
    if not ms:
        return None
    at = datetime.datetime.fromtimestamp(ms // 1000, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03}Z"


def stage_of(word):
    return next((stage for stage, words in STAGE_WORDS.items() if fold(word) in map(fold, words)), None)


def word_of(field, text):
    folded = "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
    return next((word for word, spellings in VOCABULARY[field].items() if folded in spellings), None)


class Expectation:
    def __init__(self, oracle, version):
        dump = oracle.dump
        self.oracle, self.version = oracle, version
        self.model = dump["models"][version["name"]]
        self.run_id = version["run_id"] or None
        run = dump["runs"].get(self.run_id) if self.run_id else None
        self.run_error = run.get("error") if run else None
        self.run = None if self.run_error else run
        experiment = dump["experiments"].get(self.run["experiment_id"]) if self.run else None
        self.experiment = None if not experiment or "error" in experiment else experiment
        self.places = {
            "version_tag": version["tags"], "model_tag": self.model["tags"],
            "run_tag": self.run["tags"] if self.run else {}, "run_param": self.run["params"] if self.run else {},
            "experiment_tag": self.experiment["tags"] if self.experiment else {},
        }
        self.provenance = {}
        self.warnings = set()

    # -- tags --

    def tag(self, field, usable=lambda text: True):
        """(value, "place:key") of the tag that gives a field its value; (None, None) if there is none."""
        accountable = field in ("identity.owner", "risk.compliance_approver")
        for place in PLACES:
            best = None
            for key in sorted(self.places[place], key=lambda k: k.encode()):
                text = stripped(self.oracle.value(key, self.places[place][key], free=accountable))
                rank = self.rank(field, key)
                if rank is None or text is None or isinstance(text, Masked) or key in NEVER or not usable(text):
                    continue
                if best is None or rank < best[0]:
                    best = (rank, text, key)
            if best:
                return best[1], f"{place}:{clean(best[2])}"
        return None, None

    @staticmethod
    def rank(field, key):
        folded = fold(key)
        spellings = [fold(s) for s in SPELLINGS[field]]
        for order, prefix in enumerate(("verifywise_", "governance_", "")):
            if folded.startswith(prefix) and folded.removeprefix(prefix) in spellings:
                return order, spellings.index(folded.removeprefix(prefix))
        return None

    def simple(self, field):
        value, source = self.tag(field)
        if value is not None:
            self.provenance[field] = source
        return value

    def coerced(self, field):
        raw, source = self.tag(field)
        if raw is None:
            return None
        value = word_of(field, raw) or raw
        self.provenance[field] = source if value == raw else {"from": source, "raw": raw}
        return value

    def map(self, entries):
        return {clean(k): self.oracle.value(k, v) for k, v in entries.items() if k not in NEVER}

    # -- sections --

    def fields(self):
        out = {"model_name": self.version["name"], "version_number": self.version["version"], "workspace": None}
        for section in (self.identity, self.lifecycle, self.training, self.lineage, self.risk):
            values = section()
            name = section.__name__
            if values is None:
                out[name] = None
            else:
                out.update({f"{name}.{key}": value for key, value in values.items()})
        out["artifacts"] = None
        out["completeness.state"] = "partial" if self.run_error else "complete"
        out["completeness.reasons"] = self.reasons()
        out["completeness.stale"] = []
        out["completeness.stale_since_at"] = None
        out["removed_at"] = None
        out["provenance"] = {field.split(".", 1)[1]: source for field, source in self.provenance.items()}
        out["warnings"] = self.warnings
        if self.oracle.uri:
            out["source.tracking_uri"] = self.oracle.uri
        return out

    def reasons(self):
        if self.run_error:
            return [{"RESOURCE_DOES_NOT_EXIST": "run_not_found", "PERMISSION_DENIED": "run_forbidden"}[self.run_error]]
        if self.run and self.run["lifecycle_stage"] == "deleted":
            return ["run_deleted"]
        return []

    def identity(self):
        out = {"model_name": self.version["name"]}
        for source, text in (("model:description", self.model["description"]),
                             ("version:description", self.version["description"])):
            out["description"] = stripped(self.oracle.value("description", text))
            if out["description"] is not None:
                self.provenance["identity.description"] = source
                break
        else:
            out["description"] = self.simple("identity.description")
        out["business_purpose"] = self.simple("identity.business_purpose")
        out["owner"] = self.simple("identity.owner")
        if out["owner"] is None and self.run:
            user = self.run["user_id"] or ""
            out["owner"] = None if user.lower() == "unknown" else stripped(user)
            if out["owner"] is not None:
                self.provenance["identity.owner"] = "run:user_id"
        if out["owner"] is None and self.run:
            out["owner"] = stripped(self.run["tags"].get("mlflow.user"))
            if out["owner"] is not None:
                self.provenance["identity.owner"] = "run_tag:mlflow.user"
        out["tags"] = self.map(self.model["tags"])
        out["aliases"] = [{"alias": a, "version": str(self.model["aliases"][a])}
                          for a in sorted(self.model["aliases"], key=lambda k: k.encode())]
        return out

    def lifecycle(self):
        v = self.version
        aliases = sorted((a for a, to in self.model["aliases"].items() if str(to) == v["version"]), key=lambda k: k.encode())
        out = {
            "version_number": v["version"], "mlflow_stage": stripped(v["current_stage"]), "version_status": v["status"],
            "version_description": stripped(self.oracle.value("description", v["description"])), "aliases": aliases,
            "tags": self.map(v["tags"]), "created_at": moment(v["creation_timestamp"]),
            "last_updated_at": moment(v["last_updated_timestamp"]), "source_run_id": self.run_id,
            "source_artifact_uri": stripped(self.oracle.value("source", v["source"])),
        }
        out["lifecycle_stage"] = self.stage(out["mlflow_stage"], aliases)
        out["deployment_status"] = MIRROR[out["lifecycle_stage"]]
        raw, source = self.tag("lifecycle.deployment_status", lambda t: word_of("lifecycle.deployment_status", t))
        self.provenance["lifecycle.deployment_status"] = "lifecycle.lifecycle_stage"
        if raw:
            word = word_of("lifecycle.deployment_status", raw)
            self.provenance["lifecycle.deployment_status"] = source if raw == word else {"from": source, "raw": raw}
            if word != out["deployment_status"]:
                self.warnings.add("deployment_status_disagrees")
            out["deployment_status"] = word
        return out

    def stage(self, explicit, aliases):
        claims = []
        if explicit and explicit != "None":
            claims.append((explicit, "stage", explicit))
        named = [(ORDER.index(stage_of(a)), a) for a in aliases if stage_of(a)]
        if named:
            top, alias = max(named, key=lambda n: n[0])
            claims.append((ORDER[top], f"alias:{alias}", alias))
        raw, source = self.tag("lifecycle.lifecycle_stage", stage_of)
        if raw:
            claims.append((stage_of(raw), source, raw))
        if not claims:
            return "None"
        stage, source, raw = claims[0]
        self.provenance["lifecycle.lifecycle_stage"] = source if raw == stage else {"from": source, "raw": raw}
        if any(c[0] != stage for c in claims):
            self.warnings.add("stage_sources_disagree")
        return stage

    def training(self):
        if not self.run and self.run_id:
            return None  # it has a run that could not be seen
        run = self.run
        out = {
            "training_status": run["status"] if run else None,
            "training_started_at": moment(run["start_time"]) if run else None,
            "training_ended_at": moment(run["end_time"]) if run else None,
            "hyperparameters": self.map(run["params"]) if run else {},
            "evaluation_tags": self.map({k: v for k, v in run["tags"].items() if fold(k).startswith(EVALUATION)})
            if run else {},
            "metrics": self.metrics(),
        }
        return out

    def metrics(self):
        found = {}
        # a version that was registered from its run's artifacts has the run's metrics only
        named = (self.version["source"] or "").removeprefix("models:/")
        logged = self.oracle.dump["logged_models"].get(named, {})
        for metric in logged.get("metrics", []) + (self.run["metrics"] if self.run else []):
            value = metric["value"]
            if math.isnan(value):
                value = "NaN"
            elif math.isinf(value):
                value = "Infinity" if value > 0 else "-Infinity"
            key = (clean(metric["key"]), metric["step"], metric["timestamp"], metric["dataset"])
            found[key] = {"key": key[0], "value": value, "step": key[1], "timestamp": moment(key[2]), "dataset": key[3]}
        return [found[k] for k in sorted(found, key=lambda k: (k[0].encode(), k[1], k[2], (k[3] or "").encode()))]

    def logged_model_id(self):
        source = self.version["source"] or ""
        if source.startswith("models:/m-"):
            return source.removeprefix("models:/")
        outputs = self.run["outputs"] if self.run else []
        return outputs[0] if len(outputs) == 1 else None

    def lineage(self):
        run = self.run
        out = {
            "experiment_id": run["experiment_id"] if run else None,
            "experiment_name": stripped(clean(self.experiment["name"])) if self.experiment else None,
            "artifact_uri": run["artifact_uri"] if run else None,
            "parent_run_id": stripped(run["tags"].get("mlflow.parentRunId")) if run else None,
            "logged_model_id": self.logged_model_id(),
            "datasets": self.datasets(),
        }
        for key in ("code_commit", "code_branch", "code_dirty", "training_entrypoint", "dataset_reference"):
            out[key] = self.simple(f"lineage.{key}")
        out["code_repository"] = self.repository()
        if out["logged_model_id"]:
            named = (self.version["source"] or "").startswith("models:/m-")
            self.provenance["lineage.logged_model_id"] = "version:source" if named else "run:model_outputs"
        if out["dataset_reference"] is None:
            training = next((d for d in out["datasets"] if d["context"] == "training"), None)
            if training:
                out["dataset_reference"] = f"{training['name']}@{training['digest']}"
                self.provenance["lineage.dataset_reference"] = f"run_input:{training['name']}"
        return out

    def repository(self):
        for place in PLACES:
            for key, url in self.places[place].items():
                if fold(key) == fold("mlflow.source.git.repoURL"):
                    scheme, rest = url.split("://", 1)
                    self.provenance["lineage.code_repository"] = f"{place}:{key}"
                    return f"{scheme}://{rest.split('@', 1)[-1]}"
        return None

    def datasets(self):
        found = [{"name": d["name"], "digest": d["digest"], "source_type": d["source_type"],
                  "source": self.oracle.value("source", d["source"]), "context": d["tags"].get("mlflow.data.context")}
                 for d in (self.run["datasets"] if self.run else [])]
        return sorted(found, key=lambda d: (d["name"].encode(), d["digest"].encode(), d["context"] or ""))

    def risk(self):
        out = {key: self.coerced(f"risk.{key}") for key in ("risk_category", "data_sensitivity", "privacy_assessment_status")}
        out["compliance_approver"] = self.simple("risk.compliance_approver")
        out["security_assessment_version"] = self.simple("risk.security_assessment_version")
        raw, source = self.tag("risk.regulatory_scope")
        items = sorted({i.strip() for i in (raw or "").replace(";", ",").split(",") if i.strip()})
        out["regulatory_scope"] = items
        if raw:
            self.provenance["risk.regulatory_scope"] = source if items == [raw] else {"from": source, "raw": raw}
        return out


# ---- comparison ----

def look(record, path):
    for step in path.split("."):
        if record is None:
            return None
        record = record[step]  # a missing key is an error: missing values are null, never left out
    return record


def same(expected, given):
    if isinstance(expected, Masked):
        return isinstance(given, str) and expected.secret not in given and ("***" in given or "://" in given)
    if isinstance(expected, dict) and isinstance(given, dict):
        return expected.keys() == given.keys() and all(same(expected[k], given[k]) for k in expected)
    if isinstance(expected, list) and isinstance(given, list):
        return len(expected) == len(given) and all(map(same, expected, given))
    if isinstance(expected, bool) or isinstance(given, bool):
        return expected is given
    if isinstance(expected, float) and isinstance(given, (int, float)):
        return expected == given
    return type(expected) is type(given) and expected == given


WARNINGS = {"stage_sources_disagree", "deployment_status_disagrees"}  # those that the record's description demands


def difference(path, expected, record):
    given = look(record, path)
    if path == "warnings":
        given = {w["code"] for w in given} & WARNINGS
        return None if given == expected else (path, expected, given)
    if path == "completeness.reasons":
        given = [r["code"] for r in given]
    if path == "provenance":
        keys = sorted(expected.keys() | given.keys())
        wrong = [(k, expected.get(k), given.get(k)) for k in keys if not same(expected.get(k), given.get(k))]
        return (path, [w[:2] for w in wrong], [(w[0], w[2]) for w in wrong]) if wrong else None
    if isinstance(expected, dict) and isinstance(given, dict):
        wrong = [k for k in expected.keys() | given.keys() if not same(expected.get(k), given.get(k))]
        return (path, {k: expected.get(k) for k in wrong}, {k: given.get(k) for k in wrong}) if wrong else None
    return None if same(expected, given) else (path, expected, given)


def differences(expected, inventory):
    """A line for each field that differs; empty if the agent and MLflow agree."""
    given = {(r["model_name"], r["version_number"]): r for r in inventory}
    lines = [f"{key}: {'missing from the inventory' if key in expected else 'not in MLflow'}"
             for key in sorted(expected.keys() ^ given.keys())]
    if len(given) != len(inventory):
        lines.append("a version is listed twice")
    for key in sorted(expected.keys() & given.keys()):
        for path, value in expected[key].items():
            found = difference(path, value, given[key])
            if found:
                lines.append(f"{key} {found[0]}:\n    MLflow: {str(found[1])[:600]}\n    agent:  {str(found[2])[:600]}")
    return lines

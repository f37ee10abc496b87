#!/usr/bin/env python3
"""A small believable registry on a real MLflow server: what ci/demo shows, and the release check reads.

    demo_registry.py seed URI                  fills an empty server
    demo_registry.py change URI                an alias, a stage, a tag and a version change
    demo_registry.py later URI                 a stage and a tag change
    demo_registry.py compare URI INVENTORY     fails unless the agent's JSON inventory has exactly the server's versions
"""
import hashlib
import json
import logging
import os
import sys
import warnings

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param  # noqa: E402
from mlflow.tracking import MlflowClient  # noqa: E402

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01

# Each model: description, tags, and versions, oldest first. A version: its run's metrics, params and tags (None: it has no
# run), its own tags, its stage, its aliases.
MODELS = {
    "credit-scoring": {
        "experiment": "retail-credit",
        "description": "Probability of default within twelve months for consumer loans.",
        "tags": {
            "business_purpose": "Creditworthiness of natural persons (EU AI Act, Annex III 5b)",
            "owner": "anna.keller (Retail Credit Risk)", "risk_category": "high", "regulatory_scope": "EU AI Act; GDPR; CRR",
            "data_sensitivity": "personal", "dpia": "completed", "threat_model": "TM-2026-014",
        },
        "versions": [
            {"metrics": {"auc": 0.842, "ks": 0.47}, "params": {"algorithm": "logistic", "C": "0.3"}, "stage": "Archived",
             "run_tags": {"fairness.demographic_parity_ratio": "0.83"}},
            {"metrics": {"auc": 0.871, "ks": 0.53, "brier": 0.081}, "params": {"algorithm": "xgboost", "max_depth": "6", "eta": "0.05"},
             "run_tags": {"fairness.demographic_parity_ratio": "0.91", "evaluation.report": "MV-2026-031"},
             "dataset": ("loans-2025q4", "9c41be0a"), "stage": "Production", "aliases": ["champion"],
             "tags": {"approved_by": "model-validation-board"}},
            {"metrics": {"auc": 0.879, "ks": 0.55, "brier": 0.078}, "params": {"algorithm": "xgboost", "max_depth": "8", "eta": "0.03"},
             "run_tags": {"fairness.demographic_parity_ratio": "0.88"}, "dataset": ("loans-2026q1", "1f07d3c2"),
             "stage": "Staging", "aliases": ["challenger"]},
        ],
    },
    "churn-prediction": {
        "experiment": "customer-insight",
        "description": "Who is likely to leave within ninety days.",
        "tags": {"use_case": "Retention offers", "team": "customer-insight", "risk_level": "limited", "pii": "true", "regulation": "GDPR"},
        "versions": [
            {"metrics": {"auc": 0.79, "recall_at_10": 0.41}, "params": {"algorithm": "lightgbm", "num_leaves": "63"},
             "dataset": ("crm-snapshot-2026-02", "77aa10ce"), "aliases": ["production"], "tags": {"dpia": "missing", "reviewer": "j.lindt"}},
            {"metrics": {"auc": 0.81, "recall_at_10": 0.44}, "params": {"algorithm": "lightgbm", "num_leaves": "127"},
             "dataset": ("crm-snapshot-2026-03", "0be4417d")},
        ],
    },
    "card-fraud-detection": {
        "experiment": "payments-fraud",
        "description": "Scores card transactions in flight.",
        "tags": {"purpose": "Stopping fraudulent card payments", "model_owner": "fraud-ops", "regulatory_scope": "PSD2",
                 "data_classification": "confidential", "security_review": "pentest-2026-03"},
        "versions": [
            {"metrics": {"precision": 0.93, "recall": 0.71, "p99_latency_ms": 11.4}, "params": {"algorithm": "catboost", "iterations": "900"},
             "dataset": ("card-transactions-2026w09", "c0ffee11"), "stage": "Production", "tags": {"approver": "fraud-committee"}},
        ],
    },
    "support-ticket-triage": {
        "experiment": "support-nlp",
        "description": "Routes incoming tickets to a team.",
        "tags": {"intended_use": "Routing of support tickets", "ai_act_risk": "minimal", "contains_pii": "yes"},
        "versions": [
            {"metrics": {"macro_f1": 0.86}, "params": {"base_model": "xlm-roberta-base", "epochs": "3"}, "stage": "Staging"},
        ],
    },
    "cv-screening": {
        "experiment": "people-analytics",
        "description": "Ranks applications for open positions.",
        "tags": {"business_purpose": "Recruitment: ranking of applicants", "owner": "hr-analytics", "regulatory_scope": "EU AI Act",
                 "data_sensitivity": "personal", "privacy_review": "in_progress"},
        "versions": [
            {"metrics": {"ndcg_at_10": 0.68}, "params": {"algorithm": "lambdamart", "api_key": "not-a-real-key-3141"}, "stage": "Staging"},
        ],
    },
    "demand-forecast": {
        "experiment": "supply-chain",
        "description": "Weekly demand for each article and store.",
        "tags": {"use_case": "Replenishment", "owner": "supply-chain-ds", "risk_tier": "minimal", "data_sensitivity": "none"},
        "versions": [
            {"metrics": {}, "params": {"algorithm": "prophet"}, "stage": "Production"},
        ],
    },
    "document-ocr": {
        "experiment": None,
        "description": "",
        "tags": {},
        "versions": [{"metrics": None}],
    },
}


def log_run(client, experiment, name, number, version):
    """One finished run with everything that a careful team, or a careless one, would log."""
    started = START + number * 7 * DAY
    commit = hashlib.sha1(f"{name}/{number}".encode()).hexdigest()
    tags = {"mlflow.user": "m.okafor", "mlflow.source.name": f"train/{name.replace('-', '_')}.py", "mlflow.source.type": "LOCAL",
            "mlflow.source.git.commit": commit, **version.get("run_tags", {})}
    run = client.create_run(experiment, start_time=started, tags=tags, run_name=f"{name}-{number}")
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(key, value, started + 3_600_000, 0) for key, value in version["metrics"].items()],
        params=[Param(key, value) for key, value in version["params"].items()],
    )
    if "dataset" in version:
        dataset = Dataset(*version["dataset"], "local", json.dumps({"uri": f"warehouse/{version['dataset'][0]}"}))
        client.log_inputs(run.info.run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
    client.set_terminated(run.info.run_id, end_time=started + 5_400_000)
    return run.info


def seed(client):
    for name, model in MODELS.items():
        experiment = client.create_experiment(model["experiment"]) if model["experiment"] else None
        client.create_registered_model(name, tags=model["tags"], description=model["description"])
        for number, version in enumerate(model["versions"], 1):
            if experiment is None:
                client.create_model_version(name, "s3://models-archive/ocr/2023", run_id=None)
                continue
            run = log_run(client, experiment, name, number, version)
            client.create_model_version(name, f"{run.artifact_uri}/model", run_id=run.run_id, tags=version.get("tags"))
            if "stage" in version:
                client.transition_model_version_stage(name, str(number), version["stage"])
            for alias in version.get("aliases", []):
                client.set_registered_model_alias(name, alias, str(number))
    versions = sum(len(model["versions"]) for model in MODELS.values())
    print(f"{len(MODELS)} registered models, {versions} versions")


def change(client):
    client.set_registered_model_alias("credit-scoring", "champion", "3")
    print("moved     alias 'champion' of credit-scoring from version 2 to 3")
    client.transition_model_version_stage("support-ticket-triage", "1", "Production")
    print("promoted  support-ticket-triage 1 from Staging to Production")
    client.set_model_version_tag("churn-prediction", "1", "dpia", "completed")
    print("edited    tag 'dpia' of churn-prediction 1 from 'missing' to 'completed'")
    client.delete_model_version("credit-scoring", "1")
    print("deleted   credit-scoring 1")


def later(client):
    client.transition_model_version_stage("cv-screening", "1", "Production")
    print("promoted  cv-screening 1 from Staging to Production")
    client.set_model_version_tag("demand-forecast", "1", "approver", "supply-chain-board")
    print("added     tag 'approver' to demand-forecast 1")


def compare(client, path):
    served = {(version.name, str(version.version)) for version in client.search_model_versions(max_results=10_000)}
    kept = [(record["model_name"], record["version_number"]) for record in json.load(open(path, encoding="utf-8"))]
    if sorted(kept) != sorted(served):
        sys.exit(f"the inventory and the server differ: {sorted(served.symmetric_difference(kept))}")
    print(f"the inventory has the server's {len(kept)} versions")


def main(verb, uri, *rest):
    {"seed": seed, "change": change, "later": later, "compare": compare}[verb](MlflowClient(uri), *rest)


if __name__ == "__main__":
    main(*sys.argv[1:])

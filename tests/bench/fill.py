"""Fills a PostgreSQL database of MLflow's with a large registry, by COPY: what the client would need hours for.

Each version has a run of its own with 12 params, 6 metrics and 7 tags; models have tags and one alias. The same arguments always
give the same rows.
"""

import hashlib
import io

import psycopg2

START = 1_767_225_600_000  # 2026-01-01, ms
EXPERIMENTS = 20
PARAMS = [f"param_{i:02d}" for i in range(12)]
METRICS = ["accuracy", "auc", "f1", "log_loss", "precision", "recall"]


def run_id(i):
    return hashlib.md5(f"run-{i}".encode()).hexdigest()


def copy(cursor, table, columns, rows):
    text = io.StringIO("".join("\t".join("\\N" if v is None else str(v) for v in row) + "\n" for row in rows))
    cursor.copy_expert(f"COPY {table} ({','.join(columns)}) FROM STDIN", text)


def run_tags(i, model):
    return {"mlflow.user": f"user{i % 37}", "mlflow.source.name": "train/main.py", "mlflow.source.git.commit": run_id(i)[::-1] + "0" * 8,
            "mlflow.runName": f"run-{i}", "data_sensitivity": ("personal", "none", "confidential")[i % 3],
            "privacy_assessment_status": ("completed", "missing")[i % 2], "evaluation.report": f"report-{model}-{i}.pdf"}


def fill_runs(cursor, versions):
    runs = [(run_id(i), f"run-{i}", "UNKNOWN", "", "", f"user{i % 37}", "FINISHED", START + i * 60000, START + i * 60000 + 60000, "",
             "active", f"mlflow-artifacts:/{1 + i % EXPERIMENTS}/{run_id(i)}/artifacts", 1 + i % EXPERIMENTS) for i in range(versions)]
    copy(cursor, "runs", ["run_uuid", "name", "source_type", "source_name", "entry_point_name", "user_id", "status", "start_time",
                          "end_time", "source_version", "lifecycle_stage", "artifact_uri", "experiment_id"], runs)
    copy(cursor, "params", ["key", "value", "run_uuid"],
         ((key, f"value-{(i * 7 + k) % 1000}", run_id(i)) for i in range(versions) for k, key in enumerate(PARAMS)))
    for table in ("latest_metrics", "metrics"):
        copy(cursor, table, ["key", "value", "timestamp", "step", "is_nan", "run_uuid"],
             ((key, ((i * 31 + k * 17) % 1000) / 1000, START + i, 0, False, run_id(i)) for i in range(versions)
              for k, key in enumerate(METRICS)))
    copy(cursor, "tags", ["key", "value", "run_uuid"],
         ((key, value, run_id(i)) for i in range(versions) for key, value in run_tags(i, i % 1000).items()))


def fill_registry(cursor, models, versions):
    per_model = versions // models
    names = [f"bench-model-{m:05d}" for m in range(models)]
    copy(cursor, "registered_models", ["name", "creation_time", "last_updated_time", "description"],
         ((name, START, START + (m + 1) * per_model * 60000, f"Model {m} of the benchmark") for m, name in enumerate(names)))
    copy(cursor, "registered_model_tags", ["key", "value", "name"],
         ((key, value, name) for m, name in enumerate(names)
          for key, value in (("owner", f"team-{m % 50}"), ("risk_category", ("high", "limited", "minimal")[m % 3]),
                             ("business_purpose", f"purpose {m % 200}"))))
    copy(cursor, "registered_model_aliases", ["alias", "version", "name"], (("champion", per_model, name) for name in names))
    copy(cursor, "model_versions", ["name", "version", "creation_time", "last_updated_time", "user_id", "current_stage", "source",
                                    "run_id", "status", "storage_location"],
         ((name, v + 1, START + (m * per_model + v) * 60000, START + (m * per_model + v) * 60000, "",
           "Production" if v == per_model - 1 else "None",
           f"mlflow-artifacts:/{1 + (m * per_model + v) % EXPERIMENTS}/{run_id(m * per_model + v)}/artifacts/model",
           run_id(m * per_model + v), "READY", None) for m, name in enumerate(names) for v in range(per_model)))
    copy(cursor, "model_version_tags", ["key", "value", "name", "version"],
         (("approved_by", f"board-{m % 7}", name, per_model) for m, name in enumerate(names)))


def fill(address, models, versions):
    """`address` as psycopg2 takes it; the schema is there and empty but for the default experiment."""
    with psycopg2.connect(address) as db, db.cursor() as cursor:
        copy(cursor, "experiments", ["experiment_id", "name", "artifact_location", "lifecycle_stage", "creation_time",
                                     "last_update_time"],
             ((e, f"experiment-{e}", f"mlflow-artifacts:/{e}", "active", START, START) for e in range(1, EXPERIMENTS + 1)))
        fill_runs(cursor, versions)
        fill_registry(cursor, models, versions)
    with psycopg2.connect(address) as db:
        db.autocommit = True
        db.cursor().execute("ANALYZE")

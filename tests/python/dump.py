"""Everything that MLflow's own client says about a registry, as JSON. Run with the server's own version of MLflow.

Nothing is concluded here: oracle.py does that.
"""

import json
import sys

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

client = MlflowClient()


def pages(search, **arguments):
    token = None
    while True:
        page = search(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def ask(call, *arguments):
    """(answer, None) or (None, error code)."""
    try:
        return call(*arguments), None
    except MlflowException as error:
        return None, error.error_code


def model(m):
    aliases = getattr(m, "aliases", None) or {}
    return {"name": m.name, "description": m.description, "tags": dict(m.tags), "aliases": dict(aliases)}


def version(v):
    fields = ("name", "version", "creation_timestamp", "last_updated_timestamp", "user_id", "current_stage",
              "description", "source", "run_id", "status", "status_message")
    return {**{f: getattr(v, f) for f in fields}, "version": str(v.version), "tags": dict(v.tags),
            "model_id": getattr(v, "model_id", None)}


def run(r):
    info = r.info
    inputs = getattr(r, "inputs", None)
    outputs = getattr(r, "outputs", None)
    return {
        "run_id": info.run_id, "experiment_id": info.experiment_id, "user_id": info.user_id, "status": info.status,
        "start_time": info.start_time, "end_time": info.end_time, "artifact_uri": info.artifact_uri,
        "lifecycle_stage": info.lifecycle_stage, "params": dict(r.data.params), "tags": dict(r.data.tags),
        "metrics": [metric(m) for m in r.data._metric_objs],
        "datasets": [{"name": d.dataset.name, "digest": d.dataset.digest, "source_type": d.dataset.source_type,
                      "source": d.dataset.source, "tags": {t.key: t.value for t in d.tags}}
                     for d in (inputs.dataset_inputs if inputs else [])],
        "outputs": [o.model_id for o in (outputs.model_outputs if outputs else [])],
    }


def metric(m):
    return {"key": m.key, "value": m.value, "step": m.step, "timestamp": m.timestamp,
            "dataset": getattr(m, "dataset_name", None)}


def logged_model(m):
    return {"model_id": m.model_id, "source_run_id": m.source_run_id, "tags": dict(m.tags), "params": dict(m.params),
            "metrics": [metric(x) for x in m.metrics or []]}


def main():
    models = {m.name: model(m) for m in pages(client.search_registered_models, max_results=100)}
    versions = [version(v) for v in pages(client.search_model_versions, filter_string="", max_results=1000)]
    runs, experiments, logged = {}, {}, {}
    for v in versions:
        if v["run_id"] and v["run_id"] not in runs:
            answer, error = ask(client.get_run, v["run_id"])
            runs[v["run_id"]] = run(answer) if answer else {"error": error}
        source = v["source"] or ""
        outputs = runs.get(v["run_id"], {}).get("outputs", [])
        wanted = [source.removeprefix("models:/")] if source.startswith("models:/m-") else outputs
        for model_id in wanted:
            answer, error = ask(client.get_logged_model, model_id)
            logged[model_id] = logged_model(answer) if answer else {"error": error}
    for r in runs.values():
        experiment_id = r.get("experiment_id")
        if experiment_id and experiment_id not in experiments:
            answer, error = ask(client.get_experiment, experiment_id)
            experiments[experiment_id] = ({"experiment_id": experiment_id, "name": answer.name, "tags": dict(answer.tags)}
                                          if answer else {"error": error})
    json.dump({"models": models, "versions": versions, "runs": runs, "experiments": experiments,
               "logged_models": logged}, sys.stdout)


main()

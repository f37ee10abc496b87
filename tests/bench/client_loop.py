"""What a team writes first: a loop over MLflow's own Python client, model by model, run by run. Prints the number of versions."""

import sys

from mlflow.tracking import MlflowClient


def pages(call, **arguments):
    token = None
    while True:
        page = call(page_token=token, **arguments)
        yield from page
        token = page.token
        if not token:
            return


def main(prefix):
    client = MlflowClient()
    experiments, records = {}, []
    for model in pages(client.search_registered_models, filter_string=f"name LIKE '{prefix}%'", max_results=100):
        for version in pages(client.search_model_versions, filter_string=f"name = '{model.name}'", max_results=100):
            run = client.get_run(version.run_id)
            if run.info.experiment_id not in experiments:
                experiments[run.info.experiment_id] = client.get_experiment(run.info.experiment_id)
            records.append({"model": model.name, "version": version.version, "stage": version.current_stage, "tags": model.tags,
                            "metrics": run.data.metrics, "params": run.data.params, "run_tags": run.data.tags,
                            "experiment": experiments[run.info.experiment_id].name})
    print(len(records))


main(sys.argv[1])

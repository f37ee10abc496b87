"""A stand-in for an MLflow server, for what a real one cannot be made to do at the right moment.

It answers the agent's calls from a few dictionaries, shaped as MLflow 3 shapes them. `hook(request)` may answer in its place.
What MLflow really answers is test_oracle.py's business.
"""

import json

from proxies import Answer, Proxy

API = "/api/2.0/mlflow/"
GONE = "RESOURCE_DOES_NOT_EXIST"


def answer(content, status=200):
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})


def failure(status, code, message="no"):
    return answer({"error_code": code, "message": message}, status)


def tags_of(tags):
    return [{"key": k, "value": v} for k, v in tags.items()]


class Space:
    """The registry of one workspace, or of a server without them."""

    def __init__(self):
        self.models, self.versions, self.runs, self.experiments = {}, {}, {}, {"1": {"experiment_id": "1", "name": "one"}}

    def model(self, name, at=1000, tags=None, **more):
        self.models[name] = {"name": name, "creation_timestamp": at, "last_updated_timestamp": at, "tags": tags_of(tags or {}), **more}

    def version(self, name, number, at=1000, run=True, **more):
        if name not in self.models:
            self.model(name, at)
        run_id = f"{name}x{number}".encode().hex().ljust(32, "a")[:32] if run is True else run or ""
        self.versions[name, str(number)] = {
            "name": name, "version": str(number), "creation_timestamp": at, "last_updated_timestamp": at, "current_stage": "None",
            "status": "READY", "source": f"s3://bucket/{name}/{number}", "run_id": run_id, **more}
        if run is True:
            self.runs[run_id] = self.run(run_id)
        return run_id

    @staticmethod
    def run(run_id, experiment="1", **data):
        info = {"run_id": run_id, "experiment_id": experiment, "user_id": "ann", "status": "FINISHED", "start_time": 1, "end_time": 2,
                "artifact_uri": "s3://bucket/run", "lifecycle_stage": "active"}
        return {"info": info, "data": {"metrics": [], "params": [], "tags": [], **data}}


class StandIn:
    def __init__(self):
        self.spaces, self.offered = {None: Space()}, None  # `offered`: names of workspaces, or None
        self.unlisted = set()  # models that no listing shows
        self.hidden = set()    # experiments that no listing shows, with their runs
        self.hook = None
        self.proxy = Proxy(before=self.before)
        self.url = self.proxy.url

    def __enter__(self):
        self.proxy.__enter__()
        return self

    def __exit__(self, *_):
        self.proxy.__exit__()

    @property
    def space(self):
        return self.spaces[None]

    def calls(self, end=""):
        return [r for r in self.proxy.requests if r.path.endswith(end)]

    def forget_calls(self):
        self.proxy.requests.clear()

    def before(self, request):
        special = self.hook(request) if self.hook else None
        if special is not None:
            return special
        if request.path == "/version":
            return Answer(200, b"3.99.0")
        if request.path.endswith("/server-info"):
            return answer({"workspaces_enabled": self.offered is not None})
        if request.path.endswith("/workspaces"):
            return answer({"workspaces": [{"name": n} for n in self.offered]})
        name = request.headers.get("x-mlflow-workspace")
        if name and self.offered is None:
            return failure(500, "FEATURE_DISABLED")
        if name not in self.spaces and not (name is None and self.offered is not None):
            return failure(404, GONE, "no such workspace")
        call = request.path.removeprefix(API).replace("/", "_").replace("-", "_")
        body = json.loads(request.body or b"{}")
        return getattr(self, call)(self.spaces.get(name or (self.offered and "default")), request.parameters, body)

    @staticmethod
    def page(rows, key, parameters):
        at, size = int(parameters.get("page_token", ["0"])[0]), int(parameters["max_results"][0])
        content = {key: rows[at:at + size]}
        if at + size < len(rows):
            content["next_page_token"] = str(at + size)
        return answer(content)

    def listing(self, rows, key, parameters):
        import re

        wanted = re.fullmatch(r"name = '(.*)'", parameters.get("filter", [""])[0])
        rows = [r for r in rows if r["name"] not in self.unlisted and (not wanted or r["name"] == wanted[1])]
        rows.sort(key=lambda r: (r["name"], int(r.get("version", 0))))
        if parameters["order_by"][0] == "last_updated_timestamp DESC":
            rows.sort(key=lambda r: -r["last_updated_timestamp"])
        return self.page(rows, key, parameters)

    def registered_models_search(self, space, parameters, _):
        return self.listing(list(space.models.values()), "registered_models", parameters)

    def model_versions_search(self, space, parameters, _):
        return self.listing(list(space.versions.values()), "model_versions", parameters)

    def registered_models_get(self, space, parameters, _):
        model = space.models.get(parameters["name"][0])
        return answer({"registered_model": model}) if model else failure(404, GONE)

    def model_versions_get(self, space, parameters, _):
        version = space.versions.get((parameters["name"][0], parameters["version"][0]))
        return answer({"model_version": version}) if version else failure(404, GONE)

    def experiments_search(self, space, _, body):
        rows = [e for e in space.experiments.values() if e["experiment_id"] not in self.hidden]
        given = {"max_results": [str(body["max_results"])], "page_token": [body.get("page_token", "0")]}
        return self.page(rows, "experiments", given)

    def experiments_get(self, space, parameters, _):
        experiment = space.experiments.get(parameters["experiment_id"][0])
        return answer({"experiment": experiment}) if experiment else failure(404, GONE)

    def runs_search(self, space, _, body):
        def seen(run_id, run):
            experiment = run["info"]["experiment_id"]
            return f"'{run_id}'" in body["filter"] and experiment in body["experiment_ids"] and experiment not in self.hidden

        return answer({"runs": [r for i, r in space.runs.items() if seen(i, r)]})

    def runs_get(self, space, parameters, _):
        run = space.runs.get(parameters["run_id"][0])
        if run and run["info"]["experiment_id"] in self.hidden:
            return failure(403, "PERMISSION_DENIED")
        return answer({"run": run}) if run else failure(404, GONE)

    def logged_models_search(self, space, _, body):
        return answer({"models": []})

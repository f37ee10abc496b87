"""Nothing but reads reaches the server, and its database stays as it is (S2.1, S4.3)."""

import re

import pytest
from proxies import Proxy

READS = {
    ("GET", "/version"), ("GET", "/api/3.0/mlflow/server-info"), ("GET", "/api/3.0/mlflow/workspaces"),
    ("GET", "/api/2.0/mlflow/registered-models/search"), ("GET", "/api/2.0/mlflow/registered-models/get"),
    ("GET", "/api/2.0/mlflow/model-versions/search"), ("GET", "/api/2.0/mlflow/model-versions/get"),
    ("POST", "/api/2.0/mlflow/runs/search"), ("GET", "/api/2.0/mlflow/runs/get"),
    ("POST", "/api/2.0/mlflow/experiments/search"), ("GET", "/api/2.0/mlflow/experiments/get"),
    ("POST", "/api/2.0/mlflow/logged-models/search"),
}
LOGGED_MODEL = re.compile(r"/api/2\.0/mlflow/logged-models/m-[0-9a-f]+")


def is_read(method, path):
    return (method, path) in READS or (method == "GET" and LOGGED_MODEL.fullmatch(path) is not None)


@pytest.mark.parametrize("name", ["newest", "postgres", "last2", "oldest"])
def test_database_is_the_same_after_a_sync(name, request, agent):
    server = request.getfixturevalue(name)
    before = server.dump()
    assert len(before) > 100_000
    a = agent(server)
    a.sync("--full")
    a.sync("--quick")
    a.run("doctor", code=None)
    assert server.dump() == before


def test_few_requests_and_no_workspace_header(newest, agent):
    a = agent(newest)
    seen = len(newest.recorder.requests)
    a.sync()
    requests = newest.recorder.requests[seen:]
    # 42 models and 94 versions with 15 runs: no call for each of them, but for the few that need one of their own
    assert len(requests) <= 25, [(r.method, r.path, r.query) for r in requests]
    assert all("x-mlflow-workspace" not in r.headers and "origin" not in r.headers for r in requests)
    assert all("gzip" in r.headers.get("accept-encoding", "") for r in requests)


@pytest.mark.last
def test_every_call_of_this_run_was_a_read():
    assert Proxy.seen
    assert not {call for call in Proxy.seen if not is_read(*call)}

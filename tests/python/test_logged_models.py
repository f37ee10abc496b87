"""Where logged models cannot be searched for, each is asked for, and what is learned is the same (S3.1)."""

import pytest
from proxies import Answer, Proxy

API = "/api/2.0/mlflow/"
JSON = {"Content-Type": "application/json"}
NO_IN = Answer(400, b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "Invalid clause(s) in filter string"}', JSON)
NO_CALL = Answer(404, b"<!doctype html><title>404 Not Found</title>", {"Content-Type": "text/html"})


def known(a):
    """Without the address, which differs from proxy to proxy."""
    return {k: {f: v for f, v in r.items() if f != "source"} for k, r in a.content().items()}


@pytest.fixture(scope="module")
def reference(newest, tmp_path_factory):
    from agent import Agent

    a = Agent(tmp_path_factory.mktemp("reference") / "state", newest.url)
    a.sync()
    assert len(a.inventory()) > 80
    return known(a)


@pytest.mark.parametrize("lacks", [{"logged-models/search": NO_IN}, {"experiments/search": NO_CALL}], ids=["in", "experiments"])
def test_logged_models_are_asked_for_one_by_one(newest, agent, reference, lacks):
    with Proxy(newest.url, before=lambda r: lacks.get(r.path.removeprefix(API))) as proxy:
        a = agent(proxy.url, "mlflow: {requests_per_second: 1000, burst: 1000}\n")
        a.sync()
        now = known(a)
        assert now.keys() == reference.keys()
        for key, record in reference.items():
            assert now[key] == record, key
        assert any(r.path.startswith(API + "logged-models/m-") for r in proxy.requests)
        a.verify()

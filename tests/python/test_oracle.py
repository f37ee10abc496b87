"""The inventory is what MLflow's own client says, field by field, on each version of MLflow (S3.2, S5, S6, S7)."""

import re

import pytest
import seed
from agent import timeless
from oracle import Oracle, differences


@pytest.fixture(params=["newest", "postgres", "last2", "oldest"])
def server(request):
    return request.getfixturevalue(request.param)


def test_inventory_equals_mlflow(server, agent, dumped):
    a = agent(server)
    a.sync()
    expected = Oracle(dumped(server), seed.SECRETS, server.recorder.url).records()
    assert len(expected) > 80
    lines = differences(expected, a.inventory())
    assert not lines, f"{len(lines)} differences:\n" + "\n".join(lines[:40])
    assert ("left out: 1 prompts" in a.sync().out) == ("prompts_are_listed" in server.facts)


def test_the_size_of_pages_does_not_matter(newest, agent):
    a = agent(newest)
    a.sync()
    b = agent(newest, "mlflow: {page_versions: 3, page_models: 2, connections: 3, requests_per_second: 1000, burst: 1000}\n")
    seen = len(newest.recorder.requests)
    b.sync()
    assert len(newest.recorder.requests) - seen > 50
    assert a.content() == b.content()


@pytest.mark.parametrize("name", [*seed.HARD_NAMES, *seed.SLASH_NAMES, "credit-scoring", "logged-model"])
def test_each_model_can_be_asked_for_alone(newest, agent, name):
    a = agent(newest)
    a.sync("--model", re.sub(r"([*?\[\\])", r"\\\1", name))
    records = a.inventory()
    assert {r["model_name"] for r in records} == {name}
    if name == seed.HARD_NAMES[0]:
        b = agent(newest)
        b.sync()
        assert list(map(timeless, b.inventory("--model", name))) == list(map(timeless, records))

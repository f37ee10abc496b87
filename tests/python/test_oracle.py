"""The inventory is what MLflow's own client says, field by field, on each version of MLflow (S3.2, S5, S6, S7)."""

import pytest
import seed
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

"""The fleet as it is meant to be used, with either store: enrolment, what arrives, commands, certificates, secrets, revocation."""

import time

import pytest
from agent import OK
from fleet import STORES, Registry, fleet_of, until


@pytest.fixture(scope="module", params=STORES)
def fleet(request, tmp_path_factory):
    fleet = fleet_of(request.param, tmp_path_factory.mktemp(f"fleet-{request.param}"))
    yield fleet
    fleet.end()


@pytest.fixture
def member(fleet):
    """member(...): see Fleet.member(); ended with the test."""
    before = len(fleet.members)
    yield fleet.member
    for m in fleet.members[before:]:
        m.end()
    del fleet.members[before:]


@pytest.fixture
def registry(playground):
    registry = Registry(playground)
    yield registry
    registry.close()


def keyed(records):
    return {(r["workspace"] or "", r["model_name"], r["version_number"]): r for r in records}


# ---- records arrive ----


def test_what_an_agent_has_arrives_exactly(fleet, member, small):
    """The controller's ledger is the agent's, byte for byte, and its inventory is the agent's (S2.2, S10)."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1, outcome="ok")
    m.caught_up().same_ledger()
    ours, theirs = keyed(m.agent.inventory()), keyed(m.records())
    assert len(ours) == 18 and ours.keys() == theirs.keys()
    for key, record in ours.items():
        assert theirs[key]["record_sha256"] == record["record_sha256"], key
    until(lambda: (m.presence()["health"] or {}).get("versions") == 18)
    assert m.shown()["status"] == "active" and m.presence()["source_uri"] == small.url

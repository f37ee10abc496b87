"""The agent's uplink against a controller that is not ours: protocol, receipts, refusals, commands (S4.1, S9, S10)."""

import pytest
from fleet_peer import Peer
from uplink import Uplink


@pytest.fixture
def peer(tmp_path):
    peer = Peer(tmp_path)
    yield peer
    peer.stop()


@pytest.fixture
def uplink(tmp_path, peer):
    uplink = Uplink(tmp_path, peer)
    yield uplink
    uplink.stop()


def test_the_ledger_arrives_whole(peer, uplink):
    peer.serve()
    uplink.start()
    uplink.append(1200)
    status = uplink.wait(lambda s: s["acknowledged"] == s["last"] and s["last"] >= 1200)
    assert status["phase"] == "connected" and status["error"] is None
    assert peer.chain.last == status["last"] and peer.chain.duplicates == 0
    hello = peer.streams[0].hello
    assert hello.protocol_major == 1 and len(hello.instance_id) == 16 and hello.agent_version == "0.1.0-driver"
    assert hello.source_uri == "http://mlflow.example.org:5000"
    assert list(hello.capabilities) == ["commands", "policy", "configuration", "secrets"]
    assert uplink.stop() < 2.5
    assert peer.streams[0].closed.wait(5)

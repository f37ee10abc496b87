"""Servers are started once for a test run, in the background, and only those that the collected tests ask for."""

import json

import pytest
from agent import BINARY, Agent
from fleet_peer import Peer
from proxies import Proxy
from servers import Server
from uplink import Uplink

SERVERS = {
    "newest": dict(version="main", scenario="full"),
    "postgres": dict(version="main", scenario="full", postgres=True, prefix="/ml/flow"),
    "last2": dict(version="222", scenario="full"),
    "oldest": dict(version="22", scenario="full"),
    "basic": dict(version="main", scenario="restricted", auth=True),
    "workspaces": dict(version="main", scenario="spaces", options=("--enable-workspaces",)),
    "small": dict(version="main", scenario="small"),
    "playground": dict(version="main", scenario="small"),
}


class Farm:
    def __init__(self):
        self.servers = {}

    def start(self, name):
        if name not in self.servers:
            self.servers[name] = Server(name, **SERVERS[name]).start()

    def get(self, name):
        self.start(name)
        server = self.servers[name]
        return server if getattr(server, "up", False) else self._wait(server)

    def _wait(self, server):
        server.ready()
        server.recorder = Proxy(server.url).__enter__()
        server.up = True
        return server

    def recorders(self):
        return [s.recorder for s in self.servers.values() if getattr(s, "up", False)]

    def stop(self):
        for recorder in self.recorders():
            recorder.__exit__()
        for server in self.servers.values():
            server.stop()


FARM = Farm()


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "ignore::FutureWarning")  # of stages, which MLflow would rather not have
    config.addinivalue_line("markers", "last: runs after all other tests")
    config.addinivalue_line("markers", "tsan: runs with the thread sanitizer too")
    config.addinivalue_line("markers", "plain: runs without sanitizers, which have memory and signals of their own")
    config.addinivalue_line("markers", "both: runs without sanitizers too: its figures mean more there")


def pytest_collection_finish(session):
    if session.config.option.collectonly:
        return
    for item in session.items:
        parameters = getattr(item, "callspec", None)
        asked = [*getattr(item, "fixturenames", ()), *(parameters.params.values() if parameters else ())]
        for name in asked:
            if isinstance(name, str) and name in SERVERS:
                FARM.start(name)


def pytest_unconfigure(config):
    FARM.stop()


def _server_fixture(name):
    @pytest.fixture(scope="session", name=name)
    def server():
        return FARM.get(name)

    return server


newest = _server_fixture("newest")
postgres = _server_fixture("postgres")
last2 = _server_fixture("last2")
oldest = _server_fixture("oldest")
basic = _server_fixture("basic")
workspaces = _server_fixture("workspaces")
small = _server_fixture("small")
playground = _server_fixture("playground")


@pytest.fixture(scope="session", autouse=True)
def binary():
    assert BINARY.exists(), f"{BINARY} is not built"
    return BINARY


@pytest.fixture
def agent(tmp_path):
    """agent(server or URI, **environment) makes an agent with a state folder of its own.

    A server is reached through a recorder: test_readonly.py looks at the end at every request of the whole run.
    """
    made = []

    def make(uri=None, config=None, state=None, **env):
        uri = uri.recorder.url if isinstance(uri, Server) else uri
        if isinstance(config, str):
            path = tmp_path / f"config-{len(made)}.yaml"
            path.write_text(config)
            config = path
        made.append(Agent(state or tmp_path / f"state-{len(made)}", uri, config, **env))
        return made[-1]

    return make


@pytest.fixture
def peer(tmp_path):
    """A controller that is not ours; its streams begin with serve()."""
    peer = Peer(tmp_path)
    yield peer
    peer.stop()


@pytest.fixture
def uplink(tmp_path, peer):
    """An agent's uplink, enrolled with the peer and not started."""
    uplink = Uplink(tmp_path, peer)
    yield uplink
    uplink.stop()


@pytest.fixture(scope="session")
def dumped():
    """dumped(server): what MLflow's own client says about a server that nobody changes, asked once."""
    known = {}

    def get(server):
        if server.name not in known:
            known[server.name] = json.loads(server.python("dump.py"))
        return known[server.name]

    return get

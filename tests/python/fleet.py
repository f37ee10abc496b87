"""A fleet on this machine: controllers with either store, agents next to MLflow, and what operators and programs ask them."""

import atexit
import base64
import contextlib
import functools
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from agent import Agent, Result
from daemon import Daemon
from servers import ROOT, Postgres, clean_environment, free_port, gotool, start_process, stop_process

CONTROLLER = pathlib.Path(os.environ.get("VW_CONTROLLER", ROOT / "build/dev/controller/commands/vw-controller"))
STORES = ("lmdb", "postgresql")
REFUSED, STORE = 4, 5  # the controller's exit codes that the agent does not have
OWNER, APPLICATION = "fleet_owner", "verifywise_fleet_app"
OPEN = ("queued", "delivered", "running")


def until(question, seconds=20, step=0.05, what="it"):
    """The first answer that is true. A controller that says "not now" is asked again."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = question()
        except Refusal as refusal:
            if refusal.status != 503:
                raise
            answer = None
        if answer:
            return answer
        assert time.monotonic() < end, f"{what() if callable(what) else what} did not come true"
        time.sleep(step)


class Database(Postgres):
    """A cluster for fleets: two roles, as an operator would have them, and a database for each fleet."""

    def start(self):
        super().start()
        self.psql(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
        self.numbers = itertools.count(1)
        return self

    def make(self):
        name = f"fleet{next(self.numbers)}"
        self.psql(f"CREATE DATABASE {name} OWNER {OWNER}")
        return name

    def url(self, name, role=APPLICATION):
        return f"postgresql://{role}@127.0.0.1:{self.port}/{name}"

    def let_in(self):
        self.psql(f"ALTER ROLE {APPLICATION} LOGIN")

    def ask(self, name, sql, role=APPLICATION):
        """Rows as psql prints them, as the role that serves."""
        run = subprocess.run([self.binary("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql, self.url(name, role)],
                             capture_output=True, timeout=60)
        return run.returncode, run.stdout.decode(), run.stderr.decode()


class Refusal(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Rest:
    """The REST interface with one Bearer token."""

    def __init__(self, base, authority, token=None):
        self.base, self.token = base, token
        context = ssl.create_default_context(cafile=authority)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))

    def raw(self, method, path, body=None, **query):
        """(status, headers, bytes)"""
        query = {k: v for k, v in query.items() if v is not None}
        url = self.base + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=30) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def __call__(self, method, path, body=None, **query):
        """What stands in the envelope's data; anything but 2xx is a Refusal."""
        status, _, text = self.raw(method, path, body, **query)
        if status >= 300:
            raise Refusal(status, text.decode(errors="replace"))
        return json.loads(text)["data"]

    def get(self, path, **query):
        return self("GET", path, **query)

    def post(self, path, body=None, **query):
        return self("POST", path, {} if body is None else body, **query)

    def all(self, path, **query):
        """The rows of all pages."""
        rows, cursor = [], None
        while True:
            page = self.get(path, cursor=cursor, **query)
            rows += page["items"]
            cursor = page["next"]
            if not cursor:
                return rows


class Controller:
    """One `vw-controller serve`: a folder, its configuration, its process. With `like`, another replica of that one."""

    def __init__(self, folder, database=None, like=None, replica="a", wrapper=(), **config):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data, self.replica, self.wrapper = self.folder / "data", replica, list(wrapper)
        self.port, self.https = free_port(), free_port()
        self.database, self.like = database or (like.database if like else None), like
        self.name = like.name if like else self.database.make() if self.database else None
        self.path, self.log_path = self.folder / "controller.yaml", self.folder / "controller.log"
        self.settings = {
            "data_dir": str(self.data), "replica": replica,
            "sessions": {"listen": f"127.0.0.1:{self.port}", "endpoint": f"127.0.0.1:{self.port}"},
            "https": {"listen": f"127.0.0.1:{self.https}"},
            "rest": {"requests_per_second": 10000, "burst": 10000}}
        if self.database:
            self.settings["store"] = {"url": self.database.url(self.name)}
        for section, values in config.items():
            self.settings[section] = {**self.settings.get(section, {}), **values} if isinstance(values, dict) else values
        self.url = f"https://127.0.0.1:{self.https}"
        self.env = clean_environment(HOME=str(self.folder))
        self.process, self._operator, self.started = None, None, 0
        self.write()

    @property
    def kind(self):
        return "postgresql" if self.database else "lmdb"

    @property
    def authority(self):
        return self.data / "authority" / "ca.pem"

    def write(self):
        self.path.write_text(json.dumps(self.settings))

    # -- the command line --

    def cli(self, *arguments, code=0, stdin=None, timeout=60, **env):
        command = [str(CONTROLLER), "--config", str(self.path), *map(str, arguments)]
        done = subprocess.run(command, env={**self.env, **env}, input=stdin, capture_output=True, timeout=timeout)
        result = Result(command, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or result.code == code, result
        assert "Sanitizer" not in result.err and "runtime error:" not in result.err, result
        return result

    def init(self):
        if self.like:
            self.data.mkdir(mode=0o700)
            shutil.copytree(self.like.data / "authority", self.data / "authority")
            return self
        owner = {"VW_CONTROLLER_STORE_URL": self.database.url(self.name, OWNER)} if self.database else {}
        self.cli("init", **owner)
        if self.database:
            self.database.let_in()
        return self

    # -- the process --

    def launch(self):
        """Returns at once."""
        self.started = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.process = start_process([*self.wrapper, str(CONTROLLER), "--config", str(self.path), "serve"], self.log_path,
                                     env=self.env)
        return self

    def start(self):
        self.launch()
        until(self.is_up, 30, what=lambda: f"start of the controller\n{self.log[-3000:]}")
        return self

    def is_up(self):
        assert self.process.poll() is None, self.log[-3000:]
        return " event=started " in self.log_path.read_text()[self.started:]

    def stop(self, seconds=20):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(seconds)
        if self.process:
            assert self.process.returncode == 0, self.log[-3000:]
            stop_process(self.process)
        self.process = None
        assert "Sanitizer" not in self.log and "runtime error:" not in self.log, self.log[-5000:]

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        stop_process(self.process)
        self.process = None

    def end(self):
        """Whatever happened before."""
        stop_process(self.process)
        self.process = None

    @property
    def log(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def events(self, name):
        """The attributes of each log line of this event, in order."""
        lines = [line for line in self.log.splitlines() if f" event={name} " in f"{line} "]
        pairs = [re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line) for line in lines]
        return [{k: v.strip('"') for k, v in p} for p in pairs]

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    # -- REST --

    def rest(self, token=None):
        return Rest(self.url, self.authority, token)

    @property
    def operator(self):
        """An operator of the whole controller."""
        if self.like:
            return self.rest(self.like.operator.token)
        if self._operator is None:
            token = self.cli("users", "create", "operator of the tests", "--role", "admin", "--all-organizations").out.strip()
            self._operator = self.rest(token)
        return self._operator

    def user(self, organization, role="auditor"):
        arguments = ["users", "create", f"{role} of {organization}", "--role", role, "--organization", organization]
        return self.rest(self.cli(*arguments).out.strip())

    def organization(self, name=None):
        """A new one's id."""
        return self.operator.post("/api/v1/organizations", {"name": name or f"organization {time.monotonic_ns()}"})["id"]

    def token(self, organization, **more):
        return self.operator.post("/api/v1/tokens", {"label": "test", **more}, organization=organization)["token"]

    def metrics(self):
        """{name, with its labels: value} of this replica."""
        text = self.operator.raw("GET", "/metrics")[2].decode()
        return {k: float(v) for k, v in (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))}

    def metric(self, name):
        return self.metrics()[f"vw_controller_{name}"]


class Wire:
    """Carries bytes to ports of this host, each connection to the next of them that answers, as a balancer does.

    `cut(data)` sees what comes back; when it says so, that is lost and the connection ends. freeze(): what is open carries nothing any more and does
    not end either, as when a machine between forgot it."""

    def __init__(self, *ports, cut=lambda data: False):
        self.to, self.cut, self.epoch, self.turn = list(ports), cut, 0, itertools.count()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = self.listener.getsockname()[1]
        self.sockets = set()

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self):
        self.listener.close()
        self.reset()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def freeze(self):
        self.epoch += 1

    def reset(self):
        for each in list(self.sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _reach(self):
        first = next(self.turn)
        for i in range(len(self.to)):
            with contextlib.suppress(OSError):
                return socket.create_connection(("127.0.0.1", self.to[(first + i) % len(self.to)]), 2)
        return None

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = self._reach()
                if not far:
                    near.close()
                    continue
                far.settimeout(None)
                for source, target, back in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pump, args=(source, target, back, self.epoch), daemon=True).start()

    def _stay_frozen(self, epoch):
        while epoch != self.epoch:
            time.sleep(60)

    def _pump(self, source, target, back, epoch):
        self.sockets.add(source)
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                self._stay_frozen(epoch)
                if not data or (back and self.cut(data)):
                    break
                target.sendall(data)
        self._stay_frozen(epoch)
        self.sockets.discard(source)
        # after a reset too: the other thread waits in recv(), and what it holds would stay open
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Toxiproxy:
    """Bad networks, made by a program that is made for it."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = start_process([gotool("toxiproxy-server"), "-host", "127.0.0.1", "-port", str(self.port)],
                                     pathlib.Path(folder) / "toxiproxy.log")
        until(lambda: self._answers(), what="toxiproxy")

    def _answers(self):
        with contextlib.suppress(OSError):
            return self.call("GET", "/version", plain=True)

    def call(self, method, path, body=None, plain=False):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            text = answer.read()
            return text if plain or not text else json.loads(text)

    def proxy(self, name, listen, upstream):
        self.call("POST", "/proxies", {"name": name, "listen": f"127.0.0.1:{listen}", "upstream": f"127.0.0.1:{upstream}", "enabled": True})

    def add(self, proxy, kind, stream="downstream", **attributes):
        """`stream`: "upstream" is what the agent sends."""
        self.call("POST", f"/proxies/{proxy}/toxics", {"name": f"{kind}_{stream}", "type": kind, "stream": stream, "attributes": attributes})

    def remove(self, proxy, kind, stream="downstream"):
        self.call("DELETE", f"/proxies/{proxy}/toxics/{kind}_{stream}")

    def clear(self, proxy):
        for toxic in self.call("GET", f"/proxies/{proxy}/toxics"):
            self.call("DELETE", f"/proxies/{proxy}/toxics/{toxic['name']}")

    def stop(self):
        stop_process(self.process)


class Member(Daemon):
    """An enrolled agent of a fleet: one state folder, run again and again."""

    def __init__(self, controller, organization, agent, wrapper=(), **env):
        super().__init__(agent, wrapper, **env)
        self.controller, self.organization = controller, organization
        self.id = None

    def enroll(self, token=None, *arguments, url=None, code=0):
        """With a token of its organization, by standard input."""
        token = self.controller.token(self.organization) if token is None else token
        command = self.agent.command("enroll", url or self.controller.url, "--token-file", "-", *arguments)
        done = subprocess.run(command, env=self.agent.env, input=token.encode(), capture_output=True, timeout=60)
        result = Result(command, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or result.code == code, result
        if result.code == 0:
            self.id = re.search(r"as agent (\S+) of organization (\d+)", result.out)[1]
        return result

    def start(self):
        self.__enter__()
        return self

    def end(self):
        if self.process:
            self.__exit__()

    def kill(self):
        self.process.kill()
        self.process.wait(10)
        stop_process(self.process)

    # -- what the controller says of it --

    def shown(self):
        return self.controller.operator.get(f"/api/v1/agents/{self.id}", organization=self.organization)

    def presence(self):
        return self.shown()["presence"]

    def is_connected(self):
        return bool(self.presence()["connected"])

    def connected(self, seconds=20):
        until(self.is_connected, seconds, what=lambda: f"connection\n{self.log[-2000:]}\n{self.controller.log[-2000:]}")
        return self

    def disconnected(self, seconds=20):
        until(lambda: not self.is_connected(), seconds, what="disconnection")

    def records(self, **query):
        return self.controller.operator.all("/api/v1/records", organization=self.organization, agent=self.id, **query)

    def entries(self):
        """Its ledger at the controller."""
        return self.controller.operator.all(f"/api/v1/agents/{self.id}/ledger", organization=self.organization)

    def export(self):
        """What the controller has, byte for byte."""
        status, _, text = self.controller.operator.raw("GET", f"/api/v1/agents/{self.id}/ledger/export",
                                                       organization=self.organization)
        assert status == 200, text
        return exported(text.decode())

    def stored(self):
        return int(self.shown()["sequence"] or 0)

    def last(self):
        """Of its own ledger."""
        return max(exported(self.agent.run("audit", "export").out))

    def caught_up(self, seconds=30):
        """Until all that it has is stored at the controller."""
        until(lambda: self.stored() >= self.last(), seconds, 0.1,
              what=lambda: f"catching up: {self.stored()} of {self.last()}\n{self.log[-3000:]}")
        return self

    def same_ledger(self):
        """Both sides have exactly the same bytes under the same numbers, from the first on, and both chains verify. It may grow meanwhile."""
        for _ in range(20):
            theirs = self.export()
            ours = exported(self.agent.run("audit", "export").out)
            assert sorted(theirs) == list(range(1, len(theirs) + 1))
            assert {k: ours.get(k) for k in theirs} == theirs, "the controller holds what the agent does not"
            if len(ours) == len(theirs):
                break
            time.sleep(0.5)
        else:
            raise AssertionError("the agent holds what the controller does not")
        self.agent.verify()
        verified = self.controller.operator.get(f"/api/v1/agents/{self.id}/ledger/verify", organization=self.organization)
        assert verified["sound"], verified
        return ours

    # -- commands --

    def command(self, kind, **members):
        """Its id."""
        return self.controller.operator.post(f"/api/v1/agents/{self.id}/commands", {"kind": kind, **members},
                                             organization=self.organization)["id"]

    def command_state(self, id):
        return self.controller.operator.get(f"/api/v1/commands/{id}", organization=self.organization)

    def finished(self, id, seconds=30):
        """The command, once it is over."""
        return until(lambda: (c := self.command_state(id))["state"] not in OPEN and c, seconds,
                     what=lambda: f"{self.command_state(id)}\n{self.log[-3000:]}")

    def order(self, kind, seconds=30, state="done", **members):
        """Gives a command and waits for its end; what the agent said of it."""
        command = self.finished(self.command(kind, **members), seconds)
        assert command["state"] == state, command
        return command

    def audit(self, kind):
        return [row for row in self.agent.audit() if row["kind"] == kind]


def exported(text):
    """{sequence: (payload, chain hash)} of an export, the agent's or the controller's."""
    out = {}
    for line in text.splitlines():
        row = json.loads(line)
        if "payload" in row:
            assert row["sequence"] not in out, f"entry {row['sequence']} twice"
            out[row["sequence"]] = base64.b64decode(row["payload"]), row["chain_sha256"]
    return out


class Registry:
    """Models of one test in an MLflow server that others use too: made and changed over its REST interface, deleted at the end."""

    numbers = itertools.count(1)

    def __init__(self, server):
        self.server = server
        self.prefix = f"fleet-{os.getpid()}-{next(self.numbers)}-"
        self.models = []
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(self, method, path, **body):
        request = urllib.request.Request(f"{self.server.url}/api/2.0/mlflow/{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"}, method=method)
        with self.opener.open(request, timeout=30) as answer:
            return json.load(answer)

    def model(self, **tags):
        name = f"{self.prefix}{len(self.models)}"
        self.call("POST", "registered-models/create", name=name, tags=[{"key": k, "value": v} for k, v in tags.items()])
        self.models.append(name)
        return name

    def version(self, name, **tags):
        answer = self.call("POST", "model-versions/create", name=name, source="s3://nowhere/model",
                           tags=[{"key": k, "value": v} for k, v in tags.items()])
        return answer["model_version"]["version"]

    def tag(self, name, version, key, value):
        self.call("POST", "model-versions/set-tag", name=name, version=version, key=key, value=value)

    def tag_model(self, name, key, value):
        self.call("POST", "registered-models/set-tag", name=name, key=key, value=value)

    def stage(self, name, version, stage):
        self.call("POST", "model-versions/transition-stage", name=name, version=version, stage=stage,
                  archive_existing_versions=False)

    def delete(self, name, version):
        self.call("DELETE", "model-versions/delete", name=name, version=version)

    def close(self):
        for name in self.models:
            with contextlib.suppress(OSError):
                self.call("DELETE", "registered-models/delete", name=name)
        self.models = []


class Fleet:
    """A controller, and the members and registries that a module's tests made; all of it ends with the module."""

    def __init__(self, folder, database=None, **config):
        self.folder = pathlib.Path(folder)
        self.controller = Controller(self.folder / "a", database, **config).init().start()
        self.members, self.replicas, self.numbers = [], [], itertools.count(1)

    def replica(self, name, **config):
        replica = Controller(self.folder / name, like=self.controller, replica=name, **config).init().start()
        self.replicas.append(replica)
        return replica

    def member(self, organization=None, uri="http://127.0.0.1:9", config=None, enroll=True, controller=None, wrapper=(), **env):
        """An agent of its own, of an organization of its own if none is named; enrolled, and not started."""
        controller = controller or self.controller
        folder = self.folder / f"member-{next(self.numbers)}"
        folder.mkdir(exist_ok=True)
        if config is not None:
            (folder / "agent.yaml").write_text(config)
            config = folder / "agent.yaml"
        agent = Agent(folder / "state", getattr(uri, "url", uri), config, **env)
        member = Member(controller, organization or controller.organization(), agent, wrapper)
        self.members.append(member)
        if enroll:
            member.enroll()
        return member

    def end_members(self):
        for member in self.members:
            stop_process(member.process)
        self.members = []

    def end(self):
        self.end_members()
        for controller in [*self.replicas, self.controller]:
            controller.end()


@functools.cache
def shared_database():
    """One cluster for a whole run of the tests."""
    database = Database().start()
    atexit.register(database.stop)
    return database


def fleet_of(kind, folder, **config):
    return Fleet(folder, shared_database() if kind == "postgresql" else None, **config)

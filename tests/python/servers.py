"""Real MLflow servers for the tests: started on loopback, filled once, stopped afterwards.

A filled database is kept as a template under build/python-cache, keyed by everything that goes into
it, so that only the first run of the suite pays for the filling.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("VW_TEST_CACHE", ROOT / "build" / "python-cache"))
START_SECONDS = 120

ADMIN = ("admin", "adm1n-Pa55word-e2e-4411")
READER = ("reader", "r3ader-Pa55word-e2e-9273")


def venv(name):
    """The virtual environment of a MLflow version: "main", "222", "22"."""
    path = os.environ.get(f"VW_VENV_{name.upper()}")
    if not path or not pathlib.Path(path, "bin", "python").exists():
        raise RuntimeError(f"VW_VENV_{name.upper()} does not name a virtual environment with MLflow")
    return pathlib.Path(path)


def gotool(name):
    """A program that ci/gotools built: "grpcurl", "toxiproxy-server", "toxiproxy-cli", "buf"."""
    path = pathlib.Path(os.environ.get("VW_GOTOOLS", "nowhere"), name)
    if not path.exists():
        raise RuntimeError("VW_GOTOOLS does not name the folder that ci/gotools prints")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_environment(**extra):
    """This process's environment without anything that would steer MLflow, proxies or the cloud."""
    dropped = ("MLFLOW_", "AWS_", "VW_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
    env = {k: v for k, v in os.environ.items() if not k.upper().startswith(dropped)}
    env.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", PYTHONWARNINGS="ignore",
               GIT_PYTHON_REFRESH="quiet", MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
               MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
    env.update(extra)
    return env


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: no agent outlives a killed test run


def fetch(url, timeout=5, headers=None):
    request = urllib.request.Request(url, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=timeout) as answer:
        return answer.read()


class Guard:
    """Kills the servers' process groups and removes their folders when this process is gone, however it ended."""

    CODE = """
import os, shutil, sys
groups, folders = set(), set()
for line in sys.stdin:
    kind, value = line.rstrip("\\n").split(" ", 1)
    if kind == "group": groups.add(int(value))
    elif kind == "done": groups.discard(int(value))
    else: folders.add(value)
for group in groups:
    try: os.killpg(group, 9)
    except OSError: pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""

    def __init__(self):
        self.process = None

    def tell(self, kind, value):
        if self.process is None:
            self.process = subprocess.Popen([sys.executable, "-c", self.CODE], stdin=subprocess.PIPE,
                                            text=True, start_new_session=True)
        self.process.stdin.write(f"{kind} {value}\n")
        self.process.stdin.flush()


GUARD = Guard()


def temporary_folder(name):
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"vw-{name}-"))
    GUARD.tell("folder", folder)
    return folder


def start_process(command, log, **more):
    """In a group of its own, which ends with this process at the latest."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **more)
    GUARD.tell("group", process.pid)
    return process


def stop_process(process, number=signal.SIGTERM, seconds=10):
    if process is None:
        return
    if process.poll() is None:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(seconds)
    GUARD.tell("done", process.pid)


class Postgres:
    """A private cluster of PostgreSQL, run by an unprivileged user in a temporary folder."""

    def __init__(self, *settings):
        """`settings`: "name=value", over those that make a cluster of a test quick."""
        self.dir = temporary_folder("pg")
        self.port = free_port()
        self.settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", *settings]
        self.process = None
        self.user = None
        if os.geteuid() == 0:
            self.user = next(u.pw_name for u in pwd.getpwall() if u.pw_name in ("postgres", "nobody"))
            shutil.chown(self.dir, self.user)

    @staticmethod
    def binary(name):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [shutil.which(name)]
        if not found[-1]:
            raise RuntimeError(f"PostgreSQL's {name} is not installed")
        return str(found[-1])

    def _as_user(self):
        return {"user": self.user, "cwd": self.dir} if self.user else {"cwd": self.dir}

    def start(self):
        subprocess.run([self.binary("initdb"), "-D", self.dir / "data", "-U", "mlflow", "--auth=trust", "-E", "UTF8",
                        "--no-sync", "--locale=C.UTF-8"], check=True, capture_output=True, timeout=60,
                       **self._as_user())
        self.launch()

    def launch(self):
        """The server itself, until it answers; after a kill it may find that its children still live, and is tried again."""
        options = [word for setting in self.settings for word in ("-c", setting)]
        end = time.monotonic() + 30
        while True:
            if self.process is None or self.process.poll() is not None:
                self.process = start_process(
                    [self.binary("postgres"), "-D", self.dir / "data", "-p", str(self.port), "-k", str(self.dir),
                     "-h", "127.0.0.1", *options], self.dir / "log", **self._as_user())
            try:
                self.psql("SELECT 1")
                return
            except subprocess.CalledProcessError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def kill(self):
        """Without a word; its children see it and end."""
        self.process.kill()
        self.process.wait(10)

    def arguments(self, database):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "mlflow", database]

    def psql(self, sql, database="postgres"):
        run = subprocess.run([self.binary("psql"), "-qAtX", "-v", "ON_ERROR_STOP=1", "-c", sql,
                              *self.arguments(database)], check=True, capture_output=True, timeout=60)
        return run.stdout.decode()

    def dump(self, database="mlflow"):
        run = subprocess.run([self.binary("pg_dump"), "--no-owner", *self.arguments(database)], check=True,
                             capture_output=True, timeout=60)
        # newer minor versions write a random key into \restrict and \unrestrict
        lines = run.stdout.splitlines(keepends=True)
        return b"".join(line for line in lines if not line.startswith((b"\\restrict", b"\\unrestrict")))

    def restore(self, dump, database="mlflow"):
        subprocess.run([self.binary("psql"), "-qX", "-v", "ON_ERROR_STOP=1", *self.arguments(database)],
                       input=dump, check=True, capture_output=True, timeout=120)

    def stop(self):
        stop_process(self.process, signal.SIGINT)  # fast shutdown
        shutil.rmtree(self.dir, ignore_errors=True)


class Server:
    """One MLflow server. `scenario` names the function of seed.py that fills it ("" leaves it empty)."""

    def __init__(self, name, version="main", scenario="", postgres=False, prefix="", auth=False, options=()):
        self.name, self.version, self.scenario, self.prefix, self.auth = name, version, scenario, prefix, auth
        self.options = list(options)
        self.dir = temporary_folder(name)
        self.port = free_port()
        self.root = f"http://127.0.0.1:{self.port}"
        self.url = self.root + prefix
        self.postgres = Postgres() if postgres else None
        self.process = None
        self.facts = {}

    # -- database --

    @property
    def database(self):
        if self.postgres:
            return f"postgresql+psycopg2://mlflow@127.0.0.1:{self.postgres.port}/mlflow"
        return f"sqlite:///{self.dir}/mlflow.db"

    def dump(self):
        """The whole database as text, for a comparison byte by byte."""
        if self.postgres:
            return self.postgres.dump()
        with contextlib.closing(sqlite3.connect(f"file:{self.dir}/mlflow.db?mode=ro", uri=True)) as db:
            return "\n".join(db.iterdump()).encode()

    def sql(self, statement, *values):
        """One statement against a SQLite database, committed: for what no call of MLflow's can do."""
        with contextlib.closing(sqlite3.connect(self.dir / "mlflow.db", timeout=20)) as db, db:
            return db.execute(statement, values).fetchall()

    def _template(self):
        digest = hashlib.sha256((HERE / "seed.py").read_bytes())
        digest.update(repr((self.version, self.scenario, bool(self.postgres), self.prefix, self.auth,
                            self.options)).encode())
        version = next(venv(self.version).glob("lib/python3*/site-packages/mlflow-*.dist-info")).name
        return CACHE / f"{self.name}-{version.removesuffix('.dist-info')}-{digest.hexdigest()[:16]}"

    def _load_template(self):
        template = self._template()
        if not (template / "facts.json").exists():
            return False
        self.facts = json.loads((template / "facts.json").read_text())
        for file in template.glob("*.db"):
            shutil.copy(file, self.dir)
        if self.postgres:
            self.postgres.restore((template / "dump.sql").read_bytes())
        return True

    def _save_template(self):
        template = self._template()
        CACHE.mkdir(parents=True, exist_ok=True)
        scratch = pathlib.Path(tempfile.mkdtemp(dir=CACHE, prefix="new-"))
        for file in self.dir.glob("*.db"):
            with contextlib.closing(sqlite3.connect(file)) as source, \
                    contextlib.closing(sqlite3.connect(scratch / file.name)) as target:
                source.backup(target)
        if self.postgres:
            (scratch / "dump.sql").write_bytes(self.postgres.dump())
        (scratch / "facts.json").write_text(json.dumps(self.facts))
        for old in CACHE.glob(f"{self.name}-mlflow-*"):  # filled by another seed.py
            shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(OSError):  # another run was first
            scratch.rename(template)
            return
        shutil.rmtree(scratch)

    # -- process --

    def start(self):
        """Returns at once; ready() waits."""
        if self.postgres:
            self.postgres.start()
            self.postgres.psql("CREATE DATABASE mlflow")
        self.filled = self._load_template()
        self.launch()
        return self

    def launch(self):
        env = clean_environment()
        env["PATH"] = f"{venv(self.version) / 'bin'}:{env['PATH']}"  # MLflow starts gunicorn by name
        command = [venv(self.version) / "bin" / "python", "-m", "mlflow", "server", "--host", "127.0.0.1",
                   "--port", str(self.port), "--workers", "1", "--backend-store-uri", self.database,
                   "--artifacts-destination", self.dir / "artifacts", *self.options]
        if self.prefix:
            command += ["--static-prefix", self.prefix]
        if self.auth:
            (self.dir / "auth.ini").write_text(
                "[mlflow]\ndefault_permission = READ\n"
                f"database_uri = sqlite:///{self.dir}/auth.db\n"
                f"admin_username = {ADMIN[0]}\nadmin_password = {ADMIN[1]}\n"
                "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n")
            env.update(MLFLOW_AUTH_CONFIG_PATH=str(self.dir / "auth.ini"),
                       MLFLOW_FLASK_SERVER_SECRET_KEY="flask-key-of-the-test-server")
            command += ["--app-name", "basic-auth"]
        self.process = start_process(command, self.dir / "log", env=env, cwd=self.dir)

    def ready(self):
        end = time.monotonic() + START_SECONDS
        while True:
            if self.process.poll() is not None or time.monotonic() > end:
                log = (self.dir / "log").read_text(errors="replace")[-3000:]
                raise RuntimeError(f"server {self.name} did not start:\n{log}")
            for base in (self.root, self.url):
                with contextlib.suppress(OSError, urllib.error.URLError):
                    if fetch(base + "/health", timeout=2) == b"OK":
                        return self._fill()
            time.sleep(0.1)

    def _fill(self):
        if not self.filled and self.scenario:
            self.facts = json.loads(self.python("seed.py", self.scenario, self.database, timeout=300).splitlines()[-1])
            self._save_template()
        self.filled = True
        return self

    def client_environment(self, **extra):
        env = clean_environment(MLFLOW_TRACKING_URI=self.url)
        if self.auth:
            env.update(MLFLOW_TRACKING_USERNAME=ADMIN[0], MLFLOW_TRACKING_PASSWORD=ADMIN[1])
        env.update(extra)
        return env

    def python(self, script, *arguments, timeout=120, **env):
        """Runs a script of this folder with the server's own version of MLflow's client; its output."""
        run = subprocess.run([venv(self.version) / "bin" / "python", HERE / script, *map(str, arguments)],
                             env=self.client_environment(**env), capture_output=True, timeout=timeout)
        if run.returncode:
            log = (self.dir / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{script} failed:\n{run.stderr.decode()[-4000:]}\nserver:\n{log}")
        return run.stdout.decode()

    def stop(self):
        stop_process(self.process)
        if self.postgres:
            self.postgres.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

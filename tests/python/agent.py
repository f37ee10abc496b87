"""Running vw-agent as a user does, and reading what it prints."""

import csv
import io
import json
import os
import pathlib
import signal
import subprocess

from servers import ROOT, clean_environment, die_with_parent

BINARY = pathlib.Path(os.environ.get("VW_AGENT", ROOT / "build" / "dev" / "agent" / "commands" / "vw-agent"))
OK, FAILURE, USAGE, CONFIGURATION, UNREACHABLE, DATABASE, SUSPECT, CHAIN, GAPS, CANCELLED = 0, 1, 2, 3, 4, 5, 6, 7, 10, 130


def is_sanitized():
    """Built with a sanitizer: slower, and with an address space of its own."""
    return BINARY.exists() and any(word in BINARY.read_bytes() for word in (b"__asan_init", b"__tsan_init"))


SANITIZED = is_sanitized()


class Result:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def ndjson(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def csv(self):
        return list(csv.DictReader(io.StringIO(self.out)))

    def __repr__(self):
        return f"{' '.join(map(str, self.command))}\nexit code {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"


class Agent:
    """One state folder and the environment that an operator would set."""

    def __init__(self, state, uri=None, config=None, **env):
        self.state, self.config = pathlib.Path(state), config
        home = self.state.parent / "home"
        home.mkdir(exist_ok=True, parents=True)
        self.env = clean_environment(HOME=str(home), VW_STATE_DIR=str(self.state), **env)
        for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "NO_COLOR", "COLUMNS"):
            self.env.pop(name, None)
        if uri:
            self.env["MLFLOW_TRACKING_URI"] = uri

    def command(self, *arguments):
        options = ["--config", str(self.config)] if self.config else []
        return [str(BINARY), *options, *map(str, arguments)]

    def run(self, *arguments, code=OK, timeout=120, **env):
        """Runs to the end. `code` is the exit code that is expected; None takes any."""
        command = self.command(*arguments)
        done = subprocess.run(command, env={**self.env, **env}, capture_output=True, timeout=timeout)
        result = Result(command, done.returncode, done.stdout.decode(), done.stderr.decode())
        assert code is None or result.code == code, result
        assert "Sanitizer" not in result.err and "runtime error:" not in result.err, result
        return result

    def start(self, *arguments, **env):
        return subprocess.Popen(self.command(*arguments), env={**self.env, **env}, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, preexec_fn=die_with_parent)

    # -- what tests ask again and again --

    def sync(self, *arguments, code=OK, **more):
        return self.run("sync", *arguments, code=code, **more)

    def inventory(self, *arguments):
        return self.run("inventory", "--format", "json", *arguments).json

    def record(self, model, version):
        return self.run("show", model, version, "--format", "json").json

    def events(self, *arguments):
        return self.run("events", "--format", "json", *arguments).json

    def audit(self, *arguments):
        return self.run("audit", "list", "--format", "json", *arguments).json

    def verify(self):
        return self.run("audit", "verify")

    def content(self):
        """The inventory without what depends on when and how often it was synced."""
        return {(r["workspace"], r["model_name"], r["version_number"]): timeless(r) for r in self.inventory()}


def timeless(record):
    dropped = ("first_seen_at", "last_synced_at")
    return {k: v for k, v in record.items() if k not in dropped}


def interrupt(process, seconds=5):
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=seconds)
    return Result(process.args, process.returncode, out.decode(), err.decode())

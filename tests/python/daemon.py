"""vw-agent run, as a service manager and a Prometheus server see it."""

import json
import pathlib
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from servers import die_with_parent, free_port, stop_process

SAMPLE = re.compile(r'([a-z_][a-z0-9_]*)(\{[^{}]*\})? (-?\d+(?:\.\d+)?)')
LABEL = re.compile(r'([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parse_metrics(text):
    """Prometheus' text format 0.0.4, strictly: {family: {"type":, "samples": {labels: value}}}."""
    assert text.endswith("\n")
    families, current = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in families and line.split(" ", 3)[3].endswith("."), line
            families[current] = {"samples": {}}
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and kind in ("counter", "gauge") and "type" not in families[name], line
            assert (kind == "counter") == name.endswith("_total"), line
            families[name]["type"] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match and match[1] == current, line
        inside = (match[2] or "{}")[1:-1]
        labels = LABEL.findall(inside)
        assert ",".join(f'{k}="{v}"' for k, v in labels) == inside, line
        assert tuple(labels) not in families[current]["samples"], line
        families[current]["samples"][tuple(labels)] = float(match[3])
    assert all("type" in f for f in families.values())
    return families


class Daemon:
    """One `vw-agent run`. Use as a context manager: whatever happens in between, it is stopped."""

    def __init__(self, agent, wrapper=(), **env):
        self.agent, self.wrapper = agent, list(wrapper)
        self.port = free_port()
        self.env = {**agent.env, "VW_LISTEN": f"127.0.0.1:{self.port}", **env}
        self.log_path = pathlib.Path(f"{agent.state}.log")
        self.process = None

    def __enter__(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, *self.agent.command("run")], env=self.env, stdout=log, stderr=log,
                                            preexec_fn=die_with_parent, start_new_session=True)
        return self

    def __exit__(self, *_):
        stop_process(self.process)
        assert "Sanitizer" not in self.log and "runtime error:" not in self.log, self.log

    # -- what it says --

    @property
    def log(self):
        return self.log_path.read_text()

    def events(self, name):
        """The attributes of each log line of this event, in order."""
        lines = [line for line in self.log.splitlines() if f" event={name} " in f"{line} "]
        pairs = [re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line) for line in lines]
        return [{"level": line.split(" ")[1], **{k: v.strip('"') for k, v in p}} for line, p in zip(lines, pairs)]

    def ask(self, path, port=None, method="GET"):
        """(status, content type, body)"""
        request = urllib.request.Request(f"http://127.0.0.1:{port or self.port}{path}", method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Content-Type"], error.read().decode()

    def metrics(self):
        status, kind, text = self.ask("/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return parse_metrics(text)

    def value(self, name, **labels):
        return self.metrics()[f"vw_agent_{name}"]["samples"][tuple(labels.items())]

    def progress(self):
        status, kind, text = self.ask("/progressz")
        assert kind == "application/json"
        return status, json.loads(text)

    # -- waiting and stopping --

    def wait(self, what, seconds=30):
        """Until what() is true; gives it."""
        end = time.monotonic() + seconds
        while True:
            assert self.process.poll() is None, self.log
            try:
                result = what()
            except OSError:
                result = None
            if result:
                return result
            assert time.monotonic() < end, f"waited in vain\n{self.log}"
            time.sleep(0.05)

    def wait_ready(self):
        self.wait(lambda: self.ask("/readyz")[0] == 200)
        return self

    def wait_syncs(self, count, **wanted):
        """Until `count` syncs that have these attributes were logged; gives them."""
        def found():
            lines = [e for e in self.events("sync_finished") if all(e[k] == v for k, v in wanted.items())]
            return lines if len(lines) >= count else None
        return self.wait(found)

    def send(self, number):
        self.process.send_signal(number)

    def reload(self, outcome):
        """SIGHUP, until it is "reloaded" or "reload_refused"; gives that line."""
        before = len(self.events("reloaded")), len(self.events("reload_refused"))
        self.send(signal.SIGHUP)
        self.wait(lambda: (len(self.events("reloaded")), len(self.events("reload_refused"))) != before)
        assert len(self.events(outcome)) > before[outcome == "reload_refused"], self.log
        return self.events(outcome)[-1]

    def stop(self, number=signal.SIGTERM):
        """Seconds until it was gone; it must end well."""
        start = time.monotonic()
        self.send(number)
        assert self.process.wait(20) == 0, self.log
        return time.monotonic() - start


class Manager:
    """The service manager's end of $NOTIFY_SOCKET."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        self.name = name

    def receive(self, seconds=20):
        self.socket.settimeout(seconds)
        return self.socket.recv(4096).decode()

    def until(self, start, seconds=20):
        """All messages up to the first that begins so."""
        seen, end = [], time.monotonic() + seconds
        while not seen or not seen[-1].startswith(start):
            seen.append(self.receive(max(0.01, end - time.monotonic())))
        return seen

    def close(self):
        self.socket.close()

"""Running an agent's uplink alone, by the driver of tests/drivers."""

import json
import os
import subprocess
import threading
import time

from agent import BINARY, Agent
from servers import clean_environment, die_with_parent

DRIVER = BINARY.parents[2] / "tests" / "drivers" / "uplink_driver"


class Uplink:
    """A state folder that `peer` enrolled, and the driver on it."""

    def __init__(self, folder, peer, timeout_ms=5000):
        self.agent = Agent(folder / "state", "http://127.0.0.1:9")
        self.peer, self.timeout_ms = peer, timeout_ms
        token = folder / "token"
        token.write_text(peer.token())
        token.chmod(0o600)
        self.agent.run("enroll", peer.url, "--token-file", token)
        self.process, self.log = None, []

    def start(self, *refuses, secrets=True, **env):
        command = [str(DRIVER), str(self.agent.state), str(self.timeout_ms), "1" if secrets else "0", *refuses]
        self.process = subprocess.Popen(command, env=clean_environment(**env), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, preexec_fn=die_with_parent)
        threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True).start()
        return self

    def _read_log(self, pipe):
        for line in pipe:
            self.log.append(line.rstrip("\n"))

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, (line, self.process.poll(), self.log[-20:])
        return json.loads(answer)

    def do(self, line):
        answer = self.ask(line)
        assert answer["code"] == 0, answer

    def append(self, count, size=100):
        self.do(f"append {count} {size}")
        self.do("wake")

    def look(self):
        return self.ask("look")

    def wait(self, test, seconds=15.0):
        """The status, once it is as `test` wants it."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.look()
            if test(status):
                return status
            assert time.monotonic() < deadline, (status, self.log[-20:])
            time.sleep(0.02)

    def command(self, seconds=10.0):
        """The next command for the main thread."""
        deadline = time.monotonic() + seconds
        while (command := self.ask("next")) is None:
            assert time.monotonic() < deadline, self.log[-20:]
            time.sleep(0.02)
        return command

    def logged(self, event):
        return [line for line in self.log if f"event={event}" in line]

    def stop(self, seconds=10.0):
        """Ends it as `run` does. How long that took, in seconds."""
        if not self.process:
            return 0.0
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.stdin.close()
        code = self.process.wait(seconds)
        self.process = None
        assert code == 0, (code, self.log[-40:])
        assert not any("Sanitizer" in line or "runtime error:" in line for line in self.log), self.log
        return time.monotonic() - began

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def audit(self, kind):
        return [row for row in self.agent.audit() if row["kind"] == kind]

    def identity(self):
        return {path.name: path.read_bytes() for path in sorted((self.agent.state / "identity").iterdir())}

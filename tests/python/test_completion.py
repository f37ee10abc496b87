"""Completion as somebody at a shell has it: the script is sourced by the shell itself, and Tab is pressed."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from agent import BINARY, Agent
from servers import die_with_parent

CASES = [
    ("vw-agent inv", {"inventory"}, {"audit"}),
    ("vw-agent audit ", {"list", "verify", "export"}, {"sync"}),
    ("vw-agent audit list --k", {"--kind"}, set()),
    ("vw-agent gaps --format s", {"sarif"}, {"ndjson"}),
    ("vw-agent gaps --fail-on ", {"critical", "high", "none"}, {"sarif"}),
    ("vw-agent inventory --format ", {"ndjson", "csv"}, {"sarif"}),
    ("vw-agent completion ", {"bash", "zsh", "fish"}, set()),
    ("vw-agent sync --accept-", {"--accept-empty", "--accept-source"}, {"--model"}),
    ("vw-agent config ", {"check", "show", "policy"}, {"verify"}),
]


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    a = Agent(folder / "state")
    for shell in ("bash", "zsh", "fish"):
        (folder / f"vw-agent.{shell}").write_text(a.run("completion", shell).out)
    (folder / "functions").mkdir()
    shutil.copy(folder / "vw-agent.zsh", folder / "functions" / "_vw-agent")
    return folder


def need(shell):
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_it(scripts, shell):
    need(shell)
    done = subprocess.run([shell, "-n", scripts / f"vw-agent.{shell}"], capture_output=True, timeout=30)
    assert done.returncode == 0 and not done.stderr, done


@pytest.mark.parametrize("line, wanted, unwanted", CASES)
def test_bash(scripts, line, wanted, unwanted):
    words = line.split() + ([""] if line.endswith(" ") else [])
    program = f"source {scripts}/vw-agent.bash; COMP_WORDS=(\"$@\"); COMP_CWORD={len(words) - 1}; _vw_agent; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-uc", program, "-", *words], capture_output=True, text=True, timeout=30)
    found = set(done.stdout.split())
    assert wanted <= found and not unwanted & found and not done.stderr, (done, found)


def test_bash_completes_files_with_spaces(scripts, tmp_path):
    (tmp_path / "a file.yaml").touch()
    program = f"source {scripts}/vw-agent.bash; COMP_WORDS=(vw-agent sync --config {tmp_path}/a); COMP_CWORD=3; _vw_agent; echo \"${{COMPREPLY[0]}}\""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout == f"{tmp_path}/a file.yaml\n", done


@pytest.mark.parametrize("line, wanted, unwanted", CASES)
def test_fish(scripts, line, wanted, unwanted):
    need("fish")
    done = subprocess.run(["fish", "--no-config", "-c", f"source {scripts}/vw-agent.fish; complete -C '{line}'"],
                          capture_output=True, text=True, timeout=30)
    found = {part.split("\t")[0] for part in done.stdout.splitlines()}
    assert wanted <= found and not unwanted & found and not done.stderr, (done, found)


class Zsh:
    """An interactive zsh on a pseudo-terminal, without anybody's configuration."""

    def __init__(self, setup, home):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            die_with_parent()
            env = {"PATH": f"{BINARY.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "COLUMNS": "200", "LC_ALL": "C.UTF-8"}
            os.execvpe("zsh", ["zsh", "-f", "-i"], env)
        self.send(f"unsetopt zle_bracketed_paste prompt_cr prompt_sp; PS1='> '; LISTMAX=1000; {setup}; echo re''ady\n")
        self.read_until("ready")

    def send(self, text):
        os.write(self.terminal, text.encode())

    def read_until(self, mark, seconds=20):
        text, end = "", time.monotonic() + seconds
        while mark not in text and time.monotonic() < end:
            if select.select([self.terminal], [], [], 0.1)[0]:
                text += os.read(self.terminal, 65536).decode(errors="replace")
        return text

    def tab(self, line):
        """What is shown once Tab was pressed: the completed line, or the list of choices."""
        self.send(f"{line}\t\t")
        shown = self.read_until("\0", seconds=1.5)
        self.send("\x15echo en''d\n")
        return shown + self.read_until("end")

    def close(self):
        os.close(self.terminal)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


@pytest.fixture(scope="module", params=["sourced", "autoloaded"])
def zsh(request, scripts, tmp_path_factory):
    need("zsh")
    init = f"autoload -U compinit; compinit -u -d {tmp_path_factory.mktemp('zsh')}/dump"
    setup = f"{init}; source {scripts}/vw-agent.zsh" if request.param == "sourced" else f"fpath=({scripts}/functions $fpath); {init}"
    shell = Zsh(setup, tmp_path_factory.mktemp("home"))
    yield shell
    shell.close()


def test_zsh(zsh):
    for line, wanted, unwanted in CASES:
        shown = zsh.tab(line)
        words = set(re.split(r"[^\w-]+", shown))
        assert wanted <= words, (line, shown)
        assert not unwanted & (words - set(line.split())), (line, shown)
        assert "not found" not in shown and "error" not in shown, (line, shown)

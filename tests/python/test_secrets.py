"""No secret of a run is in anything that the agent prints, logs or keeps, nor in /proc (S4.2, S11.1, S11.4)."""

import base64
import pathlib
import time
import urllib.parse

import pytest
import seed
from agent import CONFIGURATION, interrupt
from proxies import Answer, Proxy

TOKEN = "tok-e2e-Zz81-secret-of-the-environment"
HEADER_VALUE = "hdr-e2e-Yy72-secret-of-a-file"
PASSWORD = "pw-e2e-Xx63-secret/with+signs"
ACCESS = {"token": TOKEN, "header": HEADER_VALUE, "password": PASSWORD, "basic": base64.b64encode(f"u:{PASSWORD}".encode()).decode()}
# an e-mail address is no secret where it names an accountable person; in parameters and tags it is personal data
SEEDED = dict(seed.SECRETS)


def forms(secret):
    """How a secret could be written down."""
    raw = secret.encode()
    yield raw
    yield urllib.parse.quote(secret, safe="").encode()
    yield secret.encode("utf-16-le")
    yield base64.b64encode(raw)
    yield raw.hex().encode()


def found(blob, secrets):
    return [name for name, secret in secrets.items() if any(form in blob for form in forms(secret))]


@pytest.fixture
def secretive(newest, agent, tmp_path):
    """An agent with a token and a header, behind a gateway, with verbose logs."""
    (tmp_path / "headers").write_text(f"X-Key: {HEADER_VALUE}\n")
    (tmp_path / "headers").chmod(0o600)
    config = f"mlflow: {{headers_file: {tmp_path}/headers, retries: 1}}\nlog: {{level: debug}}\n"
    stall = []

    def before(request):
        assert request.headers["authorization"] == f"Bearer {TOKEN}" and request.headers["x-key"] == HEADER_VALUE
        return Answer(500, b"{}", stall=10) if stall and request.path.endswith("runs/search") else None

    with Proxy(newest.url, before=before, hidden_headers=["authorization"]) as proxy:
        a = agent(proxy.url, config, MLFLOW_TRACKING_TOKEN=TOKEN)
        a.stall, a.proxy = stall, proxy
        yield a


COMMANDS = [
    ["sync"], ["sync", "--quick"], ["inventory"], ["inventory", "--format", "json"], ["inventory", "--format", "csv"],
    ["inventory", "--format", "ndjson"], ["show", "credit-scoring"], ["show", "credit-scoring", "2"], ["show", "masked", "1"],
    ["show", "credit-scoring", "2", "--format", "json"], ["gaps"], ["gaps", "--format", "json"], ["gaps", "--format", "sarif"],
    ["gaps", "--format", "junit"], ["events"], ["events", "--format", "json"], ["audit", "list"],
    ["audit", "list", "--format", "json"], ["audit", "verify"], ["audit", "export"], ["status"], ["status", "--format", "json"],
    ["doctor"], ["config", "show"], ["config", "check"], ["config", "policy"], ["diagnose"], ["version"], ["evaluate"],
]


def test_no_secret_in_any_output_or_file(secretive, tmp_path):
    for command in COMMANDS:
        result = secretive.run(*command, code=None, timeout=120)
        blob = (result.out + result.err).encode()
        assert not found(blob, {**SEEDED, **ACCESS}), command
        assert result.out or result.err, command
    kept = 0
    for file in [f for f in tmp_path.rglob("*") if f.is_file() and f.name != "headers"]:
        blob = file.read_bytes()
        kept += len(blob)
        assert not found(blob, {**SEEDED, **ACCESS}), file
    assert kept > 100_000


def test_no_secret_in_errors(secretive):
    bad = [dict(MLFLOW_TRACKING_URI=f"http://u:{PASSWORD}@127.0.0.1:1/x"),
           dict(MLFLOW_TRACKING_URI=f"htp://u:{PASSWORD}@h"), dict(MLFLOW_TRACKING_URI=f"http://u:{PASSWORD}@[::bad"),
           dict(http_proxy=f"http://u:{PASSWORD}@127.0.0.1:1")]
    for env in bad:
        result = secretive.run("sync", code=None, timeout=60, **env)
        assert result.code > 0, (env, result)
        assert not found((result.out + result.err).encode(), ACCESS), env
    result = secretive.run("sync", code=CONFIGURATION, MLFLOW_TRACKING_TOKEN=TOKEN + "\nX-Injected: 1")
    assert not found((result.out + result.err).encode(), ACCESS)
    assert all("x-injected" not in r.headers for r in secretive.proxy.requests)


def test_no_secret_in_proc_while_running(secretive):
    secretive.stall.append(True)
    process = secretive.start("sync", MLFLOW_TRACKING_PASSWORD="")
    end = time.monotonic() + 20
    while not any(r.path.endswith("runs/search") for r in secretive.proxy.requests) and time.monotonic() < end:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    proc = pathlib.Path(f"/proc/{process.pid}")
    try:
        for name in ("environ", "cmdline", "comm", "stat"):
            assert not found((proc / name).read_bytes(), ACCESS), name
        assert b"MLFLOW_TRACKING_TOKEN" in (proc / "environ").read_bytes(), "the name stays, its value is overwritten"
    finally:
        result = interrupt(process)
    assert not found((result.out + result.err).encode(), {**SEEDED, **ACCESS})


def test_a_secret_in_a_name_is_not_our_business_but_in_a_dataset_is(newest, agent):
    a = agent(newest)
    a.sync()
    text = a.run("inventory", "--format", "json").out
    for never in ("diff", "profile", "schema"):
        assert seed.SECRETS[never] not in text
    # what names accountable people is kept
    assert "risk-team@example.org" in text and "dpo@example.org" in text
    assert seed.SECRETS["email"] not in text
    assert '"max_tokens":"512"' in text.replace(" ", "") and '"learning_rate":"0.1"' in text.replace(" ", "")


def test_masks_say_which_kind(newest, agent):
    a = agent(newest)
    a.sync()
    tags = a.record("masked", "1")["lifecycle"]["tags"]
    assert "aws" in tags["note"] and tags["note"].startswith("key ***masked:") and tags["note"].endswith(" in text")
    assert "jwt" in tags["auth"] and "private_key" in tags["pem"]
    assert tags["MY_PASSWD"].startswith("***masked:") and "h.example.org" in tags["url"]


def test_the_operators_own_patterns(newest, agent):
    a = agent(newest, "mask_patterns: ['Scores [a-z]+']\n")
    a.sync()
    assert "Scores applicants" not in a.run("inventory", "--format", "json").out

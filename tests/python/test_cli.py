"""Every command, format and exit code, as people and pipelines use them."""

import json
import os
import re
import signal
import subprocess
import time
import xml.etree.ElementTree

import pytest
import yaml
from agent import CONFIGURATION, DATABASE, GAPS, OK, USAGE, Agent
from seed import HARD_NAMES, SLASH_NAMES
from stand_in import Space, StandIn, failure

SEVERITIES = ["info", "low", "medium", "high", "critical"]
COMMANDS = ["sync", "run", "evaluate", "inventory", "show", "gaps", "events", "audit list", "audit verify", "audit export",
            "status", "doctor", "diagnose", "config check", "config show", "config policy", "version", "completion"]


@pytest.fixture(scope="module")
def filled(newest, tmp_path_factory):
    """An agent that has synced the server with the hard cases; for reading only."""
    a = Agent(tmp_path_factory.mktemp("cli") / "state", newest.recorder.url)
    a.sync()
    return a


# ---- help and usage ----


def test_help_names_every_command(filled):
    for arguments in (["--help"], ["-h"], ["help"]):
        text = filled.run(*arguments).out
        assert all(name in text for name in COMMANDS)
    assert filled.run(code=USAGE).err


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(filled, name):
    text = filled.run(*name.split(), "--help").out
    assert text.startswith(f"usage: vw-agent {name}") and "--config" in text
    assert filled.run("help", *name.split()).out == text


@pytest.mark.parametrize("arguments", [
    ["nonsense"], ["sync", "--nonsense"], ["sync", "extra"], ["inventory", "--format", "xml"], ["show"], ["audit"],
    ["audit", "nonsense"], ["gaps", "--fail-on", "terrible"], ["sync", "--quick", "--full"], ["--config"], ["inventory", "--format"],
    ["audit", "export", "--from", "0"], ["events", "--since", "yesterday-ish"], ["completion", "csh"],
    ["inventory", "--stage", "nonsense"], ["inventory", "--status", "nonsense"],
    ["audit", "list", "--kind", "nonsense"], ["audit", "list", "--limit", "0"],
])
def test_wrong_usage(filled, arguments):
    result = filled.run(*arguments, code=USAGE)
    assert result.err and not result.out, result


def test_version(filled):
    text = filled.run("version").out
    assert re.search(r"\d+\.\d+\.\d+", text) and all(x in text.lower() for x in ("curl", "mbedtls", "lmdb"))
    libraries = filled.run("version", "--format", "json").json["libraries"]
    assert {"protobuf-c", "jansson", "libcyaml", "libyaml", "pcre2", "nettle", "lmdb", "libcurl", "mbedtls", "grpc core",
            "libsodium", "microhttpd"} == set(libraries)
    assert all(re.search(r"\d+\.\d+", version) for version in libraries.values())
    assert filled.run("--version").out == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(filled, shell):
    text = filled.run("completion", shell).out
    assert all(word in text for word in ("inventory", "fail-on", "accept-empty"))


def test_bash_can_read_its_completion(filled):
    import subprocess

    script = filled.run("completion", "bash").out
    probe = script + '\nCOMP_WORDS=(vw-agent inv); COMP_CWORD=1\n' \
        'f=$(complete -p vw-agent | sed "s/.*-F \\([^ ]*\\).*/\\1/"); $f; echo "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", probe], capture_output=True, text=True, timeout=20)
    assert done.stdout.split() == ["inventory"], done


# ---- inventory ----


def test_formats_of_the_inventory_agree(filled):
    listing = filled.inventory()
    keys = [(r["model_name"], r["version_number"]) for r in listing]
    assert len(keys) == len(set(keys)) > 80
    assert filled.run("inventory", "--format", "ndjson").ndjson == listing
    rows = filled.run("inventory", "--format", "csv").csv
    assert len(rows) == len(listing)
    names = [next(k for k in rows[0] if "model" in k.lower()), next(k for k in rows[0] if "version" in k.lower())]
    shown = [(name.replace("\x1b", "\\u{1b}"), version) for name, version in keys]  # what steers a terminal does not
    assert sorted((r[names[0]], r[names[1]]) for r in rows) == sorted(shown)
    first = listing[0]
    assert list(first) == ["model_name", "version_number", "workspace", "identity", "lifecycle", "training", "lineage", "risk",
                           "artifacts", "compliance", "completeness", "provenance", "warnings", "source", "record_sha256",
                           "first_seen_at", "last_synced_at", "removed_at"]
    for record in listing:
        assert re.fullmatch(r"[0-9a-f]{64}", record["record_sha256"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["first_seen_at"])
        assert record["compliance"]["status"] in ("compliant", "gaps", "unknown")


def test_versions_are_in_order_of_their_numbers(filled):
    holes = [r["version_number"] for r in filled.inventory("--model", "holes")]
    assert holes == ["1", "3", "4", "5", "6", "7", "8", "9", "10", "12"]


@pytest.mark.parametrize("option, value, path", [
    ("--stage", "Production", "lifecycle.lifecycle_stage"), ("--stage", "staging", "lifecycle.lifecycle_stage"),
    ("--owner", "risk-team@example.org", "identity.owner"), ("--risk", "high", "risk.risk_category"),
    ("--status", "gaps", "compliance.status"),
])
def test_filters(filled, option, value, path):
    section, field = path.split(".")
    everything = filled.inventory()
    some = filled.inventory(option, value)
    wanted = [r for r in everything if (r[section][field] or "").lower() == value.lower()]
    assert some == wanted and 0 < len(some) < len(everything) or option == "--status"


def test_filter_by_model_is_a_glob(filled):
    assert {r["model_name"] for r in filled.inventory("--model", "credit-*")} == {"credit-scoring"}
    assert filled.inventory("--model", "no-such-*") == []
    assert filled.run("inventory", "--model", "no-such-*", "--format", "csv").csv == []


def test_the_table_is_safe_and_as_wide_as_asked(filled):
    for columns in (60, 80, 120, 200):
        text = filled.run("inventory", COLUMNS=str(columns)).out
        assert "credit-scoring" in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x9b]", text), "a name in the registry cannot steer a terminal"
    assert "\u202e" not in filled.run("show", "text", "1").out


@pytest.mark.parametrize("name", [n for n in HARD_NAMES + SLASH_NAMES])
def test_show_finds_every_name(filled, name):
    record = filled.run("show", "--format", "json", "--", name, "1").json
    assert record["model_name"] == name and record["lineage"]["experiment_name"].startswith("Ünïcode")
    page = filled.run("show", "--", name, "1").out
    assert page and not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", page)


def test_show(filled):
    page = filled.run("show", "credit-scoring").out
    assert "credit-scoring" in page and "risk-team@example.org" in page
    assert filled.record("credit-scoring", "2") == next(r for r in filled.inventory() if r["model_name"] == "credit-scoring"
                                                        and r["version_number"] == "2")
    for missing in (["no such model"], ["credit-scoring", "99"], ["credit-scoring", "x"]):
        result = filled.run("show", *missing, code=None)
        assert result.code in (1, 2) and result.err and not result.out, result


def test_dates_long_values_and_nothing_numeric_is_lost(filled):
    metrics = {m["key"]: m for m in filled.record("credit-scoring", "2")["training"]["metrics"]}
    assert metrics["nan"]["value"] == "NaN" and metrics["third"]["step"] == 2**53 + 1 and metrics["third"]["value"] == 1 / 3
    assert metrics["tiny"]["value"] == 5e-324
    text = filled.run("show", "credit-scoring", "2", "--format", "json").out
    json.loads(text, parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))


# ---- gaps ----


def findings(filled, state="gap"):
    return {(r["model_name"], r["version_number"], f["rule"]): f for r in filled.inventory()
            for f in r["compliance"]["findings"] if f["state"] == state}


def test_gaps_as_json_are_those_of_the_records(filled):
    given = filled.run("gaps", "--format", "json").json
    rows = given if isinstance(given, list) else given["findings"]
    expected = findings(filled)
    assert {(r["model_name"], r["version_number"], r["rule"]) for r in rows} == set(expected)
    assert all(r["severity"] in SEVERITIES for r in rows)


def test_gaps_as_sarif(filled):
    report = filled.run("gaps", "--format", "sarif").json
    assert report["version"] == "2.1.0" and "sarif" in report["$schema"]
    run = report["runs"][0]
    rules = {r["id"] for r in run["tool"]["driver"]["rules"]}
    assert run["results"] and {r["ruleId"] for r in run["results"]} <= rules
    for result in run["results"]:
        assert result["level"] in ("error", "warning", "note", "none") and result["message"]["text"]
        assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]
    assert len([r for r in run["results"] if r.get("kind", "fail") == "fail"]) == len(findings(filled))


def test_gaps_as_junit(filled):
    text = filled.run("gaps", "--format", "junit").out
    root = xml.etree.ElementTree.fromstring(text)
    suites = [root] if root.tag == "testsuite" else list(root)
    cases = [c for s in suites for c in s.iter("testcase")]
    failures = [c for c in cases if c.find("failure") is not None]
    assert len(failures) == len(findings(filled)) == sum(int(s.get("failures")) for s in suites)
    assert len(cases) == sum(int(s.get("tests")) for s in suites)


def test_gaps_as_table(filled):
    text = filled.run("gaps").out
    assert "AI Act" in text and "credit-scoring" in text
    unknown = len(findings(filled, "unknown"))
    assert unknown and f"{unknown} findings could not be judged (--unknown shows them)" in text
    all_of_them = filled.run("gaps", "--unknown", "--format", "json").json
    assert len(all_of_them) == unknown + len(findings(filled))
    assert filled.run("gaps", "--by", "rule", code=None).code in (OK, USAGE)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fail_on(filled, severity):
    worst = max(SEVERITIES.index(f["severity"]) for f in findings(filled).values())
    expected = GAPS if worst >= SEVERITIES.index(severity) else OK
    for form in ("table", "json", "sarif", "junit"):
        assert filled.run("gaps", "--format", form, "--fail-on", severity, code=None).code == expected


def test_the_rules_of_the_specification(filled):
    """S8.1 to S8.5 on records that are made for them."""
    def states(model, version):
        return {f["rule"]: f["state"] for f in filled.record(model, version)["compliance"]["findings"]}

    production = states("credit-scoring", "2")
    # personal data in production, with an assessment that is done; risk given; metrics there; artifacts not yet read
    assert production["privacy-assessment"] == "pass"
    reproducible = [rule for rule in production if "environment" in rule]
    assert [production[r] for r in reproducible] == ["unknown"]
    assert production["owner"] == "pass" and production["intended-purpose"] == "pass"
    staging = states("lifecycles", "6")  # owned by the account that trained it, no purpose, no approver
    assert staging["intended-purpose"] == "gap" and staging["owner"] == "pass"
    assert states("raw-sources", "4")["owner"] == "gap"  # a version without a run has not even that account
    gone = filled.record("every-run", "10")
    assert gone["completeness"]["state"] == "partial" and gone["compliance"]["status"] in ("unknown", "gaps")
    assert "unknown" in {f["state"] for f in gone["compliance"]["findings"]}
    for finding in findings(filled).values():
        assert finding["message"] and finding["clauses"], finding


# ---- the rest ----


def test_events_and_audit(filled):
    events = filled.events()
    assert {e["field"] for e in events} == {"first_seen"} and len(events) == len(filled.inventory())
    assert set(events[0]) == {"id", "model_name", "version_number", "workspace", "field", "from", "to", "detected_at", "mlflow_updated_at", "source"}
    rows = filled.audit()
    assert [r["sequence"] for r in rows] == sorted(r["sequence"] for r in rows)
    assert len(filled.audit("--kind", "ingested")) == len(events)
    assert len(filled.audit("--limit", "3")) == 3
    assert {e["model_name"] for e in filled.events("--model", "holes")} == {"holes"}
    for row in rows:
        assert row["access"]["sync_id"] and row["access"]["agent_version"] and row["access"]["credential"] == "none"
    assert filled.run("events").out and filled.run("audit", "list").out
    assert len(filled.run("audit", "list", "--format", "ndjson").ndjson) == len(rows)


def test_audit_verify_and_export(filled, tmp_path):
    check = filled.run("audit", "verify", "--format", "json").json
    lines = filled.run("audit", "export").ndjson
    assert check["sound"] and lines[0]["head"]["sequence"] == check["entries"] == len(lines) - 1
    assert lines[0]["head"]["chain_sha256"] == check["head_sha256"] == lines[-1]["chain_sha256"]
    filled.run("audit", "export", "--output", tmp_path / "x.ndjson")
    assert (tmp_path / "x.ndjson").read_text().splitlines()[1:] == filled.run("audit", "export").out.splitlines()[1:]
    filled.run("audit", "export", "--output", "/dev/full", code=1)


def test_status(filled, agent):
    status = filled.run("status", "--format", "json").json
    assert json.dumps(status).count("credit-scoring") == 0 and status
    assert filled.run("status").out
    assert agent().run("status", code=None).code in (OK, DATABASE)


def test_doctor(filled, agent):
    good = filled.run("doctor")
    for call in ("registered-models", "model-versions", "experiments", "runs"):
        assert re.search(rf"ok +{call}/search", good.out) and re.search(rf"ok +{call}/get", good.out), good
    bad = agent("http://127.0.0.1:9").run("doctor", code=None, timeout=60)
    assert bad.code == 4 and "127.0.0.1" in bad.out + bad.err


def test_diagnose_is_a_bundle_without_the_registry(filled, tmp_path):
    result = filled.run("diagnose", code=None)
    assert result.code == OK and result.out
    assert "credit-scoring" not in result.out


def test_configuration(filled, agent, newest, tmp_path):
    filled.run("config", "check")
    policy = yaml.safe_load(filled.run("config", "policy").out)
    assert policy["policy"]["id"] == "verifywise-baseline"
    severities = {r["severity"] for r in policy["rules"]}
    assert severities <= set(SEVERITIES)
    shown = filled.run("config", "show").out
    assert newest.recorder.url in shown and "MLFLOW_TRACKING_URI" in shown
    a = agent(newest, "mlflow:\n  connections: 2\n  requests_per_second: 5\n")
    assert yaml.safe_load(a.run("config", "show").out)["mlflow"]["connections"] == 2


@pytest.mark.parametrize("text, line", [
    ("mlflow: {nonsense: 1}\n", 1), ("mlflow:\n  connections: many\n", 2), ("mlflow:\n  connections: 0\n", 2), ("mlflow: [", 1),
    ("scope: {include: 7}\n", 1), ("\n\nlog: {level: loud}\n", 3),
    ("policy_file: /nowhere.yaml\n", None), ("mask_patterns: ['(']\n", None), ("listen: 0.0.0.0:9477\n", 1),
    ("mlflow: {password: hunter2}\n", 1),
])
def test_wrong_configuration(agent, small, text, line):
    a = agent(small, text)
    for command in (["config", "check"], ["sync"]):
        result = a.run(*command, code=CONFIGURATION)
        assert line is None or re.search(rf"[: ]{line}\b", result.err), result


@pytest.mark.parametrize("setting", ["ca_file", "token_file", "password_file", "headers_file"])
def test_a_file_that_is_not_there(agent, setting):
    more = "username: u, " if setting == "password_file" else ""
    a = agent("https://127.0.0.1:1", f"mlflow: {{{more}{setting}: /nowhere/at-all, retries: 0}}\n")
    result = a.sync(code=CONFIGURATION)
    assert "/nowhere/at-all" in result.err, result


def test_a_configuration_that_is_not_there(agent, small, tmp_path):
    result = agent(small, tmp_path / "nowhere.yaml").sync(code=CONFIGURATION)
    assert "nowhere.yaml" in result.err
    assert agent().run(f"--config={tmp_path}/nowhere.yaml", "status", code=CONFIGURATION).err


@pytest.mark.parametrize("text", [
    "policy: {id: p, version: 1}\nrules:\n  - {id: a, title: t, severity: dreadful, require: {field: identity.owner, present: true}}\n",
    "policy: {id: p, version: 1}\nrules:\n  - {id: a, title: t, severity: high, require: {field: identity.nonsense, present: true}}\n",
    "policy: {id: p, version: 1}\nrules:\n  - {id: a, title: t, severity: high, require: {field: identity.owner, matches: '('}}\n",
])
def test_wrong_policy_names_file_line_and_rule(agent, small, tmp_path, text):
    (tmp_path / "bad.yaml").write_text(text)
    a = agent(small, f"policy_file: {tmp_path}/bad.yaml\n")
    result = a.run("config", "check", code=CONFIGURATION)
    assert "bad.yaml" in result.err and ":3" in result.err and re.search(r"\ba\b|rules\[0\]", result.err), result


@pytest.mark.parametrize("more", ["tags:\n  - {field: lifecycle.created_at, spellings: [x]}\n", "stages:\n  - {stage: Production, words: ['']}\n"])
def test_what_a_sync_refuses_the_check_refuses_too(agent, tmp_path, more):
    rule = "policy: {id: p, version: 1}\nrules:\n  - {id: a, title: t, severity: high, require: {field: identity.owner, present: true}}\n"
    (tmp_path / "policy.yaml").write_text(rule + more)
    a = agent("http://127.0.0.1:9", f"policy_file: {tmp_path}/policy.yaml\n")
    assert a.run("config", "check", code=CONFIGURATION).err == a.sync(code=CONFIGURATION).err
    (tmp_path / "policy.yaml").write_text(rule)
    assert "1 rules" in a.run("config", "check").out


def test_doctor_asks_in_a_workspace_that_is_offered(agent):
    with StandIn() as server:
        server.offered = ["team-a", "team-b"]
        server.spaces = {"team-a": Space(), "team-b": Space()}
        server.spaces["team-a"].version("m", 1)
        server.hook = lambda r: failure(403, "PERMISSION_DENIED") \
            if r.path.endswith("search") and r.headers.get("x-mlflow-workspace") != "team-a" else None
        assert "team-a, team-b" in agent(server.url).run("doctor").out


def test_waivers_hold_until_their_day(agent, small, tmp_path):
    policy = """policy: {id: p, version: 1}
rules:
  - {id: purpose, title: Says what it is for, severity: high, require: {field: identity.business_purpose, present: true}}
waivers:
  - {rule: purpose, model: model-0, until: 2999-12-31, by: dpo@example.org, reason: pilot}
  - {rule: purpose, model: model-1, until: 2020-01-01, by: dpo@example.org, reason: over}
"""
    (tmp_path / "policy.yaml").write_text(policy)
    a = agent(small, f"policy_file: {tmp_path}/policy.yaml\n")
    a.sync()
    states = {(r["model_name"], f["state"]) for r in a.inventory() for f in r["compliance"]["findings"]}
    assert ("model-0", "waived") in states and ("model-1", "gap") in states and ("model-0", "gap") not in states
    waived = a.record("model-0", "1")["compliance"]["findings"][0]["waived_by"]
    assert waived == {"by": "dpo@example.org", "until": "2999-12-31", "reason": "pilot"}


def test_nothing_synced_yet_is_said_plainly(agent):
    a = agent()
    for command in (["inventory"], ["gaps"], ["events"], ["audit", "verify"], ["show", "x"]):
        result = a.run(*command, code=DATABASE)
        assert "sync" in result.err, result
    result = a.run("sync", code=CONFIGURATION)
    assert "MLFLOW_TRACKING_URI" in result.err


def test_a_closed_pipe_and_a_full_device(filled):
    import subprocess

    done = subprocess.run(["bash", "-c", 'set -o pipefail; "$@" | head -c 10 >/dev/null', "-", *filled.command("inventory", "--format", "json")],
                          env=filled.env, capture_output=True, timeout=60)
    assert b"Sanitizer" not in done.stderr and done.returncode in (0, 1, 141)
    with open("/dev/full", "w") as full:
        done = subprocess.run(filled.command("inventory"), env=filled.env, stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and done.stderr


def test_progress_is_plain_where_there_is_no_terminal(agent, small):
    result = agent(small).sync()
    assert "\r" not in result.err and "\x1b" not in result.out + result.err
    assert "18 new" in result.out
    again = agent(small).sync("--format", "json", code=None)
    if again.code == OK:
        assert again.json["counts"]["created"] == 18 and again.json["outcome"] == "ok"


def test_the_environment_alone_is_enough(small, tmp_path):
    """MLFLOW_TRACKING_URI, and the state in the XDG folder."""
    a = Agent(tmp_path / "unused", small.recorder.url)
    del a.env["VW_STATE_DIR"]
    a.env["XDG_STATE_HOME"] = str(tmp_path / "xdg")
    a.sync()
    assert list((tmp_path / "xdg" / "verifywise-agent").rglob("data.mdb"))
    del a.env["XDG_STATE_HOME"]
    a.sync()
    assert list((tmp_path / "home" / ".local" / "state" / "verifywise-agent").rglob("data.mdb"))
    b = Agent(tmp_path / "unused", small.recorder.url)
    b.run("--state", tmp_path / "other", "sync")
    assert list((tmp_path / "other").rglob("data.mdb"))
    assert len(b.run("--state", tmp_path / "other", "inventory", "--format", "json").json) == 18
    assert (tmp_path / "other").stat().st_mode & 0o077 == 0


# ---- streams, signals, and text that would steer a terminal ----


def test_a_closed_stream_is_nobody_s_file(agent):
    """The database must not be opened under the number of a closed standard output, where a message would be written into it."""
    with StandIn() as server:
        server.space.version("m", 1)
        a = agent(server.url)
        for closed, code in ((">&-", 1), ("2>&-", 0), ("<&- >&- 2>&-", 1), ("<&-", 0)):
            done = subprocess.run(["bash", "-c", f'"$@" {closed}', "-", *a.command("sync")], env=a.env, capture_output=True, timeout=60)
            assert done.returncode == code, (closed, done)
        a.verify()
        assert len(a.inventory()) == 1


def test_what_only_reads_dies_of_a_signal(filled):
    """`less` closes the pipe, the user presses Ctrl-C: both end it at once and without a word."""
    done = subprocess.run(["bash", "-c", 'set -o pipefail; "$@" | head -c 10 >/dev/null', "-", *filled.command("inventory", "--format", "json")],
                          env=filled.env, capture_output=True, timeout=60)
    assert done.returncode == 141 and not done.stderr
    reading, writing = os.pipe()
    # a shell's background job is given SIGINT ignored, and what it starts inherits that
    process = subprocess.Popen(filled.command("inventory", "--format", "json"), env=filled.env, stdout=writing, stderr=subprocess.PIPE,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    os.close(writing)
    time.sleep(0.5)  # it waits for somebody to read
    process.send_signal(signal.SIGINT)
    assert process.wait(5) == -signal.SIGINT
    process.stderr.close()
    os.close(reading)


def test_no_remote_text_steers_a_terminal(agent):
    evil = "\x1b]0;owned\x07\u202e\x9b31m"
    with StandIn() as server:
        server.offered = ["default", "w"]
        server.spaces = {"default": Space(), "w": Space()}
        space = server.spaces["w"]
        run = space.version("m", 1, tags=[{"key": "k" + evil, "value": evil}, {"key": "owner", "value": evil}], description=evil)
        space.models["m"].update(description=evil, tags=[{"key": evil, "value": evil}], aliases=[{"alias": evil, "version": "1"}])
        space.runs[run]["data"] = {"metrics": [{"key": evil, "value": 1, "timestamp": 1, "step": 0}], "params": [{"key": evil, "value": evil}],
                                   "tags": [{"key": "eval" + evil, "value": evil}]}
        space.experiments["1"]["name"] = evil
        space.version(evil, 1)
        a = agent(server.url)
        a.sync()
        for command in (["inventory"], ["show", "m"], ["show", "m", "1"], ["show", evil, "1"], ["gaps"], ["gaps", "--by", "model"],
                        ["gaps", "--format", "junit"], ["gaps", "--format", "sarif"], ["gaps", "--format", "json"], ["events"],
                        ["audit", "list"], ["status"], ["inventory", "--format", "json"], ["inventory", "--format", "csv"],
                        ["audit", "list", "--format", "ndjson"], ["diagnose"], ["doctor"], ["config", "show"]):
            result = a.run(*command, code=None)
            assert result.code in (0, 4), result
            allowed = "\r" if "csv" in command else ""
            found = re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", result.out + result.err)
            assert set(found) <= set(allowed), (command, found)
            if command[-1] not in ("json", "ndjson", "csv", "sarif", "junit"):
                assert "\u202e" not in result.out, command
        server.hook = lambda r: failure(500, "INTERNAL_ERROR", evil) if r.path.endswith("search") else None
        result = a.sync(code=4)
        text = result.out + result.err + a.run("status").out + a.run("audit", "list").out
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text)


# ---- one name in two workspaces ----


@pytest.fixture
def spaces(agent):
    with StandIn() as server:
        server.offered = ["a", "b"]
        server.spaces = {"a": Space(), "b": Space()}
        for number in (1, 2, 10):
            server.spaces["a"].version("m", number)
        server.spaces["b"].version("m", 1)
        server.spaces["a"].models["m"]["aliases"] = [{"alias": "production", "version": "1"}]  # whose environment is not seen
        a = agent(server.url)
        a.sync()
        yield a


def test_gaps_tell_workspaces_apart(spaces):
    by_model = spaces.run("gaps", "--by", "model").out
    headings = [line.split()[:3] for line in by_model.splitlines() if line.startswith(("a/m", "b/m"))]
    assert headings == [["a/m", "version", "1"], ["a/m", "version", "2"], ["a/m", "version", "10"], ["b/m", "version", "1"]]
    assert "a/m 1" in spaces.run("gaps").out and "b/m 1" in spaces.run("gaps", "--by", "rule").out
    rows = spaces.run("gaps", "--format", "json", "--unknown").json
    assert {(r["workspace"], r["version_number"]) for r in rows} == {("a", "1"), ("a", "2"), ("a", "10"), ("b", "1")}
    root = xml.etree.ElementTree.fromstring(spaces.run("gaps", "--format", "junit").out)
    assert {c.get("classname") for c in root.iter("testcase")} == {"a/m.1", "a/m.2", "a/m.10", "b/m.1"}
    results = spaces.run("gaps", "--format", "sarif", "--unknown").json["runs"][0]["results"]
    assert {r["kind"] for r in results} == {"fail", "open"}
    assert all((r["level"] == "none") == (r["kind"] == "open") for r in results)
    assert len(results) == len(rows)


def test_show_tells_workspaces_apart(spaces):
    assert len(spaces.run("show", "m", "--format", "json").json) == 4
    assert "--workspace" in spaces.run("show", "m", "1", "--format", "json", code=USAGE).err
    assert spaces.run("show", "m", "1", "--workspace", "b", "--format", "json").json["workspace"] == "b"
    page = spaces.run("show", "m", "1").out
    assert "a/m version 1" in page and "b/m version 1" in page
    text = spaces.run("show", "m").out
    assert "a/10" in text and "b/1" in text
    assert spaces.run("show", "m", "--workspace", "none", code=1).err


def test_findings_of_a_filter(spaces):
    everything = spaces.run("gaps", "--format", "json", "--unknown").json
    rule = next(r["rule"] for r in everything if r["state"] == "gap")
    some = spaces.run("gaps", "--format", "json", "--rule", rule).json
    assert some == [r for r in everything if r["rule"] == rule and r["state"] == "gap"] and some
    assert spaces.run("gaps", "--format", "json", "--model", "none").json == []
    assert "0 of 0 versions" in spaces.run("gaps", "--model", "none").out
    severities = [SEVERITIES.index(r["severity"]) for r in everything]
    assert severities == sorted(severities, reverse=True)

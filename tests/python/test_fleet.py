"""The fleet as it is meant to be used, with either store: enrolment, what arrives, commands, revocation. Certificates and secrets
have files of their own."""

import hashlib
import json
import re
import threading
import time

import pytest
from agent import DATABASE
from fleet import STORES, Controller, Refusal, Registry, Wire, fleet_of, until
from proxies import Answer, Proxy

POLICY = """policy: {{id: {id}, version: 1}}
rules:
  - id: has-owner
    title: Every model has an owner
    severity: {severity}
    require: {{field: identity.owner, is: somebody-who-is-not-there}}
    gap: has another owner
    fix: Give it one.
"""


@pytest.fixture(scope="module", params=STORES)
def fleet(request, tmp_path_factory):
    fleet = fleet_of(request.param, tmp_path_factory.mktemp(f"fleet-{request.param}"))
    yield fleet
    fleet.end()


@pytest.fixture
def member(fleet):
    """member(...): see Fleet.member(); ended with the test."""
    before = len(fleet.members)
    yield fleet.member
    for m in fleet.members[before:]:
        m.end()
    del fleet.members[before:]


@pytest.fixture
def registry(playground):
    registry = Registry(playground)
    yield registry
    registry.close()


def keyed(records):
    return {(r["workspace"] or "", r["model_name"], r["version_number"]): r for r in records}


def only(registry, name="*", more=""):
    return f"scope: {{include: ['{registry.prefix}{name}']}}\nschedule: {{quick: 1h, full: 1h}}\n{more}"


# ---- enrolment ----


def refused(m, token, why="not valid"):
    result = m.enroll(token, code=None)
    assert result.code != 0 and why in result.err, result
    assert token.split(".")[2] not in result.out + result.err if token.count(".") == 3 else True
    assert not (m.agent.state / "identity" / "controller.pb").exists()
    return result


def test_a_token_is_used_up(fleet, member):
    organization = fleet.controller.organization()
    token = fleet.controller.token(organization, uses=2)
    member(organization, enroll=False).enroll(token)
    member(organization, enroll=False).enroll(token)
    refused(member(organization, enroll=False), token)
    row = fleet.controller.operator.all("/api/v1/tokens", organization=organization)[0]
    assert (row["uses"], row["uses_allowed"]) == (2, 2)


def test_expired_revoked_and_unknown_tokens_look_the_same(fleet, member):
    controller, organization = fleet.controller, fleet.controller.organization()
    expired = controller.token(organization, expires_in_s=1)
    revoked = controller.token(organization)
    controller.operator("DELETE", f"/api/v1/tokens/{revoked.split('.')[1]}", organization=organization)
    prefix, _, secret, pin = controller.token(organization).split(".")
    unknown = ".".join((prefix, "0123456789abcdef", secret, pin))
    wrong_secret = ".".join((prefix, revoked.split(".")[1], secret, pin))
    time.sleep(1.1)
    m = member(organization, enroll=False)
    said = {refused(m, token).err for token in (expired, revoked, unknown, wrong_secret)}
    assert len(said) == 1, said
    m.enroll()


def test_the_authority_is_the_one_that_the_token_names(fleet, member, tmp_path):
    m = member(enroll=False)
    prefix, name, secret, pin = fleet.controller.token(m.organization).split(".")
    wrong = ".".join((prefix, name, secret, ("A" if pin[0] != "A" else "B") + pin[1:]))
    refused(m, wrong, "another certificate authority")
    other = Controller(tmp_path / "other").init()
    other.cli("org", "create", "elsewhere")
    elsewhere = other.cli("token", "create", "--organization", "1").out.strip()
    refused(m, elsewhere, "another certificate authority")
    rest = fleet.controller.user(m.organization, "admin").token
    refused(m, rest, "not one for enrolment")
    m.enroll()


def test_a_lost_answer_costs_no_second_use(fleet, member):
    """The controller has issued, the answer is lost; asked again with the same keys it goes on (facts: Teleport, SPIRE)."""
    controller, m = fleet.controller, member(enroll=False)
    token = controller.token(m.organization, uses=1)

    def enrolled():
        return len(controller.events("agent_enrolled"))

    before = enrolled()
    with Wire(controller.https, cut=lambda data: enrolled() > before) as wire:
        result = m.enroll(token, url=f"https://127.0.0.1:{wire.port}", code=None)
        assert result.code != 0 and enrolled() == before + 1, result
        keys = {p.name: p.read_bytes() for p in (m.agent.state / "identity").glob("*.key")}
    m.enroll(token)
    assert {p.name: p.read_bytes() for p in (m.agent.state / "identity").glob("*.key")} == keys
    m.start().connected()
    assert m.agent.audit()[-1]["kind"] and len(m.audit("enrolled")) == 1
    assert controller.operator.all("/api/v1/tokens", organization=m.organization)[0]["uses"] == 1


def test_enrolled_once(fleet, member):
    m = member()
    again = m.enroll(code=DATABASE)
    assert "enrolled already" in again.err


def test_unenroll_keeps_the_ledger_and_can_join_again(fleet, member, small):
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up().stop()
    first, before = m.id, m.last()
    m.agent.run("unenroll")
    assert m.audit("unenrolled")
    with m:
        m.wait(lambda: m.value("enrolled") == 0)
        m.stop()
    stranger = fleet.controller.organization()
    result = m.enroll(fleet.controller.token(stranger), code=None)
    assert result.code != 0 and "belongs to organization" in result.err
    assert "--new-agent" in m.enroll(code=None).err  # its key is gone: the id is another one's now
    m.enroll(None, "--new-agent")
    m.start().connected()
    m.caught_up()
    assert m.last() > before and len(m.same_ledger()) > before and m.id != first


def test_new_agent_is_another_one_with_the_ledger_so_far(fleet, member, small):
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up().stop()
    old, before = m.id, m.last()
    m.enroll(None, "--new-agent")
    assert m.id != old
    m.start().connected()
    m.caught_up().same_ledger()
    assert m.last() > before and len(m.records()) == 18
    kept = fleet.controller.operator.get(f"/api/v1/agents/{old}", organization=m.organization)
    assert kept["sequence"] == before and not kept["presence"]["connected"]


def test_new_agent_with_a_bad_token_loses_nothing(fleet, member):
    """A refusal costs no identity (facts: Wazuh and Elastic destroyed good keys)."""
    m = member().start().connected()
    m.stop()
    old, used = m.id, fleet.controller.token(m.organization)
    member(m.organization, enroll=False).enroll(used)
    assert m.enroll(used, "--new-agent", code=None).code != 0
    assert m.enroll(used, "--new-agent", code=None).code != 0
    m.start().connected()
    assert m.shown()["agent_id"] == old
    m.stop()
    m.enroll(None, "--new-agent")
    m.start().connected()
    assert m.id != old


# ---- records arrive ----


def test_what_an_agent_has_arrives_exactly(fleet, member, small):
    """The controller's ledger is the agent's, byte for byte, and its inventory is the agent's (S2.2, S10)."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1, outcome="ok")
    m.caught_up().same_ledger()
    ours, theirs = keyed(m.agent.inventory()), keyed(m.records())
    assert len(ours) == 18 and ours.keys() == theirs.keys()
    for key, record in ours.items():
        assert theirs[key]["record_sha256"] == record["record_sha256"], key
    until(lambda: (m.presence()["health"] or {}).get("versions") == 18)
    assert m.shown()["status"] == "active" and m.presence()["source_uri"] == small.url


def test_a_controller_that_restarts_misses_nothing(fleet, member, registry):
    name = registry.model(owner="a")
    m = member(uri=registry.server, config=only(registry)).start().connected()
    for round in range(3):
        registry.version(name)
        fleet.controller.stop() if round % 2 else fleet.controller.kill()
        m.reload("reloaded")
        m.wait_syncs(1, created="1")
        fleet.controller.start()
        m.connected(30).caught_up()
        assert len(m.records()) == round + 1
    m.same_ledger()


def test_hours_offline_are_made_up_for(fleet, member, small, tmp_path):
    """A backlog that grew while there was no controller, over several lives of the agent (S3.3)."""
    m = member(uri=small)
    m.agent.sync()
    policy = tmp_path / "policy.yaml"
    for i in range(40):
        policy.write_text(POLICY.format(id=f"p{i}", severity="low" if i % 2 else "high"))
        m.agent.run("evaluate", VW_POLICY_FILE=str(policy))
    backlog = m.last()
    assert backlog > 700
    m.start().connected().caught_up(60)
    m.same_ledger()
    assert len(m.records()) == 18 and m.value("controller_queued_entries") == 0
    assert m.value("controller_entries_total") >= backlog


def test_stages_become_deployment_events(fleet, member, registry):
    """S10.5."""
    name = registry.model()
    version = registry.version(name)
    m = member(uri=registry.server, config=only(registry)).start().connected()
    m.order("sync", depth="full")
    for stage in ("Staging", "Production"):
        registry.stage(name, version, stage)
        m.order("sync", depth="full")
    m.caught_up()
    events = fleet.controller.operator.all("/api/v1/events", organization=m.organization, field="lifecycle_stage")
    moves = [(e["from"], e["to"]) for e in events if e["model_name"] == name]
    assert moves[:2] == [("Staging", "Production"), ("None", "Staging")], moves
    assert keyed(m.records())[("", name, version)]["stage"] == "Production"


# ---- commands ----


def test_sync_at_each_depth_and_of_one_model(fleet, member, registry):
    """S9.1; a command of one model touches no other."""
    one, two = registry.model(), registry.model()
    m = member(uri=registry.server, config=only(registry)).start().connected()
    m.wait_syncs(1)
    registry.version(one)
    done = m.order("sync", depth="full")
    assert done["update"]["result"]["counts"]["created"] == 1 and done["finished_at"]
    registry.version(one), registry.version(two)
    assert m.order("sync", depth="quick", model=two)["update"]["result"]["counts"]["created"] == 1
    m.caught_up()
    assert keyed(m.records()).keys() == {("", one, "1"), ("", two, "1")}
    assert m.order("sync", depth="quick")["update"]["result"]["counts"]["created"] == 1
    m.order("sync", depth="reconcile")
    m.caught_up()
    assert len(m.records()) == 3


def test_sync_of_a_server_that_is_away_fails_and_says_so(member):
    m = member(config="mlflow: {retries: 0, connect_timeout: 1s}\n").start().connected()
    failed = m.order("sync", state="failed")
    assert "127.0.0.1 port 9" in failed["update"]["text"]


def test_a_policy_is_set_judged_by_and_taken_back(fleet, member, small):
    """S8.6: the results are by the policy that the controller gave, and name it."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    local = {r["compliance"]["policy"]["sha256"] for r in m.agent.inventory()}
    good = POLICY.format(id="from-above", severity="critical")
    sha = hashlib.sha256(good.encode()).hexdigest()
    done = m.order("set_policy", content=good)
    assert done["update"]["result"]["counts"]["reevaluated"] == 18
    assert m.shown()["desired_policy_sha256"] == sha
    judged = {r["compliance"]["policy"]["sha256"] for r in m.agent.inventory()}
    assert judged == {sha} != local
    until(lambda: m.presence()["policy_sha256"] == sha)
    m.caught_up()
    gaps = fleet.controller.operator.all("/api/v1/gaps", organization=m.organization, severity="critical")
    assert {g["finding"]["rule"] for g in gaps} == {"has-owner"} and len(gaps) == 18
    bad = m.order("set_policy", content="policy: {id: x, version: 1}\nrules: [{id: y}]\n", state="failed")
    assert re.search(r"line \d|:\d+", bad["update"]["text"]), bad
    assert {r["compliance"]["policy"]["sha256"] for r in m.agent.inventory()} == {sha}
    m.stop()
    with m:  # it is kept over a restart; what failed is not tried again
        m.connected()
        m.wait_syncs(2)
        assert {r["compliance"]["policy"]["sha256"] for r in m.agent.inventory()} == {sha}
        m.order("set_policy", content="")
        assert {r["compliance"]["policy"]["sha256"] for r in m.agent.inventory()} == local
        until(lambda: m.presence()["policy_sha256"] is None)
        m.caught_up().same_ledger()
        m.stop()


def test_a_policy_that_was_set_while_it_was_away(member, small):
    m = member(uri=small)
    good = POLICY.format(id="waiting", severity="high")
    command = m.command("set_policy", content=good)
    m.start().connected()
    assert m.finished(command)["state"] == "done"
    until(lambda: m.presence()["policy_sha256"] == hashlib.sha256(good.encode()).hexdigest())


def test_only_the_keys_that_the_local_file_allows(member, small):
    m = member(uri=small, config="controller: {settings: [schedule.quick, log.level]}\n").start().connected()
    m.order("set_configuration", content="schedule: {quick: 7m}\n")
    shown = m.agent.run("config", "show").out
    assert re.search(r"quick: (7m|420s|420000).*controller", shown), shown
    for forbidden in ("schedule: {full: 7m}\n", "controller: {secrets: true}\n", "state_dir: /tmp/elsewhere\n",
                      "mlflow: {tracking_uri: 'http://evil.example'}\n", "nonsense: 1\n"):
        failed = m.order("set_configuration", content=forbidden, state="failed")
        assert failed["update"]["text"], failed
    assert "7m" in m.agent.run("config", "show").out or "420" in m.agent.run("config", "show").out
    m.order("set_configuration", content="")
    assert not re.search(r"quick:.*controller", m.agent.run("config", "show").out)


def test_pause_lasts_over_a_restart_and_resume_ends_it(member, small):
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.order("pause")
    until(lambda: (m.presence()["health"] or {}).get("paused"))
    m.stop()
    with m:
        m.connected()
        time.sleep(1.5)
        assert len(m.events("sync_finished")) == 1, "paused, it must not read the source"
        assert m.value("paused") == 1
        m.order("sync", depth="quick")  # an order is an order
        m.order("resume")
        m.reload("reloaded")
        m.wait_syncs(3)
        m.stop()
    assert len(m.audit("paused")) == len(m.audit("resumed")) == 1


def test_resend_is_a_duplicate_on_the_wire_and_nothing_else(fleet, member, small):
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up()
    before, stored = fleet.controller.metric("duplicates_total"), m.export()
    m.order("resend", from_sequence=3)
    assert fleet.controller.metric("duplicates_total") >= before + 15
    after = m.caught_up().same_ledger()
    assert {k: after[k] for k in stored} == stored and len(m.records()) == 18
    assert m.order("resend", from_sequence=10**9, state="failed")["update"]["text"]


def test_rotation_keeps_the_stream(member, small):
    """S4.1; the new certificate is shown on a stream beside the old one."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    serials, stop, gone = [m.shown()["serial"]], threading.Event(), []

    def watch():
        while not stop.wait(0.01):
            gone.extend([1] if m.value("controller_connected") == 0 else [])

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(3):
            m.order("rotate_certificate")
            serials.append(m.shown()["serial"])
    finally:
        stop.set()
        watcher.join()
    assert len(set(serials)) == 4 and not gone
    assert all(e["level"] == "info" for e in m.events("uplink_ended")), m.events("uplink_ended")
    m.caught_up().same_ledger()


def test_diagnose_is_redacted(member, small):
    secret = "diag-Vv47-secret-of-the-environment"
    m = member(uri=small, MLFLOW_TRACKING_TOKEN=secret).start().connected()
    done = m.order("diagnose")
    text = json.dumps(done)
    assert isinstance(done["update"]["result"], dict) and len(text) > 1000
    assert secret not in text and "PRIVATE KEY" not in text
    local = m.agent.run("diagnose").out
    assert secret not in local


def test_a_command_that_waited_too_long_is_not_done(member, small):
    m = member(uri=small)
    late = m.command("pause", expires_in_s=1)
    time.sleep(1.2)
    m.start().connected()
    assert m.finished(late)["state"] == "expired"
    assert m.value("paused") == 0


def test_what_the_local_file_forbids_is_refused(member, small):
    m = member(uri=small, config="controller: {refuse: [diagnose, pause, set_policy]}\n").start().connected()
    for kind, more in (("diagnose", {}), ("pause", {}), ("set_policy", {"content": POLICY.format(id="x", severity="low")})):
        done = m.order(kind, state="refused", **more)
        assert done["update"]["text"]
    assert m.value("paused") == 0
    m.order("sync", depth="quick")
    everything = member(uri=small, config="controller: {refuse: [all]}\n").start().connected()
    for kind in ("sync", "reevaluate", "resume", "rotate_certificate"):
        everything.order(kind, state="refused")


@pytest.mark.parametrize("body", [{"kind": "reboot"}, {"kind": "set_secrets"}, {}, {"kind": "sync", "depth": "deep"},
                                  {"kind": "resend"}, {"kind": "set_policy"}, {"kind": "pause", "depth": "full"}])
def test_what_is_no_command_is_not_queued(fleet, member, body):
    m = member()
    with pytest.raises(Refusal) as refusal:
        fleet.controller.operator.post(f"/api/v1/agents/{m.id}/commands", body, organization=m.organization)
    assert refusal.value.status == 400
    assert fleet.controller.operator.all("/api/v1/commands", organization=m.organization) == []


def test_delivered_twice_is_done_once(fleet, member, small):
    """The agent is killed in the middle of a command, and the controller too: it is done, told and written down once."""
    hold = threading.Event()
    with Proxy(small.url, before=lambda r: Answer(503, b"{}", stall=30) if hold.is_set() and "search" in r.path else None) as proxy:
        m = member(uri=proxy.url).start().connected()
        m.wait_syncs(1)
        hold.set()
        id = m.command("sync", depth="full")
        until(lambda: m.command_state(id)["state"] == "running")
        m.kill()
        fleet.controller.kill()
        fleet.controller.start()
        m.start().connected()
        until(lambda: len(proxy.requests) and m.command_state(id)["state"] == "running")
        fleet.controller.kill()
        fleet.controller.start()
        m.connected()
        hold.clear()
        proxy.stopping.set()
        assert m.finished(id, 60)["state"] == "done"
        m.caught_up()
        for kind in ("command_received", "command_finished"):
            assert len([r for r in m.audit(kind) if r["audit"]["subject"] == id]) == 1, kind
        m.same_ledger()


def test_a_command_for_all_goes_to_each(fleet, member, small):
    organization = fleet.controller.organization()
    members = [member(organization, uri=small).start() for _ in range(3)]
    for m in members:
        m.connected()
    answer = fleet.controller.operator.post("/api/v1/commands", {"kind": "reevaluate"}, organization=organization)
    assert answer["agents"] == 3
    commands = until(lambda: [c for c in fleet.controller.operator.all("/api/v1/commands", organization=organization)
                              if c["state"] == "done"][2:] and True)
    assert commands


# ---- who may go on ----


def ended(m, seconds=1.0):
    """How long the stream lived on; at most `seconds`."""
    begin = time.monotonic()
    until(lambda: m.value("controller_connected") == 0, seconds, 0.01, "the end of the stream")
    return time.monotonic() - begin


def test_revocation_ends_an_open_stream_within_a_second(fleet, member, small):
    """And the agent keeps its keys: active again, it goes on where it was (S11.1)."""
    m = member(uri=small).start().connected()
    m.wait_syncs(1)
    m.caught_up()
    keys = {p.name: p.read_bytes() for p in (m.agent.state / "identity").iterdir()}
    fleet.controller.operator.post(f"/api/v1/agents/{m.id}/revoke", {"reason": "stolen"}, organization=m.organization)
    ended(m)
    until(lambda: m.progress()[1]["controller"]["rejection"] == "revoked")
    m.stop()
    with m:
        m.wait(lambda: m.metrics()["vw_agent_controller_rejected"]["samples"] == {(("reason", "revoked"),): 1})
        assert not m.is_connected()
        m.stop()
    assert {p.name: p.read_bytes() for p in (m.agent.state / "identity").iterdir()} == keys
    fleet.controller.operator.post(f"/api/v1/agents/{m.id}/activate", {}, organization=m.organization)
    m.start().connected().caught_up().same_ledger()


def test_a_disabled_organization_is_turned_away_and_others_are_not(fleet, member, small):
    m, other = member(uri=small).start().connected(), member(uri=small).start().connected()
    fleet.controller.operator.post(f"/api/v1/organizations/{m.organization}/disable")
    ended(m)
    until(lambda: m.progress()[1]["controller"]["rejection"] == "tenant_disabled")
    refused = member(m.organization, enroll=False)
    assert refused.enroll(code=None).code != 0 or not refused.start().wait(lambda: refused.is_connected())
    other.order("sync", depth="quick")
    m.stop()
    fleet.controller.operator.post(f"/api/v1/organizations/{m.organization}/enable")
    m.start().connected().caught_up().same_ledger()


def test_the_trail_says_who_did_what(fleet, member, small):
    """S3.5."""
    m = member(uri=small)
    fleet.controller.operator.post(f"/api/v1/agents/{m.id}/revoke", {"reason": "for the trail"}, organization=m.organization)
    trail = fleet.controller.operator.all("/api/v1/trail", organization=m.organization)
    actions = {row["action"]: row for row in trail}
    assert {"agent_enrolled", "token_created", "agent_revoked"} <= actions.keys(), actions
    revoked = actions["agent_revoked"]
    assert revoked["object"] == m.id and revoked["actor"].startswith("user:operator of the tests") and "for the trail" in revoked["text"]

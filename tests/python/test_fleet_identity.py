"""Certificates that last twenty seconds, and credentials that are handed over: with either store (S4.1, S4.2, S4.4, S4.5, S11.1)."""

import base64
import json
import time

import pytest
from fleet import STORES, fleet_of, until
from proxies import Proxy
from servers import READER
from test_secrets import found

LIFE = 20
TOKEN = "handed-over-Uu36-token"
NEXT_TOKEN = "handed-over-Tt25-token"


@pytest.fixture(scope="module", params=STORES)
def fleet(request, tmp_path_factory, small):
    """Three members begin with it, so that their certificates grow old while other tests run."""
    fleet = fleet_of(request.param, tmp_path_factory.mktemp(f"identity-{request.param}"), certificates={"agent_life": f"{LIFE}s"})
    fleet.renewing = fleet.member(uri=small).start().connected()
    fleet.expired = fleet.member(uri=small).start().connected()
    fleet.expired.wait_syncs(1)
    fleet.expired.stop()
    fleet.unused = fleet.member(uri=small)
    fleet.began = time.monotonic()
    yield fleet
    fleet.end()


@pytest.fixture
def member(fleet):
    before = len(fleet.members)
    yield fleet.member
    for m in fleet.members[before:]:
        m.end()
    del fleet.members[before:]


def put(m, name, value, code=0):
    m.controller.cli("secrets", "put", m.id, name, "--organization", m.organization, stdin=value.encode() + b"\n", code=code)


def delete(m, name):
    m.controller.cli("secrets", "delete", m.id, name, "--organization", m.organization)


def listed(m):
    rows = m.controller.operator.get(f"/api/v1/agents/{m.id}/secrets", organization=m.organization)["items"]
    return {row["name"]: row for row in rows}


def held(m, **versions):
    """Until it has exactly these: mlflow_token=1."""
    wanted = {k.replace("_", "."): v for k, v in versions.items()}
    until(lambda: {s["name"]: int(s["version"]) for s in m.presence()["secrets"]} == wanted, what=lambda: m.presence()["secrets"])


def nothing_of(m, *secrets):
    """Neither in what is kept nor in what is logged or shown, on both sides."""
    secrets = {s: s for s in secrets}
    for file in [f for f in m.agent.state.parent.rglob("*") if f.is_file()]:
        assert not found(file.read_bytes(), secrets), file
    for file in [f for f in m.controller.folder.rglob("*") if f.is_file()]:
        assert not found(file.read_bytes(), secrets), file
    if m.controller.database:
        tables = m.controller.database.dump(m.controller.name)
        assert not found(tables, secrets)
    for command in (["status"], ["audit", "list"], ["audit", "export"], ["diagnose"], ["config", "show"], ["doctor"]):
        result = m.agent.run(*command, code=None)
        assert not found((result.out + result.err).encode(), secrets), command


# ---- credentials that are handed over ----


@pytest.mark.parametrize("fleet", ["lmdb"], indirect=True)  # a server that hashes passwords needs seconds for each sync
def test_a_credential_is_given_used_rotated_and_taken_back(fleet, member, basic):
    """The agent signs in at a real server with what an operator gave it, through a controller that cannot read it."""
    m = member(uri=basic).start().connected()
    m.wait_syncs(1, outcome="failed")
    put(m, "mlflow.username", READER[0])
    put(m, "mlflow.password", READER[1])
    held(m, mlflow_username=1, mlflow_password=1)
    m.wait_syncs(1, outcome="ok")  # at once, and not at the next time of the schedule
    m.caught_up()
    assert len(m.records()) >= 3
    # S4.4: the trail says under which identity it was read
    labels = {row["access"]["credential"] for row in m.audit("sync_finished") if row["audit"]["outcome"] == "ok"}
    assert labels and all(READER[0] in label for label in labels), labels
    given = [row for row in m.audit("secret_changed") if row["audit"]["subject"] == "mlflow.password"]
    assert len(given) == 1 and given[0]["audit"]["to"].startswith("sha256-8:") and given[0]["audit"]["from"] is None
    rows = listed(m)
    assert rows["mlflow.password"]["held_version"] == 1 and rows["mlflow.password"]["fingerprint"] == given[0]["audit"]["to"]
    assert "sealed" not in json.dumps(rows)
    # without a gap: a sync goes on while it is replaced, here by itself
    order = m.command("sync", depth="quick")
    put(m, "mlflow.password", READER[1])
    assert m.finished(order)["state"] == "done"
    held(m, mlflow_username=1, mlflow_password=2)
    assert len([r for r in m.audit("secret_changed") if r["audit"]["subject"] == "mlflow.password"]) == 1, "the same again is no change"
    put(m, "mlflow.password", "a wrong one")
    held(m, mlflow_username=1, mlflow_password=3)
    assert "401" in m.order("sync", depth="quick", state="failed")["update"]["text"]
    delete(m, "mlflow.password")
    delete(m, "mlflow.username")
    held(m)
    assert "401" in m.order("sync", depth="quick", state="failed")["update"]["text"]
    m.caught_up().stop()
    changes = [row["audit"] for row in m.audit("secret_changed") if row["audit"]["subject"] == "mlflow.password"]
    assert len(changes) == 3 and changes[-1]["to"] is None and changes[-1]["from"] == changes[1]["to"] != changes[0]["to"]
    m.same_ledger()
    nothing_of(m, READER[1])


def test_a_token_is_used_as_such(member, small):
    seen = []
    with Proxy(small.url, before=lambda r: seen.append(r.headers.get("authorization")), hidden_headers=["authorization"]) as proxy:
        m = member(uri=proxy.url).start().connected()
        m.wait_syncs(1, outcome="ok")
        assert set(seen) == {None}
        put(m, "mlflow.token", TOKEN)
        held(m, mlflow_token=1)
        seen.clear()
        m.order("sync", depth="full")
        assert set(seen) == {f"Bearer {TOKEN}"}
        put(m, "mlflow.token", NEXT_TOKEN)
        held(m, mlflow_token=2)
        seen.clear()
        m.order("sync", depth="full")
        assert set(seen) == {f"Bearer {NEXT_TOKEN}"}
        m.stop()
        seen.clear()
        m.start().connected()  # kept, sealed, over a restart
        m.wait_syncs(1, depth="full", outcome="ok")
        m.order("sync", depth="quick")
        assert set(seen) == {f"Bearer {NEXT_TOKEN}"}
        changes = [(r["audit"]["from"], r["audit"]["to"]) for r in m.audit("secret_changed")]
        assert len(changes) == 2 and changes[0][0] is None and changes[1][0] == changes[0][1] != changes[1][1]
        assert m.audit("credential_changed")
    nothing_of(m, TOKEN, NEXT_TOKEN)


def test_a_credential_that_waited_for_it(member, small):
    m = member(uri=small)
    put(m, "mlflow.token", TOKEN)
    m.start().connected()
    held(m, mlflow_token=1)
    m.stop()
    put(m, "mlflow.token", NEXT_TOKEN)
    m.start().connected()
    held(m, mlflow_token=2)


def test_the_local_file_can_refuse_all_of_them(member, small):
    m = member(uri=small, config="controller: {secrets: false}\n").start().connected()
    put(m, "mlflow.token", TOKEN)
    commands = until(lambda: [c for c in m.controller.operator.all("/api/v1/commands", organization=m.organization)
                              if c["kind"] == "set_secrets" and c["state"] == "refused"])
    assert commands and m.presence()["secrets"] == []
    assert not m.audit("secret_changed")
    m.stop()
    m.start().connected()
    time.sleep(0.5)
    assert m.presence()["secrets"] == []


def test_what_is_sealed_to_one_agent_is_of_no_use_to_another(fleet, member, small):
    organization = fleet.controller.organization()
    one, two = member(organization, uri=small), member(organization, uri=small)
    put(one, "mlflow.token", TOKEN)
    if fleet.controller.database:
        text = fleet.controller.database.ask(fleet.controller.name, f"SET app.current_org = '{organization}';"
                                             " SELECT encode(sealed, 'hex') FROM verifywise_fleet.secrets")[1]
        sealed = base64.b64encode(bytes.fromhex(text.strip())).decode()
    else:
        sealed = base64.b64encode(b"\1" * 80).decode()
    fleet.controller.operator("PUT", f"/api/v1/agents/{two.id}/secrets/mlflow.token", {"sealed": sealed}, organization=organization)
    two.start().connected()
    failed = until(lambda: [c for c in fleet.controller.operator.all(f"/api/v1/agents/{two.id}/commands", organization=organization)
                            if c["state"] == "failed"])
    assert failed[0]["kind"] == "set_secrets"
    assert two.presence()["secrets"] == [] and not two.audit("secret_changed")
    two.order("sync", depth="quick")


def test_another_organizations_admin_hands_over_nothing(fleet, member, small):
    m = member(uri=small)
    stranger = fleet.controller.user(fleet.controller.organization(), "admin")
    for method, path in (("GET", ""), ("PUT", "/mlflow.token"), ("DELETE", "/mlflow.token")):
        body = {"sealed": base64.b64encode(b"\1" * 80).decode()} if method == "PUT" else None
        assert stranger.raw(method, f"/api/v1/agents/{m.id}/secrets{path}", body)[0] == 404
        assert stranger.raw(method, f"/api/v1/agents/{m.id}/secrets{path}", body, organization=m.organization)[0] in (403, 404)
    auditor = fleet.controller.user(m.organization)
    assert auditor.raw("PUT", f"/api/v1/agents/{m.id}/secrets/mlflow.token", {"sealed": "AAAA"})[0] == 403
    assert listed(m) == {}


# ---- certificates ----


def wait_until_expired(fleet):
    until(lambda: time.monotonic() - fleet.began > LIFE + 1, LIFE + 10, 0.2)


def test_a_certificate_is_renewed_at_half_of_its_life(fleet):
    m = fleet.renewing
    serials = [m.shown()["serial"]]
    until(lambda: len(m.events("certificate_renewed")) >= 2, 40)
    until(lambda: m.shown()["serial"] not in serials)
    assert all(e["level"] == "info" for e in m.events("uplink_ended")), m.log
    assert not m.events("certificate_not_renewed") and not m.events("uplink_unreachable")
    times = renewals(m.log)
    gaps = [b - a for a, b in zip(times, times[1:])]
    # ± 10 %, from a little before it was issued; a second, and not two in ten seconds
    assert all(0.3 * LIFE <= gap <= 0.65 * LIFE for gap in gaps), gaps
    m.order("sync", depth="quick")
    m.caught_up().same_ledger()


def renewals(log):
    """When the first certificate was used and each other one was got, in seconds."""
    lines = [line for line in log.splitlines() if " event=started " in line or " event=certificate_renewed " in line]
    return [time.mktime(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S")) + float(line[19:23]) for line in lines]


@pytest.mark.parametrize("which", ["expired", "unused"])
def test_an_expired_agent_recovers_with_its_enrolment_key(fleet, which):
    """SPIRE's users were stuck when offline past the certificate's life while health stayed green."""
    m = getattr(fleet, which)
    wait_until_expired(fleet)
    m.start().connected(30)
    assert m.events("certificate_renewed")
    m.wait_syncs(1)
    m.caught_up().same_ledger()
    m.stop()


def test_a_revoked_agent_does_not_recover(fleet, member, small):
    m = member(uri=small)
    fleet.controller.operator.post(f"/api/v1/agents/{m.id}/revoke", {"reason": "lost"}, organization=m.organization)
    issued = len(fleet.controller.events("certificate_renewed"))
    m.start()
    m.wait(lambda: m.events("uplink_ended") or m.events("certificate_not_renewed"))
    time.sleep(1)
    assert not m.is_connected()
    assert [e for e in fleet.controller.events("certificate_renewed")[issued:] if e["agent"] == m.id] == []
    assert (m.agent.state / "identity" / "enrollment.key").exists()

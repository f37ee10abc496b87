"""The REST interface over a real controller with either store: who may ask for what, what they get, and evidence that holds without us."""

import base64
import csv
import io
import json
import random
import re
import statistics
import subprocess
import sys
import threading
import time
import uuid

import pytest
from fleet import STORES, fleet_of, until
from rest import JWT_SECRET, Client, claims, jwt
from routes import ROUTES
from servers import ROOT

NOBODY = "00000000-0000-4000-8000-000000000000"
REFUSED = {"message": "the Authorization header has no valid Bearer token", "data": None}


class Tenant:
    """An organization with an agent whose ledger is stored, and its users."""

    def __init__(self, fleet, name, server):
        self.controller = fleet.controller
        self.id = fleet.controller.organization(name)
        self.member = fleet.member(self.id, server.recorder, start_with="sync")
        self.admin, self.auditor = self.client("admin"), self.client("auditor")
        self.agent = self.member.id
        row = self.auditor.get("/api/v1/records", limit=1).data["items"][0]
        self.model, self.version = row["model_name"], row["version_number"]
        self.command = self.admin.post(f"/api/v1/agents/{self.agent}/commands", {"kind": "reevaluate"}).data["id"]
        self.token = self.admin.post("/api/v1/tokens", {"label": name}).data["public_id"]
        self.user = self.admin.get("/api/v1/users").data["items"][0]["public_id"]

    def client(self, role):
        return Client(self.controller.url, self.controller.authority, self.controller.user(self.id, role).token)

    def segments(self, route):
        """What names things of this tenant in a route's path."""
        if "organizations" in route.pattern:
            return [str(self.id)]
        if "tokens" in route.pattern:
            return [self.token]
        if "users" in route.pattern:
            return [self.user]
        if "/commands/{}" in route.pattern:
            return [self.command]
        return [self.agent, "mlflow.token"] if "secrets/{}" in route.pattern else [self.agent, self.model, self.version]


class World:
    """Two tenants, and everybody who may come to one of them."""

    def __init__(self, fleet, server):
        self.fleet, self.controller = fleet, fleet.controller
        self.acme, self.other = Tenant(fleet, "ACME Bank", server), Tenant(fleet, "Other Insurance", server)
        self.operator = self.bearer(self.controller.operator.token)
        self.nobody = self.bearer(None)

    def bearer(self, token, organization=None):
        return Client(self.controller.url, self.controller.authority, token, organization)

    def strangers(self):
        """Tokens with which nobody comes in."""
        acme = self.acme.id
        revoked, expiring = self.controller.user(acme, "admin").token, self.cli_token("--expires-in", "1s")
        self.acme.admin.delete(f"/api/v1/users/{revoked.split('.')[1]}")
        until(lambda: self.bearer(expiring).ask("GET", "/api/v1/agents").status == 401, 5, what="expiry")
        good = self.acme.admin.token
        return {
            "none": None,
            "made up": "vwu1.0123456789abcdef.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
            "another's secret": ".".join([*good.split(".")[:2], self.other.admin.token.split(".")[2]]),
            "cut off": good[:-1],
            "an enrolment token": self.controller.token(acme),
            "revoked": revoked,
            "expired": expiring,
            "JWT of another key": jwt(claims(acme), "another secret"),
            "JWT without a signature": jwt(claims(acme), header={"alg": "none"}).rsplit(".", 1)[0] + ".",
            "JWT that has expired": jwt(claims(acme, expires_in_s=-1)),
            "JWT without an organization": jwt({k: v for k, v in claims(acme).items() if k != "organizationId"}),
        }

    def cli_token(self, *arguments):
        return self.controller.cli("users", "create", "short", "--role", "admin", "--organization", self.acme.id,
                                   *arguments).out.strip()


@pytest.fixture(scope="module", params=STORES)
def world(request, tmp_path_factory, small):
    folder = tmp_path_factory.mktemp(f"rest-{request.param}")
    (folder / "jwt").write_text(JWT_SECRET + "\n")
    (folder / "jwt").chmod(0o600)
    fleet = fleet_of(request.param, folder, rest={"jwt_secret_file": str(folder / "jwt")})
    member = fleet.member

    def synced(organization, server, start_with):
        made = member(organization, server.url)
        made.agent.run(start_with)
        made.start().caught_up()
        made.end()
        return made

    fleet.member = synced
    try:
        yield World(fleet, small)
    finally:
        fleet.end()


def request(client, route, segments, **query):
    body = None if route.body is None else b"" if route.body == "protobuf" else {}
    return client.ask(route.method, route.path(*segments), body, **query)


# ---- who may what ----

CLOSED = [route for route in ROUTES if route.role]
FINITE = [route for route in CLOSED if route.pattern != "/api/v1/changes"]


def test_nobody_comes_in_without_a_valid_token(world):
    """Every route, every bad token: one and the same answer."""
    for name, token in world.strangers().items():
        client = world.bearer(token)
        for route in CLOSED:
            answer = request(client, route, world.acme.segments(route))
            assert answer.status == 401 and answer.json == REFUSED, (name, route, answer)
            assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_what_is_public_is_public(world):
    for route in ROUTES:
        if not route.role and route.method == "GET":
            assert request(world.nobody, route, []).status == 200


def role_allows(role, route):
    if route.pattern == "/metrics" or route.role == "operator":
        return False
    return role == "admin" or route.role == "auditor"


@pytest.mark.parametrize("who", ["auditor", "admin", "JWT auditor", "JWT admin"])
def test_roles_of_an_organization(world, who):
    """With ids that never were, so that nothing is changed: 403 comes before everything else."""
    role = who.split()[-1]
    client = world.acme.client(role) if who == role else world.bearer(jwt(claims(world.acme.id, role.capitalize())))
    for route in FINITE:
        answer = request(client, route, [NOBODY, "mlflow.token", "1"])
        if role_allows(role, route):
            assert answer.status not in (401, 403), (route, answer)
        else:
            assert answer.status == 403, (route, answer)


@pytest.mark.parametrize("role", ["Reviewer", "Editor", "admin", "Administrator", ""])
def test_other_roles_of_verifywise_may_not_come_in(world, role):
    client = world.bearer(jwt(claims(world.acme.id, role)))
    for route in FINITE:
        assert request(client, route, [NOBODY, "x", "1"]).status == 403, route


def test_an_operator_may_do_everything_for_everybody(world):
    for tenant in (world.acme, world.other):
        for route in FINITE:
            if route.method == "GET":
                query = {"organization": tenant.id} if "organization" in route.query else {}
                if route.pattern.startswith("/api/v1/agents/{}/secrets"):
                    continue
                answer = request(world.operator, route, tenant.segments(route), **query)
                assert answer.status == 200, (route, answer)


def test_an_operator_says_which_organization(world):
    for route in FINITE:
        if route.tenant and route.method == "GET":
            answer = request(world.operator, route, world.acme.segments(route))
            assert answer.status == 400 and answer.message == "say which organization: organization=ID", (route, answer)


# ---- tenants (S4.5, S11.1) ----

def test_another_tenant_sees_nothing(world):
    """Every route with a path into the other tenant: word for word what is said of things that never were, and nothing was changed."""
    before = (world.acme.auditor.items("/api/v1/agents"), len(world.acme.admin.items("/api/v1/tokens")),
              len(world.acme.auditor.items("/api/v1/commands")))
    for route in FINITE:
        if not route.open_segments or route.role == "operator":
            continue
        theirs = request(world.other.admin, route, world.acme.segments(route))
        never = [NOBODY, *world.acme.segments(route)[1:]]
        if "organizations" in route.pattern:
            never = ["999999"]
        if "tokens" in route.pattern or "users" in route.pattern:
            never = ["0123456789abcdef"]
        none = request(world.other.admin, route, never)
        if route.body and theirs.status == 400:  # a body is looked at first
            assert none.status == 400
            continue
        assert theirs.status == none.status == 404, (route, theirs, none)
        assert theirs.content == none.content and set(theirs.headers) == set(none.headers), route
    assert world.acme.admin.token not in json.dumps(before)
    after = (world.acme.auditor.items("/api/v1/agents"), len(world.acme.admin.items("/api/v1/tokens")),
             len(world.acme.auditor.items("/api/v1/commands")))
    assert after == before


def test_another_tenant_cannot_be_named(world):
    for route in FINITE:
        if "organization" in route.query:
            theirs = request(world.other.admin, route, world.other.segments(route), organization=world.acme.id)
            none = request(world.other.admin, route, world.other.segments(route), organization=999999)
            assert theirs.status == 404 and theirs.content == none.content, (route, theirs)
            assert theirs.message == "no such organization"


def test_bodies_cannot_name_another_tenant_either(world):
    agent, admin = world.acme.agent, world.other.admin
    for method, path, body in [
            ("POST", f"/api/v1/agents/{agent}/commands", {"kind": "pause"}),
            ("PUT", f"/api/v1/agents/{agent}/secrets/mlflow.token", {"sealed": base64.b64encode(b"x" * 60).decode()}),
            ("POST", f"/api/v1/agents/{agent}/revoke", {"reason": "mine"})]:
        answer = admin.ask(method, path, body)
        assert answer.status == 404 and answer.message == "no such agent", answer
    assert world.acme.auditor.get(f"/api/v1/agents/{agent}").data["status"] == "active"
    assert admin.ask("POST", "/api/v1/users", {"name": "x", "role": "admin", "organization": world.acme.id}).status == 400
    assert admin.ask("POST", "/api/v1/users", {"name": "x", "role": "admin", "all_organizations": True}).status == 403


def test_lists_hold_ones_own_alone(world):
    for tenant, stranger in ((world.acme, world.other), (world.other, world.acme)):
        for path in ("agents", "records", "gaps", "events", "commands", "tokens", "users", "trail", "organizations"):
            text = json.dumps(tenant.admin.items(f"/api/v1/{path}"))
            assert text != "[]", path
            for secret in (stranger.agent, stranger.command, stranger.token, stranger.user, "Insurance" if tenant is world.acme else "Bank"):
                assert secret not in text, path
        for path in ("records/export", "ledger/export"):
            text = tenant.auditor.get(f"/api/v1/{path}").content.decode()
            assert tenant.agent in text and stranger.agent not in text


def test_times_tell_nothing_about_ids(world):
    """What is another's is refused as quickly as what never was: by the quickest of many, in no order."""
    times = {world.acme.agent: [], **{str(uuid.uuid4()): [] for _ in range(3)}}
    order = list(times) * 250
    random.shuffle(order)
    for agent in order:
        begun = time.perf_counter()
        assert world.other.admin.ask("GET", f"/api/v1/agents/{agent}").status == 404
        times[agent].append(time.perf_counter() - begun)
    theirs, *never = (statistics.quantiles(taken, n=10)[0] for taken in times.values())
    assert 0.8 * min(never) < theirs < 1.2 * max(never), (theirs, never)


def test_a_token_of_verifywise_for_an_unknown_organization(world):
    client = world.bearer(jwt(claims(999999)))
    for route in FINITE:
        if route.method == "GET" and route.tenant:
            assert request(client, route, [NOBODY, "x", "1"]).status == 404
    assert client.get("/api/v1/organizations").data == {"items": [], "next": None}


# ---- what they get ----

def test_a_record_is_what_the_agent_shows(world):
    """The one JSON form (S7, S8.6, S13.1). Only the agent knows when an unchanged record was seen last."""
    tenant = world.acme
    shown = {(r["model_name"], r["version_number"]): r for r in tenant.member.agent.inventory()}
    rows = tenant.auditor.items("/api/v1/records", limit=5)
    assert len(rows) == len(shown) > 5
    for row in rows:
        path = f"/api/v1/records/{tenant.agent}/{row['model_name']}/{row['version_number']}"
        data = tenant.auditor.get(path).data
        record = shown[row["model_name"], row["version_number"]]
        assert {**data["newest"]["record"], "last_synced_at": None} == {**record, "last_synced_at": None}
        assert data["version"] == row and data["newest"]["sequence"] == row["sequence"]
        assert row["status"] == record["compliance"]["status"] and row["record_sha256"] == record["record_sha256"]
        history = tenant.auditor.items(path + "/history", limit=1)
        assert history[0] == data["newest"] and history[-1]["events"][0]["field"] == "first_seen"


def test_gaps_and_counts_agree(world):
    tenant = world.acme
    gaps, overview = tenant.auditor.items("/api/v1/gaps", limit=7), tenant.auditor.get("/api/v1/overview").data
    for severity, count in overview["gaps"].items():
        assert count == len([g for g in gaps if g["finding"]["severity"] == severity])
    high = tenant.auditor.items("/api/v1/gaps", severity="medium")
    assert {g["finding"]["severity"] for g in high} <= {"medium", "high", "critical"} and high
    rule = gaps[0]["finding"]["rule"]
    assert {g["finding"]["rule"] for g in tenant.auditor.items("/api/v1/gaps", rule=rule)} == {rule}
    framework = tenant.auditor.items("/api/v1/gaps", framework="iso_42001")
    assert framework and all("iso_42001" in [c["framework"] for c in g["finding"]["clauses"]] for g in framework)
    assert overview["versions"] == len(tenant.auditor.items("/api/v1/records"))


@pytest.mark.parametrize("order", ["name", "recorded", "updated", "severity"])
def test_pages_are_the_whole_in_order(world, order):
    auditor = world.acme.auditor
    whole = auditor.items("/api/v1/records", order=order)
    for limit in (1, 3, 1000):
        assert auditor.items("/api/v1/records", order=order, limit=limit) == whole
    backwards = auditor.items("/api/v1/records", order=order, descending="true", limit=4)
    assert backwards == whole[::-1]


def test_filters(world):
    auditor, model = world.acme.auditor, world.acme.model
    assert {r["model_name"] for r in auditor.items("/api/v1/records", model=model)} == {model}
    assert {r["stage"] for r in auditor.items("/api/v1/records", stage="Production")} == {"Production"}
    assert auditor.items("/api/v1/records", owner="nobody") == []
    assert auditor.items("/api/v1/records", text=model.upper()) and not auditor.items("/api/v1/records", text="no-such-word")
    assert auditor.items("/api/v1/agents", text=world.acme.agent[:8]) and not auditor.items("/api/v1/agents", status="revoked")


def test_a_cursor_belongs_to_its_listing(world):
    cursor = world.acme.auditor.get("/api/v1/records", limit=1).data["next"]
    assert cursor
    for client, path, query in [(world.acme.auditor, "/api/v1/records", {"model": "another"}), (world.acme.auditor, "/api/v1/gaps", {}),
                                (world.other.auditor, "/api/v1/records", {})]:
        assert client.ask("GET", path, cursor=cursor, **query).status == 400


# ---- exports ----

def test_records_as_lines(world):
    tenant = world.acme
    answer = tenant.auditor.get("/api/v1/records/export")
    lines = [json.loads(line) for line in answer.content.decode().splitlines()]
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="records-{tenant.id}.ndjson"'
    assert [line["version"] for line in lines] == tenant.auditor.items("/api/v1/records")
    assert all(line["newest"]["record"]["record_sha256"] == line["version"]["record_sha256"] for line in lines)
    one = tenant.auditor.get("/api/v1/records/export", model=tenant.model, descending="true").content.decode().splitlines()
    assert [json.loads(line)["version"]["model_name"] for line in one] == [tenant.model] * len(one) and one


def test_records_as_a_table(world):
    tenant = world.acme
    text = tenant.auditor.get("/api/v1/records/export", format="csv").content.decode()
    table, rows = list(csv.DictReader(io.StringIO(text))), tenant.auditor.items("/api/v1/records")
    assert len(table) == len(rows)
    for cells, row in zip(table, rows):
        assert cells["model_name"] == row["model_name"] and int(cells["sequence"]) == row["sequence"]
        assert [int(cells[f"gaps_{s}"]) for s in ("info", "low", "medium", "high", "critical")] == row["gaps"]
        assert cells["recorded_at"] == row["recorded_at"] and cells["record_sha256"] == row["record_sha256"]
        assert cells["removed_at"] == "" and cells["partial"] in ("true", "false")


def verify(tmp_path, content, *arguments):
    (tmp_path / "export.ndjson").write_bytes(content)
    return subprocess.run([sys.executable, ROOT / "docs" / "verify_ledger.py", tmp_path / "export.ndjson", *arguments],
                          capture_output=True, text=True, timeout=60)


def test_the_evidence_verifies_without_us(world, tmp_path):
    """S3.5, S13.1: with receipts, signed, and broken by any change."""
    tenant = world.acme
    content = tenant.auditor.get("/api/v1/ledger/export").content
    authority = ["--ca", world.controller.authority]
    done = verify(tmp_path, content, *authority)
    assert done.returncode == 0 and f"agent {tenant.agent}" in done.stdout and "countersigned" in done.stdout, done
    one = tenant.auditor.get(f"/api/v1/agents/{tenant.agent}/ledger/export").content
    assert verify(tmp_path, one, *authority).returncode == 0
    lines = content.splitlines(keepends=True)
    for broken in (b"".join(lines[:-1]), b"".join(lines[:3] + lines[4:]), content.replace(b"ACME", b"ACNE"), content + b"{}\n"):
        assert verify(tmp_path, broken, *authority).returncode == 1


def test_the_evidence_is_what_the_agent_has(world):
    """Line by line, but for the first one of the ledger, which says whose certificate sent it."""
    tenant = world.acme
    own = tenant.member.agent.run("audit", "export").out.splitlines()
    exported = tenant.auditor.get(f"/api/v1/agents/{tenant.agent}/ledger/export").content.decode().splitlines()
    entries = [line for line in exported if line.startswith('{"sequence"')]
    assert entries and entries == own[1:1 + len(entries)]
    head = json.loads(exported[1])
    assert head["sender"] == tenant.agent and {**json.loads(own[0]), "head": None} == {**{k: v for k, v in head.items() if k != "sender"}, "head": None}


def test_an_export_is_put_into_the_trail(world):
    tenant = world.acme
    tenant.auditor.get(f"/api/v1/agents/{tenant.agent}/ledger/export")
    event = tenant.auditor.get("/api/v1/trail", limit=1).data["items"][0]
    public_id = tenant.auditor.token.split(".")[1]
    assert event["action"] == "ledger_exported" and event["object"] == tenant.agent
    assert event["actor"].startswith("user:") and event["actor"].endswith(f":{public_id}")


def test_an_organization_without_agents_has_an_empty_export(world, tmp_path):
    organization = world.controller.organization("Nobody Yet")
    client = world.bearer(world.controller.operator.token, organization)
    content = client.get("/api/v1/ledger/export").content
    assert len(content.splitlines()) == 2
    assert verify(tmp_path, content, "--ca", world.controller.authority).stdout == "sound: no ledgers\n"
    assert client.get("/api/v1/records/export").content == b""
    assert client.get("/api/v1/records/export", format="csv").content.count(b"\n") == 1


def test_a_ledger_is_read_in_pages_and_verified(world):
    tenant = world.acme
    entries = tenant.auditor.items(f"/api/v1/agents/{tenant.agent}/ledger", limit=4)
    assert [e["sequence"] for e in entries] == list(range(1, len(entries) + 1))
    assert {"recorded", "epoch_started", "sync_finished"} <= {e["kind"] for e in entries}
    assert tenant.auditor.items(f"/api/v1/agents/{tenant.agent}/ledger", **{"from": 3}) == entries[2:]
    verified = tenant.auditor.get(f"/api/v1/agents/{tenant.agent}/ledger/verify").data
    assert verified == {"sound": True, "entries": len(entries), "head_sha256": entries[-1]["chain_sha256"], "first_bad": None, "reason": None}


# ---- what is strict ----

def test_what_is_misspelt_is_refused(world):
    admin = world.acme.admin
    for path, query, said in [("/api/v1/agents", {"stauts": "active"}, "stauts"), ("/api/v1/records", {"severity": "hihg"}, "hihg"),
                              ("/api/v1/gaps", {"limit": "many"}, "limit"), ("/api/v1/events", {"since": "2026-02-30"}, "since")]:
        answer = admin.ask("GET", path, **query)
        assert answer.status == 400 and said in answer.message, answer
    answer = admin.ask("POST", "/api/v1/tokens", {"expire_in_s": 60})
    assert answer.status == 400 and "expire_in_s" in answer.message
    answer = admin.ask("POST", f"/api/v1/agents/{world.acme.agent}/commands", {"kind": "pause", "depth": "full"})
    assert answer.status == 400 and "depth" in answer.message


def test_only_json_is_taken(world):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = world.acme.admin.ask("POST", "/api/v1/tokens", b'{"uses": 1}', headers={"Content-Type": kind})
        assert answer.status == 415
    assert world.acme.admin.ask("POST", "/api/v1/tokens", b"{}", headers={"Content-Type": "application/json; charset=utf-8"}).status == 201


def test_methods(world):
    for route in ROUTES:
        answer = world.acme.admin.ask("PATCH", route.path(*world.acme.segments(route)) if route.open_segments else route.pattern)
        allowed = set(answer.headers["Allow"].split(", "))
        same = {r.method for r in ROUTES if re.fullmatch(re.sub(r"\{\}", "[^/]+", r.pattern), route.pattern.replace("{}", "x"))}
        assert answer.status == 405 and allowed == same | ({"HEAD"} if "GET" in same else set())


def test_head_is_get_without_a_body(world):
    for route in ROUTES:
        if route.method != "GET" or route.pattern in ("/metrics",):
            continue
        segments = world.acme.segments(route) if route.open_segments else []
        for _ in range(3):  # over one connection, where it is kept
            answer = world.acme.admin.ask("HEAD", route.path(*segments))
            assert answer.status == 200 and answer.content == b"", (route, answer)


# ---- commands and secrets ----

def test_commands_are_queued_and_shown(world):
    tenant = world.acme
    path = f"/api/v1/agents/{tenant.agent}/commands"
    made = tenant.admin.post(path, {"kind": "set_policy", "content": "policy: {}\n", "expires_in_s": 60}, code=202).data
    assert made["state"] == "queued" and made["content_bytes"] == 11 and "content" not in made
    shown = tenant.auditor.get(f"/api/v1/commands/{made['id']}").data
    assert shown["kind"] == "set_policy" and shown["issued_by"].startswith("user:admin of ")
    assert made["id"] in [c["id"] for c in tenant.auditor.items(path, limit=1)]
    assert tenant.auditor.get(f"/api/v1/agents/{tenant.agent}").data["desired_policy_sha256"]
    everybody = tenant.admin.post("/api/v1/commands", {"kind": "resume"}, code=202).data
    assert everybody == {"agents": 1, "refused": 0}


def test_an_agent_has_a_limit_of_open_commands(world):
    tenant = world.other
    path = f"/api/v1/agents/{tenant.agent}/commands"
    answers = [tenant.admin.ask("POST", path, {"kind": "resume"}).status for _ in range(70)]
    assert answers[0] == 202 and answers[-1] == 409 and set(answers) == {202, 409}
    assert tenant.admin.post("/api/v1/commands", {"kind": "resume"}, code=202).data == {"agents": 0, "refused": 1}


def test_secrets_are_never_shown(world):
    tenant = world.acme
    sealed = base64.b64encode(b"not really sealed" * 5).decode()
    path = f"/api/v1/agents/{tenant.agent}/secrets/mlflow.password"
    assert tenant.admin.put(path, {"sealed": sealed}).data == {"name": "mlflow.password", "version": 1}
    assert tenant.admin.put(path, {"sealed": sealed}).data["version"] == 2
    everything = [tenant.admin.items(f"/api/v1/{p}") for p in ("commands", "agents", "trail", f"agents/{tenant.agent}/secrets")]
    assert sealed not in json.dumps(everything) and "mlflow.password" in json.dumps(everything)
    assert tenant.admin.ask("PUT", path, {"sealed": "no base64!"}).status == 400
    assert tenant.admin.ask("PUT", path.replace("password", "else"), {"sealed": sealed}).status == 400
    tenant.admin.delete(path)
    tenant.admin.delete(path, code=404)
    assert sealed not in world.controller.log


# ---- tokens and users ----

def test_tokens_are_shown_once(world):
    admin = world.acme.admin
    made = admin.post("/api/v1/tokens", {"label": "once", "uses": 3}, code=201).data
    listed = next(t for t in admin.items("/api/v1/tokens") if t["public_id"] == made["public_id"])
    assert listed["label"] == "once" and listed["uses_allowed"] == 3 and not any("secret" in key for key in listed)
    secret = made["token"].split(".")[2]
    assert secret not in json.dumps([admin.items(f"/api/v1/{p}") for p in ("tokens", "trail")]) and secret not in world.controller.log
    admin.delete(f"/api/v1/tokens/{made['public_id']}")
    assert next(t for t in admin.items("/api/v1/tokens") if t["public_id"] == made["public_id"])["revoked_at"]


def test_two_users_of_one_name_are_told_apart(world):
    actors = set()
    for _ in range(2):
        token = world.acme.admin.post("/api/v1/users", {"name": "alice", "role": "admin"}, code=201).data
        world.bearer(token["token"]).post("/api/v1/tokens", {})
        actors.add(world.acme.auditor.get("/api/v1/trail", limit=1).data["items"][0]["actor"])
    assert len(actors) == 2 and all(actor.startswith("user:alice:") for actor in actors)


def test_an_organization_can_be_closed(world):
    """Agents are turned away; what is there stays, and can be read."""
    world.operator.post(f"/api/v1/organizations/{world.other.id}/disable", {})
    assert world.operator.get(f"/api/v1/organizations/{world.other.id}").data["disabled"] is True
    assert world.other.auditor.items("/api/v1/records")
    world.operator.post(f"/api/v1/organizations/{world.other.id}/enable", {})


# ---- events ----

class Listening:
    """Reads events in a thread of its own."""

    def __init__(self, client, **more):
        self.seen, self.ended = [], threading.Event()
        threading.Thread(target=self.read, args=(client, more), daemon=True).start()
        until(lambda: self.seen, 10, what="the first event")

    def read(self, client, more):
        try:
            for event in client.events(seconds=30, **more):
                self.seen.append(event)
        finally:
            self.ended.set()

    def kinds(self):
        return [event["event"] for event in self.seen]


def test_changes_come_as_they_happen(world):
    listening, stranger = Listening(world.acme.auditor), Listening(world.other.auditor)
    assert listening.kinds() == ["ready"]
    begun = time.monotonic()
    world.acme.admin.post("/api/v1/commands", {"kind": "resume"}, code=202)
    until(lambda: "command" in listening.kinds(), 5, what="the command's event")
    assert time.monotonic() - begun < 2
    event = next(e for e in listening.seen if e["event"] == "command")
    assert event["data"] == {"agent_id": world.acme.agent}
    time.sleep(0.3)
    assert stranger.kinds() == ["ready"]


def test_who_comes_again_gets_what_came_since(world):
    first = Listening(world.acme.auditor)
    last_id = first.seen[-1]["id"]
    world.acme.admin.post("/api/v1/commands", {"kind": "resume"}, code=202)
    for more in ({"headers": {"Last-Event-ID": last_id}}, {"last_event_id": last_id}):
        again = Listening(world.acme.auditor, **more)
        until(lambda: "command" in again.kinds(), 5, what="the event that was missed")
        assert "missed" not in again.kinds()
    for unknown in ("nonsense", "0" * 16):
        until(lambda: "missed" in Listening(world.acme.auditor, last_event_id=unknown).kinds(), 5)


def test_a_stream_ends_with_its_token(world):
    token = world.controller.user(world.acme.id, "auditor").token
    listening = Listening(world.bearer(token))
    world.acme.admin.delete(f"/api/v1/users/{token.split('.')[1]}")
    assert listening.ended.wait(15)


# ---- enrolment and the rest ----

def test_enrolment_answers_in_its_own_form(world):
    from protos import fleet_pb2
    for path in ("/enroll/v1/enroll", "/enroll/v1/renew"):
        answer = world.nobody.ask("POST", path, b"\xff\xff", headers={"Content-Type": "application/protobuf"})
        assert answer.status == 200 and answer.headers["Content-Type"] == "application/protobuf"
        assert fleet_pb2.EnrollResponse.FromString(answer.content).WhichOneof("answer") == "rejection"
        assert world.nobody.ask("POST", path, b"{}", headers={"Content-Type": "application/json"}).status == 415
    pem = world.nobody.get("/enroll/v1/authorities").content.decode()
    assert pem == world.controller.authority.read_text()


def test_metrics_are_prometheus_text(world):
    from daemon import parse_metrics
    world.nobody.get("/metrics", code=401)
    world.acme.admin.get("/metrics", code=403)
    metrics = parse_metrics(world.operator.get("/metrics").content.decode())
    assert metrics["vw_controller_organizations"]["samples"][()] >= 2
    assert metrics["vw_controller_http_answers_total"]["samples"][(("status", "4xx"),)] > 100
    assert metrics["vw_controller_agents"]["samples"][()] == 2


def test_faults_of_ours_say_nothing(world):
    """And none of all these tests made one."""
    log = world.controller.log
    assert not any(word in log for word in ("event=request_failed", "event=answer_cut_off", "Sanitizer", "runtime error:"))

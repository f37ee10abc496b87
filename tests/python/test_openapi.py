"""docs/openapi.yaml says what the interface does: every route, every parameter, every answer."""

import base64
import copy
import re
import uuid

import hypothesis
import pytest
import schemathesis
import yaml
from fleet import Controller, Member
from hypothesis import HealthCheck, strategies
from rest import Client
from routes import ROUTES
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from servers import ROOT

TEXT = (ROOT / "docs" / "openapi.yaml").read_text()
DOCUMENT = yaml.safe_load(TEXT)
METHODS = ("get", "post", "put", "delete")
CHECKS = [not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
          checks.response_headers_conformance, checks.response_schema_conformance]
ENDLESS = "/api/v1/changes"


@schemathesis.serializer("application/protobuf")
def write_bytes(_, value):
    """Whatever is generated: none of it is a message."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def operations():
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method], item.get("parameters", [])


def resolve(thing):
    while "$ref" in thing:
        thing = DOCUMENT["components"][thing["$ref"].split("/")[2]][thing["$ref"].split("/")[3]]
    return thing


def parameters(operation, shared, where):
    return {p["name"] for p in map(resolve, [*operation.get("parameters", []), *shared]) if p["in"] == where}


# ---- the document against the table of routes ----

def test_every_route_is_described_and_nothing_else():
    described = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path, _, _ in operations()}
    assert described == {(route.method, route.pattern) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_parameters_bodies_and_roles_are_the_routes_own(route):
    method, path, operation, shared = next(o for o in operations()
                                           if o[0] == route.method and re.sub(r"\{\w+\}", "{}", o[1]) == route.pattern)
    assert parameters(operation, shared, "query") == route.query
    assert parameters(operation, shared, "path") == set(re.findall(r"\{(\w+)\}", path))
    assert operation.get("x-role") == route.role and (route.role is None) == (operation.get("security") == [])
    body = operation.get("requestBody", {}).get("content")
    if route.body is None:
        assert body is None
    elif route.body == "protobuf":
        assert list(body) == ["application/protobuf"]
    else:
        schema = resolve(body["application/json"]["schema"])
        choices = schema.get("oneOf", [schema])
        assert {name for choice in choices for name in choice.get("properties", {})} == route.body
        assert all(choice["additionalProperties"] is False for choice in choices)


def test_references_lead_somewhere_and_nothing_is_left_over():
    used = set(re.findall(r'"#/components/(\w+)/(\w+)"', TEXT))
    there = {(kind, name) for kind, things in DOCUMENT["components"].items() for name in things if kind != "securitySchemes"}
    assert used == there


def test_operations_have_names_of_their_own_and_a_sentence():
    ids = [operation["operationId"] for _, _, operation, _ in operations()]
    assert len(set(ids)) == len(ids)
    assert all(operation["summary"] and operation["tags"] for _, _, operation, _ in operations())


def test_examples_fit_their_schemas():
    import jsonschema_rs
    found = 0

    def check(schema, example):
        jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]}).validate(example)

    for _, _, operation, _ in operations():
        contents = [operation.get("requestBody", {}).get("content", {})]
        contents += [resolve(answer).get("content", {}) for answer in operation["responses"].values()]
        for content in contents:
            for media in content.values():
                if "example" in media:
                    check(media["schema"], media["example"])
                    found += 1
    assert found > 20


# ---- the document against a controller with data ----

def exact(schema):
    """Members that are not described are a mistake here, although clients must expect them."""
    if isinstance(schema, dict):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            exact(value)
    elif isinstance(schema, list):
        for value in schema:
            exact(value)
    return schema


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, small):
    """A controller, an agent whose ledger is stored there, and what path segments may be."""
    from agent import Agent
    folder = tmp_path_factory.mktemp("openapi")
    controller = Controller(folder / "controller").init().start()
    try:
        organization = controller.organization("ACME Bank")
        controller.organization("Other")
        agent = Agent(folder / "agent", small.recorder.url)
        agent.sync()
        member = Member(controller, organization, agent)
        member.enroll()
        with member:
            member.caught_up()
            admin = Client(controller.url, controller.authority, controller.user(organization, "admin").token)
            operator = Client(controller.url, controller.authority, controller.operator.token, organization)
            member.order("sync", depth="full")
            admin.put(f"/api/v1/agents/{member.id}/secrets/mlflow.token", {"sealed": base64.b64encode(b"sealed" * 20).decode()})
            record = admin.get("/api/v1/records", limit=1).data["items"][0]
            known = {"agent": member.id, "model": record["model_name"], "version": record["version_number"],
                     "id": str(organization), "name": "mlflow.token",
                     "command": admin.get("/api/v1/commands").data["items"][0]["id"],
                     "public_id": admin.post("/api/v1/tokens", {}).data["public_id"]}
            yield {"controller": controller, "admin": admin, "operator": operator, "known": known}
    finally:
        controller.end()


SCHEMA = schemathesis.openapi.from_dict(exact(copy.deepcopy(DOCUMENT)))
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations() if result.ok().path != ENDLESS]


def client_for(fleet, operation):
    role = operation.definition.raw.get("x-role")
    is_operators = role == "operator" or operation.definition.raw.get("x-operator")
    return fleet["operator"] if is_operators else fleet["admin"] if role else None


def ask(fleet, case):
    client = client_for(fleet, case.operation)
    headers = {"Authorization": f"Bearer {client.token}"} if client else {}
    return case.call(base_url=fleet["controller"].url, headers=headers, verify=str(fleet["controller"].authority), timeout=20)


def settings(count):
    return hypothesis.settings(max_examples=count, deadline=None, derandomize=True, database=None,
                               suppress_health_check=list(HealthCheck), phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method.upper()} {o.path}")
def test_no_answer_that_is_not_described(fleet, operation, mode):
    """Whatever is asked for: no fault of the server, no other status, type, header or member than those described."""
    known = {p["name"]: fleet["known"][p["name"]] for p in map(resolve, DOCUMENT["paths"][operation.path].get("parameters", []))}

    @settings(16 if mode == GenerationMode.POSITIVE else 10)
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), real=strategies.booleans(), own=strategies.integers(0, 3))
    def ask_all(case, real, own):
        if real:
            case.path_parameters.update(known)
        if own and case.query:
            case.query.pop("organization", None)  # which of all is only guessed
        if operation.definition.raw.get("x-role") == "operator" and "disable" in operation.path:
            hypothesis.assume(not real)
        answer = ask(fleet, case)
        case.validate_response(answer, checks=CHECKS)

    try:
        ask_all()
    except hypothesis.errors.Unsatisfiable:
        pass  # nothing of this kind can be wrong there


def test_the_controller_shows_this_document(fleet):
    client = Client(fleet["controller"].url, fleet["controller"].authority)
    assert client.get("/api/v1/openapi.yaml").content.decode() == TEXT


@pytest.mark.parametrize("operation", [o for o in OPERATIONS if o.definition.raw.get("x-role") and o.method == "get"],
                         ids=lambda o: f"{o.method.upper()} {o.path}")
def test_what_is_there_is_described(fleet, operation):
    """The same with data in each answer, for real ids."""
    case = operation.Case(path_parameters={k: v for k, v in fleet["known"].items() if f"{{{k}}}" in operation.path})
    answer = ask(fleet, case)
    assert answer.status_code == 200, answer.content
    case.validate_response(answer, checks=CHECKS)


def test_unknown_things_are_not_found(fleet):
    for segment in (str(uuid.uuid4()), "nonsense", "%00", "..", "'; DROP TABLE agents;--"):
        answer = fleet["admin"].ask("GET", f"/api/v1/agents/{segment}")
        assert answer.status in (400, 404), answer

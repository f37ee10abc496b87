"""All the ways in which a client may have to show itself (S4.1, S4.2, S4.3, S4.4)."""

import base64
import json
import re

import pytest
import seed
from agent import CONFIGURATION, OK, UNREACHABLE, USAGE
from oracle import Oracle, differences
from proxies import Answer, Proxy
from servers import READER
from tls import Authority

TOKEN = "tok-e2e-3f9a77b1c5-bearer"
HEADER_VALUE = "hdr-e2e-5b1d-gateway-key"
AWS = {"AWS_ACCESS_KEY_ID": "AKIAE2ETESTKEY000001", "AWS_SECRET_ACCESS_KEY": "aws/secret+e2e/8f2b4c6d8e0a1b3c5d7e9f",
       "AWS_DEFAULT_REGION": "eu-central-1"}


def versions(a):
    return {(r["workspace"], r["model_name"], r["version_number"]) for r in a.inventory()}


def credential_of_last_sync(a):
    return [row for row in a.audit() if row["kind"] == "sync_finished"][-1]["access"]["credential"]


def refuse(status=401):
    return Answer(status, b"You are not authenticated.", {"Content-Type": "text/plain"})


# ---- basic-auth: a user who may read, and not everything ----


def test_reader_sees_what_mlflow_shows_to_the_reader(basic, agent):
    user = {"MLFLOW_TRACKING_USERNAME": READER[0], "MLFLOW_TRACKING_PASSWORD": READER[1]}
    a = agent(basic, **user)
    a.sync()
    dump = json.loads(basic.python("dump.py", **user))
    expected = Oracle(dump, seed.SECRETS).records()
    assert ("hidden-model", "1") not in expected and ("visible-of-hidden-run", "1") in expected
    lines = differences(expected, a.inventory())
    assert not lines, "\n".join(lines)
    assert "FAILED" not in a.run("doctor").out
    record = a.record("visible-of-hidden-run", "1")
    assert record["completeness"]["state"] == "partial"
    assert [r["code"] for r in record["completeness"]["reasons"]] == ["run_forbidden"]
    assert record["identity"]["owner"] == "visible"
    assert credential_of_last_sync(a) == f"basic:{READER[0]}"
    incomplete = [row for row in a.audit() if row["kind"] == "incomplete"]
    assert any(row["model_name"] == "visible-of-hidden-run" for row in incomplete)


def test_what_becomes_forbidden_is_kept_as_stale(basic, agent):
    from servers import ADMIN

    a = agent(basic, MLFLOW_TRACKING_USERNAME=ADMIN[0], MLFLOW_TRACKING_PASSWORD=ADMIN[1])
    a.sync()
    before = a.record("visible-of-hidden-run", "1")
    assert before["completeness"]["state"] == "complete" and before["training"]["training_status"] == "FINISHED"
    a.env.update(MLFLOW_TRACKING_USERNAME=READER[0], MLFLOW_TRACKING_PASSWORD=READER[1])
    a.sync()
    after = a.record("visible-of-hidden-run", "1")
    assert after["completeness"]["state"] == "partial"
    assert {"training", "lineage"} <= set(after["completeness"]["stale"])
    assert after["completeness"]["stale_since_at"]
    assert after["training"] == before["training"] and after["lineage"] == before["lineage"]
    # a model that this user may not see is not gone: the server says 403, not 404
    assert ("hidden-model", "1") in {k[1:] for k in versions(a)}
    changed = [row for row in a.audit() if row["kind"] == "credential_changed"]
    assert len(changed) == 1
    a.env.update(MLFLOW_TRACKING_USERNAME=ADMIN[0], MLFLOW_TRACKING_PASSWORD=ADMIN[1])
    a.sync()
    assert a.record("visible-of-hidden-run", "1")["completeness"] == before["completeness"]


@pytest.mark.parametrize("password", [None, "wr0ng-Pa55word-e2e-1313"])
def test_wrong_credentials_are_an_error_that_says_so(basic, agent, password):
    env = {"MLFLOW_TRACKING_USERNAME": READER[0], "MLFLOW_TRACKING_PASSWORD": password} if password else {}
    a = agent(basic, **env)
    result = a.sync(code=UNREACHABLE)
    assert "401" in result.err or "credential" in result.err.lower(), result
    assert not password or password not in result.out + result.err


def test_password_file_and_credentials_file(basic, agent, tmp_path):
    (tmp_path / "password").write_text(READER[1] + "\n")
    (tmp_path / "password").chmod(0o600)
    a = agent(basic, f"mlflow:\n  username: {READER[0]}\n  password_file: {tmp_path}/password\n")
    a.sync()
    assert credential_of_last_sync(a) == f"basic:{READER[0]}"
    b = agent(basic, state=tmp_path / "b" / "state")
    folder = tmp_path / "b" / "home" / ".mlflow"
    folder.mkdir(parents=True)
    (folder / "credentials").write_text(
        f"[mlflow]\nmlflow_tracking_username = {READER[0]}\nmlflow_tracking_password = {READER[1]}\n")
    (folder / "credentials").chmod(0o600)
    b.sync()
    assert credential_of_last_sync(b) == f"basic:{READER[0]}"


def test_user_info_in_the_uri_is_used_and_never_shown(basic, agent):
    uri = basic.recorder.url.replace("://", f"://{READER[0]}:{READER[1]}@")
    a = agent(uri)
    result = a.sync()
    assert READER[1] not in result.out + result.err
    records = a.inventory()
    assert records and all(r["source"]["tracking_uri"] == basic.recorder.url for r in records)
    assert READER[1] not in json.dumps(records) + json.dumps(a.audit())


# ---- bearer token and headers ----


@pytest.fixture
def gateway(small):
    """A gateway that lets in who has the token."""
    def check(request):
        return None if request.headers.get("authorization") == f"Bearer {TOKEN}" else refuse()

    with Proxy(small.url, before=check, hidden_headers=["authorization"]) as proxy:
        yield proxy


def test_bearer_token_of_the_environment(gateway, agent):
    a = agent(gateway.url, MLFLOW_TRACKING_TOKEN=TOKEN)
    a.sync()
    assert len(a.inventory()) == 18
    label = credential_of_last_sync(a)
    assert label.startswith("bearer:") and TOKEN not in label


def test_bearer_token_of_a_file_and_of_systemd(gateway, agent, tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "mlflow_token").write_text(TOKEN)
    (folder / "mlflow_token").chmod(0o600)
    a = agent(gateway.url, f"mlflow: {{token_file: {folder}/mlflow_token}}\n")
    a.sync()
    b = agent(gateway.url, CREDENTIALS_DIRECTORY=str(folder))
    b.sync()
    # fingerprints are keyed by agent: the same token cannot be recognised across two of them
    assert credential_of_last_sync(a) != credential_of_last_sync(b)


def test_wrong_token_is_refused(gateway, agent):
    result = agent(gateway.url, MLFLOW_TRACKING_TOKEN="tok-wrong-e2e-000").sync(code=UNREACHABLE)
    assert "tok-wrong-e2e-000" not in result.out + result.err


def test_password_wins_over_token_as_in_mlflow(small, agent):
    with Proxy(small.url) as proxy:
        a = agent(proxy.url, MLFLOW_TRACKING_USERNAME="u", MLFLOW_TRACKING_PASSWORD="p-e2e", MLFLOW_TRACKING_TOKEN=TOKEN)
        a.sync()
        basic = "Basic " + base64.b64encode(b"u:p-e2e").decode()
        assert {r.headers.get("authorization") for r in proxy.requests} == {basic}


def test_headers_file(small, agent, tmp_path):
    def check(request):
        return None if request.headers.get("x-api-key") == HEADER_VALUE else refuse(403)

    (tmp_path / "headers").write_text(f"X-Api-Key: {HEADER_VALUE}\nX-Team: governance\n")
    (tmp_path / "headers").chmod(0o600)
    with Proxy(small.url, before=check) as proxy:
        a = agent(proxy.url, f"mlflow: {{headers_file: {tmp_path}/headers}}\n")
        result = a.sync()
        assert HEADER_VALUE not in result.out + result.err
        assert {r.headers.get("x-team") for r in proxy.requests} == {"governance"}
        agent(proxy.url).sync(code=UNREACHABLE)


def test_a_redirect_does_not_carry_the_credential_away(small, agent):
    with Proxy(small.url) as other:
        def redirect(request):
            return Answer(302, b"", {"Location": other.url + request.target})

        with Proxy(small.url, before=redirect) as proxy:
            agent(proxy.url, MLFLOW_TRACKING_TOKEN=TOKEN).sync(code=None)
        assert all("authorization" not in r.headers for r in other.requests)


# ---- TLS ----


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def server_file(authority):
    return authority.issue("localhost")


def test_private_ca(small, agent, authority, server_file):
    with Proxy(small.url, tls=authority.server(server_file)) as proxy:
        a = agent(proxy.url, MLFLOW_TRACKING_SERVER_CERT_PATH=str(authority.path))
        a.sync()
        assert len(a.inventory()) == 18
        b = agent(f"https://localhost:{proxy.local_port}", f"mlflow: {{ca_file: '{authority.path}'}}\n")
        b.sync()


def test_unknown_ca_is_refused_unless_insecure(small, agent, authority, server_file, tmp_path):
    stranger = Authority(tmp_path, "another CA")
    with Proxy(small.url, tls=authority.server(server_file)) as proxy:
        for env in ({}, {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(stranger.path)}):
            result = agent(proxy.url, MLFLOW_TRACKING_TOKEN=TOKEN, **env).sync(code=UNREACHABLE)
            assert "certificate" in result.err.lower(), result
        assert proxy.requests == []
        agent(proxy.url, MLFLOW_TRACKING_INSECURE_TLS="true").sync()


@pytest.mark.parametrize("name, address, days", [("other.example.org", "127.0.0.2", 10), ("expired", "127.0.0.1", -1)])
def test_certificate_of_another_host_or_time_is_refused(small, agent, authority, name, address, days):
    with Proxy(small.url, tls=authority.server(authority.issue(name, address, days))) as proxy:
        agent(proxy.url, MLFLOW_TRACKING_SERVER_CERT_PATH=str(authority.path)).sync(code=UNREACHABLE)
        assert proxy.requests == []


def test_client_certificate(small, agent, authority, server_file):
    mine = authority.issue("agent")
    with Proxy(small.url, tls=authority.server(server_file, clients=True)) as proxy:
        env = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(authority.path)}
        a = agent(proxy.url, MLFLOW_TRACKING_CLIENT_CERT_PATH=str(mine), **env)
        a.sync()
        names = {dict(pair[0] for pair in r.peer_certificate["subject"])["commonName"] for r in proxy.requests}
        assert names == {"agent"}
        seen = len(proxy.requests)
        agent(proxy.url, "mlflow: {retries: 1}\n", **env).sync(code=UNREACHABLE)
        agent(proxy.url, MLFLOW_TRACKING_CLIENT_CERT_PATH="/nowhere.pem", **env).sync(code=CONFIGURATION)
        assert len(proxy.requests) == seen


# ---- AWS SigV4, checked by botocore ----


def signature_is_right(request, host, secret):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    kind, rest = request.headers["authorization"].split(" ", 1)
    assert kind == "AWS4-HMAC-SHA256"
    parts = dict(item.strip().split("=", 1) for item in rest.split(","))
    key, date, region, service, end = parts["Credential"].split("/")
    assert end == "aws4_request" and region == AWS["AWS_DEFAULT_REGION"] and service == "execute-api"
    signed = parts["SignedHeaders"].split(";")
    assert "host" in signed and "x-amz-date" in signed
    headers = {name: request.headers[name] for name in signed}
    query = f"?{request.query}" if request.query else ""
    copy = AWSRequest(request.method, f"http://{host}{request.path}{query}", headers=headers, data=request.body)
    copy.context["timestamp"] = request.headers["x-amz-date"]
    auth = SigV4Auth(Credentials(key, secret), service, region)
    return auth.signature(auth.string_to_sign(copy, auth.canonical_request(copy)), copy) == parts["Signature"]


@pytest.mark.parametrize("session", [None, "session-token-e2e/4455=="])
def test_sigv4(small, agent, session):
    wrong = []

    def check(request):
        right = signature_is_right(request, proxy.authority, AWS["AWS_SECRET_ACCESS_KEY"])
        if session and (request.headers.get("x-amz-security-token") != session
                        or "x-amz-security-token" not in request.headers["authorization"]):
            right = False
        if not right:
            wrong.append((request.method, request.target, request.headers))
        return None if right else refuse(403)

    hidden = ["authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"]
    with Proxy(small.url, before=check, hidden_headers=hidden) as proxy:
        env = {**AWS, **({"AWS_SESSION_TOKEN": session} if session else {})}
        a = agent(proxy.url, MLFLOW_TRACKING_AWS_SIGV4="true", **env)
        a.sync(code=None)
        assert not wrong, wrong[0]
        a.sync()
        assert credential_of_last_sync(a).startswith("sigv4:")
        assert len(a.inventory()) == 18


# ---- through a proxy ----


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY"])
def test_http_proxy_and_no_proxy(small, agent, variable):
    with Proxy() as proxy:
        agent(small.url, **{variable: f"http://{proxy.authority}"}).sync()
        assert proxy.requests and all(r.target.startswith(small.url) for r in proxy.requests)
        seen = len(proxy.requests)
        agent(small.url, NO_PROXY="127.0.0.1", **{variable: f"http://{proxy.authority}"}).sync()
        assert len(proxy.requests) == seen


def test_https_proxy_tunnels(small, agent, authority, server_file):
    with Proxy() as tunnel, Proxy(small.url, tls=authority.server(server_file)) as server:
        a = agent(server.url, MLFLOW_TRACKING_SERVER_CERT_PATH=str(authority.path),
                  HTTPS_PROXY=f"http://{tunnel.authority}", MLFLOW_TRACKING_TOKEN=TOKEN)
        a.sync()
        assert {(r.method, r.target) for r in tunnel.requests} == {("CONNECT", server.authority)}
        assert all("authorization" not in r.headers for r in tunnel.requests)


def test_proxy_of_the_configuration(small, agent):
    with Proxy() as proxy:
        agent(small.url, f"mlflow: {{proxy: 'http://{proxy.authority}'}}\n").sync()
        assert proxy.requests


# ---- names, prefixes, workspaces ----


def test_host_name_and_prefix_of_a_reverse_proxy(small, agent):
    with Proxy(small.url, prefix="/team/mlflow") as proxy:
        a = agent(f"http://localhost:{proxy.local_port}/team/mlflow/")
        a.sync()
        assert len(a.inventory()) == 18
        assert all(r.path.startswith("/team/mlflow/") and "//" not in r.path for r in proxy.requests)


def test_workspaces_are_read_apart(workspaces, agent, tmp_path):
    a = agent(workspaces)
    a.sync()
    found = versions(a)
    assert {("team-a", "same-name", "1"), ("team-b", "same-name", "1"), ("team-a", "only-team-a", "1"),
            ("team-b", "only-team-b", "1")} == found
    for record in a.inventory():
        if record["model_name"] == "same-name":
            assert record["identity"]["owner"] == record["workspace"]
        assert record["training"]["hyperparameters"] == {"workspace": record["workspace"]}
        assert record["lineage"]["experiment_name"] == f"experiment of {record['workspace']}"
    assert {(e["workspace"], e["model_name"]) for e in a.events()} == {(v[0], v[1]) for v in found}
    assert {"team-a/same-name 1", "team-b/same-name 1"} <= set(re.findall(r"\S+/same-name 1", a.run("audit", "list").out))
    assert a.run("show", "same-name", "1", "--workspace", "team-b", "--format", "json").json["workspace"] == "team-b"
    assert "--workspace" in a.run("show", "same-name", "1", "--format", "json", code=USAGE).err
    assert {"team-a/1", "team-b/1"} <= set(a.run("show", "same-name").out.split())
    b = agent(workspaces, "mlflow: {workspace: team-b}\n")
    b.sync()
    assert {v[0] for v in versions(b)} == {"team-b"}


def test_workspace_of_the_environment_is_mlflows_own_variable(workspaces, agent):
    a = agent(workspaces, MLFLOW_WORKSPACE="team-a")
    a.sync()
    assert {v[0] for v in versions(a)} == {"team-a"}


def test_nobody_there_is_said_plainly(agent):
    from servers import free_port

    port = free_port()
    result = agent(f"http://127.0.0.1:{port}", "mlflow: {retries: 1}\n").sync(code=UNREACHABLE, timeout=60)
    assert "127.0.0.1" in result.err and str(port) in result.err, result
    result = agent("http://no-such-host.invalid:5000", "mlflow: {retries: 0}\n").sync(code=UNREACHABLE, timeout=60)
    assert "no-such-host.invalid" in result.err, result


def test_a_page_that_is_no_mlflow_is_said_plainly(agent):
    def page(request):
        return Answer(200, b"<html>Welcome</html>", {"Content-Type": "text/html"})

    with Proxy(before=page) as proxy:
        result = agent(proxy.url).sync(code=None)
        assert result.code not in (OK, None) and result.code > 0, result

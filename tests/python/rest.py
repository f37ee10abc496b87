"""The controller's REST interface as a program sees it, with every detail of an answer, and tokens as VerifyWise signs them."""

import base64
import hashlib
import hmac
import json
import time

import requests

JWT_SECRET = "the-jwt-secret-of-the-tests-0123456789"


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims, secret=JWT_SECRET, header=None):
    parts = [{"alg": "HS256", "typ": "JWT"} if header is None else header, claims]
    text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{text}.{base64url(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def claims(organization, role="Admin", expires_in_s=3600, **more):
    return {"id": 5, "email": "alice@example.org", "roleName": role, "organizationId": organization,
            "expire": int((time.time() + expires_in_s) * 1000), **more}


class Answer:
    def __init__(self, response):
        self.response = response
        self.status, self.headers, self.content = response.status_code, response.headers, response.content

    @property
    def json(self):
        return json.loads(self.content)

    @property
    def data(self):
        return self.json["data"]

    @property
    def message(self):
        return self.json["message"]

    def __repr__(self):
        return f"{self.response.request.method} {self.response.url}: {self.status} {self.content[:600]!r}"


class Client:
    """With one token, or with none. `organization` goes with each request: an operator's."""

    def __init__(self, url, authority, token=None, organization=None):
        self.url, self.token, self.organization = url, token, organization
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(authority)
        if token:
            self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method, path, body=None, headers=None, timeout=30, **query):
        """`body`: what becomes JSON, or bytes."""
        if self.organization is not None:
            query.setdefault("organization", self.organization)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})}
        return Answer(self.session.request(method, self.url + path, params=query, data=data, headers=headers,
                                           timeout=timeout))

    def get(self, path, code=200, **query):
        return self._expect(self.ask("GET", path, **query), code)

    def post(self, path, body=None, code=None, **query):
        return self._expect(self.ask("POST", path, body, **query), code)

    def put(self, path, body=None, code=200, **query):
        return self._expect(self.ask("PUT", path, body, **query), code)

    def delete(self, path, code=200, **query):
        return self._expect(self.ask("DELETE", path, **query), code)

    @staticmethod
    def _expect(answer, code):
        """None: any success."""
        assert answer.status < 300 if code is None else answer.status == code, answer
        return answer

    def items(self, path, **query):
        """Of all pages."""
        found = []
        while True:
            data = self.get(path, **query).data
            found += data["items"]
            if data["next"] is None:
                return found
            query["cursor"] = data["next"]

    def events(self, seconds=10, headers=None, **query):
        """Server-sent events as {id, event, data}, until the stream ends; TimeoutError when it is silent for this long."""
        if self.organization is not None:
            query.setdefault("organization", self.organization)
        with self.session.get(self.url + "/api/v1/changes", params=query, headers=headers, stream=True,
                              timeout=seconds) as response:
            assert response.status_code == 200, response.content
            assert response.headers["Content-Type"] == "text/event-stream"
            event = {}
            try:
                for line in response.iter_lines(chunk_size=1, decode_unicode=True):
                    if line and not line.startswith(":"):
                        name, value = line.split(": ", 1)
                        event[name] = json.loads(value) if name == "data" else value
                    elif not line and event:
                        yield event
                        event = {}
            except requests.exceptions.ConnectionError as problem:
                raise TimeoutError from problem

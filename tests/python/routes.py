"""The table of routes in controller/api/routes.c, read as text: what the interface has, whatever its description says."""

import re

from servers import ROOT

SOURCE = ROOT / "controller/api/routes.c"
ROW = re.compile(r"\{(\"[A-Z]+\"), ([^{}]*(?:\{\}[^{}]*)*), (API_\w+), (true|false), ([^,{}]*), ([^,{}]*), ([^,{}]*), (api_\w+)\}")
ACCESS = {"API_PUBLIC": None, "API_READ": "auditor", "API_ADMIN": "admin", "API_OPERATOR": "operator"}


class Route:
    def __init__(self, method, pattern, access, tenant, query, body, name):
        self.method, self.pattern, self.tenant, self.name = method, pattern, tenant, name
        self.role = ACCESS[access]
        self.query = set(query.split())
        self.body = None if body is None else "protobuf" if body == "*" else set(body.split())

    def path(self, *segments):
        """With these in place of what the pattern leaves open."""
        path = self.pattern
        for segment in segments:
            path = path.replace("{}", segment, 1)
        assert "{}" not in path, path
        return path

    @property
    def open_segments(self):
        return self.pattern.count("{}")

    def __repr__(self):
        return f"{self.method} {self.pattern}"


def read():
    text = re.sub(r"/\*.*?\*/", "", SOURCE.read_text(), flags=re.DOTALL)
    table = text[text.index("api_routes[] = {"):text.index("{NULL")]
    words = {}

    def evaluate(expression):
        """Adjacent strings and macros made of them; NULL is None."""
        if expression.strip() == "NULL":
            return None
        return "".join(token[1:-1] if token[0] == '"' else words[token] for token in re.findall(r'"[^"]*"|\w+', expression))

    for name, value in re.findall(r"^#define (\w+) +(.+)$", text, flags=re.MULTILINE):
        words[name] = evaluate(value)
    rows = ROW.findall(" ".join(table.split()))
    assert len(rows) == table.count("api_") - 1, "a row of the table cannot be read"
    return [Route(evaluate(method), evaluate(pattern), access, tenant == "true", evaluate(query), evaluate(body), name)
            for method, pattern, access, tenant, query, body, _, name in rows]


ROUTES = read()

"""One object with a value that cannot be read, or that is too large: its record says so, the others are whole, and it heals (S12.1)."""

import json

import pytest
from proxies import Answer, Proxy

TOO_LARGE = "x" * (140 * 1024)  # above VW_MAX_VALUE, which is above MLflow's own cap


def spoil(listing, key, field, value):
    """Changes one field of the first object of each answer to `listing`."""

    def after(request, answer):
        if not request.path.endswith(listing) or answer.status != 200:
            return None
        body = json.loads(answer.body)
        if not body.get(key):
            return None
        target = body[key][0]
        for step in field[:-1]:
            target = target[step]
        target[field[-1]] = value
        return Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    return after


CASES = {
    "version, not of its type": ("model-versions/search", "model_versions", ["creation_timestamp"], {"no": "number"}, "response_invalid"),
    "version, too large": ("model-versions/search", "model_versions", ["description"], TOO_LARGE, "value_too_large"),
    "run, not of its type": ("runs/search", "runs", ["info", "start_time"], "yesterday", "response_invalid"),
    "run, too large": ("runs/search", "runs", ["info", "user_id"], TOO_LARGE, "value_too_large"),
}


@pytest.mark.parametrize("listing,key,field,value,reason", CASES.values(), ids=CASES.keys())
def test_one_flawed_object_is_incomplete_and_heals(small, agent, listing, key, field, value, reason):
    with Proxy(small.url, after=spoil(listing, key, field, value)) as proxy:
        flawed = agent(proxy.url)
        flawed.sync()
        records = flawed.inventory()
        spoilt = [r for r in records if any(x["code"] == reason for x in r["completeness"]["reasons"])]
        assert spoilt and len(spoilt) < len(records)
        assert all(r["completeness"]["state"] == "partial" for r in spoilt)
        assert any(e["kind"] == "incomplete" for e in flawed.audit())

        proxy.after = None
        flawed.sync()
        assert not any(x["code"] == reason for r in flawed.inventory() for x in r["completeness"]["reasons"])

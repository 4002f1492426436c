"""Every route with every method, asked by every kind of caller: refused and let in as its policy declares."""

from collections import Counter
from typing import NamedTuple

import pytest
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.routing import RequestRedirect

from api.app import create_app
from api.auth import Policy, policy_of
from api.keys import new_key
from data.records import UserRecord

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
GRANTED = {
    "no key": set(),
    "wrong": set(),
    "revoked": set(),
    "read": {Policy.READ},
    "feedback": {Policy.FEEDBACK},
    "admin": {Policy.READ, Policy.FEEDBACK, Policy.ADMIN},
}


class Door(NamedTuple):
    """An app that demands keys, and what each kind of caller sends."""

    app: object
    keys: dict[str, str]


@pytest.fixture
def door(settings, registry, make_bundle):
    (version,) = registry.publish([make_bundle()])
    app = create_app(settings.model_copy(update={"host": "0.0.0.0", "rate_limit": 0}))
    store = app.extensions["recsys"].store
    keys = {}
    for scope in ("read", "feedback", "admin", "revoked"):
        text, record = new_key(scope, ["admin" if scope == "revoked" else scope])
        store.put_key(record)
        keys[scope] = text
        if scope == "revoked":
            store.revoke_key(record.id)
    keys["wrong"] = keys["admin"][:-8] + "A" * 8
    app.live_version = version
    store.put_users([UserRecord("gone")])
    app.receipt = store.forget("gone").id
    yield Door(app, keys)
    store.close()


def paths(app):
    """A path of every rule, with ids that exist."""
    known = {
        "user": "u1",
        "item": "a1",
        "version": app.live_version,
        "report": "20260131T020000Z",
        "receipt": app.receipt,
        "filename": "page.css",
    }
    adapter = app.url_map.bind("localhost")
    return sorted(
        {
            adapter.build(r.endpoint, {a: known[a] for a in r.arguments}, r.methods and min(r.methods))
            for r in app.url_map.iter_rules()
        }
    )


def declared(app, path, method):
    """The policy of whatever answers; None where nothing does."""
    try:
        endpoint, _ = app.url_map.bind("localhost").match(path, method)
    except (MethodNotAllowed, RequestRedirect):
        return None
    return policy_of(app, endpoint)


def ask(door, path, method, kind, header="Authorization"):
    key = door.keys.get(kind)
    sent = {} if key is None else {header: f"Bearer {key}" if header == "Authorization" else key}
    body = {} if method in ("POST", "PUT", "PATCH") else None
    with door.app.test_client().open(path, method=method, json=body, headers=sent) as answer:
        answer.get_data()
        return answer


def test_every_route_method_and_caller_is_as_declared(door):
    seen = Counter()
    stats = door.app.extensions["recsys"].store.stats()
    # Everyone who must be refused comes first: whatever is there, is there for all of them.
    for allowed in (False, True):
        for path in paths(door.app):
            for method in METHODS:
                needed = declared(door.app, path, method)
                for kind, granted in GRANTED.items():
                    may = needed is None or needed is Policy.PUBLIC or needed in granted
                    if may is not allowed:
                        continue
                    answer = ask(door, path, method, kind)
                    at = (method, path, kind, answer.status)
                    seen[needed, kind, answer.status_code] += 1
                    if needed is None:
                        assert answer.status_code == 405, at
                    elif may:
                        assert answer.status_code not in (401, 403, 405, 500), at
                    else:
                        _check_refused(answer, at, needed, kind)
        if not allowed:
            assert door.app.extensions["recsys"].store.stats() == stats, "a refused request did something"
    assert {needed for needed, _, _ in seen} == {None, *Policy}
    assert all(seen[policy, "admin", 401] + seen[policy, "admin", 403] == 0 for policy in Policy)
    assert sum(seen.values()) == len(paths(door.app)) * len(METHODS) * len(GRANTED)


def test_the_matrix_meets_every_rule(door):
    adapter = door.app.url_map.bind("localhost")
    met = set()
    for path in paths(door.app):
        for method in METHODS:
            if declared(door.app, path, method) is not None:
                met.add((adapter.match(path, method)[0], method))
    rules = door.app.url_map.iter_rules()
    assert met >= {(rule.endpoint, method) for rule in rules for method in rule.methods - {"OPTIONS"}}


def _check_refused(answer, at, needed, kind):
    scoped = kind in ("read", "feedback")
    assert answer.status_code == (403 if scoped else 401), at
    assert answer.mimetype == "application/problem+json", at
    if not scoped:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), at
    if at[0] != "HEAD":
        assert f"'{needed}'" in answer.get_data(as_text=True) or kind in ("wrong", "revoked"), at


def test_either_header_carries_the_key(door):
    for header in ("Authorization", "X-API-Key"):
        assert ask(door, "/v1/items/a1", "GET", "read", header).status_code == 200
        assert ask(door, "/v1/items/a1", "GET", "wrong", header).status_code == 401
        assert ask(door, "/v1/items/a1", "GET", "feedback", header).status_code == 403

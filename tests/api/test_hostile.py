"""Hostile requests, on both databases: none gives a 500, none leaves anything behind that was not valid."""

import json

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.limits import MAX_BODY

EVENT = b'{"user": %s, "item": "a1", "event": "rating", "value": 5}'


def events(*parts: bytes) -> bytes:
    return b'{"events": [' + b", ".join(parts) + b"]}"


def field(name: str, value: bytes) -> bytes:
    fields = {"user": b'"hostile"', "item": b'"a1"', "event": b'"rating"', "value": b"5"}
    fields[name] = value
    return events(b"{" + b", ".join(b'"%s": %s' % (key.encode(), fields[key]) for key in fields) + b"}")


REFUSED = {
    "empty": b"",
    "spaces": b"   ",
    "null": b"null",
    "list": b"[]",
    "number": b"1",
    "string": b'"x"',
    "not json": b"user=1",
    "cut off": b'{"events": [',
    "two values": b"{}{}",
    "invalid utf-8": b'{"events": "\xff\xfe"}',
    "utf-16": '{"events": []}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "no events": b"{}",
    "events null": b'{"events": null}',
    "events object": b'{"events": {}}',
    "events of null": b'{"events": [null]}',
    "events of lists": b'{"events": [[]]}',
    "unknown field": b'{"events": [], "extra": 1}',
    "missing user": events(b'{"item": "a1", "event": "rating"}'),
    "missing item": events(b'{"user": "hostile", "event": "rating"}'),
    "missing event": events(b'{"user": "hostile", "item": "a1", "value": 5}'),
    "nested 100k lists": b"[" * 100_000 + b"]" * 100_000,
    "nested 100k objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "nested 900": b'{"events": ' + b"[" * 900 + b"]" * 900 + b"}",
    "duplicate key": events(b'{"user": "hostile", "user": "other", "item": "a1", "event": "rating"}'),
    "duplicate events": b'{"events": [], "events": []}',
    "lone surrogate": field("user", b'"\\ud800"'),
    "reversed surrogates": field("user", b'"\\udc00\\ud800"'),
    "NUL in user": field("user", b'"a\\u0000b"'),
    "NUL in event": field("event", b'"\\u0000"'),
    "newline in item": field("item", b'"a\\nb"'),
    "escape in item": field("item", b'"\\u001b[31m"'),
    "line separator": field("item", b'"a\\u2028b"'),
    "empty user": field("user", b'""'),
    "user of 256": field("user", b'"' + b"x" * 256 + b'"'),
    "event of 65": field("event", b'"' + b"x" * 65 + b'"'),
    "user null": field("user", b"null"),
    "user true": field("user", b"true"),
    "user number": field("user", b"7"),
    "user 2^63": field("user", b"9223372036854775808"),
    "user list": field("user", b'["hostile"]'),
    "user object": field("user", b'{"$ne": null}'),
    "value NaN": field("value", b"NaN"),
    "value Infinity": field("value", b"-Infinity"),
    "value 1e999": field("value", b"1e999"),
    "value 1e308": field("value", b"1e308"),
    "value 2^64": field("value", b"18446744073709551616"),
    "value true": field("value", b"true"),
    "value text": field("value", b'"5"'),
    "value abc": field("value", b'"abc"'),
    "value list": field("value", b"[5]"),
    "time number": field("time", b"1700000000"),
    "time text": field("time", b'"yesterday"'),
    "time year 0": field("time", b'"0000-01-01T00:00:00Z"'),
    "time year 9999": field("time", b'"9999-12-31T23:59:59+00:00"'),
    "time offset": field("time", b'"0001-01-01T00:00:00+23:59"'),
    "time long": field("time", b'"' + b"2" * 100_000 + b'"'),
    "id number": field("id", b"1"),
    "id empty": field("id", b'""'),
    "long number": b'{"events": ' + b"1" * 5000 + b"}",
}
ACCEPTED = {
    "zero width": field("user", '"hostile\u200b"'.encode()),
    "right to left": field("user", '"\u202ehostile"'.encode()),
    "emoji": field("user", b'"\\ud83d\\ude00"'),
    "sql": field("user", b'"\'; drop table users; --"'),
    "markup": field("item", b'"<script>alert(1)</script>"'),
    "255 characters": field("user", b'"' + "ü".encode() * 255 + b'"'),
    "minus zero": field("value", b"-0.0"),
    "tiny": field("value", b"1e-320"),
    "1e9": field("value", b"1e9"),
}


@pytest.fixture(params=["sqlite", "postgresql"])
def hostile(request: pytest.FixtureRequest, seeded_home) -> FlaskClient:
    return seeded_home(request.param)


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_body_is_refused_in_words_and_stores_nothing(hostile, name):
    before = hostile.application.extensions["recsys"].store.stats()
    answer = hostile.post("/v1/feedback", data=REFUSED[name], content_type="application/json")
    assert answer.status_code in (400, 422), answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json(force=True)["detail"]
    assert hostile.application.extensions["recsys"].store.stats() == before


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_but_valid_body_is_stored(hostile, name):
    answer = hostile.post("/v1/feedback", data=ACCEPTED[name], content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json()["received"] == 1


@pytest.mark.parametrize("name", REFUSED)
def test_no_other_route_with_a_body_breaks_on_it(hostile, name):
    for method, path in (
        ("POST", "/v1/recommendations"),
        ("PUT", "/v1/items/hostile"),
        ("PUT", "/v1/users/hostile"),
        ("POST", "/v1/items:batch"),
    ):
        answer = hostile.open(path, method=method, data=REFUSED[name], content_type="application/json")
        if path.endswith("/hostile") and name == "no events":
            continue  # an empty object is a good item
        assert answer.status_code in (200, 400, 422) if name == "no events" else answer.status_code in (400, 422)


ATTRIBUTES = {
    "NUL": b'{"a": "x\\u0000"}',
    "NUL key": b'{"x\\u0000": 1}',
    "2^63": b'{"a": 9223372036854775808}',
    "deep": b'{"a": ' + b"[" * 200 + b"]" * 200 + b"}",
    "large": b'{"a": "' + b"x" * 100_000 + b'"}',
    "list": b"[]",
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_that_a_database_cannot_hold_are_refused(hostile, name):
    body = b'{"attributes": ' + ATTRIBUTES[name] + b"}"
    for path in ("/v1/items/never", "/v1/users/never"):
        answer = hostile.put(path, data=body, content_type="application/json")
        assert answer.status_code == 422, answer.get_data(as_text=True)
    assert hostile.get("/v1/items/never").status_code == 404


@pytest.mark.parametrize(
    "path", ["%00", "a%00b", "%ff", "%0a", "%ed%a0%80", "x" * 256, "..", "%2e%2e%2f", "a%0d%0aX-Evil:1"]
)
def test_a_hostile_id_in_a_path_is_never_a_500(hostile, path):
    for route in (
        "/v1/users/{}/recommendations",
        "/v1/users/{}/history",
        "/v1/users/{}",
        "/v1/items/{}/similar",
        "/v1/items/{}",
    ):
        answer = hostile.get(route.format(path))
        assert answer.status_code in (200, 404, 422), (route, answer.status)
        assert "X-Evil" not in answer.headers


def test_what_is_not_json_by_its_type_is_refused(hostile):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"):
        answer = hostile.post("/v1/feedback", data=b"{}", content_type=kind)
        assert answer.status_code == 415
        assert answer.mimetype == "application/problem+json"
    packed = {"Content-Encoding": "gzip"}
    assert hostile.post("/v1/feedback", data=b"{}", content_type="application/json", headers=packed).status_code == 415


def test_a_body_over_the_limit_is_refused_with_the_limit(hostile):
    answer = hostile.post("/v1/feedback", data=b" " * (MAX_BODY + 1), content_type="application/json")
    assert answer.status_code == 413
    assert f"{MAX_BODY:,}" in answer.get_json(force=True)["detail"]


def test_a_key_that_cannot_be_kept_is_refused(hostile):
    for key in ("", "x" * 256):
        answer = hostile.post(
            "/v1/feedback",
            data=events(EVENT % b'"hostile"'),
            content_type="application/json",
            headers={"Idempotency-Key": key},
        )
        assert answer.status_code == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/", 404),
        ("PATCH", "/v1/users/u1", 405),
        ("GET", "/v1/feedback", 405),
        ("POST", "/v1/users/u1/recommendations", 405),
        ("TRACE", "/v1/models", 405),
    ],
)
def test_every_http_error_is_a_problem(hostile, method, path, status):
    answer = hostile.open(path, method=method)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.get_json(force=True)["instance"] == path
    if status == 405:
        assert answer.headers["Allow"]


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["a1", "rating", "u1"])
_ANY = st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
_NAMES = st.sampled_from(["user", "item", "event", "value", "time", "id", "history", "n", "offset", "title", "x"])
_FIELDS = st.dictionaries(_NAMES, _ANY)
_EVENTS = st.lists(_FIELDS | _ANY, max_size=4)
_BODIES = st.builds(lambda events: {"events": events, "history": events}, _EVENTS) | _FIELDS | _ANY


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.builds(
        lambda value, drop: {k: v for k, v in value.items() if k != drop} if isinstance(value, dict) else value,
        _BODIES,
        st.sampled_from(["events", "history", "neither"]),
    )
)
def test_no_json_at_all_gives_a_500(seeded_home, body):
    client = seeded_home("sqlite")
    text = json.dumps(body)
    for method, path in (
        ("POST", "/v1/feedback"),
        ("POST", "/v1/recommendations"),
        ("PUT", "/v1/items/hypothesis"),
        ("PUT", "/v1/users/hypothesis"),
        ("POST", "/v1/items:batch"),
    ):
        assert client.open(path, method=method, data=text, content_type="application/json").status_code < 500


def test_an_unforeseen_error_is_a_500_problem_without_its_words(app, monkeypatch):
    monkeypatch.setattr(type(app.extensions["recsys"].store), "item", lambda self, id_: 1 / 0)
    answer = app.test_client().get("/v1/items/a1")
    assert answer.status_code == 500
    assert answer.mimetype == "application/problem+json"
    assert "division" not in answer.get_data(as_text=True)

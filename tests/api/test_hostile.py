"""Hostile requests, on both databases: none gives a 500, none leaves anything behind that was not valid."""

import json
from urllib.parse import unquote, unquote_to_bytes

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.limits import MAX_BODY, MAX_QUERY
from tests.api.hostile_bodies import ATTRIBUTES, GOOD_FEEDBACK, NO_FEEDBACK, NOT_JSON, event
from tests.api.hostile_headers import HEADERS, ORIGINS
from tests.api.hostile_urls import BAD_PERSONAL, BAD_QUERIES, IDS

READERS = (
    ("POST", "/v1/feedback"),
    ("POST", "/v1/recommendations"),
    ("PUT", "/v1/items/hostile"),
    ("PUT", "/v1/users/hostile"),
    ("POST", "/v1/items:batch"),
)
LISTS = ("/v1/users/u1/recommendations", "/v1/items/popular", "/v1/items/a1/similar", "/v1/users/u1/history")
JSON = "application/json"


def test_the_corpus_is_large():
    corpora = (NOT_JSON, NO_FEEDBACK, GOOD_FEEDBACK, ATTRIBUTES, BAD_QUERIES, BAD_PERSONAL, IDS, ORIGINS, HEADERS)
    assert sum(len(corpus) for corpus in corpora) >= 350


@pytest.fixture(params=["sqlite", "postgresql"])
def hostile(request: pytest.FixtureRequest, seeded_home) -> FlaskClient:
    return seeded_home(request.param)


def refused(answer, *statuses):
    """The problem that an answer of one of these statuses tells."""
    assert answer.status_code in statuses, answer.get_data(as_text=True)[:300]
    assert answer.mimetype == "application/problem+json"
    problem = answer.get_json(force=True)
    assert problem["detail"]
    assert problem["status"] == answer.status_code
    return problem


@pytest.mark.parametrize("name", NOT_JSON)
def test_a_body_that_is_no_json_object_of_ours_is_refused_everywhere(hostile, name):
    store = hostile.application.extensions["recsys"].store
    before = store.stats()
    for method, path in READERS:
        refused(hostile.open(path, method=method, data=NOT_JSON[name], content_type=JSON), 400, 422)
    assert store.stats() == before


@pytest.mark.parametrize("name", NO_FEEDBACK)
def test_bad_feedback_is_refused_and_the_place_is_named(hostile, name):
    store = hostile.application.extensions["recsys"].store
    before = store.stats()
    problem = refused(hostile.post("/v1/feedback", data=NO_FEEDBACK[name], content_type=JSON), 400, 422)
    if problem["status"] == 422:
        assert all(fault["pointer"].startswith("#/") and fault["detail"] for fault in problem["errors"])
    assert store.stats() == before


@pytest.mark.parametrize("name", GOOD_FEEDBACK)
def test_an_odd_but_valid_body_is_stored(hostile, name):
    answer = hostile.post("/v1/feedback", data=GOOD_FEEDBACK[name], content_type=JSON)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert answer.get_json()["received"] == 1


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_that_a_database_cannot_hold_are_refused(hostile, name):
    for path in ("/v1/items/never", "/v1/users/never"):
        answer = hostile.put(path, data=b'{"attributes": ' + ATTRIBUTES[name] + b"}", content_type=JSON)
        assert refused(answer, 422)["errors"][0]["pointer"] == "#/attributes"
    assert hostile.get("/v1/items/never").status_code == 404


@pytest.mark.parametrize("query", BAD_QUERIES, ids=lambda query: query[:30])
def test_a_bad_query_string_is_refused_and_the_parameter_is_named(hostile, query):
    named = BAD_QUERIES[query]
    for path in LISTS:
        problem = refused(hostile.get(f"{path}?{query}"), 400)
        if named is not None:
            assert problem["errors"][0]["parameter"] == named, (path, problem)


@pytest.mark.parametrize("query", BAD_PERSONAL, ids=lambda query: query[:30])
def test_a_bad_wish_is_refused_and_the_parameter_is_named(hostile, query):
    problem = refused(hostile.get(f"{LISTS[0]}?{query}"), 400)
    assert problem["errors"][0]["parameter"] == BAD_PERSONAL[query], problem


def test_good_query_strings_are_read(hostile):
    for query in (
        "", "n=5", "n=05", "n=500&offset=10000", "exclude=a1,b1&exclude=b2", "exclude=", "n=%35", "diversity=1e-1",
        "include_seen=true", "include_seen=True", "include_seen=0", "model=als", "exclude=%C3%BC", "exclude=a+b",
        "calibration=1.1754943508222875e-38",
    ):  # fmt: skip
        assert hostile.get(f"{LISTS[0]}?{query}").status_code == 200, query
    shown = hostile.get(f"{LISTS[0]}?exclude=a0,a2&exclude=b0&n=8").get_json()["items"]
    assert not {row["item"] for row in shown} & {"a0", "a2", "b0"}


def test_a_query_string_over_the_limit_names_it(hostile):
    assert f"{MAX_QUERY:,}" in refused(hostile.get(f"{LISTS[0]}?exclude=" + "x" * MAX_QUERY), 400)["detail"]


def at(route: str, id_: str) -> dict[str, str]:
    """The environment of a request for a route with an id in it. Werkzeug's client would mend what is no UTF-8."""
    return {"PATH_INFO": unquote_to_bytes(route.format(id_)).decode("latin-1")}


@pytest.mark.parametrize("id_", IDS, ids=lambda id_: id_[:30])
def test_a_hostile_id_in_a_path_is_never_a_500(hostile, id_):
    for route in ("/v1/users/{}/recommendations", "/v1/users/{}/history", "/v1/items/{}/similar", "/v1/items/{}"):
        answer = hostile.get("/", environ_overrides=at(route, id_))
        if IDS[id_]:
            refused(answer, 400, 404, 422)
        else:
            assert answer.status_code in (200, 404), (route, answer.status)
        assert "X-Evil" not in answer.headers


@pytest.mark.parametrize("id_", IDS, ids=lambda id_: id_[:30])
def test_an_item_is_kept_under_exactly_the_id_of_its_path_or_not_at_all(hostile, id_):
    there = at("/v1/items/{}", id_)
    answer = hostile.put("/", json={"title": "kept"}, environ_overrides=there)
    if IDS[id_]:
        refused(answer, 400, 404, 422)
        return
    assert answer.status_code == 200
    assert answer.get_json()["id"] == unquote(id_)
    assert hostile.get("/", environ_overrides=there).get_json()["title"] == "kept"
    assert hostile.delete("/", environ_overrides=there).status_code == 204


@pytest.mark.parametrize("name", ORIGINS)
def test_a_page_of_a_hostile_origin_changes_nothing(hostile, name):
    store = hostile.application.extensions["recsys"].store
    before = store.stats()
    sent = {"HTTP_ORIGIN": ORIGINS[name]}
    for method, path in (*READERS, ("DELETE", "/v1/users/u1"), ("DELETE", "/v1/items/a1")):
        answer = hostile.open(path, method=method, json={}, environ_overrides=sent)
        assert refused(answer, 403)["type"] == "urn:recsys:problem:origin-refused"
    assert store.stats() == before
    assert hostile.get(LISTS[0], environ_overrides=sent).status_code == 200


@pytest.mark.parametrize("name", HEADERS)
def test_a_hostile_header_is_never_a_500(hostile, name):
    header, value = HEADERS[name]
    place = header.upper().replace("-", "_")
    sent = {place if place.startswith("CONTENT_") else f"HTTP_{place}": value}
    good = GOOD_FEEDBACK[next(iter(GOOD_FEEDBACK))]
    for method, path in (("POST", "/v1/feedback"), ("GET", LISTS[0]), ("GET", "/livez"), ("OPTIONS", "/v1/feedback")):
        answer = hostile.open(path, method=method, data=good, content_type=JSON, environ_overrides=sent)
        assert answer.status_code < 500, (path, answer.get_data(as_text=True))
        if answer.status_code >= 400:
            assert answer.mimetype == "application/problem+json"


def test_what_is_not_json_by_its_type_is_refused(hostile):
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "multipart/form-data; boundary=x",
        "application",
    ):
        refused(hostile.post("/v1/feedback", data=b"{}", content_type=kind), 415)
    packed = {"Content-Encoding": "gzip"}
    refused(hostile.post("/v1/feedback", data=b"{}", content_type=JSON, headers=packed), 415)


def test_a_body_over_the_limit_is_refused_with_the_limit(hostile):
    answer = hostile.post("/v1/feedback", data=b" " * (MAX_BODY + 1), content_type=JSON)
    assert f"{MAX_BODY:,}" in refused(answer, 413)["detail"]


class Endless:
    """A body that never ends; it knows how much of it was asked for."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.read_so_far = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "read without a bound"
        self.read_so_far += size
        return (self.piece * (size // len(self.piece) + 1))[:size]


class Pieces:
    """A body that comes in small pieces."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def read(self, size: int = -1) -> bytes:
        piece, self.body = self.body[: min(size, 50_000)], self.body[min(size, 50_000) :]
        return piece


def chunked(stream: object) -> dict[str, object]:
    """The environment of a request whose body comes in chunks, as the server hands it over."""
    return {
        "wsgi.input": stream,
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
    }


@pytest.mark.parametrize("piece", [b" ", b"[", b'{"events": [1, 2]}'])
def test_a_chunked_body_without_an_end_is_read_no_further_than_the_limit(hostile, piece):
    for method, path in READERS:
        stream = Endless(piece)
        answer = hostile.open(path, method=method, content_type=JSON, environ_overrides=chunked(stream))
        refused(answer, 413)
        assert 0 < stream.read_so_far <= MAX_BODY + 1


def test_a_chunked_body_of_exactly_the_limit_is_read(hostile):
    body = event("value", b"1").ljust(MAX_BODY)
    for size, status in ((MAX_BODY, 200), (MAX_BODY + 1, 413)):
        stream = Pieces(body.ljust(size))
        answer = hostile.post("/v1/feedback", content_type=JSON, environ_overrides=chunked(stream))
        assert answer.status_code == status


def test_a_body_that_is_not_wanted_is_not_read(hostile):
    stream = Endless(b" ")
    hostile.open("/v1/users/u1/recommendations", method="GET", environ_overrides=chunked(stream))
    refused(hostile.post("/v1/feedback", content_type="text/csv", environ_overrides=chunked(stream)), 415)
    assert stream.read_so_far == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/v1/", 404),
        ("PATCH", "/v1/users/u1", 405),
        ("GET", "/v1/feedback", 405),
        ("POST", "/v1/users/u1/recommendations", 405),
        ("TRACE", "/v1/models", 405),
        ("BREW", "/v1/models", 405),
    ],
)
def test_every_http_error_is_a_problem(hostile, method, path, status):
    answer = hostile.open(path, method=method)
    assert refused(answer, status)["instance"] == path
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

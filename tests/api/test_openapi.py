"""The OpenAPI document: whole, valid, its examples good, and every answer as it says."""

import json
import re
from urllib.parse import unquote_to_bytes

import orjson
import pytest
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api import openapi, schemas
from api.auth import Policy, policy_of
from api.describe import facts_of
from api.limits import MAX_BATCH, MAX_N
from data.records import MAX_ID, id_fault

UNDESCRIBED = {"pages.home", "pages.static"}  # for people, and a file
REPORT = {"schema": 1, "created": "2026-01-31T12:00:00+00:00", "models": {"als": {}}, "verdict": {"text": "als it is"}}


@pytest.fixture
def document(empty_app):
    answer = empty_app.test_client().get("/openapi.json")
    assert answer.mimetype == "application/json"
    return answer.get_json()


@pytest.fixture
def conforms(document):
    """conforms(path as in the document, an answer): its status, media type and JSON are as the document says, and it
    has no member that the document does not name."""
    closed = _closed(document)

    def check(path, answer):
        operation = closed["paths"][path][answer.request.method.lower()]
        assert str(answer.status_code) in operation["responses"], answer.get_data(as_text=True)
        said = operation["responses"][str(answer.status_code)]
        said = closed["components"]["responses"][said["$ref"].rpartition("/")[2]] if "$ref" in said else said
        if "content" not in said:
            assert answer.data == b""
            return
        assert answer.mimetype in said["content"]
        if answer.mimetype.endswith("json"):
            schema = said["content"][answer.mimetype]["schema"]
            whole = {**schema, "components": closed["components"]}  # what its references point into
            Draft202012Validator(whole).validate(orjson.loads(answer.data))

    return check


def _closed(document):
    """The document with every object of an answer closed, for a test: to clients they stay open."""
    closed = json.loads(json.dumps(document))
    for name, schema in closed["components"]["schemas"].items():
        if name != "Report" and schema.get("type") == "object":
            schema.setdefault("additionalProperties", name == "Problem")
    return closed


def test_every_route_is_described(app):
    described = {rule.endpoint for rule in app.url_map.iter_rules() if facts_of(app, rule.endpoint) is not None}
    assert {rule.endpoint for rule in app.url_map.iter_rules()} - described == UNDESCRIBED


def test_the_document_is_valid_and_made_once(client, document, monkeypatch):
    validate(document)
    monkeypatch.setattr(openapi, "document", None)
    assert client.get("/openapi.json").get_json() == document


def test_every_operation_says_what_it_is_for_and_who_may(app, document):
    ids = set()
    for route in openapi.routes(app):
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"], route.path
        assert operation["tags"][0] in openapi.GROUPS
        ids.add(operation["operationId"])
        policy = policy_of(app, operation["operationId"].replace("_", ".", 1))
        assert ("security" in operation) == (policy is not Policy.PUBLIC)
        if policy is not Policy.PUBLIC:
            assert {"401", "403", "429", "503"} <= set(operation["responses"])
            assert operation["security"] == [{"bearer": [str(policy)]}, {"key": [str(policy)]}]
        if "requestBody" in operation:
            assert {"400", "413", "415", "422"} <= set(operation["responses"])
    assert len(ids) == len(list(openapi.routes(app)))


def test_every_parameter_of_a_path_is_declared_and_every_parameter_told(document):
    for path, methods in document["paths"].items():
        for operation in methods.values():
            parameters = operation.get("parameters", [])
            inside = [one["name"] for one in parameters if one["in"] == "path"]
            assert path.count("{") == len(inside)
            assert all(f"{{{name}}}" in path for name in inside)
            assert all(one["required"] for one in parameters if one["in"] == "path")
            for one in parameters:
                assert one["description"], (path, one["name"])
                assert "null" not in json.dumps(one["schema"])  # a query string has none
                assert (one["schema"]["type"] == "array") == (one.get("explode") is False)


def test_limits_are_those_of_the_code(document):
    asked = {one["name"]: one["schema"] for one in _parameters(document, "/v1/users/{user}/recommendations")}
    assert (asked["n"]["minimum"], asked["n"]["maximum"], asked["n"]["default"]) == (1, MAX_N, 10)
    assert asked["user"]["maxLength"] == MAX_ID
    events = document["components"]["schemas"]["Feedback"]["properties"]["events"]
    assert (events["minItems"], events["maxItems"]) == (1, MAX_BATCH)
    event = document["components"]["schemas"]["FeedbackEvent"]
    assert event["additionalProperties"] is False
    assert event["required"] == ["user", "item", "event"]
    assert event["properties"]["user"]["maxLength"] == MAX_ID


def _parameters(document, path, method="get"):
    return document["paths"][path][method]["parameters"]


@pytest.mark.parametrize(
    "text",
    ["", "a", "x" * 255, "x" * 256, "é" * 255, "a b", "a\n", "\na", "a\tb", "\x7f", "\x9f", "\u2028", "a/b", "\u202e"],
)
def test_the_pattern_of_an_id_says_what_the_store_says(text):
    assert Draft202012Validator(schemas.text(MAX_ID)).is_valid(text) == (id_fault(text) is None)


def test_every_check_of_a_request_that_is_a_function_shows_in_its_schema(document):
    """A string without a length, or an object without words, is one that the table in api.schemas forgot."""
    for name, schema in document["components"]["schemas"].items():
        if schema.get("additionalProperties") is not False:
            continue  # an answer
        for field, one in schema["properties"].items():
            for option in one.get("anyOf", [one]):
                if option.get("type") == "string":
                    assert "maxLength" in option, (name, field)
                if option.get("type") == "object":
                    assert "description" in one, (name, field)


def test_examples_are_good(app, client, document, conforms):
    """Every example body is accepted, and every example query."""
    receipt = ""  # of the user whom an example deletes
    for route in openapi.routes(app):
        if "/models/" in route.path or route.group == "docs":
            continue
        path = route.path.replace("{user}", "u1").replace("{item}", "a1").replace("{report}", "20260131T020000Z")
        path = path.replace("{receipt}", receipt)
        answer = client.open(
            path,
            method=route.method,
            query_string=route.facts.ask,
            json=route.facts.example if route.facts.body is not None else None,
        )
        receipt = answer.headers.get("Receipt", receipt)
        assert answer.status_code < 300 or route.group == "reports", answer.get_data(as_text=True)
        conforms(route.path, answer)
        if route.facts.body is not None:
            assert route.facts.example is not None


def test_a_status_is_listed_where_it_can_be_answered(app, client, document, conforms):
    """An id in a path may be no UTF-8 (400) or one that no store could hold (422); a version or a report is looked up,
    and is not there."""
    at_fault = {"%FF": "400", "a%00b": "422"}
    ids = 0
    for route in openapi.routes(app):
        if not route.names:
            continue
        listed = document["paths"][route.path][route.method.lower()]["responses"]
        for text, status in at_fault.items():
            path = re.sub("{[a-z]+}", text, route.path)
            there = {"PATH_INFO": unquote_to_bytes(path).decode("latin-1")}
            body = route.facts.example if route.facts.body is not None else None
            answer = client.open("/", method=route.method, json=body, environ_overrides=there)
            if "user" in route.names or "item" in route.names:
                ids += 1
                assert str(answer.status_code) == status, (route.path, text)
            else:
                assert answer.status_code == 404, (route.path, text)
                assert not {"400", "422"} & set(listed), route.path
            conforms(route.path, answer)
    assert ids >= 20


PROBLEMS = [
    ("get", "/v1/users/{user}/recommendations", "/v1/users/u1/recommendations?n=0"),
    ("get", "/v1/users/{user}/recommendations", "/v1/users/u1/recommendations?model=none"),
    ("get", "/v1/users/{user}/recommendations", "/v1/users/a%00b/recommendations"),
    ("get", "/v1/users/{user}/history", "/v1/users/nobody/history"),
    ("get", "/v1/items/{item}", "/v1/items/nothing"),
    ("get", "/v1/items/{item}/similar", "/v1/items/nothing/similar"),
    ("delete", "/v1/items/{item}", "/v1/items/nothing"),
    ("put", "/v1/items/{item}", "/v1/items/a1"),
    ("post", "/v1/recommendations", "/v1/recommendations"),
    ("post", "/v1/feedback", "/v1/feedback"),
    ("post", "/v1/models/{version}/promote", "/v1/models/none/promote"),
    ("post", "/v1/models/rollback", "/v1/models/rollback"),
    ("get", "/v1/reports/{report}", "/v1/reports/none"),
    ("get", "/v1/receipts/{receipt}", "/v1/receipts/none"),
    ("get", "/v1/receipts/{receipt}", "/v1/receipts/0123456789abcdef01234567"),
]


@pytest.mark.parametrize(("method", "path", "asked"), PROBLEMS)
def test_errors_are_as_described(client, conforms, method, path, asked):
    answer = client.open(asked, method=method)
    assert answer.status_code >= 400
    conforms(path, answer)


def test_answers_of_every_kind_are_as_described(client: FlaskClient, registry, settings, conforms):
    user = "/v1/users/{user}/recommendations"
    for query in ("", "explain=true", "n=1&offset=2", "include_seen=true", "category=first", "category=none"):
        conforms(user, client.get(f"/v1/users/u1/recommendations?{query}"))
        conforms(user, client.get(f"/v1/users/nobody/recommendations?{query}"))
    conforms("/v1/items/{item}/similar", client.get("/v1/items/a1/similar?explain=true"))
    conforms("/v1/users/{user}/similar", client.get("/v1/users/u1/similar"))
    conforms(
        "/v1/feedback", client.post("/v1/feedback", json={"events": [{"user": "n", "item": "new", "event": "odd"}]})
    )
    conforms("/v1/items/{item}", client.get("/v1/items/new"))
    conforms("/v1/users/{user}/history", client.get("/v1/users/n/history"))
    conforms("/v1/models", client.get("/v1/models"))
    version = registry.live().models["als"]
    conforms("/v1/models/{version}/promote", client.post(f"/v1/models/{version}/promote"))
    conforms("/v1/models/rollback", client.post("/v1/models/rollback"))
    folder = settings.reports_folder / "20260131T020000Z"
    folder.mkdir(parents=True)
    (folder / "report.json").write_bytes(orjson.dumps(REPORT))
    (settings.reports_folder / "20260130T020000Z").mkdir()
    conforms("/v1/reports", client.get("/v1/reports"))
    conforms("/v1/reports/{report}", client.get("/v1/reports/20260131T020000Z"))
    conforms("/v1/reports/{report}", client.get("/v1/reports/20260130T020000Z"))
    conforms("/openapi.json", client.get("/openapi.json"))
    conforms("/docs", client.get("/docs"))


def test_answers_without_a_model_are_as_described(empty_app, conforms):
    client = empty_app.test_client()
    for path, asked in (
        ("/v1/users/{user}/recommendations", "/v1/users/u1/recommendations"),
        ("/v1/items/popular", "/v1/items/popular"),
        ("/v1/models", "/v1/models"),
        ("/readyz", "/readyz"),
        ("/livez", "/livez"),
    ):
        conforms(path, client.get(asked))


def test_a_body_and_an_answer_of_one_name_are_refused(app):
    from flask import Blueprint
    from pydantic import BaseModel

    from api.auth import policy
    from api.describe import describes
    from recsys.errors import SettingError

    Item = type("Item", (BaseModel,), {"__module__": __name__})
    twice = Blueprint("twice", __name__)

    @twice.post("/twice")
    @policy(Policy.PUBLIC)
    @describes(None, body=Item)
    def view():
        """Twice."""

    app.register_blueprint(twice)
    with pytest.raises(SettingError, match="Item"):
        openapi.document(app)


def test_what_stands_in_a_list_of_a_query_string_holds_no_comma(document):
    lists = [
        parameter["schema"]["items"]["pattern"]
        for path in document["paths"].values()
        for operation in path.values()
        for parameter in operation.get("parameters", ())
        if parameter["schema"].get("type") == "array"
    ]
    assert len(lists) > 5
    assert all(re.search(pattern, "a") and not re.search(pattern, "a,b") for pattern in lists)

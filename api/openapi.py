"""The OpenAPI 3.1 document, made from the routes: their rules, policies, models, docstrings and declared facts."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import Flask

from api import shapes
from api.auth import Policy, policy_of
from api.describe import Facts, facts_of
from api.limits import MAX_BODY
from api.schemas import EXAMPLES, LISTED, REF, WORDS, References, Schemas, header_text, schemas_of, text
from data.records import MAX_ID
from recsys import __version__
from recsys.errors import SettingError

GROUPS = {
    "recommendations": "What to show to whom.",
    "feedback": "What people did, as it happens.",
    "items": "What can be recommended.",
    "users": "Who it is recommended to.",
    "receipts": "That somebody was forgotten, and since when.",
    "models": "The versions kept, and which of them answer.",
    "reports": "How good the models are.",
    "health": "For those who run it.",
    "docs": "This description.",
}

PROBLEMS = {
    400: "The query string is not valid, the body is no JSON, or the path is not UTF-8; 'errors' names each parameter.",
    401: "The key is missing, wrong or revoked.",
    403: "The key does not grant this, or the request comes from a page of another host.",
    404: "There is no such thing.",
    409: "The same Idempotency-Key is being worked on, something is damaged, or another process is writing.",
    413: f"The body is larger than {MAX_BODY:,} bytes.",
    414: "The address is longer than the server reads, 64 KB. It says no more than that.",
    415: "The body is not application/json, or it is compressed.",
    422: "The body, the Idempotency-Key or an id in the path is not valid; 'errors' points at each fault.",
    429: "Too many requests with this key; Retry-After says when to come back.",
    503: "The database does not answer or no model is live; Retry-After says when to try again.",
}
_RETRY = (429, 503)
_PARAMETER = re.compile("<(?:[^<>:]+:)?([^<>]+)>")  # of a rule: <id:user> or <version>
_ID = re.compile("<id:[^<>]+>")


class Route(NamedTuple):
    """A described route and one of its methods. names: of the parameters in its path. has_id: whether one of them is an
    external id, which is checked; any other is looked up."""

    path: str
    method: str
    names: tuple[str, ...]
    has_id: bool
    facts: Facts
    policy: Policy
    group: str
    id: str
    words: str


def routes(app: Flask) -> Iterator[Route]:
    """Every described route, in the order of their groups, then as they were registered."""
    order = list(GROUPS)
    found = []
    for rule in app.url_map.iter_rules():
        facts, policy = facts_of(app, rule.endpoint), policy_of(app, rule.endpoint)
        if facts is None or policy is None:
            continue
        group = rule.endpoint.partition(".")[0]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            names = tuple(_PARAMETER.findall(rule.rule))
            words = inspect.getdoc(app.view_functions[rule.endpoint]) or ""
            id_ = rule.endpoint.replace(".", "_")
            has_id = _ID.search(rule.rule) is not None
            found.append(Route(path, method, names, has_id, facts, policy, group, id_, words))
    yield from sorted(found, key=lambda route: order.index(route.group) if route.group in order else len(order))


def document(app: Flask) -> dict[str, Any]:
    """The whole document, ready for JSON."""
    described = list(routes(app))
    references, schemas = _components(described)
    paths: dict[str, dict[str, Any]] = {}
    for route in described:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, references)
    used = sorted({int(status) for path in paths.values() for one in path.values() for status in one["responses"]})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "recsys",
            "version": __version__,
            "description": "Recommendations, live: what is posted is known to the very next answer.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": name, "description": words}
            for name, words in GROUPS.items()
            if any(route.group == name for route in described)
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _problem(status) for status in used if status in PROBLEMS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _components(described: list[Route]) -> tuple[References, dict[str, Any]]:
    """({(model, mode): its reference}, {name: schema}). SettingError for a body and an answer of one name."""
    bodies = {route.facts.body for route in described if route.facts.body is not None}
    told = (answer for route in described for answer in (route.facts.answer, *route.facts.statuses.values()))
    answers = {answer for answer in told if isinstance(answer, type)} | {shapes.Problem}
    asked, taken = schemas_of(bodies, "validation")
    given, made = schemas_of(answers, "serialization")
    for schema in taken.values():
        for name, field in schema.get("properties", {}).items():
            if name in WORDS and "$ref" not in field:
                field.setdefault("description", WORDS[name])
    twice = sorted(taken.keys() & made.keys())
    if twice:
        raise SettingError(f"a body and an answer are both called {', '.join(twice)}", do="rename the class of one")
    return {**asked, **given}, dict(sorted({**taken, **made}.items()))


def _operation(route: Route, references: References) -> dict[str, Any]:
    facts = route.facts
    summary, _, rest = route.words.partition("\n\n")
    summary, _, more = " ".join(summary.split()).partition(". ")
    access = "For everyone." if route.policy is Policy.PUBLIC else f"Needs a key that grants `{route.policy}`."
    operation: dict[str, Any] = {
        "operationId": route.id,
        "tags": [route.group],
        "summary": summary.removesuffix("."),
        "description": "\n\n".join(part for part in (more, " ".join(rest.split()), access) if part),
    }
    parameters = _parameters(route)
    if parameters:
        operation["parameters"] = parameters
    if facts.body is not None:
        content: dict[str, Any] = {"schema": references[facts.body, "validation"]}
        if facts.example is not None:
            content["example"] = facts.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    responses: dict[int, Any] = {status: _reference(status) for status in _usual(route)}
    responses |= {
        status: _answer(answer, status, references) if isinstance(answer, type) else _problem(status, answer)
        for status, answer in facts.statuses.items()
    }
    responses[facts.status] = _answer(facts.answer, facts.status, references)
    operation["responses"] = {str(status): responses[status] for status in sorted(responses)}
    if route.policy is not Policy.PUBLIC:
        operation["security"] = [{"bearer": [str(route.policy)]}, {"key": [str(route.policy)]}]
    return operation


def _usual(route: Route) -> Iterator[int]:
    """The statuses that follow from what a route takes and whom it lets in."""
    facts = route.facts
    yield 403
    if facts.query is not None or facts.body is not None or route.has_id:
        yield 400
    if facts.query is not None or route.has_id:
        yield 414
    if facts.body is not None:
        yield from (413, 415)
    if facts.body is not None or facts.headers or route.has_id:
        yield 422
    if facts.headers:
        yield 409
    if route.policy is not Policy.PUBLIC:
        yield from (401, 429, 503)


def _answer(answer: Any, status: int, references: References) -> dict[str, Any]:
    described = {"description": HTTPStatus(status).phrase}
    if answer is None:
        return described
    if isinstance(answer, str):
        kind = "object" if answer == "application/json" else "string"
        return {**described, "content": {answer: {"schema": {"type": kind}}}}
    return {**described, "content": {"application/json": {"schema": references[answer, "serialization"]}}}


def _problem(status: int, words: str = "") -> dict[str, Any]:
    if status == 414:  # given by the server before the application is asked
        return {"description": PROBLEMS[status]}
    schema = {"$ref": REF.format(model=shapes.Problem.__name__)}
    found: dict[str, Any] = {
        "description": words or PROBLEMS[status],
        "content": {"application/problem+json": {"schema": schema}},
    }
    if status in _RETRY:
        seconds = {"description": "seconds", "schema": {"type": "integer", "minimum": 0}}
        found["headers"] = {"Retry-After": seconds}
    return found


def _reference(status: int) -> dict[str, Any]:
    return {"$ref": f"#/components/responses/{status}"}


def _parameters(route: Route) -> list[dict[str, Any]]:
    found = [
        _parameter(name, "path", {**text(MAX_ID), "examples": [EXAMPLES[name]]} if name in EXAMPLES else text(MAX_ID))
        for name in route.names
    ]
    if route.facts.query is not None:
        schema = route.facts.query.model_json_schema(ref_template=REF, schema_generator=Schemas)
        required = schema.get("required", ())
        for name, one in schema["properties"].items():
            found.append(_parameter(name, "query", _given(one), name in required))
    for name, words in route.facts.headers.items():
        found.append({"name": name, "in": "header", "description": words, "schema": header_text(MAX_ID)})
    return found


def _parameter(name: str, place: str, schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    words = schema.pop("description", None) or WORDS.get(name)
    found: dict[str, Any] = {"name": name, "in": place, "required": required, "schema": schema}
    if words:
        found["description"] = words
    if schema.get("type") == "array":
        found |= {"style": "form", "explode": False}
        schema["items"] = {**schema["items"], "pattern": LISTED}
    return found


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A field's schema as a query string has it: left out, never null."""
    options = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(options) == 1:
        schema = {**{name: value for name, value in schema.items() if name != "anyOf"}, **options[0]}
    return {name: value for name, value in schema.items() if not (name == "default" and value is None)}

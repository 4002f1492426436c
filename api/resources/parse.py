"""A request's body and query string, checked: what comes out can be used, anything else is a Refused."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import orjson
from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import Refused
from api.limits import MAX_BODY, MAX_DEPTH, MAX_ERRORS
from data.records import check_id

Model = TypeVar("Model", bound=BaseModel)


class _DuplicateKey(ValueError):
    """Which of two values counts is a matter of the parser: nothing to build on."""


def body(model: type[Model]) -> Model:
    """The JSON body as ``model``. Refused: 415 not JSON by its type, 400 not JSON, 413 too large, 422 not valid."""
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported-media-type", "send the body as application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(415, "unsupported-media-type", "send the body without a content encoding")
    raw = request.get_data()
    # Werkzeug cuts a chunked body at the limit instead of refusing it.
    if request.content_length is None and len(raw) >= MAX_BODY:
        raise RequestEntityTooLarge
    return _validated(model, parse_json(raw), "pointer")


def query(model: type[Model]) -> Model:
    """The query string as ``model``. A name given twice is refused unless the field is a list."""
    values: dict[str, Any] = {}
    for name, given in request.args.lists():
        field = model.model_fields.get(name)
        if field is not None and str(field.annotation).startswith("list"):
            values[name] = [part for text in given for part in text.split(",") if part]
        elif len(given) > 1:
            raise Refused(
                400, "invalid-query", "the query string is not valid", [{"detail": "given twice", "parameter": name}]
            )
        else:
            values[name] = given[0]
    return _validated(model, values, "parameter")


def path_id(text: str, noun: str) -> str:
    """An id from the path. DataError (422) when no store could hold it."""
    return check_id(text, noun)


def parse_json(raw: bytes) -> Any:
    """JSON as the standard has it: no NaN, no number beyond a double, no lone surrogate, no key twice.

    Raises Refused (400).
    """
    try:
        value = orjson.loads(raw)
        if b"{" in raw:
            json.loads(raw, object_pairs_hook=_no_duplicates)
    except RecursionError as error:
        raise Refused(400, "invalid-json", f"the body is nested deeper than {MAX_DEPTH} levels") from error
    except (_DuplicateKey, orjson.JSONDecodeError) as error:
        raise Refused(400, "invalid-json", f"the body is not valid JSON: {str(error)[:200]}") from error
    return value


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _DuplicateKey(f"the key {twice[:80]!r} is given twice in one object")
    return found


def _validated(model: type[Model], value: Any, locator: str) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        named = [_named(fault["loc"], fault["msg"], locator) for fault in faults[:MAX_ERRORS]]
        what = "body" if locator == "pointer" else "query string"
        status, slug = (422, "invalid-body") if locator == "pointer" else (400, "invalid-query")
        first = named[0]
        detail = f"the {what} is not valid: {first[locator]}: {first['detail']}"
        if len(faults) > 1:
            detail += f" (and {len(faults) - 1} more)"
        raise Refused(status, slug, detail, named) from error


def _named(location: tuple[int | str, ...], message: str, locator: str) -> dict[str, str]:
    """{"detail": .., "pointer": "#/events/3/user"} for a body (RFC 6901), "parameter" for a query string."""
    if locator == "parameter":
        return {"detail": message, "parameter": str(location[0])[:80] if location else ""}
    parts = [str(part)[:80].replace("~", "~0").replace("/", "~1") for part in location]
    return {"detail": message, "pointer": "#" + "".join(f"/{part}" for part in parts)}

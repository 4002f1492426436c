"""A request's body and query string, checked: what comes out can be used, anything else is a Refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin
from urllib.parse import parse_qsl

import numpy as np
import orjson
from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import Refused
from api.limits import MAX_BODY, MAX_BODY_DEPTH, MAX_ERRORS, MAX_KEYS, MAX_QUERY
from data.records import check_id, id_fault

Model = TypeVar("Model", bound=BaseModel)


class _Unusable(ValueError):
    """JSON that is read in one way here and in another elsewhere, or that costs too much to read."""


def body(model: type[Model]) -> Model:
    """The JSON body as ``model``. Refused: 415 not JSON by its type, 400 not JSON, 413 too large, 422 not valid."""
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported-media-type", "send the body as application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(415, "unsupported-media-type", "send the body without a content encoding")
    request.max_content_length = MAX_BODY + 1  # Werkzeug cuts a chunked body there, instead of refusing it
    raw = request.get_data()
    if len(raw) > MAX_BODY:
        raise RequestEntityTooLarge
    return _validated(model, parse_json(raw), "pointer")


def query(model: type[Model]) -> Model:
    """The query string as ``model``. A name given twice is refused unless the field is a list; lists are a,b,c.

    Numbers are as in JSON, yes or no is true or false. Refused (400) for whatever is not valid.
    """
    kinds = _kinds(model)
    values: dict[str, Any] = {}
    for name, text in _pairs(request.query_string):
        kind = kinds.get(name)
        if kind is list:
            values.setdefault(name, []).extend(text.split(",") if text else [])
        elif name in values:
            raise _unreadable("given twice", name)
        else:
            values[name] = _READ[kind](text) if kind in _READ else text
    return _validated(model, values, "parameter")


def path_id(text: str, noun: str) -> str:
    """An id from the path. Refused (400) where the path is not UTF-8, DataError (422) when no store could hold it."""
    if "\ufffd" in text:  # what Werkzeug puts in place of bytes that it cannot read
        try:
            request.environ["PATH_INFO"].encode("latin-1").decode()
        except UnicodeDecodeError as error:
            raise Refused(400, "invalid-path", f"the {noun} in the path is not UTF-8") from error
    return check_id(text, noun)


def header_id(name: str) -> str | None:
    """A header that names something, None where it was not sent. Refused (422) when no store could hold it."""
    text = request.headers.get(name)
    found = None if text is None else id_fault(text)
    if found:
        raise Refused(422, "invalid-header", f"the header {name} {found}", [{"detail": found, "header": name}])
    return text


def parse_json(raw: bytes) -> Any:
    """JSON as the standard has it: no NaN, no number beyond a double or 64 bits, no lone surrogate, no key twice.

    Raises Refused (400), before anything is made of it where it is nested too deep.
    """
    if raw.count(b"[") + raw.count(b"{") > MAX_BODY_DEPTH and _depth(raw) > MAX_BODY_DEPTH:
        raise Refused(400, "invalid-json", f"the body is nested deeper than {MAX_BODY_DEPTH} levels")
    try:
        value = orjson.loads(raw)
        json.loads(raw, object_pairs_hook=_no_duplicates, parse_int=_integer)
    except (_Unusable, orjson.JSONDecodeError) as error:
        raise Refused(400, "invalid-json", f"the body is not valid JSON: {str(error)[:200]}") from error
    return value


_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
_NO_MARKS = bytes(set(range(256)) - set(b'[{]}"'))


def _depth(raw: bytes) -> int:
    """How deep the brackets of JSON are nested, those in strings left out; of other text, any number. A few ms for the
    longest body."""
    if b"\\" in raw:
        raw = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    marks = np.frombuffer(raw.translate(None, _NO_MARKS).replace(b'""', b""), dtype=np.uint8)
    steps = _STEPS[marks]
    steps[np.logical_xor.accumulate(marks == ord('"'))] = 0  # from a quote to the next: a string
    return int(steps.cumsum(dtype=np.int32).max(initial=0))


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    """The names and values of a query string, in order. Refused (400) where it is too long or cannot be read."""
    if len(raw) > MAX_QUERY:
        raise _unreadable(f"longer than the limit of {MAX_QUERY:,} bytes")
    if _BAD_PERCENT.search(raw):
        raise _unreadable("a percent sign is not followed by two hexadecimal digits")
    try:
        return parse_qsl(raw.decode(), keep_blank_values=True, strict_parsing=bool(raw), errors="strict")
    except UnicodeDecodeError as error:
        raise _unreadable("not UTF-8") from error
    except ValueError as error:
        raise _unreadable("write it as name=value&name=value") from error


@cache
def _kinds(model: type[BaseModel]) -> dict[str, type]:
    """What each field is: list, bool, int, float or str."""
    kinds: dict[str, type] = {}
    for name, field in model.model_fields.items():
        types = [get_origin(part) or part for part in _parts(field.annotation)]
        kinds[name] = next((kind for kind in (list, str, bool, int, float) if kind in types), str)
    return kinds


def _parts(annotation: Any) -> list[Any]:
    """The types of a union, without what they are annotated with."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [part for inner in get_args(annotation) for part in _parts(inner)]
    return [annotation]


def _whole(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> float | str:
    return float(text) if _DECIMAL.fullmatch(text) else text


def _yes_or_no(text: str) -> bool | str:
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)


# Text that does not read as its kind stays text, and the model says what it should have been.
_READ: dict[type | None, Callable[[str], Any]] = {int: _whole, float: _number, bool: _yes_or_no}
_INTEGER = re.compile("-?[0-9]{1,400}")
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?")
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def _unreadable(detail: str, name: str = "") -> Refused:
    named = {"detail": detail, "parameter": name[:80]}
    where = f"{name[:80]}: " if name else ""
    return Refused(400, "invalid-query", f"the query string is not valid: {where}{detail}", [named])


def _integer(text: str) -> int:
    number = int(text)
    if not -(2**63) <= number < 2**64:  # orjson would make a float of it, another number
        raise _Unusable("an integer takes more than 64 bits")
    return number


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise _Unusable(f"an object has more than the limit of {MAX_KEYS:,} keys")
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise _Unusable(f"the key {twice[:80]!r} is given twice in one object")
    return found


def _validated(model: type[Model], value: Any, locator: str) -> Model:
    try:
        return model.model_validate(value, strict=True)
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

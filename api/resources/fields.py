"""The types of fields in requests: ids, values, times, titles; each refuses what a store must not hold, in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from api.limits import (
    DEFAULT_N,
    FUTURE_DAYS,
    MAX_DEPTH,
    MAX_EXCLUDE,
    MAX_N,
    MAX_OFFSET,
    MAX_VALUE,
)
from data.records import MAX_ATTRIBUTES, MAX_CATEGORIES, MAX_EVENT, MAX_ID, MAX_TITLE, id_fault, time_fault

# A day, or a day and a time. Python's reader also takes weeks, and any character between the two.
_ISO = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,]+(Z|[+-][0-9:]+)?)?")


class Strict(BaseModel):
    """A JSON object of a request: no field it does not know, no value of another type."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


def fault(kind: str, words: str) -> PydanticCustomError:
    return PydanticCustomError(kind, "{words}", {"words": words})


def _text(noun: str, longest: int) -> AfterValidator:
    def check(text: str) -> str:
        found = id_fault(text, longest)
        if found:
            raise fault("text", f"{noun} {found}")
        return text

    return AfterValidator(check)


def _microseconds(value: Any) -> int:
    if not isinstance(value, str) or len(value) > 40 or not _ISO.fullmatch(value):
        raise fault("time", "time must be an ISO 8601 string, like 2026-01-02T03:04:05Z")
    try:
        moment = datetime.fromisoformat(value)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise fault("time", "time must be an ISO 8601 string, like 2026-01-02T03:04:05Z") from error
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    found = time_fault(microseconds)
    if found:
        raise fault("time", found)
    return microseconds


def _not_future(microseconds: int) -> int:
    if microseconds > (datetime.now(UTC) + timedelta(days=FUTURE_DAYS)).timestamp() * 1e6:
        raise fault("time", f"time is more than {FUTURE_DAYS} day in the future")
    return microseconds


def _attributes(value: Any) -> Any:
    """A JSON object that both databases can hold: no NUL, no integer over 64 bits, not too large."""
    if not isinstance(value, dict):
        raise fault("attributes", "attributes must be an object")
    _plain(value, 1)
    if len(orjson.dumps(value)) > MAX_ATTRIBUTES:
        raise fault("attributes", f"attributes take more than the limit of {MAX_ATTRIBUTES:,} bytes")
    return value


def _plain(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise fault("attributes", f"attributes are nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, inner in value.items():
            _plain(key, depth)
            _plain(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _plain(inner, depth + 1)
    elif isinstance(value, str):
        if "\x00" in value:
            raise fault("attributes", "attributes hold a NUL character")
    elif isinstance(value, int | float) and not -(2**63) <= value < 2**63:  # NaN too
        # PostgreSQL gives 1e20 back as an integer of 21 digits, which JSON for clients cannot hold.
        raise fault("attributes", "attributes hold a number of more than 64 bits")


Id = Annotated[str, _text("id", MAX_ID)]
Event = Annotated[str, _text("event", MAX_EVENT)]
Title = Annotated[str, _text("title", MAX_TITLE)]
Category = Annotated[str, _text("category", MAX_ID)]
Categories = Annotated[list[Category], Field(max_length=MAX_CATEGORIES)]
Value = Annotated[float, Field(ge=-MAX_VALUE, le=MAX_VALUE, allow_inf_nan=False)]
Time = Annotated[int, BeforeValidator(_microseconds)]
PastTime = Annotated[Time, AfterValidator(_not_future)]
Attributes = Annotated[dict[str, Any], BeforeValidator(_attributes)]
N = Annotated[int, Field(ge=1, le=MAX_N)]
Offset = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
Exclude = Annotated[list[Id], Field(max_length=MAX_EXCLUDE)]


def iso(microseconds: int | None) -> str | None:
    """Microseconds since 1970 as ISO 8601 in UTC."""
    if microseconds is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    return moment.isoformat().replace("+00:00", "Z")


class Page(BaseModel):
    """n and offset, from a query string."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: N = DEFAULT_N
    offset: Offset = 0

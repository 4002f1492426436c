"""What an item and a user must pass before a store holds them: every engine can keep it, and give the same back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from data.records import MAX_ATTRIBUTES, MAX_CATEGORIES, MAX_TITLE, ItemRecord, UserRecord, check_id, time_fault
from recsys.errors import DataError


def check_item(item: ItemRecord) -> None:
    """DataError for an item that a store must not hold."""
    check_id(item.id, "item")
    where = f"item {item.id!r}"
    if item.title is not None:
        check_id(item.title, f"title of {where}", MAX_TITLE)
    if len(item.categories) > MAX_CATEGORIES:
        raise DataError(f"{len(item.categories)} categories, at most {MAX_CATEGORIES} are allowed", where=where)
    for category in item.categories:
        check_id(category, f"category of {where}")
    _check_attributes(item.attributes, where)
    _check_created(item.created, where)


def check_user(user: UserRecord) -> None:
    """DataError for a user that a store must not hold."""
    check_id(user.id, "user")
    _check_attributes(user.attributes, f"user {user.id!r}")
    _check_created(user.created, f"user {user.id!r}")


def _check_created(created: int | None, where: str) -> None:
    fault = None if created is None else time_fault(created)
    if fault:
        raise DataError(f"created: {fault}", where=where)


def _check_attributes(attributes: Mapping[str, Any], where: str) -> None:
    try:
        text = json.dumps(dict(attributes), allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise DataError(f"attributes cannot be kept as JSON: {error}"[:200], where=where) from error
    if size > MAX_ATTRIBUTES:
        raise DataError(f"attributes take {size:,} bytes, at most {MAX_ATTRIBUTES:,} are allowed", where=where)
    try:
        json.loads(text, parse_int=_within, parse_float=_within)
    except ValueError as error:
        raise DataError(f"attributes hold a number of more than 64 bits: {error}"[:200], where=where) from error
    if "\\u0000" in text:  # PostgreSQL's jsonb cannot hold it
        raise DataError("attributes hold a NUL character", where=where, do="leave it out")


def _within(number: str) -> float:
    """PostgreSQL's jsonb gives 1e308 back as an integer of 309 digits, which JSON writers refuse."""
    value = float(number)
    if abs(value) >= 2.0**63:
        raise ValueError(number)
    return value

"""The plain values that pass between readers, store and doors, with the checks every id, value and time must pass."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from recsys.errors import DataError
from recsys.interactions import NO_TIME, Encoded, Interactions

MAX_ID = 255
MAX_EVENT = 64
MAX_KEY = 64
MAX_TITLE = 1000
MAX_CATEGORIES = 100
MAX_ATTRIBUTES = 65_536  # bytes of JSON
# Microseconds since 1970. Wide enough for any log; narrow enough that milliseconds read as seconds fall outside.
EARLIEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
# C0 and C1 controls with DEL, and the line and paragraph separators: they forge log lines and CSV rows.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """An item as people see it. created: microseconds since 1970-01-01 UTC; None: not known."""

    id: str
    title: str | None = None
    categories: Sequence[str] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    hidden: bool = False
    created: int | None = None


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user and what is known of them. created: microseconds since 1970-01-01 UTC; None: not known."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created: int | None = None


@dataclass(frozen=True, slots=True)
class ItemState:
    """An item as it now is. deleted: it was taken out, and its record is empty."""

    record: ItemRecord
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """Numbers that become others when something changes: any item, any key, one user's events or record.

    user: -1 for a user that the store does not hold. forgotten: how many users were ever deleted.
    """

    items: int
    keys: int
    user: int = -1
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it is kept. id: its public part. digest: 64 hex digits, of the secret part, which is not kept.

    scopes: of "read", "feedback", "admin". created, revoked: microseconds since 1970-01-01 UTC; revoked None: in use.
    """

    id: str
    name: str
    digest: str
    scopes: tuple[str, ...]
    created: int
    revoked: int | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be taken, where it stood (line counts from 1, 0: unknown) and why."""

    file: str
    line: int
    reason: str
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A piece of a file: the rows that could be read, beside those that could not."""

    interactions: Interactions
    bad: Sequence[BadRow] = ()


@dataclass(frozen=True, slots=True)
class Added:
    """What came of adding interactions: received = added + repeated."""

    received: int = 0
    added: int = 0
    repeated: int = 0
    new_users: int = 0
    new_items: int = 0

    def __add__(self, other: Added) -> Added:
        return Added(
            self.received + other.received,
            self.added + other.added,
            self.repeated + other.repeated,
            self.new_users + other.new_users,
            self.new_items + other.new_items,
        )


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of an import: received = added + repeated.

    new_users, new_items: known now and not before, also those from files of their own. quarantined: bad rows of this
    source, of which new_quarantined had not been put aside before. changed_items, changed_users: records written.
    """

    received: int
    added: int
    repeated: int
    new_users: int
    new_items: int
    quarantined: int
    new_quarantined: int
    changed_items: int
    changed_users: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """That somebody was forgotten, and not who. at: microseconds since 1970-01-01 UTC.

    events, quarantined, lists: rows of theirs that were deleted. versions: of models that may have learnt from them.
    """

    id: str
    at: int
    events: int
    quarantined: int
    lists: int
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds. span: earliest and latest event time in microseconds, None when no event has a time."""

    users: int
    items: int
    items_with_interactions: int
    interactions: int
    quarantined: int
    span: tuple[int, int] | None


def id_fault(text: str, longest: int = MAX_ID) -> str | None:
    """Why a string cannot be an id, in words; None when it can."""
    if not text:
        return "is missing"
    if len(text) > longest:
        return f"has {len(text)} characters, at most {longest} are allowed"
    if text.isascii() and text.isprintable():
        return None
    if _CONTROL.search(text):
        return "holds a control character"
    if _SURROGATE.search(text):
        return "holds a lone surrogate (undecodable text)"
    return None


def time_fault(time: int) -> str | None:
    """Why a time in microseconds cannot be taken; None when it can, or when it is NO_TIME."""
    if time == NO_TIME or EARLIEST <= time < LATEST:
        return None
    return "time is outside 1900-01-01 to 2200-01-01"


def check_id(text: str, noun: str = "id", longest: int = MAX_ID) -> str:
    """The id itself. DataError when it is no str, or ``id_fault`` names a fault."""
    if not isinstance(text, str):
        raise DataError(f"{noun} must be a string, not {type(text).__name__}")
    fault = id_fault(text, longest)
    if fault:
        raise DataError(f"{noun} {fault}: {text[:40]!r}", do=f"send an id of 1 to {longest} printable characters")
    return text


def used_labels(column: Encoded) -> np.ndarray:
    """(k,) bool: which labels of a column stand in any row."""
    used = np.zeros(len(column.labels), dtype=bool)
    used[column.codes] = True
    return used


def check_columns(interactions: Interactions) -> None:
    """DataError for a value, time or key that a store must not hold; the ids are not looked at."""
    if np.isinf(interactions.value).any():
        raise DataError("value is not a finite number", do="send a finite number, or none")
    time = interactions.time
    wrong = (time != NO_TIME) & ((time < EARLIEST) | (time >= LATEST))
    if wrong.any():
        fault = time_fault(int(time[wrong][0]))
        raise DataError(f"{fault}: {int(time[wrong][0])} microseconds", do="send times in UTC, ISO 8601 or seconds")
    if interactions.key is not None:
        for key in set(interactions.key.tolist()) - {""}:
            check_id(key, "event key")

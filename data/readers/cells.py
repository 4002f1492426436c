"""One cell of text, or a whole column of numbers, into a value and a time: the only place that knows how they look."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np

from data.records import EARLIEST, LATEST, MAX_EVENT, MAX_ID, id_fault, time_fault
from recsys.interactions import NO_TIME

NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class BadCell(ValueError):
    """A cell that cannot be taken; its words become the bad row's reason."""


def id_of(text: str, noun: str) -> str:
    """The id. BadCell when it is missing, over-long, or holds what an id must not hold."""
    fault = id_fault(text, MAX_EVENT if noun == "event" else MAX_ID)
    if fault:
        raise BadCell(f"{noun} {fault}")
    return text


def value_of(text: str) -> float:
    """A finite number; NaN for an empty cell: no value. BadCell otherwise."""
    text = text.strip(" \t")
    if not text:
        return math.nan
    if not NUMBER.fullmatch(text):
        finite = text.lower().lstrip("+-") not in ("nan", "inf", "infinity")
        raise BadCell(f"value {text[:40]!r} is not a {'number' if finite else 'finite number'}")
    value = float(text)
    if not math.isfinite(value):
        raise BadCell(f"value {text[:40]!r} is not a finite number")
    return value


def time_of(text: str) -> int:
    """Microseconds since 1970-01-01 UTC, NO_TIME for an empty cell.

    Takes ISO 8601 (without a zone: UTC) and numbers since 1970, whose size says what they count: below 1e11 seconds,
    below 1e14 milliseconds, below 1e17 microseconds, above nanoseconds. BadCell otherwise, or outside 1900 to 2200.
    """
    text = text.strip(" \t")
    if not text:
        return NO_TIME
    if INTEGER.fullmatch(text):
        return in_range(scaled(int(text)), text)
    if NUMBER.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise BadCell(f"time {text[:40]!r} is not a finite number")
        return in_range(scaled(number), text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BadCell(f"time {text[:40]!r} is neither ISO 8601 nor a number of seconds") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return in_range((moment - _EPOCH) // _MICROSECOND, text)


def scaled(number: int | float) -> int:
    size = abs(float(number))
    if size < 1e11:
        return round(number * 1_000_000)
    if size < 1e14:
        return round(number * 1_000)
    if size < 1e17:
        return round(number)
    return int(number) // 1_000


def in_range(time: int, text: str) -> int:
    fault = time_fault(time)
    if fault:
        raise BadCell(f"{fault}: {text[:40]!r}")
    return time


def scaled_column(numbers: np.ndarray) -> np.ndarray | None:
    """``scaled`` for a whole (n,) int64 or float64 column; None when some number is no time at all."""
    if not len(numbers):
        return numbers.astype(np.int64)
    low, high = numbers.min(), numbers.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    if low > -1e11 and high < 1e11:  # every row counts seconds: the common case, in one pass
        times = numbers * 1_000_000 if numbers.dtype == np.int64 else np.round(numbers * 1e6).astype(np.int64)
    else:
        size = np.abs(numbers.astype(np.float64))
        if size.max() >= (9.2e18 if numbers.dtype == np.int64 else 1e17):  # float64 cannot hold nanoseconds exactly
            return None
        factor = np.select([size < 1e11, size < 1e14], [1_000_000, 1_000], 1)
        factor[size >= 1e17] = 0
        times = np.round(numbers * factor).astype(np.int64)
        nanoseconds = factor == 0
        times[nanoseconds] = numbers[nanoseconds].astype(np.int64) // 1_000
    return times if all_in_range(times) else None


def all_in_range(times: np.ndarray) -> bool:
    return not len(times) or bool(times.min() >= EARLIEST and times.max() < LATEST)


def shown(raw: bytes | str) -> str:
    """A bad row's text as it is kept: what cannot be printed is escaped, at most 300 characters."""
    text = raw[:1200].decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw[:600]
    escaped = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode("ascii") for c in text
    )
    return escaped if len(escaped) <= 300 else escaped[:299] + "…"

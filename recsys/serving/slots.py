"""Slots: pinned items first, then a list in which quotas of other entries get their places."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

Source = Literal["model", "content", "pinned", "popular", "trending"]
_ROUNDING = 1e-9  # 0.29 * 100 is 28.999999999999996


class Entry(NamedTuple):
    """One place of a list, as it is made: the item's id, its score, and what put it there."""

    item: str
    score: float
    source: Source


@dataclass(frozen=True, slots=True)
class Quota:
    """entries, best first, are to have at least the share, 0 to 1, of the places."""

    share: float
    entries: Sequence[Entry]


def slotted(main: Iterable[Entry], quotas: Sequence[Quota], pins: Iterable[Entry], depth: int) -> list[Entry]:
    """The first ``depth`` places. No item comes twice, and a list of depth d begins that of depth d + 1.

    Pins come first, in their order. After them, at place r from 1, the first quota that has had fewer than
    floor(share * r) places and has an entry left gets one; if none is short, the next of main is taken, and where main
    has ended, the next that any quota has. What belongs to a quota counts for it however it came, for all that hold it.

    Quotas whose shares sum to at most 1 and that have entries left lack, summed over them, at any place, at most
    max(q - 1, p), for q quotas and p pins: a single quota without pins is met at every place. From the first place
    after the pins at which none is short, they lack at most q - 1.
    Give main and each quota's entries whole, or their ``depth`` first if all that main holds of a quota comes in the
    same order in both: what is cut off is not known to belong.
    """
    return list(islice(_places(iter(main), quotas, pins), depth))


def _places(main: Iterator[Entry], quotas: Sequence[Quota], pins: Iterable[Entry]) -> Iterator[Entry]:
    placed: set[str] = set()
    held = [frozenset(entry.item for entry in quota.entries) for quota in quotas]
    had = [0] * len(quotas)
    unused = [_unused(iter(quota.entries), placed) for quota in quotas]

    def put(entry: Entry) -> Entry:
        placed.add(entry.item)
        for number, items in enumerate(held):
            had[number] += entry.item in items
        return entry

    for entry in _unused(iter(pins), placed):
        yield put(entry)
    rest = _unused(main, placed)
    everyone = range(len(quotas))
    while True:
        rank = len(placed) + 1
        short = [number for number in everyone if had[number] < math.floor(quotas[number].share * rank + _ROUNDING)]
        found = _first(unused, short) or next(rest, None) or _first(unused, everyone)
        if found is None:
            return
        yield put(found)


def _first(unused: Sequence[Iterator[Entry]], numbers: Collection[int]) -> Entry | None:
    """The next entry of the first of these quotas that has one left."""
    return next((entry for number in numbers for entry in islice(unused[number], 1)), None)


def _unused(entries: Iterator[Entry], placed: Collection[str]) -> Iterator[Entry]:
    """Those not placed when their turn comes."""
    return (entry for entry in entries if entry.item not in placed)

"""Trends: what people take to lately, an event counting half after some days; made now and then, not a request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.work import Work
from data.changes import now
from recsys.errors import StoreError
from recsys.interactions import MICROSECONDS_PER_DAY

if TYPE_CHECKING:
    from data.store import Store

HELD_SECONDS = 60.0  # a list is as old as this at least before it is made again
_PATIENCE = 20  # and this many times as old as it took to make: no more than a twentieth of a core goes into it
_HALF_LIVES = 10  # older events count less than a thousandth
DEEP = 1_000  # items of a list


@dataclass(frozen=True, slots=True)
class Trend:
    """items: (id, decayed count of events), the most first. at: microseconds, when it was worked out."""

    items: tuple[tuple[str, float], ...]
    at: int


class Trends:
    """One list, made in a thread beside the requests; from the second on while the last one is given."""

    def __init__(self, store: Store, half_life_days: float) -> None:
        self._store = store
        self._half_life = half_life_days * MICROSECONDS_PER_DAY
        self._held: Trend | None = None
        self._until = 0.0
        self._making: Work[Trend] | None = None  # the one under way, or the last one
        self._turn = threading.Lock()

    def current(self) -> Trend | None:
        """None while the first one takes long to make; StoreError only while there never was one."""
        held = self._held
        if held is not None and time.monotonic() < self._until:
            return held
        with self._turn:
            making = self._making
            if making is None or (making.coming.done() and (self._held is None or time.monotonic() >= self._until)):
                making = self._making = Work.begun(self._make, "trends")
        if held is not None:
            return held
        try:
            return making.result()
        except TimeoutError:
            return None

    def _make(self) -> Trend:
        started, at = time.monotonic(), now()
        since = at - int(_HALF_LIVES * self._half_life)
        try:
            made = Trend(tuple(self._store.trending(at, self._half_life, since, DEEP)), at)
        except StoreError:  # one that is held stays
            self._until = time.monotonic() + HELD_SECONDS
            raise
        ended = time.monotonic()
        self._held, self._until = made, ended + max(HELD_SECONDS, _PATIENCE * (ended - started))
        return made

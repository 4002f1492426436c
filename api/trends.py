"""Trends: what people take to lately, an event counting half after some days; made now and then, not a request."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    """One list, made by who asks first; from then on in the background while the last one is given."""

    def __init__(self, store: Store, half_life_days: float) -> None:
        self._store = store
        self._half_life = half_life_days * MICROSECONDS_PER_DAY
        self._held: Trend | None = None
        self._until = 0.0
        self._making = threading.Lock()

    def current(self) -> Trend:
        """StoreError only while there never was one."""
        held = self._held
        if held is None:
            with self._making:
                return self._held or self._make()
        if time.monotonic() >= self._until and self._making.acquire(blocking=False):
            threading.Thread(target=self._again, name="trends", daemon=True).start()
        return held

    def _again(self) -> None:
        try:
            self._make()
        except StoreError:  # the one held stays
            self._until = time.monotonic() + HELD_SECONDS
        finally:
            self._making.release()

    def _make(self) -> Trend:
        started, at = time.monotonic(), now()
        since = at - int(_HALF_LIVES * self._half_life)
        made = Trend(tuple(self._store.trending(at, self._half_life, since, DEEP)), at)
        ended = time.monotonic()
        self._held, self._until = made, ended + max(HELD_SECONDS, _PATIENCE * (ended - started))
        return made

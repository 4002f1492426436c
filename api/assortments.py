"""Assortments: every item as it now is, in memory, read again only where the store says that something changed."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from api import work
from recsys.errors import SchemaMismatch, StoreError
from recsys.interactions import NO_TIME
from recsys.serving.assortment import Article, Assortment

if TYPE_CHECKING:
    from data.records import ItemState
    from data.store import Store

RETRY_SECONDS = 1.0


class Assortments:
    """The latest assortment of a store; nothing is read until it is asked for. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: Assortment | None = None
        self._reading: work.Work[Assortment] | None = None  # the one under way, or the last one
        self._ask_at = 0.0  # when a database that failed is asked again
        self._turn = threading.Lock()  # never held while the database is asked

    @property
    def known(self) -> bool:
        """Were the items ever read?"""
        return self._held is not None

    def current(self, mark: int) -> Assortment:
        """The items as they are under a mark of the store's items, or later. What changed is read once, in a thread
        beside the requests, and those that need it wait for that; once anything is held, for work.WAIT_SECONDS at most.

        While the database cannot be used or takes longer: those last read, whose stamp is then lower than the mark.
        Raises StoreError when they never were, SchemaMismatch always.
        """
        held = self._held
        if held is not None and held.stamp == mark:
            return held
        end = time.monotonic() + work.WAIT_SECONDS
        while True:
            with self._turn:
                reading = self._reading
                begins = reading is None or reading.coming.done()  # asked first: what a read that is done found is held
                held = self._held
                if held is not None and (held.stamp == mark or time.monotonic() < self._ask_at):
                    return held
                if reading is None or begins:
                    reading = self._reading = work.Work.begun(partial(self._read, held), "items")
            try:
                found = reading.coming.result() if held is None else reading.result(end)
            except SchemaMismatch:
                raise
            except (StoreError, TimeoutError):
                if held is None:
                    raise
                return held
            if begins or found.stamp >= mark:  # else it began before the change that this request knows of
                return found

    def _read(self, held: Assortment | None) -> Assortment:
        try:
            found = self._changed(held)
        except SchemaMismatch:
            raise
        except StoreError:
            self._ask_at = time.monotonic() + RETRY_SECONDS
            raise
        self._held, self._ask_at = found, 0.0
        return found

    def _changed(self, held: Assortment | None) -> Assortment:
        if held is not None:
            stamp, states = self._store.items_changed(held.stamp)
            if stamp >= held.stamp:
                return held if stamp == held.stamp else held.changed(map(_article, states), stamp)
            # The count went back: this is another database, or an older one put back in its place.
        stamp, states = self._store.items_changed(-1)  # 0: from before changes were counted
        return Assortment().changed(map(_article, states), stamp)


def _article(state: ItemState) -> Article:
    item = state.record
    return Article(
        item.id,
        item.title,
        tuple(item.categories),
        NO_TIME if item.created is None else item.created,
        shown=not (item.hidden or state.deleted),
    )

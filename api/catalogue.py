"""Catalogue: what must be known of all items at every request, kept in memory until the store says they changed."""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.store import Store

_PAGE = 10_000


class Catalogue:
    """Hidden items, and the items of each category. One cheap question to the store tells whether they still hold."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._hidden: tuple[Hashable, frozenset[str]] | None = None
        self._categories: tuple[Hashable, dict[str, frozenset[str]]] | None = None

    def hidden(self) -> frozenset[str]:
        """Ids never to be shown; the same object until something changes."""
        stamp = self._store.item_change_stamp()
        held = self._hidden
        if held is None or held[0] != stamp:
            held = self._hidden = (stamp, frozenset(self._store.hidden_items()))
        return held[1]

    def in_category(self, category: str) -> frozenset[str]:
        """Ids of the items of one category, none for a category that no item has."""
        stamp = self._store.item_change_stamp()
        held = self._categories
        if held is None or held[0] != stamp:
            with self._lock:
                held = self._categories
                if held is None or held[0] != stamp:
                    held = self._categories = (stamp, self._read())
        return held[1].get(category, frozenset())

    def _read(self) -> dict[str, frozenset[str]]:
        found: dict[str, set[str]] = {}
        offset = 0
        while True:
            page = self._store.list_items(offset, _PAGE)
            for item in page:
                for category in item.categories:
                    found.setdefault(category, set()).add(item.id)
            if len(page) < _PAGE:
                return {category: frozenset(ids) for category, ids in found.items()}
            offset += _PAGE

"""A store in memory whose database can fail and can be held up between two questions, for tests of what rests on it."""

from __future__ import annotations

import threading

from data.records import ItemRecord, ItemState, Marks
from recsys.errors import StoreError
from recsys.interactions import Interactions


class World:
    def __init__(self) -> None:
        self.events: dict[str, list[str]] = {}
        self.touched: dict[str, int] = {}
        self.states: dict[str, tuple[int, ItemState]] = {}
        self.items_mark = 0
        self.changes = 0
        self.forgotten = 0
        self.fault: StoreError | None = None
        self.index: object | None = None  # what `watch` gives
        self.asked: list[str] = []
        self.between = lambda: None  # runs after a history was asked for and before it is read
        self.after = lambda: None  # runs after anything was read and before it is given
        self._lock = threading.Lock()

    def add(self, user: str, item: str) -> None:
        with self._lock:
            self.changes += 1
            self.events.setdefault(user, []).append(item)
            self.touched[user] = self.changes

    def forget(self, user: str) -> None:
        with self._lock:
            del self.events[user], self.touched[user]
            self.forgotten += 1

    def put(self, item: str, deleted: bool = False, **more: object) -> int:
        with self._lock:
            self.items_mark += 1
            self.states[item] = (self.items_mark, ItemState(ItemRecord(item, **more), deleted))
            return self.items_mark

    def watch(self) -> object | None:
        return self.index

    def marks(self, user: str | None = None) -> Marks:
        self._ask("marks")
        marks = Marks(self.items_mark, 0, -1 if user is None else self.touched.get(user, -1), self.forgotten)
        self.after()
        return marks

    def history(self, user: str) -> Interactions:
        self._ask("history")
        self.between()
        items = list(self.events.get(user, []))
        self.after()
        return Interactions.from_lists([user] * len(items), items)

    def items_changed(self, since: int) -> tuple[int, list[ItemState]]:
        self._ask("items")
        with self._lock:
            return self.items_mark, [state for mark, state in self.states.values() if mark > since]

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.fault is not None:
            raise self.fault

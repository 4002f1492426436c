"""Memory: what one worker knows of the database; it asks little, and answers when the database does not."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from api.cache import Bounded
from data.records import Marks
from recsys.errors import SchemaMismatch, StoreError
from recsys.interactions import Interactions

if TYPE_CHECKING:
    from data.store import Store
    from data.walindex import WalIndex

NOBODY = -1  # the mark of a user that the store does not hold
_MARKS = 100_000  # users whose marks are kept while nothing changes
_ENTRY = 32  # events that take the room of what a history takes besides its events


class Memory:
    """Marks as they last were, and the histories last read. Safe to share between threads.

    most_events: of all histories kept. retry: seconds for which a database that failed is not asked again, so that
    answers do not each wait for it; then one request asks, and the others go on without it.
    """

    def __init__(self, store: Store, most_events: int = 1_000_000, retry: float = 1.0) -> None:
        self._store = store
        self._histories: Bounded[str, tuple[int, Interactions]] = Bounded(most_events)
        self._last: Marks | None = None
        self._index: WalIndex | None = None
        self._kept: Bounded[str | None, tuple[bytes, Marks]] = Bounded(_MARKS)
        self._retry = retry
        self._ask_at = 0.0  # when the database may be asked again; 0: it is well
        self._turn = threading.Lock()

    def watch(self) -> None:
        """From now on, where the database can say it, ask nothing again while nothing was committed.

        For a process that serves until it ends (`Store.watch`). Raises StoreError.
        """
        self._index = self._store.watch()

    @property
    def known(self) -> bool:
        """Is there anything to answer from while the database is away?"""
        return self._last is not None

    @property
    def away(self) -> bool:
        """Did the database fail when it was last asked?"""
        return self._ask_at > 0

    def marks(self, user: str | None = None) -> tuple[Marks, bool]:
        """The marks as they are now, and False. While the database cannot be used: as they last were, and True; then
        those of a user whose history is not kept are `NOBODY`'s.

        Raises StoreError when nothing was ever known, SchemaMismatch always.
        """
        state = None if self._index is None else self._index.state()
        if state is not None:
            kept = self._kept.get(user)
            if kept is not None and kept[0] == state:
                return kept[1], False
        if self._ask_at and not self._takes_turn():
            return self._known(user), True
        try:
            marks = self._store.marks(user)
        except SchemaMismatch:
            raise
        except StoreError:
            self._ask_at = time.monotonic() + self._retry
            if self._last is None:
                raise
            return self._known(user), True
        self._ask_at = 0.0
        self._last = marks
        if state is not None:  # read before the marks: what was committed in between makes another
            self._kept.put(user, (state, marks), 1)
        if user is not None and marks.user == NOBODY:
            self._histories.drop(user)  # forgotten: nothing of theirs stays here
        return marks, False

    def history(self, user: str, marks: Marks, stale: bool) -> tuple[Interactions, bool]:
        """One user's events, oldest first, and whether they may not be the latest. marks, stale: as `marks` just gave
        them for this user, before anything else was read: then a change in between is noticed at the next request.

        While the database cannot be used: the history last read, or an empty one.
        """
        held = self._histories.get(user)
        if held is not None and (stale or held[0] == marks.user):
            return held[1], stale
        if stale or marks.user == NOBODY:
            return Interactions.empty(), stale
        try:
            history = self._store.history(user)
        except SchemaMismatch:
            raise
        except StoreError:
            self._ask_at = time.monotonic() + self._retry
            return Interactions.empty() if held is None else held[1], True
        self._histories.put(user, (marks.user, history), len(history) + _ENTRY)
        return history, False

    def _takes_turn(self) -> bool:
        """Is it this thread that asks a database that failed?"""
        now = time.monotonic()
        with self._turn:
            if now < self._ask_at:
                return False
            self._ask_at = now + self._retry
            return True

    def _known(self, user: str | None) -> Marks:
        if self._last is None:
            raise StoreError("the database cannot be reached, and nothing of it is known yet", do="try again")
        held = None if user is None else self._histories.get(user)
        return replace(self._last, user=NOBODY if held is None else held[0])

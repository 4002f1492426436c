"""Memory: what one worker knows of the database; it asks little, and answers when the database does not."""

from __future__ import annotations

import sys
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
_MARKS = 500  # bytes that a user's marks take besides the id
_ENTRY = 32  # events that take the room of what a history takes besides its events


class Memory:
    """Marks as they last were, and the histories last read. Safe to share between threads.

    most_events: of all histories kept. retry: seconds for which a database that failed is not asked again, so that
    answers do not each wait for it; then one request asks, and the others go on without it. marks_bytes: of all marks
    kept while nothing is committed.

    Of somebody who was forgotten nothing is kept once this worker knows: at once where it was done here (`forget`),
    else when the database next answers a question about marks, whoever is asked about (`Marks.forgotten`). A worker
    that asked nothing between the deletion and an outage cannot know: until the database is back it answers from what
    it had read of them, and calls it stale.
    """

    def __init__(
        self,
        store: Store,
        most_events: int = 1_000_000,
        retry: float = 1.0,
        marks_bytes: int = 64 * 1024 * 1024,
    ) -> None:
        self._store = store
        self._histories: Bounded[str, tuple[int, Interactions]] = Bounded(most_events)
        self._last: Marks | None = None
        self._index: WalIndex | None = None
        self._kept: Bounded[str | None, tuple[bytes, Marks]] = Bounded(marks_bytes)
        self._retry = retry
        self._ask_at = 0.0  # when the database may be asked again; 0: it is well
        self._turn = threading.Lock()
        self._keeping = threading.Lock()
        self._forgotten = 0  # how often something was taken out: what was read before is not put in after

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
        if not self._may_ask():
            return self._known(user), True
        try:
            return self._asked(user, state), False
        except SchemaMismatch:
            raise
        except StoreError:
            if self._last is None:
                raise
            return self._known(user), True

    def ask(self) -> Marks:
        """The marks from the database itself, whether or not it just failed: for whoever wants to know how it is.
        Requests learn what came of it. Raises StoreError, SchemaMismatch."""
        return self._asked(None, None)

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
        forgotten = self._forgotten
        last = Interactions.empty() if held is None else held[1]
        if not self._may_ask():
            return last, True
        try:
            history = self._store.history(user)
        except SchemaMismatch:
            raise
        except StoreError:
            self._ask_at = time.monotonic() + self._retry
            return last, True
        self._ask_at = 0.0
        with self._keeping:
            if forgotten == self._forgotten:
                self._histories.put(user, (marks.user, history), len(history) + _ENTRY)
        return history, False

    def forget(self, user: str) -> None:
        """Keep nothing of somebody who was just deleted."""
        with self._keeping:
            self._forgotten += 1
            self._histories.drop(user)
            self._kept.drop(user)

    def _asked(self, user: str | None, state: bytes | None) -> Marks:
        """state: of the index, read before: what was committed in between makes another. Then the marks are kept."""
        forgotten = self._forgotten
        try:
            marks = self._store.marks(user)
        except SchemaMismatch:
            raise
        except StoreError:
            self._ask_at = time.monotonic() + self._retry
            raise
        self._ask_at = 0.0
        if self._last is not None and self._last.forgotten != marks.forgotten:
            self._forget_all()
        elif user is not None and marks.user == NOBODY:
            self._histories.drop(user)  # a table that was emptied, or an older copy of it, counts nobody
        self._last = marks
        if state is not None:
            with self._keeping:
                if forgotten == self._forgotten:
                    self._kept.put(user, (state, marks), sys.getsizeof(user) + _MARKS)
        return marks

    def _forget_all(self) -> None:
        """Somebody was deleted, and the database does not say who: what is asked for again is read again."""
        with self._keeping:
            self._forgotten += 1
            self._histories.clear()
            self._kept.clear()

    def _may_ask(self) -> bool:
        """Is the database well, or is it this thread that asks one that failed?"""
        if not self._ask_at:
            return True
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

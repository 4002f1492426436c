"""What is kept in memory within a bound: answers that were already made, and the dictionary that they rest in."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from data.records import Marks

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Question = tuple[str, bytes]  # the user, and the query string as it came
_ENTRY = 1_000  # bytes that an answer takes besides its JSON and its question: marks, places in the dictionary


class Bounded(Generic[Key, Value]):
    """A dictionary whose values have sizes that add up to no more than ``most``; what was longest not asked for goes
    first. Safe to share between threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key) -> Value | None:
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Key, value: Value, size: int) -> None:
        """Keep a value in the place of any other under this key. One larger than everything together is not kept."""
        with self._lock:
            self._remove(key)
            if size > self.most:
                return
            self._held[key] = (value, size)
            self.size += size
            while self.size > self.most:
                _, (_, gone) = self._held.popitem(last=False)
                self.size -= gone

    def drop(self, key: Key) -> None:
        with self._lock:
            self._remove(key)

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
            self.size = 0

    def _remove(self, key: Key) -> None:
        found = self._held.pop(key, None)
        if found is not None:
            self.size -= found[1]


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer's JSON on both sides of its id, what it was made from, and how. release: stamp of the models."""

    before: bytes
    after: bytes
    items: int
    user: int
    release: Hashable
    strategy: str
    model: str

    def body(self, id_: str) -> bytes:
        """The JSON of the answer under an id of its own."""
        return b"".join((self.before, id_.encode(), self.after))


class AnswerCache:
    """Answers that hold as long as nothing that they were made from has changed. Safe to share between threads.

    most_bytes: of all answers together, with the questions that they answer. When somebody was forgotten, whoever it
    was, none is kept: theirs could not be given any more, and must not rest here either.
    """

    def __init__(self, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._kept: Bounded[Question, Kept] = Bounded(most_bytes)
        self._forgotten = 0

    def get(self, key: Question, marks: Marks, release: Hashable) -> Kept | None:
        """The answer to the same question under the same marks of items and user and the same release.

        Keys of the API are no part of any answer: their mark does not count. Marks must come from the database, not
        from memory: an answer that is stale says so.
        """
        if marks.forgotten != self._forgotten:
            self._forgotten = marks.forgotten
            self._kept.clear()
        kept = self._kept.get(key)
        if kept is None or kept.user != marks.user or kept.items != marks.items or kept.release != release:
            return None
        return kept

    def put(
        self, key: Question, marks: Marks, release: Hashable, body: bytes, id_: str, strategy: str, model: str
    ) -> None:
        """Keep an answer that is not stale. marks: read before anything else that it was made from. id_: the answer's,
        which its JSON holds as ``"id":"..."``; it must be random, so that nothing else there can be the same.
        """
        if marks.forgotten != self._forgotten:
            return  # somebody was forgotten while it was made
        name, quoted = b'"id":"', id_.encode() + b'"'
        before, found, after = body.partition(name + quoted)
        if not found:
            raise ValueError(f"the answer's JSON does not hold its id {id_!r}")
        kept = Kept(before + name, b'"' + after, marks.items, marks.user, release, strategy, model)
        self._kept.put(key, kept, len(body) + sum(map(sys.getsizeof, key)) + _ENTRY)

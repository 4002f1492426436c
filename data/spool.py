"""Spool: the rows of an import on disk until all of them are known to be good, then handed out user by user."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from data.fingerprint import fingerprints
from data.records import MAX_EVENT, MAX_ID, BadRow, check_columns, check_id, used_labels
from recsys.errors import StoreError
from recsys.interactions import Encoded, Interactions

# One row on disk. user, item, event are numbers into the spool's own labels; a key is a piece of a second file.
_ROW = np.dtype(
    [
        ("user", np.int32),
        ("item", np.int32),
        ("event", np.int32),
        ("key_length", np.int32),
        ("fingerprint", np.int64),
        ("value", np.float64),
        ("time", np.int64),
        ("key_at", np.int64),
    ]
)


# Users are told apart on disk in groups of so many: the places where groups begin are kept in memory for every piece.
_GROUP = 64


class Labels:
    """Distinct strings, checked once each and numbered in the order in which they came."""

    def __init__(self, noun: str, longest: int) -> None:
        self.noun, self.longest = noun, longest
        self.numbers: dict[str, int] = {}

    def codes(self, column: Encoded) -> np.ndarray:
        """(n,) int32 of a column. Labels that no row uses are not taken in. DataError for one that cannot be an id."""
        used = used_labels(column)
        labels = column.labels[used].tolist()
        numbers = self.numbers
        for label in labels:
            if label not in numbers:
                numbers[check_id(label, self.noun, self.longest)] = len(numbers)
        table = np.full(len(column.labels), -1, dtype=np.int32)
        table[used] = [numbers[label] for label in labels]
        return table[column.codes]

    def __len__(self) -> int:
        return len(self.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n rows for the store, (n,) each. user, item, event: int32 codes into Labels; key: None, or with "" for none."""

    user: np.ndarray
    item: np.ndarray
    event: np.ndarray
    fingerprint: np.ndarray
    value: np.ndarray
    time: np.ndarray
    key: np.ndarray | None

    def __len__(self) -> int:
        return len(self.user)


class Vocabulary:
    """The users, items and event types that an import speaks of."""

    def __init__(self) -> None:
        self.users = Labels("user", MAX_ID)
        self.items = Labels("item", MAX_ID)
        self.events = Labels("event", MAX_EVENT)

    def rows(self, interactions: Interactions) -> Rows:
        """Interactions with their labels taken in. DataError for anything that a store must not hold."""
        check_columns(interactions)
        return Rows(
            self.users.codes(interactions.user),
            self.items.codes(interactions.item),
            self.events.codes(interactions.event),
            fingerprints(interactions),
            interactions.value,
            interactions.time,
            interactions.key,
        )


class Spool:
    """Rows and bad rows in nameless temporary files: a killed import leaves nothing, not even those.

    Rows are laid down in pieces, each grouped by user, and `ranges` merges the pieces again, a span of users at a time.
    So the store receives ten million rows in the order of its clustered key, far faster than in the order of the file,
    while memory holds one span. It also means that the database is not locked while a file is still being read.
    """

    def __init__(self, folder: Path | None = None, piece: int = 1_000_000) -> None:
        """folder: where the files go, the database's own where there is one: /tmp may be memory. piece: rows."""
        self.vocabulary = Vocabulary()
        self.received = self.bad = 0
        self._piece = piece
        self._waiting: list[Rows] = []
        self._pieces: list[tuple[int, np.ndarray]] = []  # (first row, where each group of users begins)
        self._key_bytes = 0
        self._closing = ExitStack()
        with _room():
            self._rows = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            self._keys = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            self._bad = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    def add(self, interactions: Interactions) -> None:
        """Take rows. DataError for anything that a store must not hold, StoreError when the disk is full."""
        self._waiting.append(self.vocabulary.rows(interactions))
        self.received += len(interactions)
        if sum(map(len, self._waiting)) >= self._piece:
            self._lay_down()

    def add_bad(self, bad: Sequence[BadRow]) -> None:
        with _room():
            for row in bad:
                self._bad.write(json.dumps(asdict(row)).encode() + b"\n")
        self.bad += len(bad)

    def bad_rows(self, most: int) -> Iterator[list[BadRow]]:
        """The bad rows in the order they came, at most so many at a time."""
        self._bad.seek(0)
        lines = iter(self._bad)
        while piece := [BadRow(**json.loads(line)) for line in islice(lines, most)]:
            yield piece

    def ranges(self, most: int) -> Iterator[Rows]:
        """All rows, by spans of users of about ``most`` rows; a group of users is never split."""
        self._lay_down()
        count = np.zeros(-(-len(self.vocabulary.users) // _GROUP), dtype=np.int64)
        for _, starts in self._pieces:
            count[: len(starts) - 1] += np.diff(starts)
        ends = np.cumsum(count)
        first, taken = 0, 0
        while first < len(count):
            last = max(int(np.searchsorted(ends, taken + most, side="right")), first + 1)
            yield self._span(first, last)
            first, taken = last, int(ends[last - 1])

    def _lay_down(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        user = np.concatenate([rows.user for rows in waiting])
        order = np.argsort(user, kind="stable")
        laid = np.empty(len(user), dtype=_ROW)
        for name in ("user", "item", "event", "fingerprint", "value", "time"):
            laid[name] = np.concatenate([getattr(rows, name) for rows in waiting])[order]
        laid["key_length"], laid["key_at"] = 0, self._key_bytes
        groups = -(-len(self.vocabulary.users) // _GROUP)
        starts = np.searchsorted(laid["user"], np.arange(groups + 1) * _GROUP)
        first = sum(int(starts[-1]) for _, starts in self._pieces)
        with _room():
            if any(rows.key is not None for rows in waiting):
                none = np.array([""], dtype=object)
                keys = np.concatenate([none.repeat(len(rows)) if rows.key is None else rows.key for rows in waiting])
                self._write_keys(laid, keys[order])
            self._rows.seek(0, os.SEEK_END)
            self._rows.write(laid.data)
            self._rows.flush()
        self._pieces.append((first, starts))

    def _write_keys(self, rows: np.ndarray, keys: np.ndarray) -> None:
        texts = [key.encode() for key in keys.tolist()]
        rows["key_length"] = [len(text) for text in texts]
        rows["key_at"] += np.cumsum(rows["key_length"], dtype=np.int64) - rows["key_length"]
        self._keys.seek(0, os.SEEK_END)
        self._key_bytes += self._keys.write(b"".join(texts))

    def _span(self, first: int, last: int) -> Rows:
        pieces = []
        for base, starts in self._pieces:
            begin, end = (int(starts[min(edge, len(starts) - 1)]) for edge in (first, last))
            self._rows.seek((base + begin) * _ROW.itemsize)
            pieces.append(np.fromfile(self._rows, dtype=_ROW, count=end - begin))
        key = np.concatenate([self._read_keys(piece) for piece in pieces]) if self._key_bytes else None
        rows = np.concatenate(pieces)
        user, item, event, fingerprint, value, time = (
            np.ascontiguousarray(rows[name]) for name in ("user", "item", "event", "fingerprint", "value", "time")
        )
        return Rows(user, item, event, fingerprint, value, time, key)

    def _read_keys(self, rows: np.ndarray) -> np.ndarray:
        keys = np.empty(len(rows), dtype=object)
        if len(rows):
            begin, end = int(rows["key_at"][0]), int(rows["key_at"][-1] + rows["key_length"][-1])
            self._keys.seek(begin)
            text = self._keys.read(end - begin)
            at, length = (rows["key_at"] - begin).tolist(), rows["key_length"].tolist()
            keys[:] = [text[a : a + n].decode() for a, n in zip(at, length, strict=True)]
        return keys


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the rows of this import cannot be laid down: {error.strerror}; nothing was stored",
            do="free some space beside the database, then import again",
        ) from error

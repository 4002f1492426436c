"""Spool: the rows of an import on disk until all of them are known to be good, then handed out user by user."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from data.records import BadRow, Batch
from data.vocabulary import Rows, Vocabulary
from recsys.errors import StoreError
from recsys.interactions import Interactions

# The columns of a piece on disk, one after the other. Where keys are, each is a stretch of a second file.
_COLUMNS = {
    "user": np.int32,
    "item": np.int32,
    "event": np.int32,
    "fingerprint": np.int64,
    "value": np.float64,
    "time": np.int64,
    "key_at": np.int64,
    "key_length": np.int32,
}
_UNKEYED = 6  # the last two are there only where keys are
# Users are told apart on disk in groups of so many: the places where groups begin are kept in memory for every piece.
_GROUP = 64


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
        self._pieces: list[_Piece] = []
        self._closing = ExitStack()
        with _room():
            self._rows = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            self._keys = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
            self._bad = self._closing.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing.close()

    def take(self, batches: Iterable[Batch]) -> None:
        """Take everything, each batch in a second thread while the next one is being read."""
        with ThreadPoolExecutor(1) as worker:
            taken: Future[None] | None = None
            for batch in batches:
                if taken is not None:
                    taken.result()
                taken = worker.submit(self._take, batch)
            if taken is not None:
                taken.result()

    def _take(self, batch: Batch) -> None:
        self.add(batch.interactions)
        self.add_bad(batch.bad)

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
        for piece in self._pieces:
            count[: len(piece.starts) - 1] += np.diff(piece.starts)
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
        order = np.argsort(np.concatenate([rows.user for rows in waiting]))
        laid = {
            name: np.concatenate([getattr(rows, name) for rows in waiting])[order] for name in list(_COLUMNS)[:_UNKEYED]
        }
        groups = -(-len(self.vocabulary.users) // _GROUP)
        starts = np.searchsorted(laid["user"], np.arange(groups + 1, dtype=np.int32) * _GROUP)
        keyed = any(rows.key is not None for rows in waiting)
        with _room():
            if keyed:
                none = np.array([""], dtype=object)
                keys = np.concatenate([none.repeat(len(rows)) if rows.key is None else rows.key for rows in waiting])
                laid["key_at"], laid["key_length"] = self._write_keys(keys[order])
            base = self._rows.seek(0, os.SEEK_END)
            for column in laid.values():
                self._rows.write(column.data)
            self._rows.flush()
        self._pieces.append(_Piece(base, len(order), starts, keyed))

    def _write_keys(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        texts = [key.encode() for key in keys.tolist()]
        length = np.array([len(text) for text in texts], dtype=np.int32)
        at = self._keys.seek(0, os.SEEK_END) + np.cumsum(length, dtype=np.int64) - length
        self._keys.write(b"".join(texts))
        return at, length

    def _span(self, first: int, last: int) -> Rows:
        pieces = []
        for piece in self._pieces:
            begin, end = (int(piece.starts[min(edge, len(piece.starts) - 1)]) for edge in (first, last))
            pieces.append(self._read(piece, begin, end))
        columns = {name: np.concatenate([piece[name] for piece in pieces]) for name in list(_COLUMNS)[:_UNKEYED]}
        key = None
        if any(piece.keyed for piece in self._pieces):
            key = np.concatenate([self._read_keys(piece) for piece in pieces])
        return Rows(**columns, key=key)

    def _read(self, piece: _Piece, begin: int, end: int) -> dict[str, np.ndarray]:
        columns, at = {}, piece.base
        for name, kind in list(_COLUMNS.items())[: None if piece.keyed else _UNKEYED]:
            size = np.dtype(kind).itemsize
            self._rows.seek(at + begin * size)
            columns[name] = np.fromfile(self._rows, dtype=kind, count=end - begin)
            at += piece.rows * size
        return columns

    def _read_keys(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        keys = np.full(len(columns["user"]), "", dtype=object)
        if "key_at" in columns and len(keys):
            at, length = columns["key_at"], columns["key_length"]
            self._keys.seek(int(at[0]))
            text = self._keys.read(int(at[-1] + length[-1] - at[0]))
            stretches = zip((at - at[0]).tolist(), length.tolist(), strict=True)
            keys[:] = [text[begin : begin + size].decode() for begin, size in stretches]
        return keys


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    base: int  # byte at which its columns begin
    rows: int
    starts: np.ndarray  # row at which each group of users begins, and the end
    keyed: bool


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"the rows of this import cannot be laid down: {error.strerror}; nothing was stored",
            do="free some space beside the database, then import again",
        ) from error

"""Collected: the rows of many parts, column by column, their ids encoded in threads while more is being read."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.errors import DataError
from recsys.interactions import NO_TIME, Encoded, Interactions

if TYPE_CHECKING:
    from data.readers.parts import Part

DICTIONARY = pa.dictionary(pa.int32(), pa.string())


class _Grown:
    """A column that grows: rows are written once, into room that costs nothing until it is touched."""

    def __init__(self, dtype: type) -> None:
        self.room: np.ndarray = np.empty(0, dtype=dtype)

    def write(self, start: int, length: int, values: np.ndarray | float) -> None:
        if start + length > len(self.room):
            grown = np.empty(max(_ROOM, 2 * len(self.room), start + length), dtype=self.room.dtype)
            grown[:start] = self.room[:start]
            self.room = grown
        self.room[start : start + length] = values

    def whole(self, length: int) -> np.ndarray:
        filled = self.room[:length]
        return filled.copy() if length < _ROOM // 4 else filled  # a small column does not keep the room


_ROOM = 1 << 24  # rows
_WAITING = 54 << 20  # bytes


class _Strings:
    """An id column: codes as each group of rows has them, until ``encoded`` merges the groups' labels.

    Strings wait until there are many, and are encoded together: most of the cost is in each label's first time.
    """

    def __init__(self) -> None:
        self.groups: list[Future[_Group]] = []
        self.waiting: list[pa.Array] = []
        self.bytes = 0  # of the strings waiting

    def write(self, length: int, column: pa.Array | pa.ChunkedArray | str) -> None:
        if isinstance(column, str):
            self._coded(pa.array([column], pa.string()), np.broadcast_to(np.zeros(1, dtype=np.int32), length))
        elif pa.types.is_dictionary(column.type):
            self._coded(column.dictionary, column.indices.to_numpy())
        else:
            self.waiting += column.chunks if isinstance(column, pa.ChunkedArray) else [column]
            self.bytes += column.nbytes

    def _coded(self, labels: pa.Array, codes: np.ndarray) -> None:
        """Rows that come as codes: of the labels of the rows before them, or of others."""
        self.flush()
        last = self.groups[-1].result() if self.groups else None
        if last is not None and last.labels.equals(labels):  # pieces of one Parquet row group share theirs
            last.codes.append(codes)
        else:
            self.groups.append(Future())
            self.groups[-1].set_result(_Group(labels, [codes], every_label_held=False))

    def flush(self, pool: ThreadPoolExecutor | None = None) -> None:
        """Encode what waits; with a pool, in its threads, while this one reads on. Two groups at most are under way."""
        if not self.waiting:
            return
        column = pa.chunked_array(self.waiting, pa.string())
        self.waiting, self.bytes = [], 0
        if pool is None:
            self.groups.append(Future())
            self.groups[-1].set_result(_encode(column))
            return
        if len(self.groups) > 1:
            self.groups[-2].result()
        self.groups.append(pool.submit(_encode, column))

    def encoded(self, length: int) -> Encoded:
        """With labels in sorted order, which saves sorting them as Python strings later."""
        self.flush()
        groups = [group.result() for group in self.groups]
        self.groups.clear()
        if all(len(group.labels) == 1 and group.labels[0] == groups[0].labels[0] for group in groups):
            return Encoded.constant(groups[0].labels[0].as_py(), length)
        numbered = [dictionary_array(np.arange(len(one.labels), dtype=np.int32), one.labels) for one in groups]
        merged = pa.chunked_array(numbered, type=DICTIONARY).unify_dictionaries()
        del numbered
        every = merged.chunk(0).dictionary
        order = pc.sort_indices(every)  # by UTF-8 bytes, which is the order of Python strings
        rank = np.empty(len(every), dtype=np.int32)
        rank[order.to_numpy()] = np.arange(len(every), dtype=np.int32)
        labels = every.take(order).to_numpy(zero_copy_only=False)
        codes, start = np.empty(length, dtype=np.int32), 0
        for group, chunk in zip(groups, merged.chunks, strict=True):
            ranks = rank[chunk.indices.to_numpy()]
            while group.codes:
                piece = group.codes.pop(0)  # and with the last name for it, its memory goes
                np.take(ranks, piece, out=codes[start : start + len(piece)], mode="clip")  # "raise" would copy
                start += len(piece)
        if all(group.every_label_held for group in groups):
            return Encoded(codes, labels)
        held = np.zeros(len(labels), dtype=bool)
        held[codes] = True
        if not held.all():
            codes = (np.cumsum(held, dtype=np.int32) - 1)[codes]
        return Encoded(codes, labels[held])


@dataclass(slots=True, eq=False)
class _Group:
    """Rows that share labels. codes: arrays of them, in order; of a file's own labels some may belong to no row."""

    labels: pa.Array
    codes: list[np.ndarray]
    every_label_held: bool


def _encode(column: pa.ChunkedArray) -> _Group:
    pieces = column.dictionary_encode().chunks  # they share their labels
    return _Group(pieces[0].dictionary, [piece.indices.to_numpy() for piece in pieces], every_label_held=True)


class Collected:
    """The rows of many parts, column by column. A column that no part has takes no room."""

    def __init__(self) -> None:
        self.n = 0
        self.user, self.item, self.event = _Strings(), _Strings(), _Strings()
        self.value: _Grown | None = None
        self.time: _Grown | None = None
        self.keys: list[tuple[int, pa.Array]] = []
        self.pool: ThreadPoolExecutor | None = None  # Arrow works without the interpreter lock

    def add(self, part: Part) -> None:
        start, length = self.n, len(part)
        if not length:
            return
        if start + length > np.iinfo(np.int32).max:
            raise DataError("more than 2,147,483,647 rows are more than one matrix can hold", do="read it in pieces")
        columns = (self.user, self.item, self.event)
        for column, rows in zip(columns, (part.user, part.item, part.event), strict=True):
            column.write(length, rows)
        if sum(column.bytes for column in columns) > _WAITING:
            self.pool = self.pool or ThreadPoolExecutor(2)
            for column in columns:
                column.flush(self.pool)
        if part.value is not None or self.value is not None:
            if self.value is None:
                self.value = _Grown(np.float64)
                self.value.write(0, start, np.nan)
            self.value.write(start, length, np.nan if part.value is None else part.value)
        if part.time is not None or self.time is not None:
            if self.time is None:
                self.time = _Grown(np.int64)
                self.time.write(0, start, NO_TIME)
            self.time.write(start, length, NO_TIME if part.time is None else part.time)
        if part.key is not None:
            self.keys.append((start, part.key))
        self.n += length

    def interactions(self) -> Interactions:
        n = self.n
        if not n:
            return Interactions.empty()
        if n < 1 << 18:
            user, item = self.user.encoded(n), self.item.encoded(n)
        else:
            with self.pool or ThreadPoolExecutor(2) as pool:
                self.user.flush(pool)
                self.item.flush(pool)
                # What runs was handed in before these two: waiting for it inside the pool cannot block the pool.
                user, item = pool.map(lambda column: column.encoded(n), (self.user, self.item))
        key = None
        if self.keys:
            key = np.full(n, "", dtype=object)
            for start, keys in self.keys:
                key[start : start + len(keys)] = keys.to_numpy(zero_copy_only=False)
        return Interactions(
            user,
            item,
            self.event.encoded(n),
            # A column that is not there: one number seen n times, read-only, takes no room.
            np.broadcast_to(np.full(1, np.nan), n) if self.value is None else self.value.whole(n),
            np.broadcast_to(np.full(1, NO_TIME), n) if self.time is None else self.time.whole(n),
            key,
        )


def dictionary_array(codes: np.ndarray, labels: pa.Array) -> pa.DictionaryArray:
    """Without ``pa.array(codes)``: that imports pandas, only to see whether it was given a Series."""
    indices = pa.Array.from_buffers(pa.int32(), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes))])
    return pa.DictionaryArray.from_arrays(indices, labels)

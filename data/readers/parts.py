"""Part: what a reader yields, a piece of a file as Arrow columns, turned into Interactions at the border."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.records import BadRow, Batch
from recsys.errors import DataError
from recsys.interactions import NO_TIME, Encoded, Interactions

DICTIONARY = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """n good rows and the bad ones among them.

    user, item: (n,) DICTIONARY arrays without nulls. event: the same, or one name for all n rows. value: (n,) float64
    or None: none has one. time: (n,) int64 microseconds or None. key: (n,) Arrow strings or None. Dictionaries hold
    only what occurs. ``Interactions`` explains the columns.
    """

    user: pa.DictionaryArray
    item: pa.DictionaryArray
    event: pa.DictionaryArray | str
    value: np.ndarray | None = None
    time: np.ndarray | None = None
    key: pa.Array | None = None
    bad: Sequence[BadRow] = ()

    def __len__(self) -> int:
        return len(self.user)

    def batch(self) -> Batch:
        return Batch(_interactions([self]), self.bad)


def part_of(
    users: Sequence[str],
    items: Sequence[str],
    event: Sequence[str] | str,
    values: Sequence[float] | None = None,
    times: Sequence[int] | None = None,
    keys: Sequence[str] | None = None,
    bad: Sequence[BadRow] = (),
) -> Part:
    """A Part from plain lists, as the exact (row by row) paths of the readers collect them."""
    return Part(
        user=encoded(users),
        item=encoded(items),
        event=event if isinstance(event, str) else encoded(event),
        value=None if values is None else np.array(values, dtype=np.float64),
        time=None if times is None else np.array(times, dtype=np.int64),
        key=None if keys is None else pa.array(keys, pa.string()),
        bad=bad,
    )


def encoded(values: Sequence[str]) -> pa.DictionaryArray:
    return pa.array(values, pa.string()).dictionary_encode()


def joined(parts: Iterable[Part]) -> tuple[Interactions, list[BadRow]]:
    """All parts as one Interactions. Labels are merged by Arrow, so that each becomes a ``str`` once."""
    kept: list[Part] = []
    bad: list[BadRow] = []
    for part in parts:
        bad.extend(part.bad)
        if len(part):
            kept.append(part)
    return _interactions(kept), bad


def _interactions(parts: list[Part]) -> Interactions:
    """Consumes ``parts`` column by column: the pieces of one are freed before the next is joined."""
    lengths = [len(part) for part in parts]
    n = sum(lengths)
    if n > np.iinfo(np.int32).max:
        raise DataError(f"{n:,} rows are more than one matrix can hold", do="read the file in pieces")
    names = {part.event for part in parts if isinstance(part.event, str)}
    events: Encoded
    if not parts:
        return Interactions.empty()
    if len(names) == 1 and all(isinstance(part.event, str) for part in parts):
        events = Encoded.constant(names.pop(), n)
    else:
        events = _merged([_constant(p.event, len(p)) if isinstance(p.event, str) else p.event for p in parts])
    users, items = [part.user for part in parts], [part.item for part in parts]
    values, times = [part.value for part in parts], [part.time for part in parts]
    keys = [part.key for part in parts]
    parts.clear()
    user = _merged(users)
    item = _merged(items)
    value = _filled(values, lengths, np.nan, np.float64)
    time = _filled(times, lengths, NO_TIME, np.int64)
    return Interactions(user, item, events, value, time, _keys(keys, lengths))


def _constant(name: str, n: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([name], pa.string()))


def _merged(pieces: list[pa.DictionaryArray]) -> Encoded:
    n = sum(len(piece) for piece in pieces)
    column = pa.chunked_array(pieces, type=DICTIONARY).unify_dictionaries()
    pieces.clear()
    labels = column.chunk(0).dictionary.to_numpy(zero_copy_only=False)
    codes = np.empty(n, dtype=np.int32)
    start = 0
    for chunk in column.chunks:
        codes[start : start + len(chunk)] = chunk.indices.to_numpy()
        start += len(chunk)
    return Encoded(codes, labels)


def _filled(pieces: list[np.ndarray | None], lengths: list[int], absent: float, dtype: type) -> np.ndarray:
    if all(piece is None for piece in pieces):
        # One number seen n times: a column that is not there takes no room.
        return np.broadcast_to(np.array([absent], dtype=dtype), (sum(lengths),))
    whole: np.ndarray = np.empty(sum(lengths), dtype=dtype)
    start = 0
    for number, length in enumerate(lengths):
        piece = pieces[number]
        whole[start : start + length] = absent if piece is None else piece
        pieces[number] = None
        start += length
    return whole


def _keys(pieces: list[pa.Array | None], lengths: list[int]) -> np.ndarray | None:
    if all(piece is None for piece in pieces):
        return None
    whole = np.empty(sum(lengths), dtype=object)
    whole[:] = ""
    start = 0
    for piece, length in zip(pieces, lengths, strict=True):
        if piece is not None:
            whole[start : start + length] = piece.to_numpy(zero_copy_only=False)
        start += length
    return whole

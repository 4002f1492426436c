"""Part: what a reader yields, a piece of a file as Arrow columns, turned into Interactions at the border."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from data.readers.collected import Collected
from data.records import BadRow, Batch
from recsys.interactions import Interactions

BATCH = 1 << 21  # rows


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """n good rows and the bad ones among them.

    user, item: (n,) strings or DICTIONARY arrays (which may hold labels that no row has), without nulls. event: the
    same, or one name for all n rows. value: (n,) float64 or None: none has one. time: (n,) int64 microseconds or None.
    key: (n,) strings or None. ``Interactions`` explains the columns.
    """

    user: pa.Array | pa.ChunkedArray
    item: pa.Array | pa.ChunkedArray
    event: pa.Array | pa.ChunkedArray | str
    value: np.ndarray | None = None
    time: np.ndarray | None = None
    key: pa.Array | None = None
    bad: Sequence[BadRow] = ()

    def __len__(self) -> int:
        return len(self.user)


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
        user=pa.array(users, pa.string()),
        item=pa.array(items, pa.string()),
        event=event if isinstance(event, str) else pa.array(event, pa.string()),
        value=None if values is None else np.array(values, dtype=np.float64),
        time=None if times is None else np.array(times, dtype=np.int64),
        key=None if keys is None else pa.array(keys, pa.string()),
        bad=bad,
    )


def batches(parts: Iterable[Part]) -> Iterator[Batch]:
    """Parts as Batches of at least BATCH rows, but for the last. Each label becomes a ``str`` once in a batch, so
    large ones cost far less: most users of a log turn up in every piece of it."""
    collected, bad = Collected(), list[BadRow]()
    for part in parts:
        bad.extend(part.bad)
        collected.add(part)
        if collected.n + len(bad) >= BATCH:
            yield Batch(collected.interactions(), bad)
            collected, bad = Collected(), []
    if collected.n or bad:
        yield Batch(collected.interactions(), bad)


def joined(parts: Iterable[Part]) -> tuple[Interactions, list[BadRow]]:
    """All parts as one Interactions. Labels are merged by Arrow, so that each becomes a ``str`` once."""
    collected = Collected()
    bad: list[BadRow] = []
    for part in parts:
        bad.extend(part.bad)
        collected.add(part)
    interactions = collected.interactions()
    del collected
    pa.default_memory_pool().release_unused()  # Arrow would keep it for itself; what follows is numpy's
    return interactions, bad

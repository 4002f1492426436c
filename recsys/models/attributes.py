"""OneHot: a table of what is known about people as columns of numbers, the same columns in training and in serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from recsys.errors import DataError

Table = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class OneHot:
    """categories: name of an attribute -> the values it may have, in the order of their columns.

    A value that is missing, was rare in training or never seen there is unknown: NaN in all of its attribute's columns,
    which a conditional model reads as an average person's. ``dict(one_hot.categories)`` is fit for JSON, and
    ``OneHot`` of it encodes alike.
    """

    categories: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, table: Table, fewest: int = 1) -> Self:
        """The values that at least ``fewest`` people have, sorted. None and "" are missing."""
        counts = {name: Counter(value for value in column if value) for name, column in table.items()}
        return cls({name: sorted(v for v, n in count.items() if n >= fewest) for name, count in counts.items()})

    @property
    def columns(self) -> list[str]:
        """Names of the columns: "attribute=value"."""
        return [f"{name}={value}" for name, values in self.categories.items() for value in values]

    def encode(self, table: Table, n_rows: int) -> np.ndarray:
        """(n_rows, columns) float32 of 0 and 1, NaN where unknown. An attribute that the table lacks is unknown.

        DataError for a column of another length.
        """
        parts = [np.empty((n_rows, 0), dtype=np.float32)]
        for name, values in self.categories.items():
            column = table.get(name, [None] * n_rows)
            if len(column) != n_rows:
                raise DataError(f"attribute '{name}' has {len(column)} values for {n_rows} people")
            place = {value: k for k, value in enumerate(values)}
            found = np.array([place.get(value, -1) if value else -1 for value in column], dtype=np.int64)
            part = (found[:, None] == np.arange(len(values))).astype(np.float32)
            part[found < 0] = np.nan
            parts.append(part)
        return np.concatenate(parts, axis=1)

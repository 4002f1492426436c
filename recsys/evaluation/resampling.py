"""Resampling: people drawn again with replacement, and the signs of their differences flipped, a block at a time.

A person may have several rows (several seeds, several times). The rows of one person are never independent, so
they are drawn together and flipped together: everything here works on sums over each person's rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

_CELLS = 2**21  # draws held at once: 16 MB of float64


@dataclass(frozen=True, eq=False)
class People:
    """Per-user values added up by person.

    sums: (g, m) float64, NaN counted as 0. counts: (g, m) float64, how many rows of that person have a value.
    """

    sums: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, groups: np.ndarray | None = None) -> People:
        """values: (n, m) floats, NaN where a row has no value in a column. groups: (n,) labels, one a person; rows
        with the same label are one person's. None: every row is somebody else."""
        known = ~np.isnan(values)
        sums, counts = np.where(known, values, 0.0), known.astype(np.float64)
        if groups is None:
            return cls(sums, counts)
        labels, person = np.unique(groups, return_inverse=True)
        rows = np.arange(len(person))
        adds = csr_matrix((np.ones(len(person)), (person, rows)), shape=(len(labels), len(person)))
        return cls(adds @ sums, adds @ counts)

    def means(self) -> np.ndarray:
        """(m,) the mean over the rows that have a value; NaN where none has."""
        return _ratio(self.sums.sum(axis=0), self.counts.sum(axis=0))

    def users(self) -> np.ndarray:
        """(m,) int: how many people have a value."""
        return np.count_nonzero(self.counts, axis=0)

    def influence(self) -> np.ndarray:
        """(g, m) how far each person pulls the mean: (sum - count x mean) / all counts. NaN where nobody has one."""
        return _ratio(self.sums - self.counts * self.means(), self.counts.sum(axis=0))


def _ratio(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return np.divide(sums, counts, out=np.full(np.broadcast(sums, counts).shape, np.nan), where=counts > 0)


def resampled_means(people: People, seed: int, resamples: int) -> np.ndarray:
    """(resamples, m) means of people drawn with replacement, the same people for every column.

    NaN where nobody drawn has a value. Equal seeds and equal numbers of people give equal draws.
    """
    n, m = people.sums.shape
    rng = np.random.default_rng(seed)
    columns, which = _distinct(people.counts)
    both = np.hstack([people.sums, columns])
    block = max(8, _CELLS // max(n, 1))
    drawn, means = np.empty((min(block, resamples), n)), np.empty((resamples, m))
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        for row in range(size):
            drawn[row] = np.bincount(rng.integers(0, max(n, 1), n), minlength=n)
        found = drawn[:size] @ both
        means[start : start + size] = _ratio(found[:, :m], found[:, m:][:, which])
    return means


def _distinct(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(the different columns, which of them each column is): many metrics are over the same people."""
    numbers: dict[bytes, int] = {}
    which = np.array([numbers.setdefault(c.tobytes(), len(numbers)) for c in counts.T])
    _, first = np.unique(which, return_index=True)
    return counts[:, first], which


def as_extreme(people: People, seed: int, flips: int) -> np.ndarray:
    """(m,) in how many of ``flips`` draws of a sign for each person the sum is as far from 0 as the sum observed."""
    n = len(people.sums)
    rng = np.random.default_rng(seed)
    total = people.sums.sum(axis=0)
    # Sums of the same numbers in another order differ in their last bits; that must not pass for a larger difference.
    observed = np.abs(total) - 1e-12 * np.abs(people.sums).sum(axis=0)
    block, width = max(8, _CELLS // max(n, 1)), -(-n // 8)
    kept, extreme = np.empty((min(block, flips), n)), np.zeros(people.sums.shape[1])
    for start in range(0, flips, block):
        size = min(block, flips - start)
        drawn = np.frombuffer(rng.bytes(size * width), dtype=np.uint8).reshape(size, width)
        np.copyto(kept[:size], np.unpackbits(drawn, axis=1, count=n))
        # 1 keeps a sign and 0 turns it: the sum of those kept, less that of those turned.
        extreme += (np.abs(2.0 * (kept[:size] @ people.sums) - total) >= observed).sum(axis=0)
    return extreme

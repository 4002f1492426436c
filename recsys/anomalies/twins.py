"""Twins: histories that are nearly the same set of items, found without comparing everybody with everybody.

MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4): of a
random order of all items two histories have the same first item with their Jaccard similarity as probability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import rel_entr

SHORTEST = 10  # items; shorter histories are alike by chance
LEAST_ALIKE = 0.6  # Jaccard similarity; the most alike of MovieLens 1M's 6,034 people reach .57
_BANDS, _WIDTH = 24, 3  # a pair alike by .6 is missed with probability (1 - .6^3)^24 = .003
_PAIRS = 100_000  # compared at once
_LUCK = 0.01  # pairs of all that may be called twins by chance


@dataclass(frozen=True, eq=False)
class Twins:
    """Each (n,). others: how many more people are in a person's group of near-copies, 0 for nearly everybody.

    nearest: the row of the most alike of them, -1 for none; shared: items they both have.
    """

    others: np.ndarray
    nearest: np.ndarray
    shared: np.ndarray


def twins(rows: csr_matrix, rng: np.random.Generator) -> Twins:
    """Who has nearly the history of somebody else: alike by LEAST_ALIKE, and more than any two people are by chance."""
    one, other, alike, shared = _alike(rows, rng)
    near = alike >= LEAST_ALIKE
    near[near] = _by_chance(rows, one[near], other[near], shared[near]) < _LUCK
    one, other, alike, shared = one[near], other[near], alike[near], shared[near]
    n = rows.shape[0]
    pairs = csr_matrix((np.ones(len(one), dtype=bool), (one, other)), shape=(n, n))
    _, group = connected_components(pairs, directed=False)
    left, right = np.concatenate([one, other]), np.concatenate([other, one])
    best = np.lexsort((right, -np.tile(alike, 2), left))
    people, first = np.unique(left[best], return_index=True)
    nearest, common = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    nearest[people], common[people] = right[best][first], np.tile(shared, 2)[best][first]
    return Twins(np.bincount(group)[group] - 1, nearest, common)


def _alike(rows: csr_matrix, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(one, other, Jaccard similarity, items shared) of the pairs worth comparing, one < other."""
    one, other = _candidates(rows, rng)
    sets = csr_matrix((np.ones(rows.nnz, dtype=np.int32), rows.indices, rows.indptr), shape=rows.shape)
    shared = np.zeros(len(one), dtype=np.int64)
    for start in range(0, len(one), _PAIRS):
        part = slice(start, start + _PAIRS)
        shared[part] = np.asarray(sets[one[part]].multiply(sets[other[part]]).sum(axis=1)).ravel()
    lengths = np.diff(rows.indptr)
    return one, other, shared / np.maximum(lengths[one] + lengths[other] - shared, 1), shared


def _by_chance(rows: csr_matrix, one: np.ndarray, other: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """(pairs,) a bound on how many pairs of all would share so much if everybody took items by their popularity alone.

    Of l draws with mean probability q at least k come true with probability at most exp(-l KL(k/l, q)), whatever the
    single ones are (Hoeffding 1963, theorem 1).
    """
    lengths = np.diff(rows.indptr)
    popularity = np.bincount(rows.indices, minlength=rows.shape[1]) / max(rows.nnz, 1)
    mean = np.empty(len(one))
    for start in range(0, len(one), _PAIRS):
        part = slice(start, start + _PAIRS)
        held = rows[one[part]]
        row = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))
        odds = np.minimum(1.0, lengths[other[part]][row] * popularity[held.indices])
        mean[part] = np.bincount(row, weights=odds, minlength=held.shape[0]) / lengths[one[part]]
    found = shared / lengths[one]
    bound = -lengths[one] * (rel_entr(found, mean) + rel_entr(1 - found, 1 - mean))
    everybody = rows.shape[0] * (rows.shape[0] - 1) / 2
    return np.where(found > mean, np.exp(bound), 1.0) * everybody


def _candidates(rows: csr_matrix, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that agree in all hashes of some band: neighbours in the band's order, and each with its group's first."""
    long = np.flatnonzero(np.diff(rows.indptr) >= SHORTEST)
    if len(long) < 2:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    kept = rows[long]
    found = []
    for _ in range(_BANDS):
        keys = np.column_stack(
            [np.minimum.reduceat(rng.permutation(rows.shape[1])[kept.indices], kept.indptr[:-1]) for _ in range(_WIDTH)]
        )
        order = np.lexsort(keys.T)
        begins = np.concatenate([[True], (keys[order][1:] != keys[order][:-1]).any(axis=1)])
        first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
        later = np.flatnonzero(~begins)
        found += [order[later] * len(long) + order[later - 1], order[later] * len(long) + order[first[later]]]
    pairs = np.unique(np.concatenate(found))
    a, b = long[pairs // len(long)], long[pairs % len(long)]
    return np.minimum(a, b), np.maximum(a, b)

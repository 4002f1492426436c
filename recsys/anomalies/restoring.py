"""How well a model restores histories: the place it gives each item when that item and some others are hidden."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import masked
from recsys.recommender import Recommender

FOLDS = 5
_MOST_SCORES = 4 * 2**20  # people x items ranked at once: 16 MB of scores, 32 MB of places

Refit = Callable[[csr_matrix], Recommender]


def places(model: Recommender, rows: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """(nnz,) float64, above 0 and below 1: where each entry ranks among what is not shown, 0 is first.

    Each row is cut at random into FOLDS parts that differ by at most one entry. Each part is hidden once, the model is
    given the rest, and of an entry at place r (from 0) among m items not given the answer is (r + 1/2) / m.
    """
    fold = _folds(rows, rng)
    found = np.empty(rows.nnz)
    people = max(1, _MOST_SCORES // rows.shape[1])
    for start in range(0, rows.shape[0], people):
        entries = slice(rows.indptr[start], rows.indptr[min(start + people, rows.shape[0])])
        part = rows[start : start + people]
        row = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        for hidden in (fold[entries] == number for number in range(FOLDS)):
            if hidden.any():
                found[entries][hidden] = _places_of(model, part, row, hidden)
    return found


def crossed_places(refit: Refit, rows: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """``places`` where nobody is judged by a model that has seen them: trained on one random half, asked of the other.

    A flexible model learns its training histories by heart, a made-up one as well as a real one.
    """
    second = rng.permutation(rows.shape[0]) < rows.shape[0] // 2
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    found = np.empty(rows.nnz)
    for asked in (second, ~second):
        found[asked[row]] = places(refit(rows[~asked]), rows[asked], rng)
    return found


def common_places(rows: csr_matrix) -> np.ndarray:
    """(n_items,) float64 above 0 and below 1: each item's place by number of people, ties alike, 0 is most popular."""
    counts = np.bincount(rows.indices, minlength=rows.shape[1])
    ordered = np.sort(counts)
    below, to = np.searchsorted(ordered, counts, "left"), np.searchsorted(ordered, counts, "right")
    return 1 - (below + to) / (2 * len(counts))


def _folds(rows: csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """(nnz,) which part of its row each entry belongs to."""
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    shuffled = np.lexsort((rng.random(rows.nnz), row))
    fold = np.empty(rows.nnz, dtype=np.int64)
    fold[shuffled] = (np.arange(rows.nnz) - rows.indptr[row]) % FOLDS
    return fold


def _places_of(model: Recommender, rows: csr_matrix, row: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    shown = ~hidden
    given = masked(rows, shown)
    asked = np.unique(row[hidden])  # who has nothing hidden need not be ranked
    scores = np.array(model.score(given[asked]), dtype=np.float32)
    number = np.empty(rows.shape[0], dtype=np.int64)
    number[asked] = np.arange(len(asked))
    seen = np.isin(row, asked) & shown
    scores[number[row[seen]], rows.indices[seen]] = -np.inf
    order = np.argsort(-scores, axis=1)
    place = np.empty(order.shape, dtype=np.int32)
    np.put_along_axis(place, order, np.arange(rows.shape[1], dtype=np.int32)[None], axis=1)
    free = rows.shape[1] - np.diff(given.indptr)[row[hidden]]
    return (place[number[row[hidden]], rows.indices[hidden]] + 0.5) / free

"""Parts of a matrix, cut by entry and by row without looking at one user after another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import keys, masked
from recsys.evaluation.split import LeftOut
from recsys.matrix import Index
from recsys.recommender import Holdout

MOST_VALIDATION_USERS = 5000


def onto(matrix: csr_matrix, mine: Index, items: Index) -> csr_matrix:
    """The matrix, whose columns are ``mine``, on other columns that hold all of them."""
    renumbered = items.numbers(mine.ids.tolist())[matrix.indices]
    moved = csr_matrix((matrix.data, renumbered, matrix.indptr), shape=(matrix.shape[0], len(items)), copy=True)
    moved.sort_indices()
    return moved


def filled(matrix: csr_matrix, values: np.ndarray) -> csr_matrix:
    """The same entries with other values, (nnz,), zeros among them or not."""
    return csr_matrix((values, matrix.indices, matrix.indptr), shape=matrix.shape)


def rows_of(matrix: csr_matrix, rows: np.ndarray) -> csr_matrix:
    """The rows numbered, an empty one for each -1."""
    known = rows >= 0
    found = matrix[rows[known]]
    lengths = np.zeros(len(rows), dtype=np.int64)
    lengths[known] = np.diff(found.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((found.data, found.indices, indptr), shape=(len(rows), matrix.shape[1]))


def in_rows(matrix: csr_matrix, rows: np.ndarray) -> np.ndarray:
    """(nnz,) bool: is the entry in one of the rows numbered?"""
    wanted = np.zeros(matrix.shape[0], dtype=bool)
    wanted[rows] = True
    return np.repeat(wanted, np.diff(matrix.indptr))


def among(part: csr_matrix, whole: csr_matrix) -> np.ndarray:
    """(nnz of part,) bool: does ``whole``, of the same shape, hold that entry too?"""
    return np.isin(keys(part), keys(whole))


def last(matrix: csr_matrix, order: np.ndarray, many: int, rng: np.random.Generator) -> np.ndarray:
    """(nnz,) bool: is the entry among the last ``many`` of its row? None is in a row that would have nothing left.

    order: (nnz,), larger is later; of entries equally late chance decides, for the order of the columns says nothing.
    """
    lengths = np.diff(matrix.indptr)
    row = np.repeat(np.arange(matrix.shape[0]), lengths)
    last_first = np.lexsort((rng.random(matrix.nnz), -order, row))
    chosen = np.empty(matrix.nnz, dtype=bool)
    chosen[last_first] = np.arange(matrix.nnz) - matrix.indptr[row] < many
    return chosen & (lengths > many)[row]


def parted(rows: csr_matrix, hidden: np.ndarray, order: np.ndarray | None) -> Holdout:
    """The entries of a mask, (nnz,) bool, hidden and the others given. order: (nnz,), by which the hidden are later."""
    return Holdout(masked(rows, ~hidden), masked(rows, hidden), order=None if order is None else order[~hidden])


def some(able: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the rows numbered, drawn by chance, at most MOST_VALIDATION_USERS, in their order."""
    return np.sort(rng.choice(able, min(round(len(able) * share), MOST_VALIDATION_USERS), replace=False))


def left_out(*groups: tuple[int, str, str]) -> tuple[LeftOut, ...]:
    """The groups (count, what, why) that have anybody in them."""
    return tuple(LeftOut(int(count), what, why) for count, what, why in groups if count)


def unseen(hidden: csr_matrix, trained: csr_matrix) -> int:
    """How many of the hidden items no row of training has."""
    return len(np.setdiff1d(hidden.indices, trained.indices))


def ids_of(index: Index, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(index.ids[rows])

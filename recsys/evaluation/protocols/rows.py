"""Parts of a matrix, cut by entry and by row without looking at one user after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from recsys.evaluation.split import LeftOut
from recsys.matrix import Index, InteractionMatrix
from recsys.recommender import Holdout

MOST_VALIDATION_USERS = 5000


@dataclass(frozen=True, eq=False)
class Sides:
    """What people had, and the new things they took to: n users who have any.

    rows: (n,) each one's row of the history, -1 for none. given, hidden: (n, n_items) CSR on shared columns, without a
    pair in both. repeated: pairs of the later part that are in the history; satisfied: users with nothing but those.
    """

    users: tuple[str, ...]
    rows: np.ndarray
    given: csr_matrix
    hidden: csr_matrix
    hidden_times: np.ndarray | None
    repeated: int
    satisfied: int


def sides(
    history: csr_matrix, users: Index, later: csr_matrix, later_users: Index, times: np.ndarray | None = None
) -> Sides:
    """Both matrices on the same columns, each with its own rows. times: (nnz,) of the entries of ``later``."""
    rows = users.find(later_users.ids.tolist())
    given = rows_of(history, rows)
    again = among(later, given)
    hidden = masked(later, ~again)
    asked = np.diff(hidden.indptr) > 0
    return Sides(
        users=tuple(later_users.ids[asked]),
        rows=rows[asked],
        given=given[asked],
        hidden=hidden[asked],
        hidden_times=None if times is None else times[~again],
        repeated=int(again.sum()),
        satisfied=int((~asked & (np.diff(later.indptr) > 0)).sum()),
    )


def columns(first: Index, *others: Index) -> Index:
    """The items of the first, then, sorted, those that only the others know."""
    known = first.ids.tolist()
    more = set[str]().union(*(other.ids.tolist() for other in others)) - set(known)
    return Index.of([*known, *sorted(more)], noun="item")


def onto(data: InteractionMatrix, items: Index, values: np.ndarray | None = None) -> csr_matrix:
    """The matrix on other columns, which hold all of its own. values: (nnz,) to put in the place of the strengths."""
    renumbered = items.numbers(data.items.ids.tolist())[data.matrix.indices]
    filling = data.matrix.data if values is None else values
    moved = csr_matrix((filling, renumbered, data.matrix.indptr), shape=(len(data.users), len(items)), copy=True)
    moved.sort_indices()
    return moved


def rows_of(matrix: csr_matrix, rows: np.ndarray) -> csr_matrix:
    """The rows numbered, an empty one for each -1."""
    known = rows >= 0
    found = matrix[rows[known]]
    lengths = np.zeros(len(rows), dtype=np.int64)
    lengths[known] = np.diff(found.indptr)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return csr_matrix((found.data, found.indices, indptr), shape=(len(rows), matrix.shape[1]))


def masked(matrix: csr_matrix, kept: np.ndarray) -> csr_matrix:
    """The entries chosen by a mask, (nnz,) bool; all rows stay."""
    indptr = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)


def among(part: csr_matrix, whole: csr_matrix) -> np.ndarray:
    """(nnz of part,) bool: does ``whole``, of the same shape, hold that entry too?"""
    return np.isin(keys(part), keys(whole))


def keys(matrix: csr_matrix) -> np.ndarray:
    """(nnz,) int64: row * width + column of each entry, one number a pair."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return row * matrix.shape[1] + matrix.indices


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
    """The entries of a mask, (nnz,) bool, hidden and the others given. order: (nnz,), what is hidden being later."""
    return Holdout(masked(rows, ~hidden), masked(rows, hidden), order=None if order is None else order[~hidden])


def some(able: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the rows numbered, drawn by chance, at most MOST_VALIDATION_USERS, in their order."""
    return np.sort(rng.choice(able, min(round(len(able) * share), MOST_VALIDATION_USERS), replace=False))


def left_out(*groups: tuple[int, str, str]) -> tuple[LeftOut, ...]:
    """The groups (count, what, why) that have anybody in them."""
    return tuple(LeftOut(int(count), what, why) for count, what, why in groups if count)


def ids_of(index: Index, rows: Sequence[int] | np.ndarray) -> tuple[str, ...]:
    return tuple(index.ids[rows])

"""Recency: when the entries of a history last occurred, and how much less an older one counts when a person is scored.

What people do next resembles what they did last. Models learn from whole histories, every entry alike; only the history
they are asked about is faded, entry by entry, by its place from the end (docs/experiments.md has what that is worth).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import events_of, latest_of

if TYPE_CHECKING:
    from recsys.interactions import Interactions
    from recsys.matrix import InteractionMatrix
    from recsys.recommender import Recommender

_SORTED = 0.95  # of neighbouring rows of a user, from which on a file counts as sorted by item


def order_of(interactions: Interactions, data: InteractionMatrix, by_row: bool = False) -> np.ndarray | None:
    """(nnz,) int64, larger is later: when each entry of ``data.matrix`` last occurred in ``interactions``.

    By time; what has none comes first, and events of one moment are equally late. by_row: where nothing has a time the
    rows say it, unless they are sorted by item and so say nothing. None where nothing says it.
    """
    places = moments(interactions)
    if places is None:
        if not by_row or _sorted_by_item(interactions):
            return None
        places = np.arange(len(interactions), dtype=np.int64)
    return latest_of(places, events_of(interactions, data), data.matrix.nnz, nothing=-1)


def moments(interactions: Interactions) -> np.ndarray | None:
    """(n,) int64: each event's moment, numbered from the earliest; those without one come first. None if none has."""
    from recsys.interactions import NO_TIME

    if not (interactions.time != NO_TIME).any():
        return None
    return np.asarray(np.unique(interactions.time, return_inverse=True)[1], dtype=np.int64)


def of_rows(matrix: csr_matrix, order: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """The order of the entries of some rows of a matrix, named by number or by a mask; None for None."""
    if order is None:
        return None
    return np.asarray(csr_matrix((order, matrix.indices, matrix.indptr), shape=matrix.shape)[rows].data)


def faded(rows: csr_matrix, order: np.ndarray | None, recency: float) -> csr_matrix:
    """Each strength times (1 + k)^-recency, k the number of entries of its row that are later.

    order: (nnz,) of the entries, larger is later; None: nothing is known of it, and the rows are left as they are.
    """
    if order is None or not recency:
        return rows
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    latest_first = np.lexsort((-order, row))
    ordered = order[latest_first]
    place = np.arange(rows.nnz) - rows.indptr[row]
    first = np.ones(rows.nnz, dtype=bool)  # of the entries of one moment
    first[1:] = (ordered[1:] != ordered[:-1]) | (row[1:] != row[:-1])
    later = np.empty(rows.nnz)
    later[latest_first] = place[np.maximum.accumulate(np.where(first, np.arange(rows.nnz), 0))]
    data = rows.data * ((1 + later) ** -recency).astype(rows.data.dtype)
    return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)


def as_asked(model: Recommender, rows: csr_matrix, order: np.ndarray | None) -> csr_matrix:
    """Histories as this model wants them for ``score``: faded as its setting ``recency`` says, if it has one."""
    return rows if order is None else faded(rows, order, recency_of(model))


def recency_of(model: Recommender) -> float:
    """A fitted model's setting ``recency``; 0 for a model without."""
    return getattr(model.config, "recency", 0.0) or 0.0


def _sorted_by_item(interactions: Interactions) -> bool:
    """Do nearly all rows of one user follow each other in the order of the items' ids, numbers by size?"""
    labels = interactions.item.labels.tolist()
    numeric = all(label.isdecimal() for label in labels)
    sort = sorted(range(len(labels)), key=(lambda k: int(labels[k])) if numeric else labels.__getitem__)
    rank = np.empty(len(labels), dtype=np.int64)
    rank[sort] = np.arange(len(labels))
    item = rank[interactions.item.codes]
    same = interactions.user.codes[1:] == interactions.user.codes[:-1]
    return bool(same.any() and (item[1:] >= item[:-1])[same].mean() > _SORTED)

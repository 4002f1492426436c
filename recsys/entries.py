"""Entries of a sparse matrix: numbered, chosen, and found by the events they came from, without a look at each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix

if TYPE_CHECKING:
    from recsys.interactions import Interactions
    from recsys.matrix import InteractionMatrix


def keys(matrix: csr_matrix) -> np.ndarray:
    """(nnz,) int64: row * width + column of each entry, one number a pair."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return row * matrix.shape[1] + matrix.indices


def masked(matrix: csr_matrix, kept: np.ndarray) -> csr_matrix:
    """The entries chosen by a mask, (nnz,) bool; all rows stay."""
    indptr = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return csr_matrix((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)


def events_of(interactions: Interactions, data: InteractionMatrix) -> np.ndarray:
    """(n,) int64: the entry of ``data.matrix`` that each event belongs to, -1 for an event that counts as nothing."""
    row = data.users.find(interactions.user.labels.tolist())[interactions.user.codes].astype(np.int64)
    column = data.items.find(interactions.item.labels.tolist())[interactions.item.codes].astype(np.int64)
    entry = keys(data.matrix)
    asked = np.where((row >= 0) & (column >= 0), row * data.matrix.shape[1] + column, -1)
    found = np.minimum(np.searchsorted(entry, asked), len(entry) - 1)
    return np.where(entry[found] == asked, found, -1)


def latest_of(when: np.ndarray, places: np.ndarray, length: int, nothing: int) -> np.ndarray:
    """(length,) int64: the largest ``when`` at each place, ``nothing`` where none is; a place of -1 is nowhere."""
    found = np.full(length, nothing, dtype=np.int64)
    np.maximum.at(found, places[places >= 0], when[places >= 0])
    return found

"""Columns: histories carried from one catalogue to another, for items come and go between two nights."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


def renumbered(
    rows: csr_matrix, order: np.ndarray | None, columns: np.ndarray, width: int
) -> tuple[csr_matrix, np.ndarray | None]:
    """The same histories on ``width`` other columns, and the order of their entries; what has no column is left out.

    columns: (rows' width,) int, the new column of each old one, -1 for none; no two have the same. order: (nnz,) or
    None, as in `recsys.recency`.
    """
    column = columns[rows.indices]
    row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
    kept = np.flatnonzero(column >= 0)
    kept = kept[np.lexsort((column[kept], row[kept]))]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=rows.shape[0]))])
    moved = csr_matrix((rows.data[kept], column[kept], indptr), shape=(rows.shape[0], width))
    return moved, None if order is None else order[kept]

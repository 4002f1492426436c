"""Products with tables of weights: the same bits for one history whatever others are asked about beside it.

Tables are (n, width) arrays kept column by column (Fortran order): BLAS multiplies a few rows with such a table in
about half the time, and it copies none of it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

# BLAS has other routines for one row, for a few and for many, and for what is left over of a tile, and each rounds in
# another way: which ones depends on the processor. Every product of a few rows is therefore one of exactly this many,
# which all kernels of OpenBLAS treat alike; 16 are not (docs/experiments.md).
AT_ONCE = 8  # histories that are scored together when people wait for them
_TILE = 64  # columns at least: narrower ones, too, have routines of their own


def product(rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(rows, n) float32 ``rows @ table.T`` of (rows, width) and (n, width); no row changes another's bits.

    Two threads of BLAS may round in another way than one; what serves has one (`api.server`). Above AT_ONCE rows, which
    nobody waits for one by one, it is the plain product.
    """
    if len(rows) > AT_ONCE:
        return np.asarray(rows @ table.T)
    across, n = table.T, len(table)
    if n < _TILE:
        across = np.concatenate([across, np.zeros((across.shape[0], _TILE - n), dtype=np.float32)], axis=1)
    filled = rows
    if len(rows) < AT_ONCE:
        filled = np.zeros((AT_ONCE, rows.shape[1]), dtype=np.float32)
        filled[: len(rows)] = rows
    return np.asarray((filled @ across)[: len(rows), :n])


def gathered(rows: csr_matrix, table: np.ndarray) -> np.ndarray:
    """(rows, width) ``rows @ table`` of (rows, n) CSR and (n, width): copies only those of the table's rows it needs.

    scipy copies the whole of a table that is kept column by column, at every call.
    """
    columns, place = np.unique(rows.indices, return_inverse=True)
    touched = np.ascontiguousarray(table[columns])
    return csr_matrix((rows.data, place, rows.indptr), shape=(rows.shape[0], len(columns))) @ touched


def by_column(table: np.ndarray) -> np.ndarray:
    """The same (n, width) float32 table, kept column by column: itself where it is already."""
    return np.asfortranarray(table, dtype=np.float32)

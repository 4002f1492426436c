"""Products with tables of weights: the same bits for one history whatever others are asked about beside it.

Tables are (n, width) arrays kept column by column (Fortran order): BLAS multiplies a few rows with such a table in
about half the time, and it copies none of it.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

# BLAS has other routines for one row, for small products and for what is left over of a tile, and it sums a long inner
# side piece by piece: each rounds in another way. Two rows at least, whole tiles, and pieces that every routine sums in
# one go come out alike from all of them.
AT_ONCE = 16  # histories that are scored together when people wait for them
_DEEP, _TILE = 300, 64
_FEW, _WIDE = 4, 512  # so few rows take half the time where 300 x 512 numbers are multiplied, and cached, at a time


def product(rows: np.ndarray, table: np.ndarray) -> np.ndarray:
    """(rows, n) float32 ``rows @ table.T`` of (rows, width) and (n, width); no row changes another's bits.

    Above AT_ONCE rows, which nobody waits for one by one, it is the plain product, a third faster.
    """
    if len(rows) > AT_ONCE:
        return np.asarray(rows @ table.T)
    if len(rows) == 1:
        return product(np.concatenate([rows, rows]), table)[:1]
    across, n = table.T, len(table)
    if not across.flags.c_contiguous:  # of a bundle older than this layout
        return np.asarray(rows @ across)
    if n < _TILE:
        across = np.concatenate([across, np.zeros((across.shape[0], _TILE - n), dtype=np.float32)], axis=1)
    width = across.shape[1]
    tiled = width // _TILE * _TILE
    wide = _WIDE if len(rows) <= _FEW else tiled
    pieces = [slice(start, min(start + wide, tiled)) for start in range(0, tiled, wide)]
    if tiled < width:
        pieces.append(slice(width - _TILE, width))  # the last tile begins earlier rather than be cut
    found = np.empty((len(rows), width), dtype=np.float32)
    for piece in pieces:
        part = found[:, piece]
        np.matmul(rows[:, :_DEEP], across[:_DEEP, piece], out=part)
        for k in range(_DEEP, len(across), _DEEP):
            part += rows[:, k : k + _DEEP] @ across[k : k + _DEEP, piece]
    return found[:, :n]


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

"""local_weights: a sparse item-item matrix for catalogues whose dense one does not fit, a small closed form an item.

Each item is restored from its own neighbours only: Steck, "Markov Random Fields for Collaborative Filtering" (NeurIPS
2019), section 3.2, with one small system for each item.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix, diags

from recsys.entries import masked
from recsys.linear.closed_form import user_weights
from recsys.linear.filters import strongest_pairs

_MOST_PAIRS = 2**26  # of the Gram matrix, kept: half a GB, six times that while they are made
_PAIRS = 8  # kept of an item, a neighbour: fewer, and on dense data the systems are wrong
_ENTRIES = 2**22  # of the small systems, made at once at least: 32 MB

Tell = Callable[[int, int], None]  # pieces done, pieces in all


def local_weights(
    matrix: csr_matrix,
    neighbours: int,
    l2: float,
    dropout: float = 0.0,
    user_exponent: float = 0.0,
    tell: Tell = lambda done, of: None,
) -> csr_matrix:
    """(n_items, n_items) float32 CSR B with a zero diagonal, at most ``neighbours`` entries a column: scores are x B.

    b_j = (G_NN + L_NN)^-1 G_Nj, N the neighbours of item j: those of the largest cosine; G and L of ``closed_form``.
    Of G only pairs among the 8 ``neighbours`` strongest of either item are known, a pair of weaker ones counts as 0;
    from 84,000 items at 100 neighbours it is fewer, 2^26 in all, and at least 2 a neighbour: then there are fewer
    neighbours. Where that leaves an item no sensible system, its weights are plain damped co-occurrences.

    Memory: some 4 GB at most, however popular an item is. Time grows with n_items neighbours^2: half a millisecond an
    item at 100. MovieLens 1M, NDCG@100 of validation users: .428; truncated cosines .384, the dense closed form .440.
    Gowalla, Recall@20 of validation users: .2233 after 19 CPU seconds, the dense form .2244 after 306.
    """
    n_items = matrix.shape[1]
    weights = user_weights(matrix, user_exponent)
    rows = csr_matrix(diags(np.sqrt(weights)) @ matrix, dtype=np.float32)
    squares = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float64).ravel()
    known = max(2, min(_PAIRS * neighbours, _MOST_PAIRS // n_items))
    pairs, near = _pairs(rows, squares, known, min(neighbours, known // 2))
    damped = squares + l2 + dropout / (1 - dropout) * squares
    # scipy looks values up by bisection only where a tenth as many are asked for as there are, else row by row.
    pieces = _pieces(np.diff(near.indptr), max(_ENTRIES, pairs.nnz // 4))
    for done, items in enumerate(pieces, 1):
        _solve(pairs, near, items, damped, squares)
        tell(done, len(pieces))
    if not pieces:
        tell(1, 1)
    return csr_matrix(near.T, dtype=np.float32)  # row j of near: the weights that make item j


def _pairs(rows: csr_matrix, squares: np.ndarray, known: int, neighbours: int) -> tuple[csr_matrix, csr_matrix]:
    """Two parts of G, both CSR, sorted and without a diagonal: the strong pairs, and each row's neighbours."""
    root = np.sqrt(np.where(squares > 0, squares, 1)).astype(np.float32)
    pairs = strongest_pairs(csr_matrix(rows @ diags(1 / root)), known)
    pairs = csr_matrix(pairs.maximum(pairs.T))
    pairs.sort_indices()
    kept = np.ones(pairs.nnz, dtype=bool)
    for j in np.flatnonzero(np.diff(pairs.indptr) > neighbours):
        row = slice(pairs.indptr[j], pairs.indptr[j + 1])
        kept[row.start + np.argpartition(pairs.data[row], -neighbours)[:-neighbours]] = False
    # From cosines back to products. In place: a product with diagonal matrices would leave the rows unsorted.
    pairs.data *= root[pairs.indices]
    pairs.data *= np.repeat(root, np.diff(pairs.indptr))
    return pairs, masked(pairs, kept)


def _pieces(widths: np.ndarray, entries: int) -> list[np.ndarray]:
    """Items in the order of their numbers of neighbours, some ``entries`` of systems at once; none of those without."""
    order = np.argsort(widths, kind="stable")[np.count_nonzero(widths == 0) :]
    work = np.cumsum(np.square(widths[order], dtype=np.int64))
    total = int(work[-1]) if len(work) else 0
    count = max(1, total // entries)
    borders = np.searchsorted(work, np.arange(1, count) * (total // count))
    return [items for items in np.split(order, borders) if len(items)]


def _solve(pairs: csr_matrix, near: csr_matrix, items: np.ndarray, damped: np.ndarray, squares: np.ndarray) -> None:
    """Put these items' weights in the place of their row of ``near``, G_Nj. damped: G_ii + L_ii. items: by width."""
    widths = np.diff(near.indptr)[items]
    groups = np.split(items, np.flatnonzero(np.diff(widths)) + 1)
    places = [near.indptr[group][:, None] + np.arange(np.diff(near.indptr)[group[0]]) for group in groups]
    columns = [near.indices[place] for place in places]
    above, below = (
        np.concatenate([column[:, np.triu_indices(column.shape[1], 1)[side]].ravel() for column in columns])
        for side in (0, 1)
    )
    values = np.asarray(pairs[above, below], dtype=np.float64).ravel()
    for group, place, column in zip(groups, places, columns, strict=True):
        count, size = column.shape
        mine, values = np.split(values, [count * size * (size - 1) // 2])
        near.data[place] = _solved(mine.reshape(count, -1), near.data[place], damped[column], squares[group])


def _solved(above: np.ndarray, right: np.ndarray, damped: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """(items, size) weights: the solutions of systems given by (items, size (size - 1) / 2) above their diagonals.

    right, damped: (items, size), the right sides and the diagonals; squares: (items,), G_jj.
    """
    count, size = right.shape
    systems = np.empty((count, size, size))
    row, column = np.triu_indices(size, 1)
    systems[:, row, column] = systems[:, column, row] = above
    systems[:, np.arange(size), np.arange(size)] = damped
    found = np.linalg.solve(systems, right[:, :, None].astype(np.float64))[:, :, 0]
    # A Gram matrix with pairs left out need not be positive definite. Then an item "explains" less than nothing of its
    # neighbour, or more than all there is.
    explained = (found * right).sum(axis=1)
    senseless = ~((explained >= 0) & (explained <= squares))
    found[senseless] = right[senseless] / np.abs(systems[senseless]).sum(axis=2)
    return found

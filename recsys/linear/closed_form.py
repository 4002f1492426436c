"""closed_form: the item-item weights that restore histories best, without training (EASE, EDLAE).

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (WWW 2019), equation 8; dropout: Steck, "Autoencoders that
don't overfit towards the Identity" (NeurIPS 2020), section 3; weights of users: degree normalisation as in DAN (Park et
al., 2025).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix, diags

from recsys.linear.inverse import invert

_EXACT = 12_000  # rows of the system up to which it is solved in float64: 1.2 GB
_DUAL = 0.8  # users a item from which the side of the users is no longer the cheaper
_BLOCK = 2**23  # numbers made at once: 32 MB of float32

STAGES = 4  # counted, factorized, inverted, made into weights
Tell = Callable[[int], None]  # how many stages are done


@dataclass(frozen=True, eq=False)
class ItemWeights:
    """weights: (n_items, n_items) float32, C-ordered, B with a zero diagonal: scores of histories are x B.

    diagonal: (n_items,) float32, P_jj. P itself needs no room of its own: P_ij = -B_ij P_jj off its diagonal.
    """

    weights: np.ndarray
    diagonal: np.ndarray


def closed_form(
    matrix: csr_matrix, l2: float, dropout: float = 0.0, user_exponent: float = 0.0, tell: Tell = lambda stage: None
) -> ItemWeights:
    """B = I - P diag(1 / P_jj), P = (G + L)^-1, G = X' W X, L_jj = l2 + dropout / (1 - dropout) G_jj.

    matrix: (n_users, n_items) CSR X of strengths above 0. l2 > 0: in units of interactions; 0 <= dropout < 1: the share
    of every history that the weights learn to do without. user_exponent: see ``user_weights``. All but l2 at 0: EASE.

    Solved on the smaller side, in float64 up to 12,000 rows and in float32 above: with fewer users than items by
    Woodbury, P = L^-1 - L^-1 Y' (I + Y L^-1 Y')^-1 Y L^-1, Y = W^1/2 X. Time: the cube of the smaller side; memory: the
    system beside B, together at most 2 B in float32 (3 B in float64, up to 12,000 rows). Raises TrainingError when the
    system cannot be solved, or not accurately.
    """
    rows = csr_matrix(diags(np.sqrt(user_weights(matrix, user_exponent))) @ matrix, dtype=np.float64)
    squares = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float64).ravel()
    penalty = l2 + dropout / (1 - dropout) * squares
    solve = _dual if rows.shape[0] < _DUAL * rows.shape[1] else _primal
    found = solve(rows, penalty, tell)
    tell(4)
    return found


def item_weights(matrix: csr_matrix, l2: float, dropout: float = 0.0, user_exponent: float = 0.0) -> np.ndarray:
    """The weights of ``closed_form``: (n_items, n_items) float32 B."""
    return closed_form(matrix, l2, dropout, user_exponent).weights


def user_weights(matrix: csr_matrix, exponent: float) -> np.ndarray:
    """(n_users,) float64: w_u = c |u|^(-2 exponent), |u| the sum of u's strengths; 0 for an empty history.

    c makes the weighted strengths sum to what they were, so that l2 means the same for every exponent. Exponent 0: all
    count 1; 1/2: every user counts the same in all, however long the history.
    """
    lengths = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    weights = np.where(lengths > 0, lengths, np.inf) ** (-2 * exponent) if exponent else np.ones_like(lengths)
    return weights * (lengths.sum() / max(float(weights @ lengths), np.finfo(np.float64).tiny))


def leave_one_out(form: ItemWeights, visible: csr_matrix, rows: csr_matrix, weights: np.ndarray) -> np.ndarray:
    """(rows, n_items): what people of the training data would score had the weights been fitted without them.

    rows: their histories as they were trained on; visible: the part of each that is scored; both (rows, n_items) CSR.
    weights: (rows,) theirs, of ``user_weights`` of the whole training data. Exact where the penalty L stays what it was
    (Sherman and Morrison): without x, P becomes P' = P + c v v', v = P x, c = w / (1 - w x'v), and the weights follow
    from P' as they do from P. Scoring the training data itself with B instead would show it what it is asked for.
    """
    dtype = form.weights.dtype
    diagonal = form.diagonal.astype(dtype)
    shown = np.asarray(visible.toarray(), dtype=dtype)
    through = (shown - visible.astype(dtype) @ form.weights) * diagonal  # x_vis P
    known = rows.astype(dtype)
    v = -(known @ form.weights)
    v[_places(known)] += known.data
    v *= diagonal
    own = np.asarray(known.multiply(v).sum(axis=1), dtype=dtype).ravel()  # x'v, below 1 / w
    w = np.asarray(weights, dtype=dtype)
    c = (w / np.maximum(1 - w * own, np.finfo(dtype).eps))[:, None]
    through += c * (shown * v).sum(axis=1, keepdims=True) * v
    return shown - through / (diagonal + c * v * v)


def gram(rows: csr_matrix, dtype: type) -> np.ndarray:
    """(n, n) C-ordered R'R of an (m, n) CSR R, summed in float64, made by pieces of some 32 MB."""
    n = rows.shape[1]
    dense = np.empty((n, n), dtype=dtype)
    columns = rows.T.tocsr()
    for start, stop in _pieces(n):
        dense[start:stop] = (columns[start:stop] @ rows).toarray()
    return dense


def _primal(rows: csr_matrix, penalty: np.ndarray, tell: Tell) -> ItemWeights:
    n_items = rows.shape[1]
    inverse = gram(rows, np.float64 if n_items <= _EXACT else np.float32)
    inverse[np.diag_indices(n_items)] += penalty
    tell(1)
    invert(inverse, lambda z: rows.T @ (rows @ z) + penalty * z, lambda: tell(2))
    tell(3)
    diagonal = inverse.diagonal().copy()
    for start, stop in _pieces(n_items):
        inverse[start:stop] /= -diagonal
    np.fill_diagonal(inverse, 0)
    return ItemWeights(inverse.astype(np.float32, copy=False), diagonal.astype(np.float32))


def _dual(rows: csr_matrix, penalty: np.ndarray, tell: Tell) -> ItemWeights:
    """With Y = W^1/2 X L^-1/2 and Q = Y' (I + Y Y')^-1 Y: P = L^-1/2 (I - Q) L^-1/2."""
    n_users, n_items = rows.shape
    root = np.sqrt(penalty)
    scaled = csr_matrix(rows @ diags(1 / root))
    kernel = gram(scaled.T.tocsr(), np.float64 if n_users <= _EXACT else np.float32)
    kernel[np.diag_indices(n_users)] += 1
    tell(1)
    invert(kernel, lambda z: scaled @ (scaled.T @ z) + z, lambda: tell(2))
    tell(3)
    columns = scaled.T.tocsr().astype(kernel.dtype)
    weights = np.empty((n_items, n_items), dtype=np.float32)
    rest = np.empty(n_items)  # 1 - Q_jj
    for start, stop in _pieces(n_items):
        half = np.ascontiguousarray((columns[start:stop] @ kernel).T)  # (I + Y Y')^-1 Y, these columns
        q = columns @ half
        rest[start:stop] = 1 - q[np.arange(start, stop), np.arange(stop - start)]
        weights[start:stop] = q.T / root[start:stop, None]
    scale = (root / rest).astype(np.float32)
    for start, stop in _pieces(n_items):
        weights[start:stop] *= scale
    np.fill_diagonal(weights, 0)
    return ItemWeights(weights, (rest / penalty).astype(np.float32))


def _pieces(n: int) -> list[tuple[int, int]]:
    """(start, stop) of blocks of rows of an (n, n) matrix."""
    step = max(1, min(n, _BLOCK // n))
    return [(start, min(start + step, n)) for start in range(0, n, step)]


def _places(rows: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """(row, column) of every stored entry."""
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.indices

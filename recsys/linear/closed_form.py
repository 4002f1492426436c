"""item_weights: the item-item matrix that restores histories best, in closed form (EASE, EDLAE)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack
from scipy.sparse import csr_matrix, diags

from recsys.errors import TrainingError

_EXACT = 12_000  # items up to which the inverse is made in float64
_COLUMNS = 4_096  # of the dual form, made at once


def item_weights(matrix: csr_matrix, l2: float, dropout: float = 0.0, user_exponent: float = 0.0) -> np.ndarray:
    """(n_items, n_items) float32 B with a zero diagonal, for scores x B.

    B = I - P diag(1 / P_jj), P = (G + L)^-1, G = X' W X, L_ii = l2 + dropout / (1 - dropout) G_ii, W the users' weights
    |u|^(-2 user_exponent) scaled so that they sum to the interactions' number. Both settings at 0: EASE (Steck,
    "Embarrassingly Shallow Autoencoders", 2019, equation 8); dropout: EDLAE (Steck, "Autoencoders that don't overfit
    towards the Identity", 2020); user_exponent: long histories count less (Park et al., DAN, 2025).
    Solved on the side of the users where they are fewer than half the items. TrainingError where the system has no
    Cholesky factor.
    """
    rows = weighted(matrix, user_exponent)
    squares = np.asarray(rows.multiply(rows).sum(axis=0), dtype=np.float64).ravel()
    penalty = l2 + dropout / (1 - dropout) * squares
    n_users, n_items = rows.shape
    inverse = _dual(rows, penalty) if 2 * n_users < n_items else _primal(rows, penalty)
    weights = inverse
    diagonal = weights.diagonal().copy()
    for start in range(0, n_items, _COLUMNS):
        weights[:, start : start + _COLUMNS] /= -diagonal[start : start + _COLUMNS]
    np.fill_diagonal(weights, 0)
    return np.ascontiguousarray(weights, dtype=np.float32)


def weighted(matrix: csr_matrix, user_exponent: float) -> csr_matrix:
    """The rows scaled so that X'X of them is the weighted Gram matrix of ``item_weights``."""
    lengths = np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel()
    weights = np.maximum(lengths, 1e-12) ** (-2 * user_exponent)
    weights *= lengths.sum() / max(float(weights @ lengths), 1e-300)
    return csr_matrix(diags(np.sqrt(weights)) @ matrix)


def _primal(rows: csr_matrix, penalty: np.ndarray) -> np.ndarray:
    """(G + L)^-1 in place of G: the inverse from its Cholesky factor, a third of the work of any matrix's."""
    n_items = len(penalty)
    dtype = np.float64 if n_items <= _EXACT else np.float32
    gram = np.zeros((n_items, n_items), dtype=dtype, order="F")
    columns = rows.T.tocsr()
    for start in range(0, n_items, _COLUMNS):
        # Symmetric, so rows of the product are columns here.
        gram[:, start : start + _COLUMNS] = (columns[start : start + _COLUMNS] @ rows).toarray().T
    gram[np.diag_indices(n_items)] += penalty.astype(dtype)
    inverse = _inverted(gram)
    for start in range(0, n_items, _COLUMNS):  # LAPACK fills one triangle
        stop = min(start + _COLUMNS, n_items)
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
        square = inverse[start:stop, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
    return inverse


def _dual(rows: csr_matrix, penalty: np.ndarray) -> np.ndarray:
    """The same through Woodbury: L^-1 - L^-1/2 Y' (I + Y Y')^-1 Y L^-1/2, Y = X L^-1/2."""
    root = np.sqrt(penalty)
    scaled = csr_matrix(rows @ diags(1 / root))
    kernel = np.asfortranarray((scaled @ scaled.T).toarray())
    kernel[np.diag_indices(len(kernel))] += 1
    factor, info = lapack.dpotrf(kernel, overwrite_a=True)
    _check(info)
    columns = scaled.T.tocsr()
    inverse = np.empty((len(penalty), len(penalty)), dtype=np.float32)
    for start in range(0, len(penalty), _COLUMNS):
        piece = np.asfortranarray(columns[start : start + _COLUMNS].toarray().T)
        solved, info = lapack.dpotrs(factor, piece, overwrite_b=True)
        _check(info)
        block = -(columns @ solved) / root[:, None] / root[start : start + _COLUMNS]
        block[np.arange(start, start + block.shape[1]), np.arange(block.shape[1])] += (
            1 / penalty[start : start + _COLUMNS]
        )
        inverse[:, start : start + _COLUMNS] = block
    return inverse


def _inverted(gram: np.ndarray) -> np.ndarray:
    """The upper triangle of the inverse of a symmetric matrix, in its memory."""
    factor, invert = (lapack.dpotrf, lapack.dpotri) if gram.dtype == np.float64 else (lapack.spotrf, lapack.spotri)
    upper, info = factor(gram, overwrite_a=True)
    _check(info)
    inverse, info = invert(upper, overwrite_c=True)
    _check(info)
    return inverse


def _check(info: int) -> None:
    if info != 0:
        raise TrainingError(
            "the closed form's matrix is not positive definite, so it has no inverse",
            do="raise l2; 1 is small, and 0 leaves items nobody touched without an answer",
        )

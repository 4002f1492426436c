"""invert: a symmetric positive definite matrix replaced by its inverse, in its own memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from recsys.errors import TrainingError
from recsys.linear.threads import one_blas_thread

_BLOCK = 2048  # rows mirrored or checked at once
_ACCURATE = 1e-2  # how far inverse times matrix may be from the identity, on a random vector

Product = Callable[[np.ndarray], np.ndarray]


def invert(matrix: np.ndarray, product: Product, done: Callable[[], None] = lambda: None) -> None:
    """Replace a C-ordered symmetric (n, n) float32 or float64 matrix by its inverse.

    By Cholesky: LAPACK's potrf (a third of the work; ``done`` is called after it), then potri; together n^3 operations,
    a third of a general inverse's, and no second matrix. product: the matrix times a vector, in float64 and not read
    from ``matrix``: with it the inverse is checked. Raises TrainingError where there is no Cholesky factor or float32
    was too short for one.
    """
    from scipy.linalg import lapack  # 50 ms that serving does without

    factor, inverse = (lapack.dpotrf, lapack.dpotri) if matrix.dtype == np.float64 else (lapack.spotrf, lapack.spotri)
    # With two threads OpenBLAS's Cholesky factorization of 29,858 float32 rows ended the process (segmentation fault).
    with one_blas_thread():
        # LAPACK wants columns: the transposed view of a symmetric matrix is the matrix, and is not copied.
        triangle, info = factor(matrix.T, lower=1, clean=0, overwrite_a=1)
        if info == 0:
            done()
            triangle, info = inverse(triangle, lower=1, overwrite_c=1)
    if info != 0:
        raise TrainingError(
            f"the item-item matrix is not positive definite in {matrix.dtype}, so it has no inverse",
            where=f"pivot {info} of {len(matrix):,}",
            do="raise l2 or dropout: what is added to the diagonal is lost beside the strongest items",
        )
    if not np.shares_memory(triangle, matrix):
        matrix.T[:] = triangle
    for start in range(0, len(matrix), _BLOCK):
        stop = start + _BLOCK
        square = matrix[start:stop, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
    _check(matrix, product)


def _check(inverse: np.ndarray, product: Product) -> None:
    """The inverse of what ``product`` multiplies by, or TrainingError: tried on one random vector."""
    vector = np.random.default_rng(0).standard_normal(len(inverse))
    image = product(vector).astype(inverse.dtype)
    error = float(np.linalg.norm(inverse @ image - vector) / np.linalg.norm(vector))
    if not error < _ACCURATE:
        raise TrainingError(
            f"the inverse of the item-item matrix is wrong by {error:.1%}: {inverse.dtype} is too short for it",
            do="raise l2 or dropout: what is added to the diagonal is lost beside the strongest items",
        )

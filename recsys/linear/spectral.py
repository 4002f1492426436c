"""truncated_svd: the leading singular values and right singular vectors of a sparse matrix, by subspace iteration.

Halko, Martinsson and Tropp, "Finding Structure with Randomness" (2011), with two changes that pay for many vectors of
a slowly decaying spectrum: the power steps are Chebyshev polynomials that damp what is below the wanted part (Zhou and
Saad, "A Chebyshev-Davidson Algorithm", 2007), and blocks are made orthogonal through their Gram matrix, not by QR.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError

_DENSE = 1024  # sides up to this are decomposed exactly: a second of work
_DENSE_WHOLE = 4096  # as much, where more than half of all directions are wanted
_SPARE = 32  # directions carried along beyond the wanted ones: the last of a block converge last
_DEGREE = 6  # of the polynomials, all together
_STEEPEST = 2e4  # amplification in one go: more, and float32 forgets the weak directions beside the strong
_NOISE = 1e-3  # singular values below this share of the largest are rounding in float32
_ROUNDING = 1e-6  # and in float64, through the squares

Tell = Callable[[int, int], None]  # rounds done, rounds in all


def truncated_svd(
    matrix: csr_matrix, rank: int, seed: int, tell: Tell = lambda done, of: None
) -> tuple[np.ndarray, np.ndarray]:
    """(s, V): the ``rank`` largest singular values, falling, (r,) float32, and their vectors, (n_items, r) float32.

    r is ``rank`` or as much as the matrix carries, if that is less: at most its smaller side, and no direction whose
    singular value is rounding. V is C-ordered, its columns orthonormal, the largest entry of each positive. The same
    seed gives the same numbers on the same machine. tell: called as the work goes on. Raises TrainingError for a matrix
    that is zero throughout.

    Of a flat spectrum the last directions are a mixture: 29,858 x 40,981 Gowalla, degrees normalised, rank 1,024: the
    captured squares are 99.6% of the best possible, the last singular value is 1.4% low; 21 s of one thread.
    """
    if not matrix.count_nonzero():
        raise TrainingError("a matrix of zeros has no directions", do="import interactions first")
    side = min(matrix.shape)
    block = min(rank + _SPARE, side)
    if side <= _DENSE or (side <= _DENSE_WHOLE and 2 * block > side):
        values, vectors = _exact(csr_matrix(matrix, dtype=np.float64))
        noise = _ROUNDING
        tell(1, 1)
    else:
        values, vectors = _iterated(csr_matrix(matrix, dtype=np.float32), block, np.random.default_rng(seed), tell)
        noise = _NOISE
    s = np.sqrt(np.maximum(values[:rank], 0))
    kept = int((s > noise * s[0]).sum())
    vectors = np.ascontiguousarray(vectors[:, :kept], dtype=np.float32)
    vectors *= np.where(vectors[np.abs(vectors).argmax(axis=0), np.arange(kept)] < 0, -1, 1).astype(np.float32)
    return s[:kept].astype(np.float32), vectors


def _exact(rows: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """All squared singular values, falling, and right vectors, from the eigenvectors of the smaller Gram matrix."""
    if rows.shape[1] <= rows.shape[0]:
        values, vectors = np.linalg.eigh((rows.T @ rows).toarray())
        return values[::-1], vectors[:, ::-1]
    values, left = np.linalg.eigh((rows @ rows.T).toarray())
    values = values[::-1]
    right = rows.T @ np.ascontiguousarray(left[:, ::-1])
    return values, right / np.sqrt(np.maximum(values, _ROUNDING**2 * values[0]))


def _iterated(rows: csr_matrix, block: int, rng: np.random.Generator, tell: Tell) -> tuple[np.ndarray, np.ndarray]:
    """``block`` squared singular values, falling, and right vectors. The iteration runs on the smaller side."""
    wide = rows.shape[0] <= rows.shape[1]
    near, far = (rows, rows.T.tocsr()) if wide else (rows.T.tocsr(), rows)  # near: (side, other); far: its transpose
    found = near @ (far @ rng.standard_normal((near.shape[0], block), dtype=np.float32))
    values, found, image = _ritz(found, far)
    degree = _degree(values)
    rounds = -(-_DEGREE // degree) if degree else 0
    tell(1, rounds + 1)
    for k in range(rounds):
        if values[-1] > _NOISE**2 * values[0]:
            found = _filtered(found, image, near, far, degree, float(values[-1]))
            values, found, image = _ritz(found, far)
        tell(k + 2, rounds + 1)
    return values, image / np.sqrt(np.maximum(values, _NOISE**2 * values[0])).astype(np.float32) if wide else found


def _degree(values: np.ndarray) -> int:
    """The degree of the polynomials: as steep as float32 bears; 0 where the block holds all there is."""
    if values[-1] <= _NOISE**2 * values[0]:
        return 0
    return max(1, min(3, int(np.arccosh(_STEEPEST) / np.arccosh(2 * values[0] / values[-1]))))


def _filtered(
    found: np.ndarray, image: np.ndarray, near: csr_matrix, far: csr_matrix, degree: int, below: float
) -> np.ndarray:
    """T_degree((2 C - below) / below) applied to the block, C = near far: below ``below`` at most 1, steep above.

    image: far @ found, known already. Columns of length 1.
    """
    before, now = found, (near @ image) * np.float32(2 / below) - found
    for _ in range(degree - 1):
        after = near @ (far @ now)
        after *= np.float32(4 / below)
        after -= 2 * now
        after -= before
        before, now = now, after
    return now / np.linalg.norm(now, axis=0)


def _ritz(found: np.ndarray, far: csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rayleigh-Ritz: (values, vectors, far @ vectors), falling, the vectors an orthonormal basis of the span."""
    image = far @ found
    try:
        triangle = np.linalg.cholesky((found.T @ found).astype(np.float64))
        sound = triangle.diagonal().min() > 10 * _NOISE * triangle.diagonal().max()
    except np.linalg.LinAlgError:
        sound = False
    if not sound:  # nearly dependent columns: slower, and safe
        found = np.linalg.qr(found)[0]
        image = far @ found
        triangle = np.eye(found.shape[1])
    inverse = np.linalg.inv(triangle)
    values, turn = np.linalg.eigh(inverse @ (image.T @ image).astype(np.float64) @ inverse.T)
    turn = (inverse.T @ turn[:, ::-1]).astype(np.float32)
    return values[::-1], found @ turn, image @ turn

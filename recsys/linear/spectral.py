"""truncated_svd: the leading singular values and right singular vectors of a sparse matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lu
from scipy.sparse import csr_matrix

_MORE = 32  # directions followed beyond those asked for: the last of them converge through these
_ROUNDS = 3


def truncated_svd(matrix: csr_matrix, rank: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(k,) singular values, largest first, and (n_items, k) right singular vectors, k = min(rank, smaller side).

    A randomized range finder with subspace iteration (Halko, Martinsson and Tropp 2011, algorithms 4.4 and 5.1), in
    float32; one seed gives one result. The sign of a vector is fixed: its largest entry is positive.
    """
    n_users, n_items = matrix.shape
    rank = min(rank, n_users, n_items)
    width = min(rank + _MORE, n_users, n_items)
    rows = csr_matrix(matrix, dtype=np.float32)
    columns = rows.T.tocsr()
    basis = np.random.default_rng(seed).standard_normal((n_items, width), dtype=np.float32)
    for _ in range(_ROUNDS):
        # Between rounds any well-conditioned basis of the same space will do, and LU's is far cheaper than QR's.
        basis = lu(columns @ lu(rows @ basis, permute_l=True, overwrite_a=True)[0], permute_l=True, overwrite_a=True)[0]
    basis = np.linalg.qr(columns @ (rows @ basis))[0]
    seen = rows @ basis
    values, turn = np.linalg.eigh((seen.T @ seen).astype(np.float64))
    order = np.argsort(-values)[:rank]
    vectors = basis @ turn[:, order].astype(np.float32)
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(rank)]
    vectors *= np.where(largest < 0, -1, 1).astype(np.float32)
    return np.sqrt(np.maximum(values[order], 0)).astype(np.float32), vectors

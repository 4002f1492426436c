"""People: how alike two histories are to a model."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.recommender import Recommender


def cosines(model: Recommender, rows: csr_matrix) -> np.ndarray:
    """(rows - 1,) float32: the cosine of the first history's code with each other's.

    rows: (rows, n_items) as the model wants them for ``score``. A code is what the model makes of a history (the
    autoencoder's bottleneck, the factors of ALS, the SVD's coordinates); a model without one compares the rows.
    """
    coder = getattr(model, "encode", None) or getattr(model, "fold_in", None)
    if coder is None:
        length = np.sqrt(rows.multiply(rows).sum(axis=1)).A1
        products = (rows[1:] @ rows[[0]].T).toarray().ravel()
    else:
        codes = coder(rows)
        length = np.linalg.norm(codes, axis=1)
        products = codes[1:] @ codes[0]
    both = length[1:] * length[0]
    return np.asarray(np.divide(products, both, out=np.zeros_like(products), where=both > 0), dtype=np.float32)

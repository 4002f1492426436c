"""SVD: the catalogue's strong directions, the best linear autoencoder of a given width and the yardstick of deep ones.

PureSVD (Cremonesi, Koren and Turrin, "Performance of Recommender Algorithms on Top-N Recommendation Tasks", 2010);
popular items scaled down first as in EigenRec (Nikolakopoulos et al., 2019).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix, diags

from recsys.linear.products import by_column, gathered, product
from recsys.linear.spectral import truncated_svd
from recsys.models.checks import check_matrix, check_rows, in_range
from recsys.models.space import Range
from recsys.recommender import FitOptions, Progress, State


@dataclass(frozen=True)
class SVDConfig:
    """factors: width of the code, at most what the matrix can carry. item_exponent: an item's column is divided by its
    popularity to this power before the decomposition; 0 is PureSVD. recency: of the histories asked about
    (`recsys.recency`).

    The defaults were chosen on validation users of MovieLens 100K, 1M and latest-small.
    """

    factors: int = 64
    item_exponent: float = 0.2
    recency: float = 0.0

    def __post_init__(self) -> None:
        in_range("factors", self.factors, 1, 8192, whole=True)
        in_range("item_exponent", self.item_exponent, 0, 1)
        in_range("recency", self.recency, 0, 10)


class SVD:
    """score[u] = x_u V V^T: V the leading right singular vectors of X D^-e, D the items' sums of strengths."""

    name = "svd"
    Config = SVDConfig
    space = {"factors": Range(8, 512, log=True), "item_exponent": Range(0.0, 0.6), "recency": Range(0.0, 1.5)}

    def __init__(self, config: SVDConfig | None = None) -> None:
        self.config = config or SVDConfig()
        self._vectors: np.ndarray | None = None  # (n_items, factors) float32, column by column
        self._values: np.ndarray | None = None  # (factors,) float32, falling

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        check_matrix(matrix)
        started = time.perf_counter()

        def tell(done: int, of: int) -> None:
            if options.on_progress is not None:
                spent = time.perf_counter() - started
                left = spent / done * (of - done)
                options.on_progress(Progress(done, of, None, "", None, None, spent, left))

        popularity = np.asarray(matrix.sum(axis=0), dtype=np.float64).ravel()
        scale = np.where(popularity > 0, popularity, 1) ** -self.config.item_exponent
        self._values, vectors = truncated_svd(matrix @ diags(scale), self.config.factors, options.seed, tell)
        self._vectors = by_column(vectors)
        return self

    def score(self, rows: csr_matrix) -> np.ndarray:
        check_rows(rows, None if self._vectors is None else len(self._vectors))
        return product(self.encode(rows), self._vectors)  # type: ignore[arg-type]  # checked above

    def encode(self, rows: csr_matrix) -> np.ndarray:
        """(rows, factors) float32: the code of each history, x V."""
        return gathered(rows.astype(np.float32, copy=False), self._vectors)  # type: ignore[arg-type]

    def coder(self) -> Self:
        """What of the model makes codes and item vectors: all of it."""
        return self

    def item_vectors(self) -> np.ndarray | None:
        """V times its singular values: the cosine of two rows is that of the items' columns, seen through the code."""
        return None if self._vectors is None else self._vectors * self._values

    def state(self) -> State:
        if self._vectors is None or self._values is None:
            return {}
        return {"vectors": self._vectors, "values": self._values}

    def restore(self, state: State) -> Self:
        self._vectors, self._values = state["vectors"], state["values"]
        return self

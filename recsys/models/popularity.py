"""Popularity: the same list for everyone, most preferred first; the yardstick every other model must beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.models.checks import check_matrix, check_rows
from recsys.recommender import FitOptions, State


@dataclass(frozen=True)
class PopularityConfig:
    """Popularity has nothing to set."""


class Popularity:
    """score[u, i] = sum over all users of their strength for item i; histories change nothing."""

    name = "popularity"
    Config = PopularityConfig

    def __init__(self, config: PopularityConfig | None = None) -> None:
        self.config = config or PopularityConfig()
        self._popularity: np.ndarray | None = None  # (n_items,) float32

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        check_matrix(matrix)
        self._popularity = np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel().astype(np.float32)
        return self

    def score(self, rows: csr_matrix) -> np.ndarray:
        check_rows(rows, None if self._popularity is None else len(self._popularity))
        return np.tile(self._popularity, (rows.shape[0], 1))  # type: ignore[arg-type]  # checked above

    def item_vectors(self) -> np.ndarray | None:
        return None

    def state(self) -> State:
        return {} if self._popularity is None else {"popularity": self._popularity}

    def restore(self, state: State) -> Self:
        self._popularity = state["popularity"]
        return self

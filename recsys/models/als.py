"""ALS: implicit-feedback matrix factorization by alternating least squares, the hardest yardstick here.

Hu, Koren and Volinsky, "Collaborative Filtering for Implicit Feedback Datasets" (2008). Training is the `implicit`
library's; scoring is the closed-form solution of their equation 4 for any history, so new people need no retraining.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.linear.products import by_column, product
from recsys.linear.threads import one_blas_thread
from recsys.models.als_left_out import Solution
from recsys.models.checks import check_matrix, check_rows, in_range
from recsys.models.space import Range
from recsys.recommender import FitOptions, Progress, State

_ITEMS_AT_ONCE = 4096  # of the item table, in float64
_BLOCK = 64  # people solved together: at 256 factors their systems take 32 MB
# The library's own threads and OpenBLAS's slow each other tenfold, and for a small system apiece waiting for each other
# costs more than helping (600 people on a busy machine: 17 s, then 1 s). Limiting them takes a millisecond.
_MANY = 16  # people from which that pays
_POWERS = 100  # at most, of the matrix, for its largest singular value


@dataclass(frozen=True)
class ALSConfig:
    """factors: width of the latent space, at most what the matrix can carry. alpha: confidence of a strength of 1
    (unknown pairs have 1). regularization: pull of the factors to zero, lowered on small data (see ``_pull``).
    recency: of the histories asked about (`recsys.recency`).

    The defaults were chosen on validation users of MovieLens 1M; ALS is sensitive, tune it on other data.
    """

    factors: int = 256
    alpha: float = 5.0
    regularization: float = 50.0
    iterations: int = 15
    recency: float = 0.0

    def __post_init__(self) -> None:
        in_range("factors", self.factors, 1, 8192, whole=True)
        in_range("alpha", self.alpha, 1e-6)
        in_range("regularization", self.regularization, 0)
        in_range("iterations", self.iterations, 1, whole=True)
        in_range("recency", self.recency, 0, 10)


class ALS:
    """score[u] = x_u Y^T, x_u = (Y^T C_u Y + l I)^-1 Y^T C_u p_u; C_ui = alpha * strength on the history, else 1."""

    name = "als"
    Config = ALSConfig
    space = {
        "factors": Range(64, 512, log=True),
        "alpha": Range(0.2, 50.0, log=True),
        "regularization": Range(2.0, 500.0, log=True),
        "recency": Range(0.0, 1.5),
    }

    def __init__(self, config: ALSConfig | None = None) -> None:
        self.config = config or ALSConfig()
        self._items: np.ndarray | None = None  # (n_items, factors) float32, column by column
        self._pull: float = self.config.regularization
        self._gram: np.ndarray | None = None  # Y^T Y + l I, (factors, factors) float64

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        check_matrix(matrix)
        pull = _pull(matrix, self.config)
        from implicit.cpu.als import AlternatingLeastSquares  # before the limit: it brings a BLAS of its own

        with one_blas_thread():
            model = AlternatingLeastSquares(
                factors=min(self.config.factors, *matrix.shape),
                alpha=self.config.alpha,
                regularization=pull,
                iterations=self.config.iterations,
                calculate_training_loss=options.on_progress is not None,
                random_state=options.seed,
            )
            model.fit(matrix, show_progress=False, callback=_Teller(options, self.config.iterations))
        if not np.isfinite(model.item_factors).all():
            raise TrainingError("ALS diverged: its factors are not finite", do="raise regularization or lower alpha")
        return self._set(by_column(model.item_factors), pull)

    def score(self, rows: csr_matrix) -> np.ndarray:
        check_rows(rows, None if self._items is None else len(self._items))
        if rows.shape[0] < _MANY:
            return product(self.fold_in(rows), self._items)  # type: ignore[arg-type]  # checked above
        with one_blas_thread():
            return product(self.fold_in(rows), self._items)  # type: ignore[arg-type]  # checked above

    def fold_in(self, rows: csr_matrix) -> np.ndarray:
        """(rows, factors) float32: the factors of people with these histories. An empty history gives zeros."""
        items, gram = self._items, self._gram
        if items is None or gram is None:
            raise TrainingError("this model has learnt nothing yet", do="call fit or restore first")
        n, width = rows.shape[0], items.shape[1]
        people = np.zeros((n, width), dtype=np.float32)
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            systems = np.empty((stop - start, width, width))
            right = np.zeros((stop - start, width))
            for row in range(start, stop):
                history = slice(rows.indptr[row], rows.indptr[row + 1])
                liked = items[rows.indices[history]].astype(np.float64)
                confidence = self.config.alpha * rows.data[history].astype(np.float64)
                systems[row - start] = gram + liked.T @ (liked * (confidence - 1)[:, None])
                right[row - start] = confidence @ liked
            people[start:stop] = np.linalg.solve(systems, right[:, :, None])[:, :, 0]
        return people

    def left_out(self, row: csr_matrix) -> Callable[[np.ndarray], np.ndarray]:
        """Of one history: (n, nnz) bool, which entries to leave out, -> (n, n_items) float32 scores without them.

        Exact, as ``score`` of those n histories, at the cost of folding in one (`recsys.models.als_left_out`).
        """
        items, gram = self._items, self._gram
        if items is None or gram is None:
            raise TrainingError("this model has learnt nothing yet", do="call fit or restore first")
        check_rows(row, len(items))
        confidence = self.config.alpha * row.data.astype(np.float64)
        solution = Solution.of(gram, items[row.indices].astype(np.float64), confidence)
        return lambda removed: product(solution.without(removed).astype(np.float32), items)

    def item_vectors(self) -> np.ndarray | None:
        return self._items

    def state(self) -> State:
        if self._items is None:
            return {}
        return {"items": self._items, "regularization": np.array([self._pull], dtype=np.float64)}

    def restore(self, state: State) -> Self:
        return self._set(state["items"], float(state["regularization"][0]))

    def _set(self, items: np.ndarray, pull: float) -> Self:
        self._items, self._pull = items, pull
        self._gram = pull * np.eye(items.shape[1])
        for start in range(0, len(items), _ITEMS_AT_ONCE):
            wide = items[start : start + _ITEMS_AT_ONCE].astype(np.float64)
            self._gram += wide.T @ wide
        return self


def _pull(matrix: csr_matrix, config: ALSConfig) -> float:
    """The regularization that is used: what the config asks, at most a tenth of what would erase every factor.

    ALS keeps a direction of the matrix only while alpha * (its singular value) is above the regularization, so a value
    tuned on a large matrix leaves nothing of a small one. On MovieLens 1M the cap is 168 and changes nothing.
    """
    return min(config.regularization, 0.1 * config.alpha * _largest(matrix))


def _largest(matrix: csr_matrix) -> float:
    """The largest singular value, a little low where the next is nearly as large; by power iteration.

    Not by ARPACK: on a matrix of few distinct singular values it begins again from a vector of its own drawing, and two
    fits with one seed differ in the last digits.
    """
    smaller = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    direction = np.ones(smaller.shape[0])  # strengths are above 0, so the leading vector is never at right angles to it
    square = 0.0
    for _ in range(_POWERS):
        direction /= np.sqrt(np.square(direction).sum())
        direction = smaller @ (smaller.T @ direction)
        before, square = square, float(np.sqrt(np.square(direction).sum()))
        if square <= before * (1 + 1e-6):
            break
    return square**0.5


class _Teller:
    """Turns the library's callback (iteration, seconds of it, loss) into Progress."""

    def __init__(self, options: FitOptions, steps: int) -> None:
        self.tell, self.steps, self.started = options.on_progress, steps, time.perf_counter()

    def __call__(self, iteration: int, _seconds: float, loss: float | None) -> None:
        if self.tell is None:
            return
        step, spent = iteration + 1, time.perf_counter() - self.started
        left = spent / step * (self.steps - step)
        self.tell(Progress(step, self.steps, float(loss or 0.0), "", None, None, spent, left))

"""The checks every model makes: settings in range, something to learn from, rows as wide as the catalogue."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError, TrainingError


def in_range(name: str, value: object, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """SettingError, by name, unless ``value`` is a number with low <= value <= high."""
    number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if number and low <= value <= high:  # type: ignore[operator]  # number says so
        return
    kind = "a whole number" if whole else "a number"
    bounds = f"of at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
    raise SettingError(f"{name} must be {kind} {bounds}, not {value!r}")


def check_matrix(matrix: csr_matrix) -> None:
    """TrainingError unless the matrix holds at least one interaction, all of them finite and above 0."""
    if matrix.nnz == 0:
        raise TrainingError(
            f"there is nothing to learn from: a matrix of {matrix.shape[0]} users and {matrix.shape[1]} items is empty",
            do="import interactions first, or lower the minimum counts",
        )
    if not (np.isfinite(matrix.data).all() and matrix.data.min() > 0):
        raise TrainingError("the matrix holds strengths that are not finite numbers above 0", do="check the data")


def check_rows(rows: csr_matrix, n_items: int | None) -> None:
    """TrainingError before ``fit``; SettingError for rows of another catalogue."""
    if n_items is None:
        raise TrainingError("this model has learnt nothing yet", do="call fit or restore before score")
    if rows.shape[1] != n_items:
        raise SettingError(f"rows of {rows.shape[1]} items were given to a model of {n_items} items")

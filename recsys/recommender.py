"""Recommender: what every model is, a function from rows of history to scores; and top_n, which ranks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.entries import masked

State = dict[str, np.ndarray]

_RANKED_AT_ONCE = 2**19  # scores: what top_n holds at a time stays in the cache


@dataclass(frozen=True, eq=False)
class Holdout:
    """Rows kept from training: what a model is given, and what it should find. Both (rows, n_items) CSR.

    attributes: (rows, n_attributes) of the people behind the rows, NaN where unknown; None: nothing is known of them.
    order: (nnz of given,) when each entry last occurred, larger is later, if what is hidden is later still; else None.
    """

    given: csr_matrix
    hidden: csr_matrix
    attributes: np.ndarray | None = None
    order: np.ndarray | None = None

    @classmethod
    def of(cls, rows: csr_matrix, given: float, rng: np.random.Generator, order: np.ndarray | None = None) -> Holdout:
        """Each row split: about the share ``given`` of it is given, the latest hidden; without ``order`` a random rest.

        Of n >= 2 interactions at least one is given and at least one hidden; a shorter row is given whole.
        """
        if order is not None:
            return cls.latest(rows, order, given)
        return replace(cls.latest(rows, -rng.random(rows.nnz), given), order=None)

    @classmethod
    def latest(cls, rows: csr_matrix, order: np.ndarray, given: float) -> Holdout:
        """Each row split by an order: what comes last in it is hidden. order: (nnz,) of the entries, any numbers.

        How many of each row: as in ``of``.
        """
        lengths = np.diff(rows.indptr)
        n_hidden = np.where(lengths > 1, np.clip(np.rint(lengths * (1 - given)), 1, np.maximum(lengths - 1, 1)), 0)
        row = np.repeat(np.arange(rows.shape[0]), lengths)
        last_first = np.lexsort((-order, row))
        hidden = np.empty(rows.nnz, dtype=bool)
        hidden[last_first] = np.arange(rows.nnz) - rows.indptr[row] < n_hidden[row]
        return cls(masked(rows, ~hidden), masked(rows, hidden), order=order[~hidden])


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a long fit, for whoever watches it. ``step`` counts from 1. loss: None for a step that has none.

    seconds: spent so far, also before an interruption. seconds_left: at most, at the present pace; None if unknown.
    """

    step: int
    steps: int
    loss: float | None
    metric: str
    value: float | None
    best: float | None
    seconds: float
    seconds_left: float | None


@dataclass(frozen=True)
class Checkpoint:
    """Where a long fit keeps its state, to go on from there after an interruption as if there had been none.

    path: of one file, written when a step is done and the last writing is ``seconds`` ago; 0: after every step. What
    stands there at the start is gone on from. keep: leave the file when the fit is done, and a second fit is instant.
    A fit of several trainings gives each a ``stage`` of this, and calls ``clear`` at its end.
    """

    path: Path
    seconds: float = 60.0
    keep: bool = False

    def stage(self, name: str) -> Checkpoint:
        """A file of its own, kept when that stage is done, for one of the trainings that a fit consists of."""
        return replace(self, path=self.path.with_name(f"{self.path.name}.{name}"), keep=True)

    def clear(self) -> None:
        """The fit is done: remove the files of its stages, unless they are to be kept."""
        if not self.keep:
            for file in self.path.parent.glob(f"{escape(self.path.name)}.*"):
                file.unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class FitOptions:
    """How this run trains a model; nothing here changes what the model is, so nothing here is saved with it.

    device: "auto", "cpu" or "cuda". seed: of every random choice. validation: held-out rows for early stopping; without
    them a model that needs some holds out part of the matrix it is given. on_progress: called after every step.
    checkpoint: for a model whose fit takes long enough to be interrupted. metric: what validation goes by, one of
    `recsys.evaluation.metrics`. attributes: (n_users, n_attributes) of the matrix's users, NaN where unknown, for a
    model that is conditional on them; the others leave them be. order: (nnz,) when each entry of the matrix last
    occurred, larger is later; None where nobody knows.
    """

    device: str = "auto"
    seed: int = 0
    validation: Holdout | None = None
    on_progress: Callable[[Progress], None] | None = None
    checkpoint: Checkpoint | None = None
    metric: str = "ndcg@100"
    attributes: np.ndarray | None = None
    order: np.ndarray | None = None


class Recommender(Protocol):
    """A model. ``config`` is a frozen dataclass that says what it is and is saved with it.

    fit learns from an (n_users, n_items) CSR of strengths. score gives (rows, n_items) float32 for any (rows, n_items)
    CSR of histories, seen in training or not: folding a new person in is scoring. Where the order of a history is known
    `recsys.recency.as_asked` makes it what the model wants to be asked. state and restore carry everything
    that was learnt, as arrays only. item_vectors gives (n_items, width) float32 whose cosine says how alike two items
    are, or None when the model knows none.
    """

    config: Any

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self: ...
    def score(self, rows: csr_matrix) -> np.ndarray: ...
    def item_vectors(self) -> np.ndarray | None: ...
    def state(self) -> State: ...
    def restore(self, state: State) -> Self: ...


def top_n(scores: np.ndarray, seen: csr_matrix | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The n best columns of each row, best first, ties by column; what was seen is left out.

    scores: (rows, n_items) float, not changed. seen: (rows, n_items) CSR or None. Returns (items, scores), both
    (rows, min(n, n_items)): int32 columns with -1, and scores with -inf, where a row has fewer candidates. A score of
    -inf or NaN is no candidate.
    """
    rows, width = scores.shape
    n = min(n, width)
    items = np.empty((rows, n), dtype=np.int32)
    best = np.empty((rows, n), dtype=scores.dtype)
    step = max(1, _RANKED_AT_ONCE // max(width, 1))
    room = np.empty((min(step, rows), width), dtype=scores.dtype)
    for start in range(0, rows if n else 0, step):
        some = slice(start, min(start + step, rows))
        if seen is None:
            part = np.ascontiguousarray(scores[some])
        else:
            part = room[: some.stop - start]
            part[:] = scores[some]
            ends = seen.indptr[start : some.stop + 1]
            part[np.repeat(np.arange(len(part)), np.diff(ends)), seen.indices[ends[0] : ends[-1]]] = -np.inf
        items[some], best[some] = _ranked(part, n)
    return items, best


def _ranked(scores: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """top_n of a few rows, nothing seen: those not below a bound that n candidates reach, sorted."""
    bound = _bound(scores, n)
    enough = scores >= bound[:, None]
    if len(scores) == 1 and (few := np.flatnonzero(enough)).size <= 4 * n:  # what each request asks: fewer steps
        return _row_of(few, scores[0, few], n)
    if np.count_nonzero(enough) > 4 * n * len(scores):  # many ties at the bound: of these, the n lowest columns matter
        many = enough.sum(axis=1) > 4 * n
        tied = scores[many] == bound[many, None]
        enough[many] &= ~tied | (np.cumsum(tied, axis=1, dtype=np.int32) <= n)
    place = np.flatnonzero(enough)
    row, column = np.divmod(place, scores.shape[1])
    value = scores.ravel()[place]
    found = np.bincount(row, minlength=len(scores))
    rank = np.arange(len(row)) - np.repeat(np.cumsum(found) - found, found)
    columns = np.full((len(scores), max(n, int(found.max()))), -1, dtype=np.int32)
    values = np.full(columns.shape, -np.inf, dtype=scores.dtype)
    columns[row, rank], values[row, rank] = column, value
    order = _falling(values)[:, :n]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)


def _row_of(columns: np.ndarray, values: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """One row of top_n out of its candidates, in the order of their columns."""
    best = np.argsort(-values, kind="stable")[:n]
    items = np.full((1, n), -1, dtype=np.int32)
    scores = np.full((1, n), -np.inf, dtype=values.dtype)
    items[0, : len(best)], scores[0, : len(best)] = columns[best], values[best]
    return items, scores


def _falling(values: np.ndarray) -> np.ndarray:
    """The stable order of each row by falling value: where ties are few, a quick sort and then every run of them."""
    order = np.argsort(-values, axis=1)
    ordered = np.take_along_axis(values, order, axis=1)
    equal = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] > -np.inf)
    if equal.sum() > equal.size // 4:
        return np.argsort(-values, axis=1, kind="stable")
    if equal.any():
        as_before = np.pad(equal, ((0, 0), (1, 0)))
        tied = as_before | np.pad(equal, ((0, 0), (0, 1)))
        run = np.cumsum(~as_before[tied])
        order[tied] = order[tied][np.lexsort((order[tied], run))]
    return order


def _bound(scores: np.ndarray, n: int) -> np.ndarray:
    """(rows,) a score that at least n candidates of the row reach, all of them where they are fewer; close to the n-th.

    The n-th best of the maxima of 4 n or more groups of columns: each of the n best groups holds one that reaches it.
    """
    rows, width = scores.shape
    deep = width // max(4 * n, 512)
    if deep < 2:
        best = np.fmax(scores, -np.inf)
    else:
        groups = scores[:, : width // deep * deep].reshape(rows, deep, width // deep)
        best = np.fmax.reduce(groups, axis=1, initial=-np.inf)
    best.partition(best.shape[1] - n, axis=1)
    return np.maximum(best[:, -n], np.finfo(scores.dtype).min)

"""choose_path: which linear parts, with which settings and weights, rank held-out rows best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.linear.filters import LowPass, normalised
from recsys.linear.judge import Judge, clearly_better
from recsys.linear.path import Part, fit_part, spread
from recsys.recommender import State

MOST_DENSE = 12_000  # items up to which a dense item-to-item matrix (576 MB) is kept in a model that is served
_MOST_RANK = 1024
_MOST_VECTORS = 2**26  # items x rank: 256 MB
_NEIGHBOURS = 800
_WEIGHTS = (0.2, 0.4, 0.7, 1.0, 1.5)
# (user exponent, item exponent); published: 1/2 and 1/2
_LOW_PASS = ((0.25, 0.4), (0.25, 0.5), (0.4, 0.4), (0.1, 0.4), (0.25, 0.3))
_NEIGHBOURHOODS = ((0.5, 0.5), (0.35, 0.5), (0.25, 0.5), (0.5, 0.4), (0.35, 0.4), (0.25, 0.4))

Tell = Callable[[float], None]  # told of every trial: the best value so far


@dataclass(eq=False)
class _Tried:
    """The best of one kind: its settings, its scores of the judged rows in units of its spread, its values."""

    settings: dict[str, Any]
    scores: np.ndarray
    values: np.ndarray

    @property
    def value(self) -> float:
        return float(self.values.mean())

    @property
    def fitted(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key != "kind"}


@dataclass(frozen=True, eq=False)
class _Spreading:
    """The neighbours' filter unabridged, without making its pairs: x R'R, less what an item tells of itself."""

    rows: csr_matrix
    by_item: csr_matrix

    def score(self, rows: csr_matrix) -> np.ndarray:
        scores = np.asarray((csr_matrix(rows @ self.by_item) @ self.rows).toarray(), dtype=np.float32)
        own = np.asarray(self.by_item.multiply(self.by_item).sum(axis=1), dtype=np.float32).ravel()
        row = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        scores[row, rows.indices] -= rows.data * own[rows.indices]
        return scores

    def state(self) -> State:
        return {}


def choose_path(matrix: csr_matrix, judge: Judge, seed: int, tell: Tell) -> list[dict[str, Any]]:
    """The settings of a LinearPath, best part first, chosen on the judge's rows.

    How many are tried depends on the data, never on the clock, so one seed gives one choice: 7 to 9 closed forms where
    the catalogue has at most MOST_DENSE items, 5 low-pass filters, one of them at several ranks, 6 neighbourhoods. A
    part after the first is kept only when it is clearly better than doing without it.
    """
    search = _Search(matrix, judge, seed, tell)
    kinds = [[search.low_pass()], search.neighbours()]
    if matrix.shape[1] <= MOST_DENSE:
        kinds.append([search.closed_form()])
    kinds.sort(key=lambda tried: -_best(tried).value)
    first = _best(kinds[0])
    chosen, scores, values = [{**first.settings, "weight": 1.0}], first.scores, first.values
    for tried in kinds[1:]:
        # Which neighbourhood is best alone says little about which is best beside something else.
        mixes = [(one, weight) for one in tried for weight in _WEIGHTS]
        judged = [judge(scores + np.float32(weight) * one.scores) for one, weight in mixes]
        k = int(np.argmax([one.mean() for one in judged]))
        if clearly_better(judged[k], values):
            part, weight = mixes[k]
            chosen.append({**part.settings, "weight": weight})
            scores, values = scores + np.float32(weight) * part.scores, judged[k]
        tell(float(values.mean()))
    return chosen


def _best(tried: Sequence[_Tried]) -> _Tried:
    return max(tried, key=lambda one: one.value)


class _Search:
    """The trials of each kind. Every one is told."""

    def __init__(self, matrix: csr_matrix, judge: Judge, seed: int, tell: Tell) -> None:
        self.matrix, self.judge, self.seed = matrix, judge, seed
        self._tell, self._best = tell, -np.inf

    def low_pass(self) -> _Tried:
        """Ranks doubled while that helps, then the other exponents at the best rank."""
        n_users, n_items = self.matrix.shape
        most = max(1, min(_MOST_RANK, (min(n_users, n_items) + 1) // 2, _MOST_VECTORS // n_items))
        rank = min(128, most)
        user, item = _LOW_PASS[0]
        best = _best(self._low_passes(user, item, rank, sorted({max(1, rank // 4), max(1, rank // 2), rank})))
        while best.settings["rank"] == rank < most:
            rank = min(2 * rank, most)
            best = _best([best, *self._low_passes(user, item, rank, [rank])])
        for user, item in _LOW_PASS[1:]:
            rank = best.settings["rank"]
            best = _best([best, *self._low_passes(user, item, rank, [rank])])
        return best

    def _low_passes(self, user: float, item: float, rank: int, ranks: Sequence[int]) -> list[_Tried]:
        """One decomposition of the largest rank, tried at several."""
        settings = {"kind": "low-pass", "user_exponent": user, "item_exponent": item, "rank": rank}
        part = fit_part(self.matrix, settings, self.seed)
        assert isinstance(part, LowPass)
        return [self._try({**settings, "rank": one}, part.cut(one)) for one in ranks]

    def neighbours(self) -> list[_Tried]:
        tried = []
        for user, item in _NEIGHBOURHOODS:
            rows = normalised(self.matrix, user, item)
            settings = {"kind": "neighbours", "user_exponent": user, "item_exponent": item, "most": _NEIGHBOURS}
            tried.append(self._try(settings, _Spreading(rows, rows.T.tocsr())))
        return tried

    def closed_form(self) -> _Tried:
        """One setting at a time: the penalty, doubled or halved while that helps, then the exponent and the dropout."""
        squares = float(self.matrix.multiply(self.matrix).sum()) / self.matrix.shape[1]
        best = self._closed({"user_exponent": 0.25, "l2": 2 * squares, "dropout": 0.5})
        for factor in (2.0, 0.5):
            start = best
            for _ in range(3):
                other = self._closed({**best.fitted, "l2": factor * best.settings["l2"]})
                if other.value <= best.value:
                    break
                best = other
            if best is not start:
                break
        for name, values in (("user_exponent", (0.1, 0.4)), ("dropout", (0.3, 0.7))):
            others = [self._closed({**best.fitted, name: value}) for value in values]
            best = _best([best, *others])
        return best

    def _closed(self, fitted: dict[str, Any]) -> _Tried:
        settings = {"kind": "closed-form", **fitted}
        return self._try(settings, fit_part(self.matrix, settings, self.seed))

    def _try(self, settings: dict[str, Any], part: Part) -> _Tried:
        scores = part.score(self.judge.given)
        scores /= np.float32(spread(part, self.matrix))
        tried = _Tried(settings, scores, self.judge(scores))
        self._best = max(self._best, tried.value)
        self._tell(self._best)
        return tried

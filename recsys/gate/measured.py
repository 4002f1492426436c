"""Measured: what one bundle does on a trial, as numbers a person, for the rules to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DamagedBundle, RecsysError
from recsys.evaluation.cohorts import cohort_values
from recsys.evaluation.evaluate import PerUser, evaluate_scores
from recsys.gate.columns import renumbered
from recsys.gate.trial import Trial
from recsys.matrix import Index
from recsys.recency import as_asked
from recsys.recommender import Holdout, top_n
from recsys.serving.bundle import ModelBundle

LIST = 20  # of an answer: what coverage and popularity lift look at
LIFT = f"popularity_lift@{LIST}"
TAIL_METRIC = "recall@100"
_LOOKED_AT = 500  # people whose raw lists are compared with each other
_UNUSABLE = (RecsysError, ValueError, IndexError, KeyError, TypeError, AttributeError)


class Scorer:
    """A bundle's scores on the trial's columns; what it does not know scores -inf. Watches what comes out.

    not_finite, constant: of the people scored so far, how many had a score that is no number, and how many had the same
    score everywhere. tops: (people, k) int32, the best columns of the first _LOOKED_AT, what they have seen included.
    """

    def __init__(self, bundle: ModelBundle, items: Index) -> None:
        self.bundle, self.items = bundle, items
        self.columns = bundle.items.find(items.ids.tolist())  # (n_items,) of the bundle, -1 for what it does not know
        self.known = np.flatnonzero(self.columns >= 0)
        self.people = self.not_finite = self.constant = 0
        self._tops: list[np.ndarray] = []

    def __call__(self, rows: csr_matrix, order: np.ndarray | None) -> np.ndarray:
        """(rows, n_items) float32. Raises DamagedBundle for a bundle whose model and items do not fit each other."""
        mine = self.mine(rows, order)
        try:
            scores = self.bundle.model.score(mine)
        except _UNUSABLE as error:
            raise DamagedBundle(f"its model cannot score: {type(error).__name__}: {error}".splitlines()[0]) from error
        if scores.shape != mine.shape:
            raise DamagedBundle(f"its model gives scores of shape {scores.shape} for {len(self.bundle.items):,} items")
        found = np.full(rows.shape, -np.inf, dtype=np.float32)
        found[:, self.known] = scores[:, self.columns[self.known]]
        self._watch(scores, found)
        return found

    def mine(self, rows: csr_matrix, order: np.ndarray | None) -> csr_matrix:
        """Histories as the bundle's model wants them: on its columns first, faded then, as in serving."""
        return as_asked(self.bundle.model, *renumbered(rows, order, self.columns, len(self.bundle.items)))

    @property
    def tops(self) -> np.ndarray:
        return np.concatenate(self._tops) if self._tops else np.empty((0, 0), dtype=np.int32)

    def _watch(self, scores: np.ndarray, found: np.ndarray) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            odd = scores[~np.isfinite(scores.sum(axis=1))]  # a row whose sum is finite has finite numbers only
        self.not_finite += int((~np.isfinite(odd)).any(axis=1).sum())
        self.constant += int((scores.max(axis=1, initial=-np.inf) == scores.min(axis=1, initial=np.inf)).sum())
        looked_at = found[: max(_LOOKED_AT - self.people, 0)]
        if len(looked_at):
            self._tops.append(top_n(looked_at, None, short(found.shape[1]))[0])
        self.people += len(scores)


def short(n_items: int) -> int:
    """The length of a list that says something: LIST, in a small catalogue a fifth of it."""
    return max(1, min(LIST, n_items // 5))


@dataclass(frozen=True, eq=False)
class Measured:
    """One bundle on one trial.

    values: metric -> (people,) float64. tail: (people,) recall of hidden tail items, NaN where nothing of the kind is
    hidden. lists: (people, 100) int32 columns, -1 for none. learnt: (people learnt from,) the main metric there.
    """

    bundle: ModelBundle
    scorer: Scorer
    values: dict[str, np.ndarray]
    tail: np.ndarray
    lists: np.ndarray
    learnt: np.ndarray

    @classmethod
    def of(cls, bundle: ModelBundle, trial: Trial, metric: str) -> Self:
        """metric: the main one, of hits, such as ndcg@100. Raises DamagedBundle."""
        scorer = Scorer(bundle, trial.items)
        found = _evaluated(scorer, trial, trial.judged, [metric, LIFT])
        learnt = values_of(bundle, trial, trial.learnt, metric)
        tail = cohort_values(trial.tail, "items", {}, found.lists, trial.split(trial.judged), [TAIL_METRIC])
        return cls(bundle, scorer, found.values, tail[TAIL_METRIC], found.lists, learnt)

    @property
    def size(self) -> int:
        """Bytes of what was learnt and of the popularity beside it."""
        arrays = [*self.bundle.model.state().values(), self.bundle.popularity]
        return int(sum(array.nbytes for array in arrays))


def values_of(bundle: ModelBundle, trial: Trial, people: Holdout, metric: str) -> np.ndarray:
    """(people,) the main metric alone. Raises DamagedBundle."""
    return _evaluated(Scorer(bundle, trial.items), trial, people, [metric]).values[metric]


def values_of_popularity(trial: Trial, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """(people,) the main metric of the list that is tonight's most taken items, and (people, LIST) those lists."""
    taken = trial.taken.astype(np.float32)
    split = trial.split(trial.judged)
    found = evaluate_scores(lambda rows, order: np.tile(taken, (rows.shape[0], 1)), split, [metric])
    return found.values[metric], found.lists[:, : short(len(taken))]


def _evaluated(scorer: Scorer, trial: Trial, people: Holdout, metrics: Sequence[str]) -> PerUser:
    return evaluate_scores(scorer, trial.split(people), metrics)

"""METRICS: every metric by name, each a formula, an edge case and a few lines over all users at once.

Those of hits are here. Every function takes hits, (n_users, k) bool: was the item at that rank (best first) among those
the user really took; a list shorter than k has no hits at its end; and relevant, (n_users,) int: how many such items
the user has in the whole catalogue, recommended or not. It returns (n_users,) float64. A user with nothing relevant has
0 in every one. Those of the lists themselves are in `recsys.evaluation.beyond`, one value a user, and in
`recsys.evaluation.totals`, one value for all users together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.evaluation import beyond, totals
from recsys.evaluation.beyond import About
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.statistics import Interval


def recall(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """hits / relevant: the share of everything relevant that is in the list (below 1 where relevant > k)."""
    return hits.sum(axis=1) / np.maximum(relevant, 1)


def recall_capped(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """hits / min(k, relevant): the recall of Liang et al. 2018, 1 for every perfect list."""
    return hits.sum(axis=1) / np.clip(relevant, 1, hits.shape[1])


def precision(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """hits / k, also where the list is shorter than k."""
    return hits.sum(axis=1) / hits.shape[1]


def hit_rate(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """1 when the list holds anything relevant, else 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def mrr(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """1 / rank of the first hit, 0 without one. Without @k the list is cut at MRR_DEPTH, an error below 0.001."""
    return np.where(hits.any(axis=1), 1.0 / (hits.argmax(axis=1) + 1), 0.0)


def ndcg(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """DCG / that of a perfect list of k; DCG = sum over hits of 1 / log2(rank + 1) (Järvelin and Kekäläinen 2002)."""
    discount = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = np.cumsum(discount)[np.clip(relevant, 1, hits.shape[1]) - 1]
    return hits @ discount / ideal


def average_precision(hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
    """sum over hits of precision at that rank / relevant, as trec_eval's map_cut; others divide by min(k, relevant)."""
    at_rank = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return (at_rank * hits).sum(axis=1) / np.maximum(relevant, 1)


Kind = Literal["hits", "list", "total"]


class Known(NamedTuple):
    """A metric without its k. kind: what the function takes, "hits" as here, a "list" as in `beyond`, a "total" as in
    `totals`. better: which way is better; None: neither, it is told, not judged."""

    function: Callable[..., Any]
    kind: Kind
    better: Literal["higher", "lower"] | None


METRICS: Mapping[str, Known] = {
    "recall": Known(recall, "hits", "higher"),
    "recall_capped": Known(recall_capped, "hits", "higher"),
    "precision": Known(precision, "hits", "higher"),
    "ndcg": Known(ndcg, "hits", "higher"),
    "map": Known(average_precision, "hits", "higher"),
    "mrr": Known(mrr, "hits", "higher"),
    "hit_rate": Known(hit_rate, "hits", "higher"),
    "coverage": Known(totals.coverage, "total", "higher"),
    "gini": Known(totals.gini, "total", "lower"),
    "novelty": Known(beyond.novelty, "list", "higher"),
    "diversity": Known(beyond.diversity, "list", "higher"),
    "popularity_lift": Known(beyond.popularity_lift, "list", None),
    "calibration": Known(beyond.calibration, "list", "lower"),
}

MRR_DEPTH = 1000


@dataclass(frozen=True)
class Metric:
    """A metric by its full name: which it is, and the length k of the lists it looks at.

    Called with hits and relevant where it is one of hits; ``of_lists`` and ``of_all`` are for the others.
    """

    name: str
    k: int
    known: Known

    @property
    def accuracy(self) -> bool:
        """Does it say how much of what people took is found?"""
        return self.known.kind == "hits"

    def __call__(self, hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
        """hits: (n_users, depth) bool; ranks beyond k are ignored, missing ones have no hits."""
        if not self.accuracy:
            raise SettingError(f"'{self.name}' does not look at hits", do="use one that does, such as ndcg@100")
        cut = hits[:, : self.k]
        if cut.shape[1] < self.k:
            cut = np.pad(cut, ((0, 0), (0, self.k - cut.shape[1])))
        return self.known.function(cut, relevant)

    def of_lists(self, items: np.ndarray, given: csr_matrix, about: About) -> np.ndarray:
        """(n_users,) of a "list" metric; items: (n_users, depth) columns; what is beyond k is ignored."""
        return self.known.function(items[:, : self.k], given, about)

    def of_all(self, items: np.ndarray, about: About, seed: int) -> Interval:
        """A "total" metric with its interval; items: as for ``of_lists``, everybody's."""
        return totals.total_interval(self.known.function, items[:, : self.k], about.taken > 0, seed)


def metric(name: str) -> Metric:
    """The metric called, for example, ``ndcg@100``. SettingError, with the names there are, for any other."""
    found = re.fullmatch(r"([a-z_]+)(?:@([1-9][0-9]{0,5}))?", name)
    if found is None or found[1] not in METRICS or (found[2] is None and found[1] != "mrr"):
        names = ", ".join(f"{known}@K" for known in METRICS)
        raise SettingError(f"no metric is called '{name}'", do=f"use {names} or mrr, with K a number such as 20")
    return Metric(name, int(found[2] or MRR_DEPTH), METRICS[found[1]])


def metric_to_choose_by(name: str) -> Metric:
    """``metric(name)``, if a model, a setting or a stopping point may be chosen by it: one of hits. Else SettingError.

    The best of the others is no good model: a random list is novel, diverse and covers everything.
    """
    one = metric(name)
    if not one.accuracy:
        names = ", ".join(f"{known}@K" for known, what in METRICS.items() if what.kind == "hits")
        raise SettingError(f"nothing can be chosen by '{name}', which does not say what is right", do=f"use {names}")
    return one


def check_known(names: Iterable[str], catalogue: Catalogue | None) -> None:
    """Raises SettingError for a name that no metric has, and for one that needs categories where none are known."""
    for name in names:
        if metric(name).known.function is beyond.calibration and not (catalogue and any(catalogue.categories.values())):
            raise SettingError(f"'{name}' needs categories of items, and none are known", do="leave it out")


def per_user_names(names: Iterable[str]) -> list[str]:
    """Those that have a value for each user."""
    return [name for name in names if metric(name).known.kind != "total"]


def total_names(names: Iterable[str]) -> list[str]:
    """Those that have one value for all users together."""
    return [name for name in names if metric(name).known.kind == "total"]

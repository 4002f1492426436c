"""METRICS: the ranking metrics, each a formula, an edge case and a few lines over all users at once.

Every function takes hits, (n_users, k) bool: was the item at that rank (best first) among those the user really took; a
list shorter than k has no hits at its end; and relevant, (n_users,) int: how many such items the user has in the whole
catalogue, recommended or not. It returns (n_users,) float64. A user with nothing relevant has 0 in every metric.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recsys.errors import SettingError


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


MetricFunction = Callable[[np.ndarray, np.ndarray], np.ndarray]

METRICS: Mapping[str, MetricFunction] = {
    "recall": recall,
    "recall_capped": recall_capped,
    "precision": precision,
    "ndcg": ndcg,
    "map": average_precision,
    "mrr": mrr,
    "hit_rate": hit_rate,
}

MRR_DEPTH = 1000


@dataclass(frozen=True)
class Metric:
    """A metric by its full name: the function, and the length k of the lists it looks at."""

    name: str
    k: int
    function: MetricFunction

    def __call__(self, hits: np.ndarray, relevant: np.ndarray) -> np.ndarray:
        """hits: (n_users, depth) bool; ranks beyond k are ignored, missing ones have no hits."""
        cut = hits[:, : self.k]
        if cut.shape[1] < self.k:
            cut = np.pad(cut, ((0, 0), (0, self.k - cut.shape[1])))
        return self.function(cut, relevant)


def metric(name: str) -> Metric:
    """The metric called, for example, ``ndcg@100``. SettingError, with the names there are, for any other."""
    found = re.fullmatch(r"([a-z_]+)(?:@([1-9][0-9]{0,5}))?", name)
    if found is None or found[1] not in METRICS or (found[2] is None and found[1] != "mrr"):
        names = ", ".join(f"{known}@K" for known in METRICS)
        raise SettingError(f"no metric is called '{name}'", do=f"use {names} or mrr, with K a number such as 20")
    return Metric(name, int(found[2] or MRR_DEPTH), METRICS[found[1]])

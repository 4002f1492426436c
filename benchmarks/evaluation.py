"""Benchmark: evaluating a model with every metric beside the bare matrix product and top-k it cannot do without.

    recsys bench evaluate [--users 30000 --items 41000 --interactions 1000000]

The data is made up, as large as Gowalla; a fifth of each history is hidden. The model has 256 numbers an item: a score
is a history times them, times them again. Bare is the same product in the same batches and the fastest exact top-k at
hand, nothing left out, nothing compared, nothing kept. Both in this process, in turn; medians are shown.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.million import made_up
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.evaluate import LONGEST_KEPT, MOST_SCORES, evaluate
from recsys.evaluation.run import default_metrics
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.recommender import FitOptions, Holdout, State

BAR = 2.0  # times the bare product and top-k
CATEGORIES = 20

TopK = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class FactorsConfig:
    """width: numbers an item."""

    width: int = 256


@dataclass(eq=False)
class Factors:
    """A history projected on the space of the strongest patterns of the matrix, roughly (Halko et al. 2011)."""

    config: FactorsConfig

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        start = np.random.default_rng(options.seed).standard_normal((matrix.shape[1], self.config.width), np.float32)
        self._vectors = np.linalg.qr(matrix.T @ (matrix @ start))[0]
        return self

    def score(self, rows: csr_matrix) -> np.ndarray:
        return (rows @ self._vectors) @ self._vectors.T

    def item_vectors(self) -> np.ndarray | None:
        return self._vectors

    def state(self) -> State:
        return {"vectors": self._vectors}

    def restore(self, state: State) -> Self:
        self._vectors = state["vectors"]
        return self


def main(
    users: int = 30_000,
    items: int = 41_000,
    interactions: int = 1_000_000,
    *,
    width: int = 256,
    repeat: int = 3,
    metrics: Sequence[str] = (),
) -> dict[str, Any]:
    """Seconds of each run, bare and whole, and their ratio. metrics: the default ones, as if categories were known."""
    split, catalogue = _world(users, items, interactions)
    names = tuple(metrics) or default_metrics(catalogue, [split])
    model = Factors(FactorsConfig(min(width, items))).fit(split.train, FitOptions())
    batch = max(1, min(len(split.users), MOST_SCORES // items))
    by, rates = _fastest(model.score(split.given[:batch]))
    runs: dict[str, list[float]] = {"bare": [], "evaluate": []}
    for _ in range(repeat):
        runs["bare"].append(_seconds(lambda: _bare(model, split.given, batch, TOP_K[by])))
        runs["evaluate"].append(_seconds(lambda: evaluate(model, split, names, batch, catalogue)))
    seconds = {name: median(many) for name, many in runs.items()}
    return {
        "users": len(split.users),
        "items": items,
        "interactions": interactions,
        "width": model.config.width,
        "metrics": names,
        "top_k": by,
        "top_k_seconds": rates,
        "runs": runs,
        "seconds": seconds,
        "ratio": seconds["evaluate"] / seconds["bare"],
    }


def _world(users: int, items: int, interactions: int) -> tuple[Split, Catalogue]:
    """Everybody trains with four fifths of their history and is asked for the rest, as in LightGCN's files."""
    some_more = users + users // 20  # who took less than two items is not asked
    holdout = Holdout.of(made_up(some_more, items, interactions), 0.8, np.random.default_rng(0))
    asked = np.flatnonzero(np.diff(holdout.hidden.indptr))[:users]
    index = Index.of([f"i{number}" for number in range(items)])
    split = Split(
        name="fixed",
        train=holdout.given,
        given=holdout.given[asked],
        hidden=holdout.hidden[asked],
        items=index,
        users=tuple(f"u{number}" for number in asked),
        validation=None,
        facts={},
    )
    return split, Catalogue(categories={name: [f"c{k % CATEGORIES}"] for k, name in enumerate(index.ids.tolist())})


def _bare(model: Factors, rows: csr_matrix, batch: int, top_k: TopK) -> None:
    for start in range(0, rows.shape[0], batch):
        top_k(model.score(rows[start : start + batch]), LONGEST_KEPT)


def by_numpy(scores: np.ndarray, k: int) -> np.ndarray:
    chosen = np.argpartition(scores, -k, axis=1)[:, -k:]
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1)
    return np.take_along_axis(chosen, order, axis=1)


def by_torch(scores: np.ndarray, k: int) -> np.ndarray:
    import torch

    return torch.from_numpy(scores).topk(k, dim=1).indices.numpy()


TOP_K: Mapping[str, TopK] = {"numpy.argpartition": by_numpy, "torch.topk": by_torch}


def _fastest(scores: np.ndarray) -> tuple[str, dict[str, float]]:
    """The name of the fastest top-k on one batch of scores, and what each that is installed takes for it."""
    rates = {}
    for name, top_k in TOP_K.items():
        if importlib.util.find_spec(name.split(".")[0]):
            rates[name] = min(_seconds(partial(top_k, scores, LONGEST_KEPT)) for _ in range(5))
    return min(rates, key=rates.__getitem__), rates


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def tables(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads: (title, header, rows) a table."""
    title = (
        f"{result['users']:,} users x {result['items']:,} items, {result['interactions']:,} interactions, width "
        f"{result['width']}, {len(result['metrics'])} metrics: {', '.join(result['metrics'])}"
    )
    named = {"bare": f"product and {result['top_k']}", "evaluate": "evaluate"}
    rows = [
        (
            named[name],
            f"{result['seconds'][name]:.1f}",
            f"{result['users'] / result['seconds'][name]:,.0f}",
            _list(many),
        )
        for name, many in result["runs"].items()
    ]
    said = f"evaluating takes {result['ratio']:.2f} times the bare product and top-k; bar: at most {BAR}"
    return [(title, ("", "median s", "users/s", "every run, s"), rows), (said, (), ())]


def _list(seconds: Sequence[float]) -> str:
    return " ".join(f"{one:.1f}" for one in seconds)

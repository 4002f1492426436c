"""Benchmark: do explanations name what carries a recommendation? Take it out of the history, and see.

    python -m benchmarks.faithfulness --interactions ml-1m/ratings.csv --min-value 4

People the models never saw, each with their whole history, and the item that comes first for each. Leaving out the
items named must lower its score and its place more than leaving out as many of the history's items at random; and
without the items that it could not be without it must not be among the first ``DEPTH``, ever. Scores are asked of the
model itself here, not of what explains. The paired test is the sign test, ties left out. Exit status 1: not so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.stats import binomtest

from benchmarks.serve.drill import happened, holds
from recsys.errors import DataError
from recsys.matrix import InteractionMatrix
from recsys.models import config_of, create
from recsys.recency import as_asked, of_rows, order_of
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle
from recsys.serving.explain import explained
from recsys.serving.profile import Profile

NAMED, DEPTH = 3, 10
SURE = 0.05  # p below which one kind of cost is larger than the other
SHORTEST = 2 * NAMED  # items of a history: of fewer, what is drawn at random is mostly what is named
QUICK: Mapping[str, Any] = {"epochs": 8}  # of the autoencoder, else the default one


def main(
    interactions: Path | None = None,
    min_value: float | None = None,
    *,
    users: int = 1000,
    seed: int = 0,
    device: str = "cpu",
    autoencoder: Mapping[str, Any] = QUICK,
    als: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """ "models": name -> what `_measured` found; "broken": what does not hold, in words.

    interactions: a file, by default the sample that comes with us.
    users: how many people are held out; of too small data half of those whose histories are long enough.
    """
    data = _read(interactions, min_value)
    lengths = np.diff(data.matrix.indptr)
    able = np.flatnonzero(lengths >= SHORTEST)
    if len(able) < 4:
        raise DataError(f"only {len(able)} people have at least {SHORTEST} items", do="bring more data")
    rng = np.random.default_rng(seed)
    asked = np.sort(rng.choice(able, min(users, len(able) // 2), replace=False))
    trained = np.setdiff1d(np.arange(len(lengths)), asked)
    train = data.matrix[trained]
    options = FitOptions(device, seed, order=of_rows(data.matrix, data.order, trained))
    popularity = np.asarray(train.sum(axis=0), dtype=np.float32).ravel()
    found = {}
    for name, settings in (("als", als or {}), ("autoencoder", autoencoder)):
        model = create(name, **settings).fit(train, options)
        bundle = ModelBundle(model, data.items, popularity, {"model": name, "config": config_of(model)})
        found[name] = {"config": config_of(model), **_measured(bundle, data, asked, seed)}
    facts = {"users": data.matrix.shape[0], "items": data.matrix.shape[1], "interactions": int(data.matrix.nnz)}
    return {"data": facts, "people": len(asked), "models": found, "broken": _verdict(found)}


def _verdict(models: Mapping[str, Any]) -> list[str]:
    """What explanations promise and these do not keep, in words."""
    broken: list[str] = []
    for name, model in models.items():
        for lost in ("score", "place"):
            cost = model[lost]
            tested = f"{cost['more']:.1%} of {cost['differ']}, p = {cost['p']:.1e}"
            more = cost["more"] > 0.5 and cost["p"] < SURE
            holds(broken, more, f"{name}: the items named do not cost more {lost} than items at random: {tested}")
        needed = model["needed"]
        stay = f"{round((1 - needed['leaves']) * needed['found'])} of {needed['found']} stay in the list"
        holds(broken, needed["leaves"] == 1, f"{name}: without the items they could not be without {stay}")
    return broken


def _read(interactions: Path | None, min_value: float | None) -> InteractionMatrix:
    from benchmarks.liked import liked  # here: the rest of this file needs no database

    events, matrix = liked(interactions, min_value)
    return replace(matrix, order=order_of(events, matrix))


def _measured(bundle: ModelBundle, data: InteractionMatrix, asked: np.ndarray, seed: int) -> dict[str, Any]:
    """score, place: what leaving out named and random items costs the first recommendation. needed: of the sets found,
    how often it leaves the list; random: without as many items at random. seconds: a person's explanation, median."""
    rng = np.random.default_rng(seed)
    score, place, left, seconds = [], [], [], []
    larger: list[int] = []
    for person in asked.tolist():
        row = data.matrix[person]
        profile = _profile(data, row, of_rows(data.matrix, data.order, np.array([person])))
        blocked = np.zeros(len(data.items), dtype=bool)
        blocked[row.indices] = True
        whole = np.where(blocked, -np.inf, bundle.model.score(profile.asked(bundle.model))[0])
        column = int(np.argmax(whole))
        started = time.perf_counter()
        (told,) = explained(bundle, profile, [column], blocked, DEPTH, most=NAMED)
        seconds.append(time.perf_counter() - started)
        if told.because:
            named = np.isin(row.indices, data.items.numbers(one.item for one in told.because))
            drawn = _drawn(rng, row.nnz, int(named.sum()))
            after = [_after(bundle, profile, gone, column) for gone in (named, drawn)]
            score.append([whole[column] - value for value, _ in after])
            place.append([position for _, position in after])
        if told.needed is not None:
            gone = np.isin(row.indices, data.items.numbers(told.needed))
            drawn = _drawn(rng, row.nnz, len(told.needed))
            left.append([_after(bundle, profile, some, column)[1] >= DEPTH for some in (gone, drawn)])
            larger.append(len(told.needed))
    happened(bool(score and left), f"{len(score)} recommendations had reasons, {len(left)} a set they need")
    sizes = np.array(larger)
    return {
        "explained": len(score),
        "score": _paired(np.array(score)),
        "place": _paired(np.array(place)),
        "needed": {
            "found": len(left),
            "leaves": float(np.mean([pair[0] for pair in left])),
            "random": float(np.mean([pair[1] for pair in left])),
            "items": float(sizes.mean()),
            "most": int(sizes.max()),
        },
        "seconds": float(np.median(seconds)),
    }


def _profile(data: InteractionMatrix, row: csr_matrix, order: np.ndarray | None) -> Profile:
    ids = data.items.ids[row.indices]
    liked = dict(zip(ids.tolist(), row.data.tolist(), strict=True))
    return Profile(row, order, ids, row.indices.astype(np.int32), np.zeros(row.nnz, dtype=bool), liked)


def _drawn(rng: np.random.Generator, size: int, count: int) -> np.ndarray:
    drawn = np.zeros(size, dtype=bool)
    drawn[rng.choice(size, count, replace=False)] = True
    return drawn


def _after(bundle: ModelBundle, profile: Profile, gone: np.ndarray, column: int) -> tuple[float, int]:
    """(score, how many come before it) of a column without these entries; nothing of the history is recommended."""
    row, order = profile.row, profile.order
    kept = csr_matrix((row.data[~gone], row.indices[~gone], [0, np.count_nonzero(~gone)]), shape=row.shape)
    scores = bundle.model.score(as_asked(bundle.model, kept, None if order is None else order[~gone]))[0]
    ranked = scores.copy() if kept.nnz else bundle.popularity.copy()
    ranked[row.indices] = -np.inf
    better = np.count_nonzero(ranked > ranked[column]) + np.count_nonzero(ranked[:column] == ranked[column])
    return float(scores[column]), int(better)


def _paired(drops: np.ndarray) -> dict[str, float]:
    """Of (n, 2) costs, named and random: their means, and of those who differ the share with more for the named."""
    more, less = np.count_nonzero(drops[:, 0] > drops[:, 1]), np.count_nonzero(drops[:, 0] < drops[:, 1])
    differ = int(more + less)
    return {
        "named": float(drops[:, 0].mean()),
        "random": float(drops[:, 1].mean()),
        "more": more / max(differ, 1),
        "differ": differ,
        "p": float(binomtest(int(more), differ).pvalue) if differ else 1.0,
    }


def tables(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads: (title, header, rows) a table."""
    data = result["data"]
    title = (
        f"{data['users']:,} people x {data['items']:,} items, {data['interactions']:,} interactions; the first "
        f"recommendation of {result['people']:,} people who were not trained on, without {NAMED} items of their history"
    )
    costs = [
        (name, what, *(f"{cost[which]:.3f}" for which in ("named", "random")), *_test(cost))
        for name, model in result["models"].items()
        for what, cost in (("score", model["score"]), ("places", model["place"]))
    ]
    sets = []
    for name, model in result["models"].items():
        needed = model["needed"]
        leaves = (f"{needed['leaves']:.1%}", f"{needed['random']:.1%}")
        size = (f"{needed['items']:.1f}", str(needed["most"]))
        sets.append((name, str(needed["found"]), *leaves, *size, f"{1e3 * model['seconds']:.0f}"))
    said = result["broken"] or ["every promise holds"]
    return [
        (title, ("model", "lost", "named", "random", "named more", "of", "p"), costs),
        (
            f"the items it could not be without: is it still among the first {DEPTH}?",
            ("model", "sets", "leaves", "as many at random", "items", "most", "ms"),
            sets,
        ),
        *((line, (), ()) for line in said),
    ]


def _test(cost: Mapping[str, float]) -> tuple[str, str, str]:
    return f"{cost['more']:.1%}", str(cost["differ"]), f"{cost['p']:.1e}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Do explanations name what carries a recommendation?")
    parser.add_argument("--interactions", type=Path)
    parser.add_argument("--min-value", type=float)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked_for = parser.parse_args()
    measured = main(asked_for.interactions, asked_for.min_value, users=asked_for.users, seed=asked_for.seed)
    for words, header, lines in tables(measured):
        print(words)
        for line in (header, *lines) if lines else ():
            print("".join(f"{cell:>18}" for cell in line))
    sys.exit(1 if measured["broken"] else 0)

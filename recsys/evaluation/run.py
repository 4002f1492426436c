"""compare: models fitted and judged on one split, the same people and the same questions for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import numpy as np

from recsys.evaluation.checks import Check, check_results, check_split
from recsys.evaluation.evaluate import PerUser, evaluate
from recsys.evaluation.metrics import metric
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import Interval, holm, intervals, sign_flip
from recsys.models import config_of, create
from recsys.recommender import FitOptions, Progress

DEFAULT_METRICS = ("recall@20", "recall_capped@20", "recall_capped@50", "ndcg@20", "ndcg@100")


@dataclass(frozen=True, eq=False)
class ModelResult:
    """One model's part of an evaluation. intervals: metric -> mean and 95% interval over users."""

    config: Mapping[str, Any]
    parameters: int
    fit_seconds: float
    per_user: PerUser
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Comparison:
    """a minus b in one metric, over the same users. p: paired sign-flip; p_adjusted: Holm over the whole evaluation."""

    a: str
    b: str
    metric: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Everything a report is written from; nothing in it depends on how it will be shown."""

    split: Split
    metrics: tuple[str, ...]
    seed: int
    device: str
    created: datetime
    command: tuple[str, ...]
    models: Mapping[str, ModelResult]
    comparisons: Sequence[Comparison]
    checks: Sequence[Check]
    tuning: Mapping[str, Any] | None = None


def compare(
    split: Split,
    models: Mapping[str, Mapping[str, Any]],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    seed: int = 0,
    device: str = "auto",
    watch: Callable[[str], Callable[[Progress], None]] | None = None,
    command: Sequence[str] = (),
    tuning: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Fit each model on the split's training part, choosing by its validation part, and judge it on the test users.

    models: name -> settings. watch: name -> a callable told of that model's progress (closed, where it has a ``close``,
    when the fit ends). tuning: how the settings were found, for checks and report (``budget``, ``metric`` and, in
    ``models``, what each search spent). Raises SettingError for an unknown model, setting or metric before anything is
    trained.
    """
    names = tuple(dict.fromkeys(metrics))
    for name in names:
        metric(name)
    fitted = {name: create(name, **settings) for name, settings in models.items()}
    results = {}
    for name, model in fitted.items():
        progress = watch(name) if watch is not None else None
        started = time.perf_counter()
        model.fit(split.train, FitOptions(device, seed, split.validation, progress))
        seconds = time.perf_counter() - started
        close = getattr(progress, "close", None)
        if close is not None:
            close()
        per_user = evaluate(model, split, names)
        parameters = int(sum(array.size for array in model.state().values()))
        values = np.column_stack([per_user.values[one] for one in names])
        found = dict(zip(names, intervals(values, seed), strict=True))
        results[name] = ModelResult(config_of(model), parameters, seconds, per_user, found)
    per_user_of = {name: result.per_user for name, result in results.items()}
    return Evaluation(
        split=split,
        metrics=names,
        seed=seed,
        device=device,
        created=datetime.now(UTC),
        command=tuple(command),
        models=results,
        comparisons=_comparisons(per_user_of, names, seed),
        checks=[*check_split(split), *check_results(per_user_of, models, names[-1], seed, tuning)],
        tuning=tuning,
    )


def _comparisons(results: Mapping[str, PerUser], metrics: Sequence[str], seed: int) -> list[Comparison]:
    """Every pair of models in every metric, on the same users."""
    found, raw = [], []
    for a, b in combinations(results, 2):
        differences = np.column_stack([results[a].values[one] - results[b].values[one] for one in metrics])
        for one, interval, p in zip(metrics, intervals(differences, seed), sign_flip(differences, seed), strict=True):
            found.append((a, b, one, interval))
            raw.append(float(p))
    return [
        Comparison(a, b, one, interval.mean, interval.low, interval.high, p, adjusted)
        for (a, b, one, interval), p, adjusted in zip(found, raw, holm(raw), strict=True)
    ]

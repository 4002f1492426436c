"""compare: models fitted and judged on one split or several, the same people and the same questions for each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import zip_longest
from typing import Any

import numpy as np

from recsys.errors import RecsysError, SettingError, TrainingError
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.checks import Check, check_metrics, check_pooled, check_results, check_split
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.memory import PeakMemory
from recsys.evaluation.metrics import check_known, metric, per_user_names
from recsys.evaluation.pooling import comparisons_of, pooled_intervals
from recsys.evaluation.results import Evaluation, Fit, ModelResult, persons
from recsys.evaluation.split import Split
from recsys.evaluation.verdict import verdict
from recsys.models import config_of, create
from recsys.recommender import FitOptions, Progress

DEFAULT_METRICS = (
    *("recall@20", "recall_capped@20", "recall_capped@50", "precision@20", "hit_rate@20", "map@20", "mrr@100"),
    *("ndcg@20", "ndcg@100", "coverage@20", "gini@20", "novelty@20", "diversity@20", "popularity_lift@20"),
)

Watch = Callable[[str], Callable[[Progress], None]]


@dataclass(eq=False)
class _Recorded:
    """What a fit tells, kept for the learning curve and passed on to whoever watches."""

    told: Callable[[Progress], None] | None
    steps: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        self.steps.append(progress)
        if self.told is not None:
            self.told(progress)

    def close(self) -> None:
        close = getattr(self.told, "close", None)
        if close is not None:
            close()


def compare(
    splits: Split | Sequence[Split],
    models: Mapping[str, Mapping[str, Any]],
    metrics: Sequence[str] = (),
    *,
    device: str = "auto",
    watch: Watch | None = None,
    command: Sequence[str] = (),
    tuning: Mapping[str, Any] | None = None,
    catalogue: Catalogue | None = None,
    earlier: Callable[[Sequence[Split]], int] | None = None,
) -> Evaluation:
    """Fit each model on the training part of each split, choosing by its validation part, and judge it on the rest.

    splits: of several (other seeds, windows of time), the people are pooled, and one person's rows stay together in
    every interval and test. models: name -> settings. metrics: by default `default_metrics`. watch: name -> a callable
    told of that model's progress (closed, where it has a ``close``, when the fit ends). tuning: how the settings were
    found, for checks and report (``budget``, ``metric`` and, in ``models``, what each search spent). earlier: says how
    many reports looked at these test parts before with other settings.

    A model that cannot be fitted is left out and reported; the others keep their results. Raises SettingError for an
    unknown model, setting or metric before anything is trained, TrainingError when no model could be fitted.
    """
    splits = [splits] if isinstance(splits, Split) else list(splits)
    catalogue = catalogue or Catalogue()
    names = tuple(dict.fromkeys(metrics)) or default_metrics(catalogue, splits)
    check_known(names, catalogue)
    main = main_metric(names)
    for name, settings in models.items():
        create(name, **settings)
    fits: dict[str, list[Fit]] = {}
    failed: dict[str, str] = {}
    for split in splits:
        for name, settings in models.items():
            if name in failed:
                continue
            shown = f"{name} ({split.label})" if split.label else name
            told = _Recorded(watch(shown) if watch is not None else None)
            try:
                fit = _fit(name, settings, split, names, catalogue, device, told)
                fits.setdefault(name, []).append(fit if split is splits[-1] else replace(fit, coder=None))
            except (RecsysError, MemoryError, FloatingPointError, np.linalg.LinAlgError) as error:
                failed[name] = f"{type(error).__name__}: {' '.join(str(error).split())}"
            told.close()
    fits = {name: found for name, found in fits.items() if name not in failed}
    if not fits:
        raise TrainingError("no model could be fitted", where="; ".join(f"{k}: {v}" for k, v in failed.items()))
    seed, people = splits[0].seed, persons(splits)
    looks = None if earlier is None else earlier(splits)
    per_user = {name: [fit.per_user for fit in found] for name, found in fits.items()}
    found_intervals = pooled_intervals(per_user, names, seed, people)
    results = {name: ModelResult(dict(models[name]), found, found_intervals[name]) for name, found in fits.items()}
    comparisons = comparisons_of(results, per_user_names(names), seed, people)
    checks = [
        *_worst([check_split(split, looks) for split in splits], splits),
        *check_metrics(names),
        *_fitted(failed),
        *check_pooled({name: one.values(main) for name, one in results.items()}, main, seed, people),
        *_worst(
            [
                check_results({name: found[k] for name, found in per_user.items()}, models, tuning, split)
                for k, split in enumerate(splits)
            ],
            splits,
        ),
    ]
    return Evaluation(
        splits=splits,
        metrics=names,
        main=main,
        device=device,
        created=datetime.now(UTC),
        command=tuple(command),
        models=results,
        failed=failed,
        comparisons=comparisons,
        checks=checks,
        verdict=verdict({name: one.intervals[main] for name, one in results.items()}, comparisons, checks, main),
        catalogue=catalogue,
        tuning=tuning,
    )


def default_metrics(catalogue: Catalogue, splits: Sequence[Split]) -> tuple[str, ...]:
    """What is measured where nobody says what: calibration, too, where every split has an item of a known category."""
    known = all(any(map(catalogue.categories.get, split.items.ids.tolist())) for split in splits)
    return (*DEFAULT_METRICS, "calibration@20") if known else DEFAULT_METRICS


def main_metric(names: Sequence[str]) -> str:
    """The metric to decide by: the last ndcg, without one the last that asks how much of what people took was found.

    SettingError where no metric does.
    """
    accuracy = [name for name in names if metric(name).accuracy]
    if not accuracy:
        raise SettingError(
            f"none of {', '.join(names)} says how much of what people took is found", do="ask for ndcg@100 as well"
        )
    return next((name for name in reversed(accuracy) if name.startswith("ndcg")), accuracy[-1])


def _fit(
    name: str,
    settings: Mapping[str, Any],
    split: Split,
    metrics: Sequence[str],
    catalogue: Catalogue,
    device: str,
    told: _Recorded,
) -> Fit:
    model = create(name, **settings)
    started = time.perf_counter()
    with PeakMemory() as memory:
        model.fit(split.train, FitOptions(device, split.seed, split.validation, told))
    seconds = time.perf_counter() - started
    per_user = evaluate(model, split, metrics, catalogue=catalogue)
    arrays = list(model.state().values())
    return Fit(
        config=config_of(model),
        coder=model.coder() if hasattr(model, "coder") else None,
        parameters=int(sum(array.size for array in arrays)),
        bytes=int(sum(array.nbytes for array in arrays)),
        seconds=seconds,
        peak_memory=memory.grown,
        steps=told.steps,
        per_user=per_user,
    )


def _fitted(failed: Mapping[str, str]) -> list[Check]:
    if not failed:
        return [Check("models fitted", "ok", "every model asked for was fitted and judged")]
    return [Check("models fitted", "fail", f"{name} has no result: {why}") for name, why in failed.items()]


def _worst(found: Sequence[Sequence[Check]], splits: Sequence[Split]) -> list[Check]:
    """The checks of several splits as one list: of each, the split where it came out worst."""
    if len(splits) == 1:
        return list(found[0])
    kept = []
    for same in zip_longest(*found):
        present = [(check, split) for check, split in zip(same, splits, strict=True) if check is not None]
        check, split = max(present, key=lambda one: ("ok", "warn", "fail").index(one[0].status))
        kept.append(replace(check, detail=f"{split.label}: {check.detail}"))
    return kept

"""What can be wrong with results: numbers that are none, lists that are not lists, ties, and weak yardsticks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recsys.evaluation.checks.check import Check, Status, graded
from recsys.evaluation.evaluate import PerUser, hits_of
from recsys.evaluation.metrics import metric as metric_called
from recsys.evaluation.split import Split
from recsys.models import model_class


def check_results(
    results: Mapping[str, PerUser],
    configs: Mapping[str, Mapping[str, Any]],
    tuning: Mapping[str, Any] | None = None,
    split: Split | None = None,
) -> list[Check]:
    """What a single split's results can be wrong in. configs: what was set for each model; tuning: as in
    `recsys.evaluation.run.compare`; split: what the results are of, without which the lists are not compared with what
    was given."""
    return [
        *_numbers(results),
        *([] if split is None else _lists(results, split)),
        *_ties(results),
        _yardstick(results, configs, tuning),
    ]


def _numbers(results: Mapping[str, PerUser]) -> list[Check]:
    """NaN is an answer only of metrics of the lists themselves, which say nothing of some users; infinity never is."""
    checks = []
    for name, result in results.items():
        wrong = [
            one
            for one, values in result.values.items()
            if np.isinf(values).any() or (np.isnan(values).all() if _may_be_silent(one) else np.isnan(values).any())
        ]
        filled = result.scores[result.lists >= 0]
        odd = int((~np.isfinite(filled)).sum())
        detail = f"{name}: {', '.join(wrong) or 'no metric'} without a value, {odd:,} scores in the lists and "
        detail += f"{result.not_finite:,} users' scores not finite"
        status: Status = "fail" if wrong or odd or result.not_finite else "ok"
        checks.append(Check("numbers are numbers", status, detail))
    return checks


def _may_be_silent(name: str) -> bool:
    return metric_called(name).known.kind != "hits"


def _lists(results: Mapping[str, PerUser], split: Split) -> list[Check]:
    """Lists must be of these users, name no item twice and nothing that the user gave."""
    checks = []
    for name, result in results.items():
        if len(result.lists) != len(split.users):
            detail = f"{name}: {len(result.lists):,} lists for {len(split.users):,} users"
            checks.append(Check("lists are new items", "fail", detail))
            continue
        given = int(hits_of(result.lists, split.given).sum())
        ordered = np.sort(result.lists, axis=1)
        twice = int(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).sum())
        detail = f"{name}: {given:,} places of the lists hold what the user gave, {twice:,} an item already named"
        checks.append(Check("lists are new items", "fail" if given or twice else "ok", detail))
    return checks


def _ties(results: Mapping[str, PerUser]) -> list[Check]:
    """Ties are broken by column, so many of them mean that the order of the columns was judged, not the model."""
    checks = []
    for name, result in results.items():
        status = graded(result.ties, 0.1, 0.5)
        if name == "popularity" and status == "fail":
            status = "warn"  # it counts people, and many items have as many
        detail = f"{name}: {result.ties:.1%} of neighbours in the lists have equal scores"
        detail += "" if status == "ok" else ", so their order says nothing"
        checks.append(Check("scores differ", status, detail))
    return checks


def _yardstick(
    results: Mapping[str, PerUser], configs: Mapping[str, Mapping[str, Any]], tuning: Mapping[str, Any] | None
) -> Check:
    """A baseline is one only when somebody looked for its best settings on this data."""
    if "als" not in results:
        return Check("yardstick tuned", "warn", "als, the hardest yardstick here, was not among the models")
    if tuning is not None and "als" in tuning["models"]:
        spent = tuning["models"]["als"]
        detail = (
            f"als had {spent['trials']} trials in {spent['seconds']:.0f} s, by {tuning['metric']} on validation data"
        )
        return Check("yardstick tuned", "ok" if spent["trials"] > 1 else "warn", detail)
    default = model_class("als").Config()
    changed = {key: value for key, value in configs["als"].items() if getattr(default, key) != value}
    if not changed:
        return Check(
            "yardstick tuned",
            "warn",
            "als has its default settings, chosen on MovieLens 1M: tuned on this data it may do better",
        )
    return Check("yardstick tuned", "ok", f"als was given {', '.join(f'{k}={v}' for k, v in changed.items())}")

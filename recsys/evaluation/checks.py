"""Checks of an evaluation: leaks, weak yardsticks and odd data, each found or ruled out in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import intervals
from recsys.models import model_class

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. fail: the numbers mean something else than they say. warn: read them with this in mind."""

    name: str
    status: Status
    detail: str


def check_split(split: Split) -> list[Check]:
    """What can be wrong before anything is trained."""
    return [_users_apart(split), _nothing_given_away(split), _items_known(split)]


def check_results(
    results: Mapping[str, PerUser],
    configs: Mapping[str, Mapping[str, Any]],
    metric: str,
    seed: int,
    tuning: Mapping[str, Any] | None = None,
) -> list[Check]:
    """What can be wrong with the results. configs: what was set for each model; metric: to compare by; tuning: as in
    `recsys.evaluation.run.compare`."""
    return [*_beats_popularity(results, metric, seed), *_ties(results), _yardstick(results, configs, tuning)]


def _users_apart(split: Split) -> Check:
    both = len(set(split.train_users) & set(split.users))
    detail = f"{both:,} of {len(split.users):,} test users have a history in the training part"
    if split.name == "strong":
        return Check("users apart", "fail" if both else "ok", detail)
    return Check("users apart", "ok", f"{detail}, as this protocol means it")


def _nothing_given_away(split: Split) -> Check:
    both = split.given.multiply(split.hidden > 0).nnz
    detail = f"{both:,} of {split.hidden.nnz:,} hidden interactions are also given"
    return Check("hidden stays hidden", "fail" if both else "ok", detail)


def _items_known(split: Split) -> Check:
    """Warns from one in a hundred: a model cannot find what nobody in training touched, yet it counts as missed."""
    known = np.zeros(split.train.shape[1], dtype=bool)
    known[split.train.indices] = True
    unknown = int((~known[split.hidden.indices]).sum())
    detail = (
        f"{unknown:,} of {split.hidden.nnz:,} hidden interactions are with items nobody in training has; they count"
    )
    return Check("items known", "warn" if unknown > 0.01 * split.hidden.nnz else "ok", detail)


def _beats_popularity(results: Mapping[str, PerUser], metric: str, seed: int) -> list[Check]:
    if "popularity" not in results:
        return [Check("beats popularity", "warn", "popularity was not among the models: what they add is not known")]
    yardstick = results["popularity"].values[metric]
    checks = []
    for name, result in results.items():
        if name == "popularity":
            continue
        gain = intervals((result.values[metric] - yardstick)[:, None], seed)[0]
        status: Status = "ok" if gain.low > 0 else "fail" if gain.mean <= 0 else "warn"
        detail = f"{name} minus popularity, {metric}: {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        checks.append(Check("beats popularity", status, detail))
    return checks


def _ties(results: Mapping[str, PerUser]) -> list[Check]:
    """Ties are broken by column, so many of them mean that the order of the columns was judged, not the model."""
    checks = []
    for name, result in results.items():
        status: Status = "ok" if result.ties <= 0.1 else "warn" if result.ties <= 0.5 else "fail"
        detail = f"{name}: {result.ties:.1%} of neighbours in the lists have equal scores"
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
            "yardstick tuned", "warn", "als has its default settings, chosen on MovieLens 1M: tune it on other data"
        )
    return Check("yardstick tuned", "ok", f"als was given {', '.join(f'{k}={v}' for k, v in changed.items())}")

"""What can be wrong with all splits together: too few people, and models that have learnt nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recsys.evaluation.checks.check import Check, Status
from recsys.evaluation.statistics import intervals

_FEW = 100  # people


def check_pooled(
    values: Mapping[str, np.ndarray], metric: str, seed: int, groups: np.ndarray | None = None
) -> list[Check]:
    """values: model -> (n,) of the metric, split after split; groups: as `recsys.evaluation.statistics` has them."""
    people = len(next(iter(values.values()))) if groups is None else len(np.unique(groups))
    return [_enough(people), *_beats_popularity(values, metric, seed, groups)]


def _enough(people: int) -> Check:
    """Of fifty with rare hits, 95% intervals held the truth 86 times of 100 (benchmarks/statistics_check.py)."""
    if people >= _FEW:
        return Check("enough people", "ok", f"{people:,} people are asked")
    return Check("enough people", "warn", f"only {people:,} people are asked: intervals may be too narrow")


def _beats_popularity(
    values: Mapping[str, np.ndarray], metric: str, seed: int, groups: np.ndarray | None
) -> list[Check]:
    """Fails from no gain at all; warns where the interval does not exclude that."""
    if "popularity" not in values:
        return [Check("beats popularity", "warn", "popularity was not among the models: what they add is not known")]
    others = [name for name in values if name != "popularity"]
    if not others:
        return []
    gains = np.column_stack([values[name] - values["popularity"] for name in others])
    checks = []
    for name, gain in zip(others, intervals(gains, seed, groups=groups), strict=True):
        status: Status = "ok" if gain.low > 0 else "fail" if gain.mean <= 0 else "warn"
        detail = f"{name} minus popularity, {metric}: {gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        checks.append(Check("beats popularity", status, detail))
    return checks

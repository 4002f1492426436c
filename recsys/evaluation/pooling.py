"""Pooling: intervals and comparisons over the people of all splits, each person counted as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from recsys.evaluation.comparison import Comparison
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.metrics import per_user_names, total_names
from recsys.evaluation.results import ModelResult
from recsys.evaluation.statistics import FLIPS, Interval, detectable, holm, intervals, sign_flip

_DRAWS = 500  # of signs a comparison: what Holm makes of the smallest p is 1 in 500


def pooled_intervals(
    results: Mapping[str, Sequence[PerUser]], names: Sequence[str], seed: int, people: np.ndarray | None
) -> dict[str, dict[str, Interval]]:
    """model -> metric -> interval, in the order of the names."""
    each, whole = per_user_names(names), total_names(names)
    columns = [np.concatenate([part.values[one] for part in parts]) for parts in results.values() for one in each]
    sizes = [len(part.lists) for part in next(iter(results.values()))]
    asked = [np.arange(sizes[0])] if people is None else np.split(people, np.cumsum(sizes)[:-1])
    every = iter(intervals(np.column_stack(columns), seed, groups=people) if columns else [])
    found = {}
    for name, parts in results.items():
        known = {one: next(every) for one in each}
        known |= {one: _mean_of([part.totals[one] for part in parts], asked) for one in whole}
        found[name] = {one: known[one] for one in names}
    return found


def _mean_of(parts: Sequence[Interval], asked: Sequence[np.ndarray]) -> Interval:
    """The mean of figures of all lists, one a split, and its interval from theirs.

    asked: of each split the people, different ones. Two splits are taken to be as dependent as they have people in
    common: asking the same people again tells no more than asking them once.
    """
    if len(parts) == 1:
        return parts[0]
    alike = np.array([[len(np.intersect1d(a, b)) / np.sqrt(len(a) * len(b)) for b in asked] for a in asked])

    def together(halves: np.ndarray) -> float:
        return float(np.sqrt(halves @ alike @ halves)) / len(parts)

    mean = float(np.mean([part.mean for part in parts]))
    below = together(np.array([part.mean - part.low for part in parts]))
    above = together(np.array([part.high - part.mean for part in parts]))
    return Interval(mean, mean - below, mean + above, len(np.unique(np.concatenate(asked))))


def comparisons_of(
    results: Mapping[str, ModelResult], metrics: Sequence[str], seed: int, people: np.ndarray | None
) -> list[Comparison]:
    """Every pair of models in every metric that has a value a person."""
    pairs = list(combinations(results, 2))
    if not pairs:
        return []
    values = {name: np.column_stack([result.values(one) for one in metrics]) for name, result in results.items()}
    differences = np.concatenate([values[a] - values[b] for a, b in pairs], axis=1)
    questions = [(a, b, one) for a, b in pairs for one in metrics]
    means, least = intervals(differences, seed, groups=people), detectable(differences, groups=people)
    # No p is below 1 / (draws + 1), and Holm multiplies it by the questions: with few draws for many nothing is sure.
    raw = sign_flip(differences, seed, max(FLIPS, _DRAWS * len(questions)), groups=people)
    return [
        Comparison(*asked, mean.mean, mean.low, mean.high, float(p), adjusted, float(found), mean.users)
        for asked, mean, found, p, adjusted in zip(questions, means, least, raw, holm(raw.tolist()), strict=True)
        if mean.users
    ]

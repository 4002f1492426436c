"""Sanity: what a challenger must be whatever the champion is, each failure with its own name.

The thresholds lie between what honest models and broken ones showed on MovieLens 1M and 100K and the sample
(docs/experiments.md): lists the same for everybody 6 to 30% against 100%, lists of popularity 20 to 52% (83% from
shuffled labels) against 100%, likeness 1.3 to 1.6 times popularity's against 0.3 to 0.9.
"""

from __future__ import annotations

import numpy as np

from recsys.gate.bounds import difference
from recsys.gate.figures import Figure, State, mean, value
from recsys.gate.likeness import likeness
from recsys.gate.measured import Measured, values_of_popularity
from recsys.gate.rules import Rules
from recsys.gate.trial import Trial

MOST_ALIKE = 0.9  # of the lists of two people, on average, and of a list and the most taken items


def broken(measured: Measured) -> list[str]:
    """Scores from which nothing can be read."""
    scorer, people = measured.scorer, measured.scorer.people
    if scorer.not_finite:
        return [f"its scores are NaN or infinite for {scorer.not_finite:,} of {people:,} people"]
    if 2 * scorer.constant > people:
        return [f"it gives every item the same score, to {scorer.constant:,} of {people:,} people"]
    return []


def sanity(measured: Measured, trial: Trial, rules: Rules) -> list[Figure]:
    """Of a challenger that is not broken: figures, those "failed" are causes to refuse it, "unclear" forbid to promote.

    Asks the scorer once more, with histories of one item.
    """
    popular, lists = values_of_popularity(trial, rules.metric)
    return [
        _popularity(measured, lists),
        _everybody(measured, trial),
        _likeness(measured, trial, rules),
        _floor(measured.values[rules.metric], popular, rules),
    ]


def _popularity(measured: Measured, lists: np.ndarray) -> Figure:
    k = lists.shape[1]
    pairs = zip(measured.lists[:, :k], lists, strict=True)
    share = float(np.mean([len(np.intersect1d(mine, usual)) for mine, usual in pairs])) / k
    fact = f"{share:.0%} of what it lists are tonight's most taken items, less than {MOST_ALIKE:.0%} wanted"
    return value("popular", share, MOST_ALIKE, share < MOST_ALIKE, "popularity collapse", fact, len(lists))


def _everybody(measured: Measured, trial: Trial) -> Figure:
    """How much two people's best items have in common, what they have seen included: the sum of an item's pairs."""
    tops = measured.scorer.tops
    n, k = tops.shape
    counts = np.bincount(tops[tops >= 0], minlength=len(trial.items)).astype(np.float64)
    share = float(counts @ (counts - 1) / (n * (n - 1) * k)) if n > 1 else 0.0
    fact = f"two people have {share:.0%} of their {k} best items in common, less than {MOST_ALIKE:.0%} wanted"
    return value("in common", share, MOST_ALIKE, share < MOST_ALIKE, "everybody gets the same list", fact, n)


def _likeness(measured: Measured, trial: Trial, rules: Rules) -> Figure:
    mine, usual = likeness(measured.scorer, trial)
    found = difference(mine - usual, rules.guard_level)
    state: State = "passed" if found.low > 0 else "failed" if len(mine) > 1 else "unclear"
    fact = (
        f"what it lists for one item is like it by {mean(mine):.3f}, popularity's list by {mean(usual):.3f}, over "
        f"{len(mine)} items, more than popularity's wanted"
    )
    cause = "it does not know what is taken together, as if labels were shuffled or its item index permuted"
    said = fact if state == "passed" else f"{cause}: {fact}"
    return Figure("likeness", "absolute", mean(mine), mean(usual), *found[:3], rules.guard_level, 0.0, 0, state, said)


def _floor(mine: np.ndarray, popular: np.ndarray, rules: Rules) -> Figure:
    """Shown above popularity: passed; not even above on average: failed. ``champion`` is popularity here."""
    found = difference(mine - popular, rules.guard_level)
    state: State = "passed" if found.low > 0 else "unclear" if found.value > 0 else "failed"
    fact = (
        f"{rules.metric} {mean(mine):.4f} against {mean(popular):.4f} of tonight's most taken items, "
        f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f}), more than 0 wanted, over {found.people:,} people"
    )
    cause = {"passed": "", "unclear": "it is not shown to beat popularity: ", "failed": "it does not beat popularity: "}
    return Figure(
        f"{rules.metric} above popularity", "absolute", mean(mine), mean(popular), *found[:3], rules.guard_level, 0.0,
        found.people, state, cause[state] + fact,
    )  # fmt: skip

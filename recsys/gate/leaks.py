"""Leaks: whether a challenger has learnt the very interactions that it is judged by.

A model does better on what it has learnt. The champion shows how much: its mean on people it learnt from, less its mean
on the people judged, cut the same way, from whom it learnt nothing. A challenger that learnt from the people judged
gains about that on them, and does not on the others. So two things are wanted together, each more than a share of the
champion's gap: the gain on the people judged, and that gain less the gain on people both learnt from (a difference in
differences, Ashenfelter and Card 1985). The first alone would suspect whatever is much better, the second alone
whatever remembers less, such as a model with more regularization. The gap is measured on a random fifth of each
history: of the latest, a champion of some nights ago has learnt little.
"""

from __future__ import annotations

import math

import numpy as np

from recsys.gate.bounds import between
from recsys.gate.figures import Figure
from recsys.gate.measured import Measured, values_of
from recsys.gate.rules import Rules
from recsys.gate.trial import Trial


def leak(challenger: Measured, champion: Measured | None, trial: Trial, rules: Rules) -> Figure:
    """ "failed" when both are shown at guard_level; "told" where there is no champion, or it gains nothing by learning.

    challenger, champion: the gain on the people judged, and on those both learnt from. change: their difference as a
    share of the champion's gap; limit: ``rules.leak``.
    """
    if champion is None:
        return Figure("leak", "value", math.nan, said="no leak is looked for without a champion to compare with")
    share, level = rules.leak, rules.guard_level
    unlearnt = values_of(champion.bundle, trial, trial.unlearnt, rules.metric)
    gap = between(champion.learnt, unlearnt, level)
    if not gap.low > 0:
        said = "no leak is looked for: the champion is not shown to do better on what it has learnt"
        return Figure("leak", "value", math.nan, said=said)
    # The gap has a part on each side: put to its people, "more than a share of it" compares two groups of people.
    gains = challenger.values[rules.metric] - champion.values[rules.metric]
    others = challenger.learnt - champion.learnt
    gained = between(gains + share * unlearnt, share * champion.learnt, level)
    apart = between(gains + share * unlearnt, others + share * champion.learnt, level)
    gain, other = float(np.mean(gains)), float(np.mean(others))
    failed = gained.low > 0 and apart.low > 0
    fact = (
        f"{rules.metric} is {gain:+.4f} against the champion's on the people judged and {other:+.4f} on "
        f"{len(champion.learnt):,} people both learnt from; having learnt the answers is worth {gap.value:.4f} to the "
        f"champion, and less than {share:.0%} of that apart is wanted"
    )
    cause = "leak: it has learnt the hidden interactions of the people it is judged by: "
    return Figure(
        "leak", "value", gain, other, (gain - other) / gap.value, min(gained.low, apart.low) / gap.value + share,
        level=level, limit=share, people=gap.people, state="failed" if failed else "passed", said=cause * failed + fact,
    )  # fmt: skip

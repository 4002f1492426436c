"""Peers: what is usual among people with histories of similar length, and how rare the unusual is among genuine ones.

The people at hand are the only reference there is, and some of them are what is looked for. So the usual is a median,
its spread a median deviation, and the tail beyond which genuine people are rare is continued from the bulk, as in
Efron, "Large-Scale Simultaneous Hypothesis Testing: The Choice of a Null Hypothesis" (2004). That assumes that most
people are genuine, and that their tail goes on as the quantiles before it, normally. The rate that comes of it is over
everybody: the shortest of all histories, whose scores scatter most, have more than their share of false alarms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

SHARE = 0.2  # of all people are somebody's peers: the fifth whose lengths are nearest
_FEWEST = 50
_LOOKED_AT = 2000  # of them, evenly spaced: a median of more says no more
_FROM, _TO = 0.75, 0.9  # quantiles that the tail is continued from: above, what is looked for may lie
_SUSPECT = 0.05  # one-sided probability below which somebody is no reference in the next pass
_PASSES = 8
_DEVIATION = 1.4826  # of the normal distribution in units of its median absolute deviation


@dataclass(frozen=True, eq=False)
class Compared:
    """signs: (n, k) of the k features, each in deviations of a genuine person's upper tail. score: (n,) of all of them.

    A genuine person's score is above z as often as a standard normal variable is, for z that are rare. p: that
    probability, (n,).
    """

    signs: np.ndarray
    score: np.ndarray
    p: np.ndarray


def compared(features: Sequence[np.ndarray], lengths: np.ndarray) -> Compared:
    """Features, (n,) each, larger is stranger, against peers; what is strange in several ways adds up.

    Who turns out suspect is left out of the reference, and the comparison made again: a group of like histories would
    else pass for what is usual at its length.
    """
    reference = np.ones(len(lengths), dtype=bool)
    for _ in range(_PASSES):
        signs = np.column_stack([_sign(feature, lengths, reference) for feature in features])
        total = signs.sum(axis=1)
        centre, spread = _tail(total, reference)
        score = (total - centre) / spread
        reference = score <= norm.isf(_SUSPECT)
    return Compared(signs, score, norm.sf(score))


def usual(values: np.ndarray, lengths: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(median, median absolute deviation) of each person's peers, both (n,). reference: (n,) bool, who may be a peer.

    Peers are the SHARE of the reference nearest in the order of lengths, half of them shorter and half longer; at both
    ends, where one side is missing, only the other.
    """
    order = np.flatnonzero(reference)[np.argsort(lengths[reference], kind="stable")]
    ordered, sorted_lengths = values[order], lengths[order]
    distinct, which = np.unique(lengths, return_inverse=True)
    middle = (
        np.searchsorted(sorted_lengths, distinct, "left") + np.searchsorted(sorted_lengths, distinct, "right")
    ) / 2
    half = max(_FEWEST, SHARE * len(order)) / 2
    median, deviation = np.empty(len(distinct)), np.empty(len(distinct))
    for k, centre in enumerate(middle):  # one step a length, not a person
        first, last = max(0, int(centre - half)), min(len(order), int(np.ceil(centre + half)))
        one = ordered[first : last : max(1, (last - first) // _LOOKED_AT)]
        median[k] = np.median(one)
        deviation[k] = np.median(np.abs(one - median[k]))
    return median[which], deviation[which]


def _sign(feature: np.ndarray, lengths: np.ndarray, reference: np.ndarray) -> np.ndarray:
    median, deviation = usual(feature, lengths, reference)
    floor = 1e-3 * np.abs(feature - median).mean() + 1e-12  # peers that agree exactly make nobody infinitely strange
    strange = (feature - median) / np.maximum(deviation * _DEVIATION, floor)
    centre, spread = _tail(strange, reference)
    return (strange - centre) / spread


def _tail(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Mean and deviation of the normal distribution that has the genuine people's quantiles _FROM and _TO.

    Leaving out suspects has cut off a share _SUSPECT of the genuine as well, who count as above both quantiles.
    """
    kept = int(reference.sum())
    genuine = kept if reference.all() else kept / (1 - _SUSPECT)
    levels = np.array([_FROM, _TO])
    low, high = np.quantile(values[reference], levels * genuine / kept)
    spread = max((high - low) / float(np.diff(norm.ppf(levels))[0]), 1e-9)
    return float(low - spread * norm.ppf(_FROM)), float(spread)

"""Preferences: what events come to, pair by pair: weighed by the rules, combined without regard to row order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_matrix

from recsys.interactions import MICROSECONDS_PER_DAY, NO_TIME, Interactions

if TYPE_CHECKING:
    from recsys.feedback import EventRule, FeedbackWeights

_PIECE = 1 << 19  # rows weighed at once


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """One row a distinct (user, item) pair, sorted by user, then item; codes as in the interactions they came from.

    strength: (m,) float32, 0 where nothing positive remains. disliked: (m,) bool, then strength is 0.
    """

    user: np.ndarray
    item: np.ndarray
    strength: np.ndarray
    disliked: np.ndarray


def preferences_of(weights: FeedbackWeights, interactions: Interactions, now: int | None) -> Preferences:
    """What `FeedbackWeights.preferences` answers."""
    n = len(interactions)
    if not n:
        nobody = np.zeros(0, dtype=np.int32)
        return Preferences(nobody, nobody, np.zeros(0, dtype=np.float32), np.zeros(0, dtype=bool))
    if _every_row_alike(weights, interactions):
        return _alike(weights, interactions)
    latest = _latest(weights, interactions, now)
    order, user, item = _by_pair(interactions)
    first = np.ones(n, dtype=bool)  # the first row of its pair
    np.not_equal(item[1:], item[:-1], out=first[1:])
    first[1:] |= user[1:] != user[:-1]
    if first.all():
        del first
        return Preferences(user, item, *_by_row(weights, interactions, order, latest))
    starts = np.flatnonzero(first)
    user, item = user[first], item[first]
    strength, disliked = _by_row(weights, interactions, order[first], latest)
    size = np.diff(starts, append=n)
    repeated = np.flatnonzero(size > 1)
    first = np.repeat(size > 1, size)  # now: the rows of pairs that met more than once; the others are done
    rows, size = order[first], size[repeated]
    del order, first, starts
    strength[repeated], disliked[repeated] = _combined(weights, interactions, rows, size, latest)
    return Preferences(user, item, strength, disliked)


def _latest(weights: FeedbackWeights, interactions: Interactions, now: int | None) -> int | None:
    """The moment decay is counted from; None where nothing decays."""
    if weights.half_life_days is None:
        return None
    latest = int(interactions.time.max())
    return None if latest == NO_TIME else latest if now is None else now


def _every_row_alike(weights: FeedbackWeights, interactions: Interactions) -> bool:
    """Whether it cannot matter how often or when a pair met: one event type, of a constant worth."""
    if len(interactions.event.labels) > 1 or weights.half_life_days is not None:
        return False
    rule = weights.rules.get(interactions.event.labels[0])
    if rule is None or rule.dislike:
        return True
    return rule.transform == "count" and rule.dislike_below is None and rule.combine != "sum"


def _alike(weights: FeedbackWeights, interactions: Interactions) -> Preferences:
    """The distinct pairs, each of the one worth there is: numbers sorted without rows are several times faster."""
    bits = max(len(interactions.item.labels) - 1, 1).bit_length()
    key = interactions.user.codes.astype(np.int64)
    key <<= bits
    key |= interactions.item.codes
    key.sort()
    first = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=first[1:])
    if not first.all():
        key = key[first]
    del first
    item = (key & ((1 << bits) - 1)).astype(np.int32)
    key >>= bits
    gain, refused = _worth(weights.rules.get(interactions.event.labels[0]), interactions.value, np.zeros(0, np.int64))
    strength = np.full(len(key), gain, dtype=np.float32)
    return Preferences(key.astype(np.int32), item, strength, np.full(len(key), refused, dtype=bool))


def _by_row(
    weights: FeedbackWeights, interactions: Interactions, rows: np.ndarray, latest: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(gain float32, refused bool) of the rows named, in pieces: the temporaries of ten million would be large."""
    gain = np.empty(len(rows), dtype=np.float32)
    refused = np.empty(len(rows), dtype=bool)
    for start in range(0, len(rows), _PIECE):
        piece = slice(start, start + _PIECE)
        gain[piece], refused[piece] = _weighed(weights, interactions, rows[piece], latest)
    return gain, refused


def _weighed(
    weights: FeedbackWeights, interactions: Interactions, rows: np.ndarray, latest: int | None
) -> tuple[np.ndarray | float, np.ndarray | bool]:
    """(gain float64, refused bool) of the rows named; one number where it is the same for all of them."""
    labels = interactions.event.labels
    if len(labels) == 1:
        gain, refused = _worth(weights.rules.get(labels[0]), interactions.value, rows)
    else:
        event = interactions.event.codes[rows]
        gain, refused = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
        for code, label in enumerate(labels):
            of_type = np.flatnonzero(event == code)
            if len(of_type):
                gain[of_type], refused[of_type] = _worth(weights.rules.get(label), interactions.value, rows[of_type])
    if latest is not None and weights.half_life_days is not None:
        time = interactions.time[rows]
        age = np.maximum(latest - np.where(time == NO_TIME, latest, time), 0) / MICROSECONDS_PER_DAY
        gain = gain * 0.5 ** (age / weights.half_life_days)
    return gain, refused


def _combined(
    weights: FeedbackWeights, interactions: Interactions, rows: np.ndarray, size: np.ndarray, latest: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """(strength, disliked) of k pairs that met more than once. rows: theirs, pair after pair; size: (k,) rows each.

    Nothing here depends on the order of a pair's rows: the same events in any order give the same bits.
    """
    pair = np.repeat(np.arange(len(size), dtype=np.int64), size)
    types = np.argsort(np.argsort(interactions.event.labels))  # of the sorted names: codes depend on row order
    event = types[interactions.event.codes[rows]]
    group_of_row = pair * len(types) + event  # a group: one pair and event type
    gain, refused = (np.broadcast_to(part, len(rows)) for part in _weighed(weights, interactions, rows, latest))
    order = np.lexsort((gain, group_of_row))
    rows, pair, event, group_of_row = rows[order], pair[order], event[order], group_of_row[order]
    gain, refused = gain[order], refused[order]
    time, value = interactions.time[rows], interactions.value[rows]

    group = np.flatnonzero(np.r_[True, group_of_row[1:] != group_of_row[:-1]])
    length = np.diff(group, append=len(rows))
    rules = [weights.rules.get(label) for label in sorted(interactions.event.labels)]
    combine = np.array([rule.combine if rule else "max" for rule in rules])[event[group]]
    if (combine == "last").any():  # the latest, of those at one moment the largest value; the others say nothing
        newest = time == np.repeat(np.maximum.reduceat(time, group), length)
        among = np.where(newest, np.nan_to_num(value, nan=np.inf), -np.inf)
        counted = newest & (among == np.repeat(np.maximum.reduceat(among, group), length))
        counted |= np.repeat(combine != "last", length)
        gain, refused = gain * counted, refused & counted
    by_group = np.where(combine == "sum", np.add.reduceat(gain, group), np.maximum.reduceat(gain, group))
    first_group = np.flatnonzero(np.r_[True, np.diff(pair[group]) > 0])
    strength = np.add.reduceat(by_group, first_group)

    start = group[first_group]
    never = np.iinfo(np.int64).min  # also NO_TIME: events without a time are older than all others
    latest_no = np.maximum.reduceat(np.where(refused, time, never), start)
    latest_yes = np.maximum.reduceat(np.where(gain > 0, time, never), start)
    disliked = np.logical_or.reduceat(refused, start) & (latest_no >= latest_yes)
    return np.where(disliked, 0.0, strength), disliked


def _by_pair(interactions: Interactions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row numbers, user codes, item codes), all (n,) int32, by user, then item.

    Sorted through a sparse matrix of row numbers: counting by user and sorting within each takes a third of the time
    of comparing all rows.
    """
    shape = (len(interactions.user.labels), len(interactions.item.labels))
    rows = np.arange(len(interactions), dtype=np.int32)
    counted = coo_matrix((rows, (interactions.user.codes, interactions.item.codes)), shape=shape)
    counted.has_canonical_format = True  # or scipy would add the row numbers of a pair up
    by_user = counted.tocsr()
    by_user.sort_indices()
    user = np.repeat(np.arange(shape[0], dtype=np.int32), np.diff(by_user.indptr))
    return by_user.data, user, by_user.indices.astype(np.int32, copy=False)


def _worth(
    rule: EventRule | None, values: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray | float, np.ndarray | bool]:
    """(gain, refused) of rows of one event type; a row that is refused gains nothing."""
    if rule is None or rule.dislike:
        return 0.0, rule is not None
    if rule.transform == "count" and rule.dislike_below is None:
        return rule.weight, False
    value = values[rows]
    gain: np.ndarray
    if rule.transform == "count":
        gain = np.full(len(rows), rule.weight)
    elif rule.transform == "threshold":
        gain = (value >= rule.at) * rule.weight  # NaN compares false
    else:
        amount = np.maximum(value, 0.0)
        gain = rule.weight * np.where(np.isnan(value), 1.0, np.log1p(amount) if rule.transform == "log1p" else amount)
    if rule.dislike_below is None:
        return gain, False
    refused = value < rule.dislike_below
    gain[refused] = 0.0
    return gain, refused

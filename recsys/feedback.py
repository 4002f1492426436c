"""FeedbackWeights: how raw events become one strength a (user, item) pair, when a matrix is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recsys.errors import SettingError
from recsys.interactions import MICROSECONDS_PER_DAY, NO_TIME, Interactions

Transform = Literal["count", "threshold", "linear", "log1p"]
Combine = Literal["last", "sum", "max"]


@dataclass(frozen=True, slots=True)
class EventRule:
    """What one event of a type is worth.

    weight: worth of an event that counts in full.
    transform: "count" ignores the value; "threshold" counts 1 when value >= at, else 0; "linear" counts value; "log1p"
        counts log(1 + value). An event without a value counts 1, under "threshold" 0.
    combine: how events of this type on one pair come together: only the "last" counts, or their "sum", or the "max".
    dislike: every event of this type says the person does not want the item.
    dislike_below: a value under it says so.
    """

    weight: float = 1.0
    transform: Transform = "count"
    at: float = 0.0
    combine: Combine = "sum"
    dislike: bool = False
    dislike_below: float | None = None

    def __post_init__(self) -> None:
        if self.transform not in ("count", "threshold", "linear", "log1p"):
            raise SettingError(f"no transform is called '{self.transform}'", do="use count, threshold, linear or log1p")
        if self.combine not in ("last", "sum", "max"):
            raise SettingError(f"no way to combine is called '{self.combine}'", do="use last, sum or max")
        if not np.isfinite(self.weight) or self.weight < 0:
            raise SettingError(
                f"weight must be a finite number of at least 0, not {self.weight}",
                do="say dislike = true for events that mean no",
            )


RULES: Mapping[str, EventRule] = {
    "interaction": EventRule(combine="max"),
    "rating": EventRule(transform="threshold", at=4.0, combine="last", dislike_below=2.5),
    "view": EventRule(weight=0.5, combine="max"),
    "click": EventRule(weight=0.5, combine="max"),
    "like": EventRule(combine="last"),
    "favorite": EventRule(combine="last"),
    "cart": EventRule(combine="max"),
    "purchase": EventRule(weight=2.0, combine="max"),
    "comment": EventRule(combine="max"),
    "share": EventRule(combine="max"),
    "play": EventRule(combine="max"),
    "watch": EventRule(weight=0.25, transform="log1p", combine="sum"),
    "dislike": EventRule(weight=0.0, combine="last", dislike=True),
}


@dataclass(frozen=True, slots=True, eq=False)
class Preferences:
    """One row a distinct (user, item) pair, sorted by user, then item; codes as in the interactions they came from.

    strength: (m,) float32, 0 where nothing positive remains. disliked: (m,) bool, then strength is 0.
    """

    user: np.ndarray
    item: np.ndarray
    strength: np.ndarray
    disliked: np.ndarray


@dataclass(frozen=True)
class FeedbackWeights:
    """The rules by event type, and how fast interest fades.

    half_life_days: an event this many days before the latest one counts half; None: no decay. Events without a time do
    not decay. Event types without a rule count nothing; `unruled` names them.
    """

    rules: Mapping[str, EventRule] = field(default_factory=lambda: dict(RULES))
    half_life_days: float | None = None

    def __post_init__(self) -> None:
        if self.half_life_days is not None and not self.half_life_days > 0:
            raise SettingError(
                f"half_life_days must be above 0, not {self.half_life_days}", do="leave it out for no decay"
            )

    def unruled(self, interactions: Interactions) -> dict[str, int]:
        """Event types present without a rule, with their number of rows."""
        counts = np.bincount(interactions.event.codes, minlength=len(interactions.event.labels))
        return {
            str(label): int(count)
            for label, count in zip(interactions.event.labels, counts, strict=True)
            if count and label not in self.rules
        }

    def preferences(self, interactions: Interactions, now: int | None = None) -> Preferences:
        """Weigh and combine n events into m <= n distinct pairs.

        now: microseconds; the moment decay is counted from, by default the latest time among the events. Within a
        "last" rule only the latest event of a pair and type counts (ties: the larger value). A pair is disliked when
        its latest "no" is not older than its latest "yes"; then nothing positive remains of it.
        """
        gain, refused, combine = self._by_row(interactions, now)
        user, item = interactions.user.codes, interactions.item.codes
        # Radix passes instead of one comparison sort: item first, then user, both stable.
        order = np.argsort(item, kind="stable")
        order = order[np.argsort(user[order], kind="stable")]
        if not self._repeated(user, item, order):
            return Preferences(user[order], item[order], gain[order].astype(np.float32), refused[order])
        return _combine(interactions, gain, refused, combine)

    @staticmethod
    def _repeated(user: np.ndarray, item: np.ndarray, order: np.ndarray) -> bool:
        u, i = user[order], item[order]
        return bool(np.any((u[1:] == u[:-1]) & (i[1:] == i[:-1])))

    def _by_row(self, interactions: Interactions, now: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(gain float64, refused bool, combine int8: index into ("last", "sum", "max")) of every row."""
        n = len(interactions)
        gain, refused = np.zeros(n), np.zeros(n, dtype=bool)
        combine = np.zeros(n, dtype=np.int8)
        value = interactions.value
        for code, label in enumerate(interactions.event.labels):
            rule = self.rules.get(label)
            if rule is None:
                continue
            rows: np.ndarray | slice = slice(None)
            if len(interactions.event.labels) > 1:
                rows = np.flatnonzero(interactions.event.codes == code)
            gain[rows] = rule.weight * _transformed(rule, value[rows])
            if rule.dislike:
                refused[rows] = True
            elif rule.dislike_below is not None:
                refused[rows] = value[rows] < rule.dislike_below  # NaN compares false
            combine[rows] = ("last", "sum", "max").index(rule.combine)
        gain[refused] = 0.0
        if self.half_life_days is not None:
            timed = interactions.time != NO_TIME
            if timed.any():
                latest = now if now is not None else int(interactions.time[timed].max())
                age = np.maximum(latest - interactions.time[timed], 0) / MICROSECONDS_PER_DAY
                gain[timed] *= 0.5 ** (age / self.half_life_days)
        return gain, refused, combine


def _transformed(rule: EventRule, value: np.ndarray) -> np.ndarray | float:
    if rule.transform == "count":
        return 1.0
    if rule.transform == "threshold":
        return (value >= rule.at).astype(np.float64)
    amount = np.log1p(np.maximum(value, 0.0)) if rule.transform == "log1p" else np.maximum(value, 0.0)
    return np.where(np.isnan(value), 1.0, amount)


def _combine(interactions: Interactions, gain: np.ndarray, refused: np.ndarray, combine: np.ndarray) -> Preferences:
    """The general path, for pairs that met more than once. Sorted by (user, item, event, time, value): the same
    result for the same events in any row order."""
    order = np.lexsort(
        (
            interactions.value,
            interactions.time,
            interactions.event.codes,
            interactions.item.codes,
            interactions.user.codes,
        )
    )
    user, item = interactions.user.codes[order], interactions.item.codes[order]
    event, time = interactions.event.codes[order], interactions.time[order]
    gain, refused, combine = gain[order], refused[order], combine[order]

    new_pair = np.r_[True, (user[1:] != user[:-1]) | (item[1:] != item[:-1])]
    new_group = new_pair | np.r_[True, event[1:] != event[:-1]]  # a group: one pair and event type
    last_of_group = np.r_[new_group[1:], True]
    counted = (combine != 0) | last_of_group  # under "last", earlier events say nothing
    gain, refused = gain * counted, refused & counted

    groups = np.flatnonzero(new_group)
    summed, largest = np.add.reduceat(gain, groups), np.maximum.reduceat(gain, groups)
    by_group = np.where(combine[groups] == 2, largest, summed)
    pairs = np.flatnonzero(new_pair)
    strength = np.add.reduceat(by_group, np.cumsum(new_group)[pairs] - 1)

    never = np.iinfo(np.int64).min  # also NO_TIME: events without a time are older than all others
    latest_no = np.maximum.reduceat(np.where(refused, time, never), pairs)
    latest_yes = np.maximum.reduceat(np.where(gain > 0, time, never), pairs)
    disliked = np.logical_or.reduceat(refused, pairs) & (latest_no >= latest_yes)
    return Preferences(user[pairs], item[pairs], np.where(disliked, 0.0, strength).astype(np.float32), disliked)

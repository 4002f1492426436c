"""FeedbackWeights: how raw events become one strength a (user, item) pair, when a matrix is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from recsys.errors import SettingError
from recsys.interactions import Interactions
from recsys.preferences import Preferences, preferences_of

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
        return preferences_of(self, interactions, now)

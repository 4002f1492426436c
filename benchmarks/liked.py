"""What the benchmarks learn from: a file's likes, or the sample's, as one matrix."""

from __future__ import annotations

from pathlib import Path

from data import readers, sample
from recsys.errors import DataError
from recsys.feedback import EventRule, FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix


def liked(interactions: Path | None, min_value: float | None) -> tuple[Interactions, InteractionMatrix]:
    """(the events, the matrix of users with five likes or more). min_value: the least value of a like, None: by rules.

    interactions: a file, None for the sample. Raises DataError for a file with bad rows.
    """
    events, bad = readers.read_all(interactions or sample.folder() / "interactions.csv")
    if bad:
        raise DataError(f"{len(bad)} bad rows, the first: {bad[0]}")
    weights = None
    if min_value is not None:
        rule = EventRule(transform="threshold", at=min_value, combine="last")
        weights = FeedbackWeights({str(event): rule for event in events.event.labels})
    return events, InteractionMatrix.build(events, weights, min_user=5)

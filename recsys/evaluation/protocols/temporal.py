"""temporal: one moment cuts everything; models learn what came before it and are asked for what came after."""

from __future__ import annotations

from collections.abc import Sequence

from recsys.errors import SettingError
from recsys.evaluation.protocols.times import from_which, times_of, with_times
from recsys.evaluation.protocols.window import window
from recsys.evaluation.split import Split
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix


def temporal(
    interactions: Interactions,
    weights: FeedbackWeights | None = None,
    seed: int = 0,
    *,
    at: int | None = None,
    share: float = 0.1,
    min_user: int = 1,
    min_item: int = 1,
) -> Split:
    """One global time: no model knows anything of it or after it, and what is new from then on is to be found.

    at: microseconds since 1970; by default the moment from which on a share ``share`` of what people like lies. How it
    is cut: `recsys.evaluation.protocols.window.window`. DataError where nothing has a time or nothing lies on one of
    the sides.
    """
    if at is None:
        (at,) = moments_of(interactions, weights, [share])
    return window(interactions, weights, seed, at, share=share, min_user=min_user, min_item=min_item)


def moments_of(interactions: Interactions, weights: FeedbackWeights | None, shares: Sequence[float]) -> list[int]:
    """For each share, the moment at or after which that share of what people like, or a little more, last occurred."""
    if not all(0 < share < 1 for share in shares):
        raise SettingError(
            f"{max(shares):.0%} of the interactions cannot be kept for the test", do="use a share between 0 and 1"
        )
    timed = with_times(interactions)
    times = times_of(timed, InteractionMatrix.build(timed, weights))
    return [from_which(times, share) for share in shares]

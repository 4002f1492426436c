"""rolling: several moments, each a cut of its own, to see whether what holds at one time holds at another."""

from __future__ import annotations

from recsys.errors import DataError, SettingError
from recsys.evaluation.protocols.temporal import moments_of
from recsys.evaluation.protocols.window import window
from recsys.evaluation.split import Split
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions, iso_time


def rolling(
    interactions: Interactions,
    weights: FeedbackWeights | None = None,
    seed: int = 0,
    *,
    cuts: int = 3,
    share: float = 0.1,
    min_user: int = 1,
    min_item: int = 1,
) -> list[Split]:
    """Several global times, earliest first; each window tests on what came from its moment to the next one's.

    The last share ``cuts * share`` of what people like is cut into ``cuts`` windows of about ``share`` each. Of each,
    models learn what came before it, the windows before it included, and know nothing of it or after it. DataError
    where nothing has a time, or too few moments are apart.
    """
    if cuts < 1 or cuts * share >= 1:
        raise SettingError(
            f"{cuts} windows of {share:.0%} of the interactions each leave nothing to learn from",
            do="use fewer windows, or a smaller share",
        )
    starts = moments_of(interactions, weights, [share * k for k in range(cuts, 0, -1)])
    if len(set(starts)) < cuts:
        raise DataError(
            f"the times are too few or too alike for {cuts} windows of {share:.0%} each", do="use fewer windows"
        )
    days = [iso_time(at)[:10] for at in starts]
    labels = days if len(set(days)) == cuts else [iso_time(at) for at in starts]
    return [
        window(
            interactions,
            weights,
            seed,
            at,
            until=until,
            share=share,
            min_user=min_user,
            min_item=min_item,
            name="rolling",
            label=f"from {label}",
            facts={"cuts": cuts},
        )
        for at, until, label in zip(starts, [*starts[1:], None], labels, strict=True)
    ]

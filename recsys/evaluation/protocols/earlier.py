"""Validation at an earlier time: the history before a cut, cut once more the same way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.errors import DataError
from recsys.evaluation.protocols.rows import filled, onto, some
from recsys.evaluation.protocols.sides import Sides, sides
from recsys.evaluation.protocols.times import from_which, times_of
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import Index, InteractionMatrix
from recsys.recency import of_rows, order_of
from recsys.recommender import Holdout


@dataclass(frozen=True, eq=False)
class Learnt:
    """What models learn from, and what choices are made by.

    events: all before ``at``; data: what they come to, without rare items and short histories. found: people with a
    history by then, and what they newly liked from ``at`` on; order: (nnz of found.history,) when each entry last
    occurred. Without an ``at`` the events are the whole past, and there is nothing to choose by.
    """

    events: Interactions
    data: InteractionMatrix
    at: int | None = None
    found: Sides | None = None
    order: np.ndarray | None = None

    def held_out(self, items: Index, seed: int) -> tuple[Holdout | None, tuple[str, ...]]:
        """At most `MOST_VALIDATION_USERS` of the people found, on columns that hold theirs; and who they are."""
        if self.found is None:
            return None, ()
        found = self.found
        chosen = some(np.arange(len(found.users)), 1.0, np.random.default_rng(seed))
        given, hidden = found.given[chosen], found.hidden[chosen]
        order = of_rows(found.history, self.order, found.rows[chosen])
        if order is not None:
            order = onto(filled(given, order), found.items, items).data
        held = Holdout(onto(given, found.items, items), onto(hidden, found.items, items), order=order)
        return held, tuple(found.users[row] for row in chosen)


def learnt_before(
    past: Interactions,
    history: InteractionMatrix,
    weights: FeedbackWeights | None,
    share: float,
    min_user: int,
    min_item: int,
    now: int,
) -> Learnt:
    """The events of ``past`` before the moment from which on a share of the likes in ``history``, built of them, lies.

    All of ``past``, as of ``now``, where that leaves nobody to learn from or nobody to choose by.
    """
    at = from_which(times_of(past, history), share)
    events, rest = past.take(past.time < at), past.take(past.time >= at)
    try:
        data = InteractionMatrix.build(events, weights, min_user, min_item, now=at)
        before = InteractionMatrix.build(events, weights, now=at)
        found = sides(before, InteractionMatrix.build(rest, weights), least=max(min_user, 1))
    except DataError:  # one side has nothing that counts
        found = None
    if found is None or not found.users:
        return Learnt(past, InteractionMatrix.build(past, weights, min_user, min_item, now=now))
    return Learnt(events, data, at, found, order_of(events, before))

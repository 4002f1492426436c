"""window: a split at one global time, on what came before it and what came from then on, perhaps until a later time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recsys.errors import DataError
from recsys.evaluation.protocols.earlier import Learnt, learnt_before
from recsys.evaluation.protocols.rows import left_out, onto, unseen
from recsys.evaluation.protocols.sides import Sides, columns, sides
from recsys.evaluation.protocols.times import latest, latest_of_rows, span_of, times_of, with_times
from recsys.evaluation.split import LeftOut, Split, describe
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions, iso_time
from recsys.matrix import InteractionMatrix
from recsys.recency import of_rows, order_of


def window(
    interactions: Interactions,
    weights: FeedbackWeights | None,
    seed: int,
    at: int,
    *,
    until: int | None = None,
    share: float = 0.1,
    min_user: int = 1,
    min_item: int = 1,
    name: str = "temporal",
    label: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Split:
    """Who likes at least min_user items before ``at`` is asked for what they newly like from it on, before ``until``.

    Each part is weighed, combined, counted for min_user and min_item, and faded by the events of that part alone, as of
    its end. The last share of the history is validation: models learn from what came before an earlier moment, choices
    are made on what people with a history by then (at most 5,000) took to between the two. Test users give their whole
    history before ``at``. Items that training does not know, min_item's among them, are columns too and count as
    missed. Where nobody is left to choose by, everything before ``at`` is learnt from.
    """
    timed = with_times(interactions)
    past = timed.take(timed.time < at)
    later = timed.take((timed.time >= at) & ((timed.time < until) if until is not None else True))
    if not len(past) or not len(later):
        raise DataError(
            f"nothing happened {'before' if not len(past) else 'at or after'} {iso_time(at)}",
            do="cut at a moment inside the span of the data",
        )
    history = InteractionMatrix.build(past, weights, now=at)
    after = InteractionMatrix.build(later, weights)
    learnt = learnt_before(past, history, weights, share, min_user, min_item, at)
    others = [] if learnt.found is None else [learnt.found.items]
    items = columns(history.items, after.items, learnt.data.items, *others)
    found = sides(history, after, times_of(later, after), least=max(min_user, 1), items=items, trained=learnt.data)
    if not found.users:
        raise DataError(
            f"nobody with a history before {iso_time(at)} took to anything new from then on",
            do="cut at another moment, or use the protocol strong",
        )
    held, held_users = learnt.held_out(items, seed)
    train, times = onto(learnt.data.matrix, learnt.data.items, items), times_of(past, history)
    return Split(
        name=name,
        train=train,
        given=found.given,
        hidden=found.hidden,
        items=items,
        users=found.users,
        validation=held,
        facts={
            "users": len(found.users),
            "train_users": len(learnt.data.users),
            "validation_users": len(held_users),
            "hidden_interactions": int(found.hidden.nnz),
            "validation": "what people took to between two earlier moments" if held else "none: too few to choose by",
            "from": iso_time(at),
            "until": None if until is None else iso_time(until),
            "validation_from": None if learnt.at is None else iso_time(learnt.at),
            "items_unseen_in_training": unseen(found.hidden, train),
            "pairs_already_in_history": found.repeated,
            "seed": seed,
            "at": at,
            "share": share,
            "min_user": min_user,
            "min_item": min_item,
            **(facts or {}),
        },
        data={**describe([history, after]), "span": span_of(past, later)},
        train_users=tuple(learnt.data.users.ids),
        given_order=of_rows(found.history, order_of(past, history), found.rows),
        validation_users=held_users,
        description=_sentence(found, at, until, learnt, len(held_users)),
        left_out=_left_out(
            (len(interactions) - len(timed), len(timed) - len(past) - len(later)), past, found, learnt, min_user
        ),
        seed=seed,
        label=label,
        latest_trained=latest(times_of(learnt.events, learnt.data)),
        hidden_times=found.hidden_times,
        last_given=latest_of_rows(found.given, of_rows(found.history, times, found.rows)),
    )


def _sentence(found: Sides, at: int, until: int | None, learnt: Learnt, chosen: int) -> str:
    end = "" if until is None else f" and before {iso_time(until)}"
    first = (
        f"{len(found.users):,} people with a history before {iso_time(at)} give it and are asked for what they newly "
        f"took to from then on{end}; "
    )
    if learnt.at is None:
        return first + "models learnt from everything before it, and nobody was left to make choices on."
    return first + (
        f"models learnt from what came before {iso_time(learnt.at)}, and choices were made on what {chosen:,} people "
        "took to between the two."
    )


def _left_out(
    timed: tuple[int, int],
    past: Interactions,
    found: Sides,
    learnt: Learnt,
    min_user: int,
) -> tuple[LeftOut, ...]:
    """timed: interactions without a time, and those after the window."""
    return left_out(
        (timed[0], "interactions", "without a time they are neither before nor after"),
        (timed[1], "interactions", "after the end of the window"),
        (found.unknown, "users", "they like nothing before the cut, so they have nothing to give: never asked"),
        (found.short, "users", f"fewer than {min_user} liked items before the cut: never asked"),
        (found.satisfied, "users", "all they like after the cut is in their history already: never asked"),
        (found.repeated, "interactions", "with something in the history already, and so never recommended"),
        (len(past) - len(learnt.events), "training interactions", "shortly before the cut, kept to choose by"),
    )

"""leave_last_out: everybody is asked for the last thing they liked, from all they liked before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.entries import events_of, latest_of, masked
from recsys.errors import DataError, SettingError
from recsys.evaluation.protocols.rows import ids_of, in_rows, last, left_out, onto, parted, some, unseen
from recsys.evaluation.protocols.sides import sides
from recsys.evaluation.protocols.times import latest, latest_of_rows, span_of, times_of
from recsys.evaluation.split import Split, describe
from recsys.feedback import FeedbackWeights
from recsys.interactions import NO_TIME, Interactions
from recsys.matrix import InteractionMatrix
from recsys.recency import moments, of_rows, order_of


def leave_last_out(
    interactions: Interactions,
    weights: FeedbackWeights | None = None,
    seed: int = 0,
    *,
    min_user: int = 1,
    min_item: int = 1,
    hidden: int = 1,
    validation: float = 0.1,
) -> Split:
    """The last ``hidden`` items of each history are to be found by all that came before them.

    Last is by the latest event of each liked pair; where nothing has a time, by row. All events of a hidden pair are
    taken out before anything is weighed or counted for training: min_user and min_item count what is left. Whoever has
    min_user items left is asked, and gives all of them. Items that training does not know are columns too and count as
    missed. Of a share ``validation`` of the users (at most
    5,000) the last ``hidden`` before those are kept from training for choices; at the test they are given. Between
    entries equally late the seed decides. DataError where nothing says what came last, or nobody can be asked.
    """
    if hidden < 1:
        raise SettingError(f"hidden must be at least 1, not {hidden}", do="hide 1, or more, of each history")
    rng = np.random.default_rng(seed)
    ends = _ends(interactions, weights, hidden, rng)
    learnt = InteractionMatrix.build(ends.past, weights, min_user, min_item)
    history = InteractionMatrix.build(ends.past, weights)
    found = sides(history, ends.last, ends.times, least=max(min_user, 1))
    if not found.users:
        raise DataError(
            f"nobody has more than {hidden} liked items of which the last is known",
            do="bring longer histories, or use the protocol strong",
        )
    whole = onto(learnt.matrix, learnt.items, found.items)  # numbers keep their order, and so do the entries
    order = latest_of(ends.places, events_of(ends.past, learnt), whole.nnz, NO_TIME)
    times, given_times = times_of(ends.past, learnt), times_of(ends.past, history)
    given_order = latest_of(ends.places, events_of(ends.past, history), history.matrix.nnz, NO_TIME)
    chosen = some(np.flatnonzero(np.diff(whole.indptr) > hidden), validation, rng)
    kept = ~(in_rows(whole, chosen) & last(whole, order, hidden, rng))
    kept_of_chosen = kept[in_rows(whole, chosen)]
    held = parted(whole[chosen], ~kept_of_chosen, of_rows(whole, order, chosen)) if len(chosen) else None
    train = masked(whole, kept)
    what = "last item" if hidden == 1 else f"last {hidden} items"
    return Split(
        name="leave-last-out",
        train=train,
        given=found.given,
        hidden=found.hidden,
        items=found.items,
        users=found.users,
        validation=held,
        facts={
            "users": len(found.users),
            "train_users": len(learnt.users),
            "validation_users": len(chosen),
            "hidden_interactions": int(found.hidden.nnz),
            "validation": f"the {what} before the hidden of the validation users, kept from training",
            "history_order": "row" if ends.times is None else "time",
            "items_unseen_in_training": unseen(found.hidden, train),
            "seed": seed,
            "hidden": hidden,
            "validation_share": validation,
            "min_user": min_user,
            "min_item": min_item,
        },
        data={**describe([ends.liked]), "span": span_of(interactions)},
        train_users=tuple(learnt.users.ids),
        given_order=of_rows(found.history, given_order, found.rows),
        validation_users=ids_of(learnt.users, chosen),
        description=f"{len(found.users):,} people are asked for the {what} they liked, kept from training, and give "
        f"everything before; choices were made on the {what} before that of {len(chosen):,} of them.",
        left_out=left_out(
            (len(np.unique(interactions.user.codes)) - len(ends.liked.users), "users", "they like nothing"),
            (ends.short, "users", f"with {hidden} or fewer liked items nothing would be left to give: never asked"),
            (ends.timeless, "users", "nothing says when they liked their last: never asked"),
            (found.unknown + found.short, "users", f"fewer than {min_user} items are left to give: never asked"),
            (whole.nnz - int(kept.sum()), "training interactions", "kept from training to choose by"),
        ),
        seed=seed,
        latest_trained=latest(None if times is None else times[kept]),
        hidden_times=found.hidden_times,
        last_given=latest_of_rows(found.given, of_rows(found.history, given_times, found.rows)),
    )


@dataclass(frozen=True, eq=False)
class _Ends:
    """Histories without their ends, and the ends.

    liked: all that counts; last: only the ends of it, in the same rows; times: (nnz of last,) theirs, None without any.
    past: the events of everything else; places: (n of past,) when each took place, larger is later. short, timeless:
    users without an end, for having too little and for having it at no known time.
    """

    liked: InteractionMatrix
    last: InteractionMatrix
    times: np.ndarray | None
    past: Interactions
    places: np.ndarray
    short: int
    timeless: int


def _ends(interactions: Interactions, weights: FeedbackWeights | None, hidden: int, rng: np.random.Generator) -> _Ends:
    liked = InteractionMatrix.build(interactions, weights)
    matrix = liked.matrix
    order = order_of(interactions, liked, by_row=True)
    if order is None:
        raise DataError(
            "nothing says what came last: no interaction has a time, and the rows are in the order of the items",
            do="bring data with times, or use the protocol strong",
        )
    mask = last(matrix, order, hidden, rng)
    times, short = times_of(interactions, liked), int((np.diff(matrix.indptr) <= hidden).sum())
    if times is not None:
        mask &= times != NO_TIME
    entry = events_of(interactions, liked)
    past = ~((entry >= 0) & mask[entry])
    places = moments(interactions)
    if places is None:
        places = np.arange(len(interactions), dtype=np.int64)
    taken = InteractionMatrix(masked(matrix, mask), liked.users, liked.items)
    ended = int((np.diff(taken.matrix.indptr) > 0).sum())
    return _Ends(
        liked=liked,
        last=taken,
        times=None if times is None else times[mask],
        past=interactions.take(past),
        places=places[past],
        short=short,
        timeless=len(liked.users) - short - ended,
    )

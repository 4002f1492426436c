"""fixed: two given sets, the first to learn from, the second to be found."""

from __future__ import annotations

import numpy as np

from recsys.entries import masked
from recsys.errors import DataError
from recsys.evaluation.protocols.rows import among, ids_of, in_rows, left_out, some
from recsys.evaluation.protocols.sides import sides
from recsys.evaluation.protocols.times import latest, latest_of_rows, span_of, times_of
from recsys.evaluation.split import Split, describe
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix
from recsys.recency import of_rows, order_of
from recsys.recommender import Holdout


def fixed(train: Interactions, test: Interactions, seed: int, validation: float = 0.1, given: float = 0.8) -> Split:
    """Two given sets: learn from the first, find the second's interactions, ranking all items unseen in the first.

    Of a share ``validation`` of the training users (at most 5,000, each with two interactions or more) the latest
    ``1 - given`` of the history is kept from training for every choice: latest by time or, where nothing has one, by
    row, for what is chosen on the past should be judged on what came after it. Rows in the order of their items' ids
    say nothing about time; then the part is random. The users asked give their whole rows of the first set. Items
    only the second set knows are columns too, so they count in every denominator. Pairs that both sets hold cannot be
    recommended: they are counted in the facts and left out.
    """
    learnt, asked = InteractionMatrix.build(train), InteractionMatrix.build(test)
    found = sides(learnt, asked, times_of(test, asked))
    items, whole = found.items, found.history
    if not found.users:
        raise DataError("the test set holds nothing that the training set does not", do="give two different files")

    rng = np.random.default_rng(seed)
    chosen = some(np.flatnonzero(np.diff(whole.indptr) > 1), validation, rng)
    order, times = order_of(train, learnt, by_row=True), times_of(train, learnt)
    held = Holdout.of(whole[chosen], given, rng, of_rows(whole, order, chosen)) if len(chosen) else None
    kept = np.ones(whole.nnz, dtype=bool)
    if held is not None:
        kept[in_rows(whole, chosen)] = ~among(whole[chosen], held.hidden)
    known = found.rows[found.rows >= 0]
    way = "the latest" if order is not None else "a random"
    return Split(
        name="fixed",
        train=masked(whole, kept),
        given=found.given,
        hidden=found.hidden,
        items=items,
        users=found.users,
        validation=held,
        facts={
            "users": len(found.users),
            "train_users": len(learnt.users),
            "validation_users": len(chosen),
            "hidden_interactions": int(found.hidden.nnz),
            "validation": f"{way} {1 - given:.0%} of the training histories of the validation users",
            "history_order": None if order is None else "row" if train.span() is None else "time",
            "users_unseen_in_training": len(found.users) - len(known),
            "items_unseen_in_training": len(items) - len(learnt.items),
            "pairs_already_in_training": found.repeated,
            "seed": seed,
            "given": given,
            "validation_share": validation,
        },
        data={**describe([learnt, asked]), "span": span_of(train, test)},
        train_users=tuple(learnt.users.ids),
        given_order=of_rows(whole, order, known),
        validation_users=ids_of(learnt.users, chosen),
        description=f"{len(found.users):,} people of the test file give what they have in the training file and are "
        f"asked for what is new in the test file; choices were made on {way} {1 - given:.0%} of {len(chosen):,} "
        "training histories, kept from training.",
        left_out=left_out(
            (len(np.unique(test.user.codes)) - len(asked.users), "users", "they like nothing in the test file"),
            (found.satisfied, "users", "everything they like in the test file is in the training file already"),
            (found.repeated, "interactions", "already in the training file, and so never recommended"),
            (whole.nnz - int(kept.sum()), "training interactions", "kept from training to choose by"),
        ),
        seed=seed,
        latest_trained=latest(None if times is None else times[kept]),
        hidden_times=found.hidden_times,
        last_given=latest_of_rows(found.given, of_rows(whole, times, known)),
    )

"""strong: people the models never saw give a part of their history and are asked for the rest."""

from __future__ import annotations

import numpy as np

from recsys.errors import DataError
from recsys.evaluation.protocols.rows import among, ids_of, left_out
from recsys.evaluation.protocols.times import latest, latest_of_rows, times_of
from recsys.evaluation.split import LeftOut, Split, describe
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix
from recsys.recency import of_rows
from recsys.recommender import Holdout


def strong(
    matrix: InteractionMatrix,
    seed: int,
    validation: float = 0.1,
    test: float = 0.1,
    given: float = 0.8,
    span: tuple[int, int] | None = None,
    interactions: Interactions | None = None,
) -> Split:
    """Strong generalization (Liang et al. 2018): test users are people the models never saw.

    A share ``test`` of the users with at least two interactions is asked, another ``validation`` is held out for
    choices, the rest is trained on; of each held-out history ``given`` is shown. Depends on the seed and on the
    interactions, not on their order. interactions: what the matrix was built from, for the times and for the counts of
    who is not in the matrix. span: earliest and latest time in microseconds, where the interactions are not at hand.
    Raises DataError when there are too few users for that.
    """
    rng = np.random.default_rng(seed)
    rows = matrix.matrix
    able = rng.permutation(np.flatnonzero(np.diff(rows.indptr) > 1))
    n_test, n_validation = round(len(able) * test), round(len(able) * validation)
    if n_test < 1 or rows.shape[0] - n_test - n_validation < 1:
        raise DataError(
            f"{len(able)} users with at least two interactions are too few to hold out {test:.0%} for the test",
            do="bring more data; about 50 such users are the least that says anything",
        )
    asked, chosen = np.sort(able[:n_test]), np.sort(able[n_test : n_test + n_validation])
    trained = np.setdiff1d(np.arange(rows.shape[0]), able[: n_test + n_validation])
    tested = Holdout.of(rows[asked], given, rng)
    held = Holdout.of(rows[chosen], given, rng) if n_validation else None
    times = None if interactions is None else times_of(interactions, matrix)
    span = span if interactions is None else interactions.span()
    asked_times = of_rows(rows, times, asked)
    hidden = among(rows[asked], tested.hidden)
    return Split(
        name="strong",
        train=rows[trained],
        given=tested.given,
        hidden=tested.hidden,
        items=matrix.items,
        users=ids_of(matrix.users, asked),
        validation=held,
        facts={
            "users": len(asked),
            "train_users": len(trained),
            "validation_users": len(chosen),
            "given": given,
            "hidden_interactions": int(tested.hidden.nnz),
            "validation": "other held-out users",
            "seed": seed,
            "test_share": test,
            "validation_share": validation,
        },
        data={**describe([matrix]), "span": None if span is None else list(span)},
        train_users=ids_of(matrix.users, trained),
        validation_users=ids_of(matrix.users, chosen),
        description=f"{len(asked):,} people drawn at random, none of them trained on, each give {given:.0%} of their "
        f"interactions and are asked for the others; choices were made on {len(chosen):,} other people, held out the "
        "same way.",
        left_out=_left_out(matrix, interactions, len(chosen)),
        seed=seed,
        latest_trained=latest(of_rows(rows, times, trained)),
        hidden_times=None if asked_times is None else asked_times[hidden],
        last_given=latest_of_rows(tested.given, None if asked_times is None else asked_times[~hidden]),
    )


def _left_out(matrix: InteractionMatrix, interactions: Interactions | None, validation: int) -> tuple[LeftOut, ...]:
    users = items = 0
    if interactions is not None:
        users = len(np.unique(interactions.user.codes)) - len(matrix.users)
        items = len(np.unique(interactions.item.codes)) - len(matrix.items)
    single = int((np.diff(matrix.matrix.indptr) == 1).sum())
    return left_out(
        (users, "users", "they like too few items: neither trained on nor asked"),
        (items, "items", "too few people like them: neither trained on nor recommended"),
        (single, "users", "a single interaction cannot be given and hidden: trained on, never asked"),
        (validation, "users", "held out for choices: neither trained on nor asked"),
    )

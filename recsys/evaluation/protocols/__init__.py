"""The protocols, each a way to make a Split: who is trained on, who is asked, what they give and what is hidden."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import DataError
from recsys.evaluation.split import Split, describe
from recsys.interactions import Interactions
from recsys.matrix import Index, InteractionMatrix
from recsys.recency import of_rows, order_of
from recsys.recommender import Holdout


def strong(
    matrix: InteractionMatrix,
    seed: int,
    validation: float = 0.1,
    test: float = 0.1,
    given: float = 0.8,
    span: tuple[int, int] | None = None,
) -> Split:
    """Strong generalization (Liang et al. 2018): test users are people the models never saw.

    A share ``test`` of the users with at least two interactions is asked, another ``validation`` is held out for
    choices, the rest is trained on; of each held-out history ``given`` is shown. Depends on the seed and on the
    interactions, not on their order. span: earliest and latest time of the interactions in microseconds, for the
    report. Raises DataError when there are too few users for that.
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
    return Split(
        name="strong",
        train=rows[trained],
        given=tested.given,
        hidden=tested.hidden,
        items=matrix.items,
        users=tuple(matrix.users.ids[asked]),
        validation=held,
        facts={
            "users": len(asked),
            "train_users": len(trained),
            "validation_users": len(chosen),
            "given": given,
            "hidden_interactions": int(tested.hidden.nnz),
            "validation": "other held-out users",
        },
        data={**describe([matrix]), "span": None if span is None else list(span)},
        train_users=tuple(matrix.users.ids[trained]),
    )


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
    new_items = sorted(set(asked.items.ids.tolist()) - set(learnt.items.ids.tolist()))
    items = Index.of([*learnt.items.ids.tolist(), *new_items], noun="item")
    whole = csr_matrix(learnt.matrix, shape=learnt.matrix.shape, copy=True)
    whole.resize(len(learnt.users), len(items))
    columns = items.numbers(asked.items.ids.tolist())
    hidden = csr_matrix(
        (asked.matrix.data, columns[asked.matrix.indices], asked.matrix.indptr), shape=(len(asked.users), len(items))
    )
    hidden.sort_indices()
    given_rows = _rows_of(whole, learnt.users, asked.users.ids.tolist())
    repeated = hidden.multiply(given_rows > 0)
    hidden = csr_matrix(hidden - repeated)
    hidden.eliminate_zeros()
    kept = np.flatnonzero(np.diff(hidden.indptr))
    if not len(kept):
        raise DataError("the test set holds nothing that the training set does not", do="give two different files")

    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.diff(whole.indptr) > 1)
    wanted = min(round(len(able) * validation), 5000)
    chosen = np.sort(rng.choice(able, wanted, replace=False))
    order = order_of(train, learnt, by_row=True)
    held = Holdout.of(whole[chosen], given, rng, of_rows(whole, order, chosen)) if wanted else None
    asked_rows = learnt.users.find(asked.users.ids[kept].tolist())
    return Split(
        name="fixed",
        train=_without(whole, chosen, held),
        given=given_rows[kept],
        hidden=hidden[kept],
        items=items,
        users=tuple(asked.users.ids[kept]),
        validation=held,
        facts={
            "users": len(kept),
            "train_users": len(learnt.users),
            "validation_users": int(wanted),
            "hidden_interactions": int(hidden.nnz),
            "validation": f"{'the latest' if order is not None else 'a random'} {1 - given:.0%} of the training "
            "histories of the validation users",
            "history_order": None if order is None else "row" if train.span() is None else "time",
            "users_unseen_in_training": int((np.diff(given_rows[kept].indptr) == 0).sum()),
            "items_unseen_in_training": len(new_items),
            "pairs_already_in_training": int(repeated.nnz),
        },
        data={**describe([learnt, asked]), "span": _span(train, test)},
        train_users=tuple(learnt.users.ids),
        given_order=of_rows(whole, order, asked_rows[asked_rows >= 0]),
    )


def _span(*parts: Interactions) -> list[int] | None:
    """[earliest, latest] time of anything in the parts, microseconds; None when nothing has a time."""
    spans = [span for part in parts if (span := part.span()) is not None]
    return [min(first for first, _ in spans), max(last for _, last in spans)] if spans else None


def _rows_of(matrix: csr_matrix, users: Index, wanted: list[str]) -> csr_matrix:
    """The rows of the wanted users, empty where the index does not know them."""
    found = users.find(wanted)
    known = np.flatnonzero(found >= 0)
    pick = csr_matrix(
        (np.ones(len(known), dtype=matrix.dtype), (known, found[known])), shape=(len(wanted), matrix.shape[0])
    )
    rows = csr_matrix(pick @ matrix)
    rows.sort_indices()
    return rows


def _without(matrix: csr_matrix, rows: np.ndarray, held: Holdout | None) -> csr_matrix:
    """The matrix with the held-out part of some rows taken out."""
    if held is None:
        return matrix
    hidden = held.hidden.tocoo()
    taken = csr_matrix((hidden.data, (rows[hidden.row], hidden.col)), shape=matrix.shape)
    left = csr_matrix(matrix - taken)
    left.eliminate_zeros()
    return left

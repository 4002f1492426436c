"""When the entries of a history last occurred, what that makes of a history, and that everybody who asks uses it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, random

from recsys.candidate import train_candidate
from recsys.errors import SettingError
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.protocols import fixed
from recsys.interactions import NO_TIME, Interactions
from recsys.linear.judge import Judge
from recsys.matrix import InteractionMatrix
from recsys.models import create
from recsys.models.space import Range
from recsys.recency import as_asked, faded, of_rows, order_of
from recsys.recommender import FitOptions, Holdout
from recsys.training.validation import Learners, spare
from recsys.tuning.budget import Budget
from recsys.tuning.tune import tune

N_ITEMS = 60


def events(n=400, seed=0, times=True):
    rng = np.random.default_rng(seed)
    users = [f"u{u}" for u in rng.integers(0, 20, n)]
    items = [f"i{i:02}" for i in rng.integers(0, 30, n)]
    when = rng.integers(0, 90, n)
    when[rng.random(n) < 0.1] = NO_TIME
    return Interactions.from_lists(users, items, times=when if times else None)


def expected_later(interactions, data, place):
    """user -> item -> how many of the user's other items last occurred later, counted one by one."""
    last: dict[str, dict[str, int]] = {}
    users = interactions.user.labels[interactions.user.codes]
    items = interactions.item.labels[interactions.item.codes]
    for user, item, at in zip(users, items, place, strict=True):
        mine = last.setdefault(user, {})
        mine[item] = max(mine.get(item, at), at)
    return {u: {i: sum(other > at for other in mine.values()) for i, at in mine.items()} for u, mine in last.items()}


def counted(data, order):
    """The same from an order."""
    found: dict[str, dict[str, int]] = {}
    for u, user in enumerate(data.users.ids):
        entries = slice(*data.matrix.indptr[[u, u + 1]])
        mine = order[entries]
        ids = data.items.ids[data.matrix.indices[entries]]
        found[user] = {item: int((mine > at).sum()) for item, at in zip(ids, mine, strict=True)}
    return found


def test_the_order_is_that_of_the_last_time_whatever_the_order_of_the_rows():
    interactions = events()
    data = InteractionMatrix.build(interactions)
    order = order_of(interactions, data)
    assert counted(data, order) == expected_later(interactions, data, interactions.time.tolist())
    shuffled = interactions.take(np.random.default_rng(1).permutation(len(interactions)))
    np.testing.assert_array_equal(order_of(shuffled, InteractionMatrix.build(shuffled)), order)


def test_without_times_the_rows_say_it_only_where_that_is_allowed():
    interactions = events(times=False)
    data = InteractionMatrix.build(interactions)
    assert order_of(interactions, data) is None
    order = order_of(interactions, data, by_row=True)
    assert counted(data, order) == expected_later(interactions, data, range(len(interactions)))


def test_rows_sorted_by_item_say_nothing():
    interactions = events(times=False)
    item = interactions.item.labels[interactions.item.codes].astype(str)
    user = interactions.user.labels[interactions.user.codes].astype(str)
    interactions = interactions.take(np.lexsort((item, user)))
    assert order_of(interactions, InteractionMatrix.build(interactions), by_row=True) is None


def test_what_the_matrix_leaves_out_is_left_out():
    interactions = events()
    data = InteractionMatrix.build(interactions, min_user=12, min_item=3)
    assert 0 < len(data.users) < 20
    order = order_of(interactions, data)
    assert len(order) == data.matrix.nnz
    assert (order >= 0).all()


@pytest.mark.parametrize("recency", [0.3, 1.0, 2.5])
def test_an_entry_fades_with_the_number_of_later_ones(recency):
    rows = csr_matrix(random(40, 30, 0.3, random_state=2), dtype=np.float32)
    order = np.random.default_rng(3).integers(0, 12, rows.nnz)  # many of one moment
    found = faded(rows, order, recency)
    for u in range(40):
        entries = slice(*rows.indptr[[u, u + 1]])
        later = [(order[entries] > at).sum() for at in order[entries]]
        expected = rows.data[entries] * (1.0 + np.array(later)) ** -recency
        np.testing.assert_allclose(found.data[entries], expected, rtol=1e-6)
    np.testing.assert_array_equal(found.indices, rows.indices)
    assert found.dtype == np.float32


def test_nothing_fades_without_an_order_or_a_recency():
    rows = csr_matrix(np.eye(3, dtype=np.float32))
    assert faded(rows, None, 1.0) is rows
    assert faded(rows, np.arange(3), 0.0) is rows
    assert as_asked(create("popularity"), rows, np.arange(3)) is rows


@pytest.mark.parametrize("name", ["autoencoder", "ease", "svd", "als"])
def test_a_recency_out_of_range_is_refused(name):
    with pytest.raises(SettingError, match="recency"):
        create(name, recency=-0.1)


def test_a_holdout_of_the_latest_knows_the_order_of_what_is_given_and_a_random_one_does_not():
    rows = csr_matrix(random(20, 30, 0.5, random_state=2), dtype=np.float32)
    order = np.random.default_rng(0).permutation(rows.nnz)
    held = Holdout.latest(rows, order, 0.8)
    number = csr_matrix((order + 1, rows.indices, rows.indptr), shape=rows.shape).toarray()
    u, i = held.given.nonzero()
    np.testing.assert_array_equal(held.order, number[u, i] - 1)
    some = np.array([7, 3, 3])
    np.testing.assert_array_equal(
        of_rows(held.given, held.order, some), np.concatenate([number[k][held.given[k].indices] - 1 for k in some])
    )
    assert Holdout.of(rows, 0.8, np.random.default_rng(0)).order is None


def test_people_spared_are_asked_for_their_latest_where_that_is_known():
    rows = csr_matrix(random(300, 30, 0.5, random_state=2), dtype=np.float32)
    order = np.random.default_rng(0).permutation(rows.nnz)
    learners, held = spare(rows, FitOptions(order=order))
    assert len(learners.order) == learners.matrix.nnz
    assert held.order is not None
    assert set(learners.order) | set(held.order) <= set(order)
    assert learners.matrix.nnz + held.given.nnz + held.hidden.nnz == rows.nnz
    everybody = Learners(rows, order=order)
    mask = np.arange(300) % 3 == 0
    entries = np.repeat(mask, np.diff(rows.indptr))
    np.testing.assert_array_equal(everybody.of(mask).order, order[entries])


@dataclass(frozen=True)
class Config:
    recency: float = 1.0


class Recorder:
    """Scores everything by its column and keeps what it was asked."""

    def __init__(self):
        self.config, self.asked = Config(), []

    def score(self, rows):
        self.asked.append(rows.copy())
        return np.tile(np.arange(rows.shape[1], dtype=np.float32), (rows.shape[0], 1))


def test_an_evaluation_asks_with_faded_histories_in_every_batch():
    rng = np.random.default_rng(0)
    train = {f"u{u}": [str(i) for i in rng.permutation(30)[:9]] for u in range(17)}
    pairs = [(user, item) for user, items in train.items() for item in items]
    asked = ["u0", "u11", "u2", "u16"]  # u0 has the first event of all
    split = fixed(
        Interactions.from_lists([u for u, _ in pairs], [i for _, i in pairs]),
        Interactions.from_lists(asked, ["77"] * 4),
        seed=0,
    )
    model = Recorder()
    evaluate(model, split, ["recall@5"], batch=3)
    assert [rows.shape[0] for rows in model.asked] == [3, 1]
    given = np.vstack([rows.toarray() for rows in model.asked])
    for user, row in zip(split.users, given, strict=True):
        weights = {split.items.ids[column]: row[column] for column in np.flatnonzero(row)}
        assert weights == pytest.approx({item: 1 / (1 + k) for k, item in enumerate(reversed(train[user]))})


def wanderers(n=300, seed=0):
    """Histories that move on through the catalogue: what comes next is near what came last, not near the rest."""
    rng = np.random.default_rng(seed)
    starts, pairs = rng.integers(0, N_ITEMS, n), []
    for user, start in enumerate(starts):
        at = start
        for _ in range(12):
            at = (at + rng.integers(1, 4)) % N_ITEMS
            pairs.append((f"u{user:03}", f"i{at:02}"))
    users, items = zip(*pairs, strict=True)
    interactions = Interactions.from_lists(users, items, times=np.arange(len(pairs)))
    data = InteractionMatrix.build(interactions)
    return replace(data, order=order_of(interactions, data))


SMALL = {"layers": [16], "bottleneck": 8, "epochs": 2, "batch_size": 64, "learning_rate": 0.01}


def test_a_fit_chooses_to_fade_where_the_latest_says_more_and_saves_it():
    data = wanderers()
    bundle = train_candidate("autoencoder", SMALL, data, FitOptions(device="cpu", seed=1))
    assert bundle.model.config.recency > 0
    assert bundle.card["config"]["recency"] == bundle.model.config.recency
    unknown = train_candidate("autoencoder", SMALL, replace(data, order=None), FitOptions(device="cpu", seed=1))
    assert unknown.model.config.recency == 0


def test_a_recency_that_is_given_stays_and_early_stopping_asks_with_it(monkeypatch):
    from recsys.training import loop

    data = wanderers()
    stopped_by = []
    train = loop.train_autoencoder

    def spy(matrix, config, options):
        stopped_by.append(options.validation)
        return train(matrix, config, options)

    monkeypatch.setattr(loop, "train_autoencoder", spy)
    options = FitOptions(device="cpu", seed=1, order=data.order)
    for linear in ("auto", "none"):
        stopped_by.clear()
        model = create("autoencoder", **SMALL, recency=0.8, linear=linear).fit(data.matrix, options)
        assert model.config.recency == 0.8
        assert stopped_by
        for held in stopped_by:
            assert held.given.data.min() == pytest.approx(9.0**-0.8, rel=0.4)
            assert held.given.data.max() == 1


def test_fading_must_be_clearly_better():
    chosen = []
    for seed in range(12):  # an order that says nothing: two standard errors let one in 20 pass
        rng = np.random.default_rng(seed)
        rows = csr_matrix((rng.random((200, 40)) < 0.3).astype(np.float32))
        held = Holdout.latest(rows, rng.permutation(rows.nnz), 0.8)
        scores = rng.random((40, 40)).astype(np.float32)
        chosen.append(Judge(held, "ndcg@10", 0).recency(lambda given, scores=scores: np.asarray(given @ scores)))
    assert chosen.count(0.0) >= 10


def test_a_search_leaves_recency_alone_where_no_order_is_known(tmp_path):
    data = wanderers(60)
    order = np.random.default_rng(0).permutation(data.matrix.nnz)
    known = Holdout.latest(data.matrix[:20], order[: data.matrix.indptr[20]], 0.8)
    assert create("svd").space["recency"] == Range(0.0, 1.5)
    for held, expected in ((known, True), (replace(known, order=None), False)):
        found = tune("svd", data.matrix[20:], held, Budget(None, 3), tmp_path)
        assert ("recency" in found.chosen) is expected

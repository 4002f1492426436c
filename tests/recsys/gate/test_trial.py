"""A trial is made of people kept apart, the latest of each hidden; it names nobody."""

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.gate import Trial
from recsys.gate.columns import renumbered
from recsys.gate.trial import ENOUGH
from recsys.matrix import Index, InteractionMatrix
from recsys.recency import faded
from tests.recsys.gate.worlds import histories, of_matrix, world


def test_the_columns_are_those_of_training_then_those_only_the_panel_has():
    train, panel = histories(50, 0, "t", range(200)), histories(50, 1, "p", range(20, 240))
    trial = Trial.of(train, panel, 0)
    assert trial.items.ids.tolist() == [f"i{k:03d}" for k in range(240)]
    assert not trial.taken[200:].any()
    assert trial.tail[200:].all()
    whole = trial.judged.given + trial.judged.hidden
    asked = np.diff(panel.matrix.indptr) >= ENOUGH
    assert (whole[:, 20:] != panel.matrix[asked]).nnz == 0


def test_what_came_last_is_hidden_of_the_judged():
    trial, panel = world()[1], histories(160, 1, "p")
    for people, of in ((trial.judged, panel),):
        when = csr_matrix((of.order + 1, of.matrix.indices, of.matrix.indptr), shape=of.matrix.shape)
        for row in range(people.given.shape[0]):
            hidden = people.hidden.indices[people.hidden.indptr[row] : people.hidden.indptr[row + 1]]
            given = people.given.indices[people.given.indptr[row] : people.given.indptr[row + 1]]
            owners = np.flatnonzero(of.matrix[:, np.append(given, hidden)].toarray().all(axis=1))
            assert any(when[who, hidden].min() > when[who, given].max() for who in owners)
        assert people.order is not None


def test_the_people_judged_are_cut_a_second_time_as_those_learnt_from_are():
    trial = world()[1]
    whole, again = (people.given + people.hidden for people in (trial.judged, trial.unlearnt))
    assert (whole != again).nnz == 0
    assert (trial.judged.hidden != trial.unlearnt.hidden).nnz > 0
    assert trial.unlearnt.order is trial.learnt.order is None


def test_as_many_are_learnt_from_as_are_judged_at_most_and_the_seed_says_who():
    train, panel = histories(60, 0, "t"), histories(40, 1, "p")
    one, same, other = (Trial.of(train, panel, seed) for seed in (0, 0, 1))
    assert one.learnt.given.shape[0] == one.people == 40
    assert (one.learnt.given != same.learnt.given).nnz == 0
    assert (one.learnt.given != other.learnt.given).nnz > 0
    assert Trial.of(histories(20, 0, "t"), panel, 0).learnt.given.shape[0] == 20


def test_without_an_order_a_random_fifth_is_hidden():
    train, panel = (replace(histories(40, k, "x"), order=None) for k in range(2))
    trial = Trial.of(train, panel, 0)
    assert trial.judged.order is None
    assert trial.judged.hidden.nnz == pytest.approx(0.2 * panel.matrix.nnz, rel=0.1)


def test_people_with_too_little_are_not_asked():
    rows = np.zeros((3, 20), dtype=np.float32)
    for person, many in enumerate((ENOUGH - 1, ENOUGH, 12)):
        rows[person, :many] = 1
    items = Index.of([f"i{k:03d}" for k in range(20)], "item")
    trial = Trial.of(histories(30, 0, "t"), of_matrix(csr_matrix(rows), items), 0)
    assert trial.people == 2


def test_the_head_is_the_fewest_items_that_make_four_fifths_of_training():
    _, trial = world()
    head = trial.taken[~trial.tail]
    assert head.min() >= trial.taken[trial.tail].max()
    assert 0.8 * trial.taken.sum() <= head.sum() < 0.8 * trial.taken.sum() + head.min()


def test_the_cold_are_the_quarter_with_the_shortest_histories():
    _, trial = world()
    lengths = np.diff(trial.judged.given.indptr)
    assert lengths[trial.cold].max() < lengths[~trial.cold].min()
    assert 0.25 <= trial.cold.mean() < 0.4


def test_nobody_is_named():
    _, trial = world()
    named = {one.name: getattr(trial, one.name) for one in fields(trial)}
    assert set(named) == {"items", "train", "judged", "learnt", "unlearnt"}
    assert all(id_.startswith("i") for id_ in trial.items.ids)
    assert trial.split(trial.judged).users == ()


def test_histories_moved_to_other_columns_keep_their_entries_and_their_order():
    rows = csr_matrix(np.array([[1, 2, 0, 3], [0, 0, 4, 0]], dtype=np.float32))
    moved, order = renumbered(rows, np.array([10, 30, 20, 5]), np.array([2, 0, -1, 1]), 3)
    assert moved.toarray().tolist() == [[2, 3, 1], [0, 0, 0]]
    assert order.tolist() == [30, 20, 10]
    latest = faded(moved, order, 1.0).toarray()[0]  # 30 came last, then 20, then 10
    assert latest.tolist() == pytest.approx([2, 1.5, 1 / 3])


def test_a_panel_of_nobody_makes_a_trial_of_nobody():
    train = histories(30, 0, "t")
    empty = InteractionMatrix(csr_matrix((0, 240), dtype=np.float32), Index.of([], "user"), train.items, np.empty(0))
    assert Trial.of(train, empty, 0).people == 0

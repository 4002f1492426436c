"""A bundle is measured on the trial's columns, whatever columns it has itself."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import DamagedBundle
from recsys.evaluation.evaluate import evaluate
from recsys.gate.latency import REPETITIONS, seconds
from recsys.gate.measured import Measured, Scorer, values_of
from recsys.matrix import Index
from tests.recsys.gate.worlds import ITEMS, altered, fitted, of_matrix, world

METRIC = "ndcg@100"


def test_with_the_trials_own_columns_the_numbers_are_those_of_evaluate():
    train, trial = world()
    bundle = fitted(train, recency=0.5)
    known = evaluate(bundle.model, trial.split(trial.judged), [METRIC, "popularity_lift@20"])
    found = Measured.of(bundle, trial, METRIC)
    for name, values in known.values.items():
        np.testing.assert_array_equal(found.values[name], values)
    np.testing.assert_array_equal(found.lists, known.lists)
    np.testing.assert_array_equal(values_of(bundle, trial, trial.judged, METRIC), known.values[METRIC])


def test_columns_in_another_order_change_no_number():
    train, trial = world()
    mixed = np.random.default_rng(0).permutation(ITEMS)
    other = of_matrix(csr_matrix(train.matrix[:, mixed]), Index.of(train.items.ids[mixed].tolist(), "item"))
    mine, theirs = (values_of(fitted(data, recency=0.5), trial, trial.judged, METRIC) for data in (train, other))
    np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_items_it_does_not_know_are_left_out_of_histories_and_never_listed():
    train, trial = world()
    kept = np.arange(0, ITEMS, 2)
    half = fitted(of_matrix(csr_matrix(train.matrix[:, kept]), Index.of(train.items.ids[kept].tolist(), "item")))
    found = Measured.of(half, trial, METRIC)
    assert set(found.lists[found.lists >= 0] % 2) == {0}
    scores = Scorer(half, trial.items)(trial.judged.given, trial.judged.order)
    assert np.isneginf(scores[:, 1::2]).all()
    np.testing.assert_array_equal(scores[:, ::2], half.model.score(csr_matrix(trial.judged.given[:, ::2])))


def test_items_that_the_trial_does_not_know_change_nothing():
    train, trial = world()
    wider = of_matrix(
        csr_matrix((train.matrix.data, train.matrix.indices, train.matrix.indptr), shape=(400, ITEMS + 5)),
        Index.of([*train.items.ids.tolist(), *"vwxyz"], "item"),
    )
    assert values_of(fitted(wider), trial, trial.judged, METRIC).mean() == pytest.approx(
        values_of(fitted(train), trial, trial.judged, METRIC).mean(), rel=0.02
    )


def test_a_model_that_does_not_fit_its_items_is_unusable():
    train, trial = world()
    for change in (lambda scores: scores[:, 1:], lambda scores: scores.reshape(-1)[5:].reshape(2, 3)):
        with pytest.raises(DamagedBundle, match="its model"):
            values_of(altered(fitted(train), change), trial, trial.judged, METRIC)


def test_the_time_of_a_request_is_the_least_of_many_that_take_turns():
    train, trial = world(judged=30)
    now, turns = [0.0], []

    def taking(name, *times):
        left = list(times) * 1000

        def slow(scores):
            turns.append(name)
            now[0] += left.pop()
            return scores

        return Scorer(altered(fitted(train), slow), trial.items)

    mine, theirs = seconds(taking("a", 9, 4, 7), taking("b", 1, 80, 2), trial.judged, clock=lambda: now[0])
    assert set(mine) == {4}
    assert set(theirs) == {1}
    assert turns == ["a", "b"] * (len(mine) * REPETITIONS)

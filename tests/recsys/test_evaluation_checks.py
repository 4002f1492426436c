"""Each check beside the fault that must set it off, and beside a clean evaluation that must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.checks import check_results, check_split
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.matrix import Index


@pytest.fixture
def split() -> Split:
    """Two test users among four items; everything that is hidden is known in training."""
    return Split(
        name="strong",
        train=csr_matrix(np.ones((3, 4), dtype=np.float32)),
        given=csr_matrix(np.array([[1, 0, 0, 0], [0, 1, 0, 0]], dtype=np.float32)),
        hidden=csr_matrix(np.array([[0, 1, 1, 0], [1, 0, 0, 1]], dtype=np.float32)),
        items=Index.of(["w", "x", "y", "z"]),
        users=("d", "e"),
        validation=None,
        facts={},
        train_users=("a", "b", "c"),
    )


def result(values, ties=0.0) -> PerUser:
    values = np.array(values, dtype=np.float64)
    nothing = np.zeros((len(values), 1))
    return PerUser({"ndcg@100": values}, nothing.astype(np.int32), nothing.astype(np.float32), 0.0, ties)


GOOD = {"popularity": result([0.1, 0.2, 0.1] * 9), "als": result([0.3, 0.5, 0.4] * 9)}
TUNED = {"popularity": {}, "als": {"factors": 64}}


def statuses(checks, name):
    return [check.status for check in checks if check.name == name]


def results_of(results=GOOD, configs=TUNED):
    return check_results(results, configs, "ndcg@100", seed=0)


def test_a_clean_evaluation_passes_every_check(split):
    checks = [*check_split(split), *results_of()]
    assert len(checks) == 13
    assert {check.status for check in checks} == {"ok"}
    assert all(check.detail and "\n" not in check.detail for check in checks)


def test_a_user_on_both_sides_fails(split):
    leaking = replace(split, train_users=("a", "b", "d"))
    assert statuses(check_split(leaking), "users apart") == ["fail"]
    assert statuses(check_split(replace(leaking, name="fixed")), "users apart") == ["ok"]


def test_a_hidden_item_that_is_also_given_fails(split):
    leaking = replace(split, given=split.hidden)
    assert statuses(check_split(leaking), "hidden stays hidden") == ["fail"]


def test_hidden_items_nobody_in_training_has_warn(split):
    narrow = replace(split, train=csr_matrix(np.array([[1, 1, 1, 0]], dtype=np.float32)))
    checks = check_split(narrow)
    assert statuses(checks, "items known") == ["warn"]
    assert "1 of 4 hidden" in next(check.detail for check in checks if check.name == "items known")


def test_a_model_behind_popularity_fails_loudly():
    swapped = {"popularity": GOOD["als"], "als": GOOD["popularity"]}
    checks = results_of(swapped)
    assert statuses(checks, "beats popularity") == ["fail"]
    assert any("als minus popularity" in check.detail for check in checks)


def test_a_lead_over_popularity_that_may_be_chance_warns():
    noisy = {"popularity": result([0.1, 0.6, 0.1, 0.5]), "als": result([0.6, 0.1, 0.1, 0.52])}
    assert statuses(results_of(noisy), "beats popularity") == ["warn"]


def test_an_evaluation_without_popularity_or_als_warns():
    checks = check_results({"als": GOOD["als"]}, TUNED, "ndcg@100", seed=0)
    assert statuses(checks, "beats popularity") == ["warn"]
    checks = check_results({"popularity": GOOD["popularity"]}, TUNED, "ndcg@100", seed=0)
    assert statuses(checks, "yardstick tuned") == ["warn"]


def test_an_untouched_yardstick_warns():
    assert statuses(results_of(configs={"popularity": {}, "als": {}}), "yardstick tuned") == ["warn"]
    assert statuses(results_of(configs={"popularity": {}, "als": {"alpha": 5.0}}), "yardstick tuned") == ["warn"]


@pytest.mark.parametrize(("trials", "status"), [(12, "ok"), (1, "warn")])
def test_a_yardstick_that_was_searched_for_is_tuned_whatever_was_found(trials, status):
    tuning = {"metric": "ndcg@100", "models": {"als": {"trials": trials, "seconds": 61.2}}}
    (check,) = [
        check
        for check in check_results(GOOD, {"popularity": {}, "als": {}}, "ndcg@100", seed=0, tuning=tuning)
        if check.name == "yardstick tuned"
    ]
    assert check.status == status
    assert f"{trials} trials in 61 s" in check.detail


@pytest.mark.parametrize(("ties", "status"), [(0.02, "ok"), (0.2, "warn"), (1.0, "fail")])
def test_equal_scores_warn_and_constant_scores_fail(ties, status):
    tied = {**GOOD, "als": result([0.3, 0.5, 0.4] * 9, ties)}
    assert statuses(results_of(tied), "scores differ") == ["ok", status]

"""A metric that is not what it says, a number that is none, a list that is no list: each is found before it counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation import metrics
from recsys.evaluation.checks import Check, check_metrics, check_results
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


def the(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


BEYOND = ["coverage@20", "gini@10", "novelty@20", "diversity@5", "popularity_lift@20", "calibration@20"]
NAMES = ["recall@20", "recall_capped@50", "precision@10", "ndcg@100", "map@5", "mrr", "mrr@10", "hit_rate@1"]


def test_the_metrics_are_what_their_names_say():
    (check,) = check_metrics([*NAMES, *BEYOND])
    assert check.status == "ok"
    assert all(name in check.detail for name in (*NAMES, *BEYOND))
    assert {name.partition("@")[0] for name in (*NAMES, *BEYOND)} == set(metrics.METRICS)


@pytest.mark.parametrize("name", BEYOND)
def test_a_swapped_metric_of_lists_fails_by_name(monkeypatch, name):
    family = name.partition("@")[0]
    for other, known in metrics.METRICS.items():
        if other != family and known.kind == metrics.METRICS[family].kind:
            with monkeypatch.context() as patch:
                patch.setitem(metrics.METRICS, family, known)
                (check,) = check_metrics(["ndcg@5", name])
                assert check.status == "fail", other
                assert name in check.detail


@pytest.mark.parametrize("name", NAMES)
def test_a_swapped_metric_fails_by_name(monkeypatch, name):
    family = name.partition("@")[0]
    for other in ("recall", "recall_capped", "precision", "ndcg", "map", "mrr", "hit_rate"):
        if other != family:
            with monkeypatch.context() as patch:
                patch.setitem(metrics.METRICS, family, metrics.METRICS[other])
                (check,) = check_metrics([name, "coverage@5"])
                assert check.status == "fail", other
                assert name in check.detail


def test_a_metric_that_looks_too_deep_fails(monkeypatch):
    monkeypatch.setattr(metrics.Metric, "__call__", lambda self, hits, relevant: self.known.function(hits, relevant))
    (check,) = check_metrics(["hit_rate@10"])
    assert check.status == "fail"


def listed(lists, scores=None, **values) -> PerUser:
    lists = np.array(lists, dtype=np.int32)
    scores = np.zeros(lists.shape, dtype=np.float32) if scores is None else np.array(scores, dtype=np.float32)
    values = {name.replace("_at_", "@"): np.array(value) for name, value in values.items()}
    return PerUser({"ndcg@100": np.array([0.5, 0.6]), **values}, lists, scores, 0.0, 0.0)


def checked(result: PerUser, split: Split) -> list[Check]:
    return check_results({"popularity": result}, {"popularity": {}}, split=split)


def test_lists_of_new_items_with_finite_numbers_pass(split):
    checks = checked(listed([[1, 2, 3], [0, 2, -1]], [[3, 2, 1], [2, 1, -np.inf]]), split)
    assert the(checks, "lists are new items").status == "ok"
    assert the(checks, "numbers are numbers").status == "ok"


@pytest.mark.parametrize("lists", [[[0, 2, 3], [0, 2, -1]], [[1, 2, 1], [0, 2, -1]], [[1, 2, 3]]])
def test_a_list_with_what_was_given_or_twice_the_same_or_missing_fails(split, lists):
    assert the(checked(listed(lists), split), "lists are new items").status == "fail"


LISTS = [[1, 2, 3], [0, 2, -1]]


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (listed(LISTS, recall_at_20=[np.nan, 1.0]), "fail"),
        (listed(LISTS, recall_at_20=[np.inf, 1.0]), "fail"),
        (listed(LISTS, calibration_at_20=[np.nan, 1.0]), "ok"),  # it says nothing of a user without categories
        (listed(LISTS, calibration_at_20=[np.nan, np.nan]), "fail"),
        (listed(LISTS, [[1, 1, np.nan], [1, 1, 1]]), "fail"),
        (replace(listed(LISTS), not_finite=1), "fail"),
    ],
)
def test_numbers_that_are_none_fail(split, result, status):
    assert the(checked(result, split), "numbers are numbers").status == status

"""Metrics against figures worked out by hand, on the edge cases people disagree about."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recsys.errors import SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.metrics import METRICS, check_known, metric, metric_to_choose_by, per_user_names, total_names

OF_HITS = sorted(name for name, known in METRICS.items() if known.kind == "hits")
OTHERS = sorted(set(METRICS) - set(OF_HITS))

# One user a row: a hit at ranks 1 and 3; one at rank 2; none.
HITS = np.array([[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]], dtype=bool)
RELEVANT = np.array([2, 8, 1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("recall@4", [1, 1 / 8, 0]),
        ("recall_capped@4", [1, 1 / 4, 0]),
        ("precision@4", [2 / 4, 1 / 4, 0]),
        ("hit_rate@4", [1, 1, 0]),
        ("mrr@4", [1, 1 / 2, 0]),
        ("mrr", [1, 1 / 2, 0]),
        ("map@4", [(1 + 2 / 3) / 2, (1 / 2) / 8, 0]),
        (
            "ndcg@4",
            [
                (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3)),
                (1 / math.log2(3)) / sum(1 / math.log2(rank + 1) for rank in (1, 2, 3, 4)),
                0,
            ],
        ),
        ("recall@1", [1 / 2, 0, 0]),
        ("recall_capped@1", [1, 0, 0]),
        ("mrr@1", [1, 0, 0]),
    ],
)
def test_a_metric_gives_the_figure_worked_out_by_hand(name, expected):
    np.testing.assert_allclose(metric(name)(HITS, RELEVANT), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("name", OF_HITS)
def test_a_list_shorter_than_k_is_a_list_that_missed_the_rest(name):
    full = np.pad(HITS, ((0, 0), (0, 6)))
    np.testing.assert_array_equal(metric(f"{name}@10")(HITS, RELEVANT), metric(f"{name}@10")(full, RELEVANT))


@pytest.mark.parametrize("name", OF_HITS)
def test_a_user_with_nothing_relevant_or_no_list_has_zero(name):
    one = metric(f"{name}@5")
    np.testing.assert_array_equal(one(np.zeros((2, 5), dtype=bool), np.array([0, 3])), [0, 0])
    np.testing.assert_array_equal(one(np.zeros((2, 0), dtype=bool), np.array([0, 3])), [0, 0])


@pytest.mark.parametrize("name", sorted(set(OF_HITS) - {"recall", "precision", "map"}))
def test_a_perfect_list_is_worth_one_even_when_more_is_relevant_than_fits(name):
    assert metric(f"{name}@3")(np.ones((1, 3), dtype=bool), np.array([9])) == pytest.approx([1.0], abs=1e-15)


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@-1", "ndcg@ten", "luck@5", "", "@5", "recall@1e3"])
def test_an_unknown_metric_is_refused_with_the_names_there_are(name):
    with pytest.raises(SettingError, match=f"'{name}'") as caught:
        metric(name)
    assert "recall_capped@K" in caught.value.do


@pytest.mark.parametrize("name", ["luck@5", "novelty", "coverage@0"])
def test_the_refusal_names_every_metric(name):
    with pytest.raises(SettingError) as caught:
        metric(name)
    assert all(f"{known}@K" in caught.value.do for known in METRICS)


def test_the_registry_holds_the_names_of_the_contract():
    contract = "recall precision ndcg map mrr hit_rate coverage gini novelty diversity popularity_lift calibration"
    assert set(METRICS) == {*contract.split(), "recall_capped"}
    assert {name for name, known in METRICS.items() if known.better == "lower"} == {"gini", "calibration"}
    assert [name for name, known in METRICS.items() if known.better is None] == ["popularity_lift"]


@pytest.mark.parametrize("name", OTHERS)
def test_what_does_not_look_at_hits_is_refused_where_hits_are_asked_about(name):
    with pytest.raises(SettingError, match=f"'{name}@4' does not look at hits"):
        metric(f"{name}@4")(HITS, RELEVANT)
    with pytest.raises(SettingError, match=f"'{name}@4'") as caught:
        metric_to_choose_by(f"{name}@4")
    assert "ndcg@K" in caught.value.do
    assert f"{name}@K" not in caught.value.do
    assert not metric(f"{name}@4").accuracy


@pytest.mark.parametrize("name", OF_HITS)
def test_anything_can_be_chosen_by_a_metric_of_hits(name):
    assert metric_to_choose_by(f"{name}@4") == metric(f"{name}@4")
    assert metric(f"{name}@4").accuracy


def test_names_are_told_apart_by_whether_users_have_a_value():
    names = ["gini@5", "ndcg@5", "novelty@5", "coverage@5", "mrr"]
    assert per_user_names(names) == ["ndcg@5", "novelty@5", "mrr"]
    assert total_names(names) == ["gini@5", "coverage@5"]


@pytest.mark.parametrize("catalogue", [None, Catalogue(), Catalogue(titles={"a": "A"}, categories={"a": []})])
def test_calibration_without_categories_is_refused_before_anything_is_computed(catalogue):
    check_known(["ndcg@5", "gini@5", "diversity@5"], catalogue)
    with pytest.raises(SettingError, match="'calibration@5' needs categories"):
        check_known(["ndcg@5", "calibration@5"], catalogue)


def test_names_that_are_known_pass_and_others_do_not():
    check_known([f"{name}@5" for name in METRICS], Catalogue(categories={"a": ["drama"]}))
    with pytest.raises(SettingError, match="'luck@5'"):
        check_known(["luck@5"], None)

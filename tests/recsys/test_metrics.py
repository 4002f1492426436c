"""Metrics against figures worked out by hand, on the edge cases people disagree about."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recsys.errors import SettingError
from recsys.evaluation.metrics import METRICS, metric

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


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_list_shorter_than_k_is_a_list_that_missed_the_rest(name):
    full = np.pad(HITS, ((0, 0), (0, 6)))
    np.testing.assert_array_equal(metric(f"{name}@10")(HITS, RELEVANT), metric(f"{name}@10")(full, RELEVANT))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_user_with_nothing_relevant_or_no_list_has_zero(name):
    one = metric(f"{name}@5")
    np.testing.assert_array_equal(one(np.zeros((2, 5), dtype=bool), np.array([0, 3])), [0, 0])
    np.testing.assert_array_equal(one(np.zeros((2, 0), dtype=bool), np.array([0, 3])), [0, 0])


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"recall", "precision", "map"}))
def test_a_perfect_list_is_worth_one_even_when_more_is_relevant_than_fits(name):
    assert metric(f"{name}@3")(np.ones((1, 3), dtype=bool), np.array([9])) == pytest.approx([1.0], abs=1e-15)


@pytest.mark.parametrize("name", ["ndcg", "ndcg@0", "ndcg@-1", "ndcg@ten", "luck@5", "", "@5", "recall@1e3"])
def test_an_unknown_metric_is_refused_with_the_names_there_are(name):
    with pytest.raises(SettingError, match=f"'{name}'") as caught:
        metric(name)
    assert "recall_capped@K" in caught.value.do

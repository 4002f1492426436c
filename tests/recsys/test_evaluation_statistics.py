"""Intervals and p values against closed forms, scipy, and worlds where the truth is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from recsys.evaluation.statistics import holm, intervals, sign_flip


def test_an_interval_has_the_width_the_normal_law_says():
    values = np.random.default_rng(0).normal(3, 2, (2000, 1))
    found = intervals(values, seed=0)[0]
    error = values.std() / 2000**0.5
    assert found.mean == pytest.approx(values.mean(), abs=1e-12)
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.12 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.12 * error)


def test_an_interval_agrees_with_scipys_bootstrap():
    from scipy.stats import bootstrap

    values = np.random.default_rng(1).exponential(1, 150)
    theirs = bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=0).confidence_interval
    ours = intervals(values[:, None], seed=0, resamples=4000)[0]
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    found = intervals(rng.normal(0, 1, (80, 400)), seed=0, resamples=500)
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    assert covered == pytest.approx(0.95, abs=0.035)


def test_the_seed_alone_decides_the_draws():
    values = np.random.default_rng(3).random((50, 2))
    assert intervals(values, seed=1) == intervals(values, seed=1)
    assert intervals(values, seed=1) != intervals(values, seed=2)
    both, one = intervals(values, seed=1)[0], intervals(values[:, :1], seed=1)[0]
    assert (both.low, both.high) == pytest.approx((one.low, one.high), abs=1e-12)


def test_a_sign_flip_p_equals_the_one_counted_over_all_flips():
    differences = np.random.default_rng(4).normal(0.4, 1, 12)
    flips = np.array(list(product([-1, 1], repeat=12)))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    assert sign_flip(differences[:, None], seed=0)[0] == pytest.approx(exact, abs=0.02)


def test_no_difference_at_all_has_p_one():
    assert sign_flip(np.zeros((30, 2)), seed=0).tolist() == [1, 1]


def test_a_sure_difference_has_the_smallest_p_the_flips_allow():
    assert sign_flip(np.full((40, 1), 0.1), seed=0, flips=999)[0] == pytest.approx(1 / 1000)


def test_under_no_difference_p_is_evenly_spread():
    p = sign_flip(np.random.default_rng(5).normal(0, 1, (60, 300)), seed=0, flips=500)
    assert np.mean(p < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(p < 0.5) == pytest.approx(0.5, abs=0.09)


def test_holm_gives_the_textbook_figures():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []

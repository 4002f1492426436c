"""Intervals and p values against closed forms, scipy, and worlds where the truth is known."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from recsys.evaluation.statistics import detectable, holm, intervals, sign_flip, spread, standard_errors


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


def test_a_question_without_an_answer_is_not_counted_among_the_questions():
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)


def test_people_without_a_value_are_left_out_of_mean_interval_and_test():
    values = np.random.default_rng(6).normal(0.3, 1, (90, 2))
    values[30:, 1] = np.nan
    found, alone = intervals(values, seed=0, resamples=6000)[1], intervals(values[:30, 1:], seed=1, resamples=6000)[0]
    assert (found.users, alone.users) == (30, 30)
    assert found.mean == pytest.approx(np.nanmean(values[:, 1]))
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high), abs=0.05)
    assert sign_flip(values, seed=0)[1] == pytest.approx(sign_flip(values[:30, 1:], seed=1)[0], abs=0.02)
    assert detectable(values)[1] == pytest.approx(detectable(values[:30, 1:])[0])


def test_a_metric_nobody_has_a_value_in_has_no_mean_no_p_and_no_users():
    values = np.column_stack([np.ones(10), np.full(10, np.nan)])
    found = intervals(values, seed=0)[1]
    assert np.isnan([found.mean, found.low, found.high]).all()
    assert found.users == 0
    assert np.isnan(sign_flip(values, seed=0)).tolist() == [False, True]
    assert np.isnan(detectable(values)).tolist() == [False, True]


def test_a_metric_hardly_anybody_has_a_value_in_gets_an_interval_of_those_few():
    values = np.full((200, 1), np.nan)
    values[:2, 0] = 0, 1
    found = intervals(values, seed=0)[0]
    assert (found.mean, found.low, found.high, found.users) == (0.5, 0, 1, 2)


def test_a_row_copied_three_times_for_one_person_tells_nothing_more():
    once = np.random.default_rng(7).normal(0.2, 1, (80, 1))
    thrice, people = np.repeat(once, 3, axis=0), np.repeat(np.arange(80) * 7, 3)
    assert intervals(thrice, seed=0, groups=people)[0].low == pytest.approx(intervals(once, seed=0)[0].low)
    assert sign_flip(thrice, seed=0, groups=people) == pytest.approx(sign_flip(once, seed=0))
    assert detectable(thrice, people) == pytest.approx(detectable(once))
    ignored = intervals(thrice, seed=0)[0]
    assert ignored.low - intervals(once, seed=0)[0].low > 0.04


def test_a_resample_of_people_with_unequal_numbers_of_rows_is_a_ratio():
    """The mean over rows is sum over count: its error by hand is that of the ratio's residuals (Cochran 1977, 6.2)."""
    rng = np.random.default_rng(8)
    rows = rng.integers(1, 6, 400)
    people = np.repeat(np.arange(400), rows)
    values = rng.normal(0, 1, 400)[people] + rows[people]
    sums, mean = np.bincount(people, values), values.mean()
    error = np.sqrt(np.sum((sums - mean * rows) ** 2) * 400 / 399) / rows.sum()
    found = intervals(values[:, None], seed=0, resamples=4000, groups=people)[0]
    assert (mean - found.low, found.high - mean) == pytest.approx((1.96 * error, 1.96 * error), rel=0.08)
    assert standard_errors(values[:, None], people)[0] == pytest.approx(error)
    assert found.users == 400


def test_the_columns_beside_a_metric_change_nothing_in_it():
    values = np.random.default_rng(9).normal(0.1, 1, (60, 40))
    values[::3, ::2] = np.nan
    every, one = intervals(values, seed=3), intervals(values[:, 4:5], seed=3)[0]
    assert (every[4].low, every[4].high) == pytest.approx((one.low, one.high))
    assert sign_flip(values, seed=3)[4] == sign_flip(values[:, 4:5], seed=3)[0]


def test_differences_that_only_change_the_order_of_a_sum_are_not_larger_ones():
    """Thirds of both signs: many flips give exactly the observed sum but for its last bits."""
    differences = np.tile([1 / 3, -1 / 3, 2 / 3, 1 / 7], 3)
    flips = np.array(list(product([-1, 1], repeat=12)))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-9)
    assert sign_flip(differences[:, None], seed=0)[0] == pytest.approx(exact, abs=0.02)


def test_the_detectable_difference_is_the_one_found_four_times_in_five():
    rng = np.random.default_rng(10)
    noise = rng.normal(0, 1, (120, 600))
    least = detectable(noise)
    assert least == pytest.approx(2.8016 * noise.std(axis=0, ddof=1) / 120**0.5, rel=1e-4)
    found = sign_flip(noise + least.mean(), seed=0, flips=999) < 0.05
    assert found.mean() == pytest.approx(0.8, abs=4 * (0.8 * 0.2 / 600) ** 0.5)
    assert detectable(noise, level=0.01, power=0.9) == pytest.approx(3.8574 / 2.8016 * least, rel=1e-4)


def test_the_spread_of_rounds_is_their_standard_deviation_and_unknown_of_one():
    assert spread(np.array([[1.0, 5.0], [3.0, 5.0]])) == pytest.approx([2**0.5, 0])
    assert np.isnan(spread(np.ones((1, 2)))).all()

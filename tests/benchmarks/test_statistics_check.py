"""The benchmark of the statistics, with fewer repeats: each bar is as wide as chance makes the rate, and no wider."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks import statistics_check
from benchmarks.bootstraps import OTHERS
from benchmarks.statistics_check import COVERS, FIRES, Rate, coverage, detections, false_alarms, families
from benchmarks.statistics_worlds import CLUSTERED, LEVELS, PAIRS, people

REPEAT, N = 300, 150


def verdicts(rates):
    return {rate.what: rate.verdict for rate in rates}


def test_the_paired_test_fires_between_equal_models_about_as_often_as_it_says(monkeypatch):
    monkeypatch.setattr(statistics_check, "PAIRS", PAIRS[:3])
    rates = list(false_alarms(REPEAT, 0, (N,)))
    assert len(rates) == 5
    assert set(verdicts(rates[:-1]).values()) == {"ok"}
    assert rates[-1].verdict == "fails, as it must"


def test_intervals_hold_the_truth_about_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(statistics_check, "LEVELS", LEVELS[:1])
    monkeypatch.setattr(statistics_check, "PAIRS", PAIRS[:2])
    rates = list(coverage(REPEAT, 0, (N,)))
    assert set(verdicts(rates[:-1]).values()) == {"ok"}
    assert rates[-1].verdict == "fails, as it must"


def test_a_difference_of_the_detectable_size_is_detected_four_times_in_five():
    assert {rate.verdict for rate in detections(200, 0, (N,))} == {"ok"}


def test_a_whole_table_of_equal_models_seldom_holds_a_difference_after_holm():
    corrected, plain = families(12, 0, n=60)
    assert (corrected.verdict, plain.verdict) == ("ok", "fails, as it must")


@pytest.mark.parametrize("world", [*LEVELS, *PAIRS, CLUSTERED], ids=lambda world: world.name)
def test_each_world_has_the_mean_it_says(world):
    sample = world.draw(np.random.default_rng(0), 3000, 100)
    assert sample.mean() == pytest.approx(world.truth, abs=4 * sample.mean(axis=0).std() / 10)


def test_people_have_one_two_or_three_rows():
    rows = people(9)
    assert len(rows) == len(CLUSTERED.draw(np.random.default_rng(0), 9, 1)) == 18
    assert np.bincount(rows).tolist() == [1, 2, 3] * 3


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_intervals_agree_with_the_normal_law_of_many_users(name):
    values = np.random.default_rng(1).normal(2, 1, (900, 3))
    low, high = OTHERS[name](values, 0, 4000)
    assert (high - low) / 2 == pytest.approx(1.96 / 30, rel=0.08)
    assert (high + low) / 2 == pytest.approx(values.mean(axis=0), abs=0.006)


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_intervals_of_one_value_over_and_over_are_that_value(name):
    low, high = OTHERS[name](np.zeros((40, 2)), 0, 200)
    assert [*low, *high] == [0, 0, 0, 0]


def test_hidden_items_are_parted_in_halves_that_make_the_whole():
    hidden = csr_matrix(np.tril(np.ones((9, 9))))
    first, second = statistics_check._halves(hidden, np.random.default_rng(0))
    assert (first + second != hidden).nnz == 0
    assert first.multiply(second).nnz == 0
    assert np.abs(np.diff(first.indptr) - np.diff(second.indptr)).max() == 1


def test_real_lists_against_themselves_fire_about_as_often_as_the_test_says():
    assert {rate.verdict for rate in statistics_check.real_lists(60, None, None, 0)} == {"ok"}


def test_a_rate_outside_its_bar_fails_and_a_control_inside_it_is_reported():
    assert Rate("", 1, 0.07, 1000, FIRES).verdict == "FAILS"
    assert Rate("", 1, 0.065, 1000, FIRES).verdict == "ok"
    assert Rate("", 1, 0.07, 100, FIRES).verdict == "ok"
    assert Rate("", 1, 0.95, 1000, COVERS, control=True).verdict == "NOT SEEN"
    assert Rate("", 1, 0.8, 1000, COVERS, control=True).verdict == "fails, as it must"
    assert Rate("", 1, 0.5, 100).error == 0.05


def test_the_table_names_every_world_and_main_says_whether_all_is_well(monkeypatch, capsys):
    for name, rate in (("false_alarms", 0.05), ("real_lists", 0.05), ("detections", 0.8), ("coverage", 0.95)):
        found = Rate(f"world of {name}", 600, rate, 1000, (rate - 0.01, rate + 0.01))
        monkeypatch.setattr(statistics_check, name, lambda *_, found=found: [found])
    monkeypatch.setattr(statistics_check, "families", lambda *_: [Rate("tables", 600, 0.5, 250, FIRES)])
    monkeypatch.setattr(statistics_check, "beside_others", lambda *_: [Rate("ours", 50, 0.9, 1000)])
    assert not statistics_check.main()
    said = capsys.readouterr().out
    assert "world of coverage" in said
    assert said.count("FAILS") == 1
    monkeypatch.setattr(statistics_check, "families", lambda *_: [Rate("tables", 600, 0.05, 250, FIRES)])
    assert statistics_check.main()

"""The sentence somebody acts on who reads nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from recsys.evaluation.checks import Check
from recsys.evaluation.comparison import Comparison
from recsys.evaluation.statistics import Interval
from recsys.evaluation.verdict import verdict

MEANS = {"deep": 0.45, "als": 0.43, "popularity": 0.2}
FINE = [Check("users apart", "ok", "fine")]


def interval(mean):
    return Interval(mean, mean - 0.01, mean + 0.01, 600)


def compared(p=None, means=MEANS, metric="ndcg@100"):
    """Every pair, its p of 0.001 unless given."""
    names = list(means)
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k + 1 :]]
    found = []
    for a, b in pairs:
        gap, value = means[a] - means[b], (p or {}).get((a, b), 0.001)
        found.append(Comparison(a, b, metric, gap, gap - 0.005, gap + 0.005, value, value, 0.007, 600))
    return found


def said(comparisons, checks=FINE, means=MEANS):
    return verdict({name: interval(mean) for name, mean in means.items()}, comparisons, checks, "ndcg@100")


def test_a_sure_winner_is_named_with_figure_gain_interval_and_p():
    found = said(compared())
    assert (found.status, found.winner, found.metric) == ("ok", "deep", "ndcg@100")
    for part in ("deep ranks best", "ndcg@100 of 0.4500", "4.7% above that of als", "(0.0200, ", "0.0150 to 0.0250"):
        assert part in found.text


def test_the_order_in_which_a_pair_was_compared_does_not_matter():
    means = dict(reversed(MEANS.items()))
    assert said(compared(means=means), means=means).text == said(compared()).text


def test_models_that_cannot_be_told_apart_are_said_to_be_and_what_would_go_unseen():
    found = said(compared({("deep", "als"): 0.3}))
    assert "deep and als cannot be told apart" in found.text
    assert "under 0.0070" in found.text
    assert "ahead of popularity" in found.text


def test_what_would_go_unseen_is_the_widest_of_those_that_cannot_be_told_apart():
    level = [replace(one, p_adjusted=0.5, detectable=0.03 if one.b == "popularity" else 0.01) for one in compared()]
    assert "deep, als and popularity cannot be told apart" in said(level).text
    assert "under 0.0300" in said(level).text


def test_only_the_best_is_said_to_be_ahead_where_its_equals_may_not_be():
    found = said(compared({("deep", "als"): 0.3, ("als", "popularity"): 0.4}))
    assert "deep and als cannot be told apart" in found.text
    assert "Of these, deep is ahead of popularity." in found.text
    assert "They are" not in found.text


def test_nobody_is_said_to_be_ahead_of_a_model_with_a_better_mean():
    found = said(compared({("deep", "popularity"): 0.3}))
    assert "deep and popularity cannot be told apart" in found.text
    assert "Of these, deep is ahead of als." in found.text


def test_an_interval_of_the_gain_keeps_its_sign_whoever_was_named_first():
    for means in (MEANS, dict(reversed(MEANS.items()))):
        wide = [
            replace(one, low=one.difference - 0.03, high=one.difference + 0.04)
            if one.a == "deep"
            else replace(one, low=one.difference - 0.04, high=one.difference + 0.03)
            for one in compared(means=means)
        ]
        assert "interval -0.0100 to 0.0600" in said(wide, means=means).text


def test_where_nobody_knows_what_would_go_unseen_nothing_is_said_of_it():
    level = [replace(one, p_adjusted=1.0, detectable=float("nan")) for one in compared()]
    assert said(level).text == "deep, als and popularity cannot be told apart by ndcg@100 (best: deep, 0.4500)."


def test_a_failed_check_is_the_headline():
    found = said(
        compared(), [*FINE, Check("hidden stays hidden", "fail", "9 of 90 hidden interactions are also given")]
    )
    assert (found.status, found.valid) == ("fail", False)
    assert found.text.startswith("Do not use these numbers")
    assert "9 of 90" in found.text


def test_of_several_failed_checks_the_headline_says_how_many():
    failed = [Check("a", "fail", "one"), Check("b", "fail", "two"), Check("c", "fail", "three")]
    assert "(and 2 more)" in said(compared(), failed).text


def test_a_model_that_popularity_beats_is_the_headline_but_the_ranking_still_stands():
    check = Check("beats popularity", "fail", "als minus popularity, ndcg@100: -0.0100 (-0.0150 to -0.0050)")
    found = said(compared(), [*FINE, check])
    assert (found.status, found.valid) == ("fail", True)
    assert found.text.startswith("Als minus popularity")
    assert "deep ranks best" in found.text


def test_warnings_are_counted_in_the_headline():
    found = said(compared(), [Check("a", "warn", "x"), Check("b", "warn", "y")])
    assert found.status == "warn"
    assert "Two warnings to read first." in found.text


@pytest.mark.parametrize("gap", [0.02, -0.02])
def test_the_gain_is_told_as_a_gain_whichever_way_the_pair_was_subtracted(gap):
    means = {"a": 0.4 + max(gap, 0), "b": 0.4 + max(-gap, 0)}
    text = said(compared(means=means), means=means).text
    assert "5.0% above" in text
    assert "0.0150 to 0.0250" in text


def test_one_model_alone_is_said_to_say_little():
    assert "says little" in said([], means={"deep": 0.4}).text

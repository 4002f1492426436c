"""Example people: the planted extremes are among them, and what is shown of each is what there is."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.reports.examples import examples

N, ITEMS = 101, 60
BEST, WORST, APART = 17, 42, 73
CATALOGUE = Catalogue(titles={"i00": "The First"}, categories={"i00": ["Drama", "War"]})


def rows(lengths, start):
    """CSR of ones: row u holds ``lengths[u]`` neighbouring columns from ``start[u]`` on."""
    columns = np.concatenate([np.arange(s, s + k) for s, k in zip(start, lengths, strict=True)])
    return csr_matrix((np.ones(len(columns)), columns, np.concatenate([[0], np.cumsum(lengths)])), shape=(N, ITEMS))


@pytest.fixture(scope="module")
def split():
    lengths = 2 + np.arange(N) % 30
    return Split(
        name="planted",
        train=csr_matrix(np.triu(np.ones((ITEMS, ITEMS)))),  # a later item is more popular
        given=rows(lengths, np.zeros(N, dtype=int)),
        hidden=rows(np.full(N, 20), np.full(N, 40)),
        items=Index.of([f"i{k:02}" for k in range(ITEMS)], "item"),
        users=tuple(f"u{k}" for k in range(N)),
        validation=None,
        facts={},
    )


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0.3, 0.6, (2, N))
    first[BEST], first[WORST] = 0.95, 0.05
    second[[BEST, WORST]] = first[[BEST, WORST]]
    first[APART], second[APART] = 0.55, 0.01
    lists = np.tile(np.arange(50, 38, -1, dtype=np.int32), (N, 1))
    lists[BEST, 3:] = -1

    def of(values):
        return PerUser({"ndcg@100": values}, lists, lists.astype(np.float32), 0.0, 0.0)

    return {"deep": of(first), "plain": of(second)}


@pytest.fixture(scope="module")
def chosen(split, results):
    return examples(split, results, CATALOGUE, "ndcg@100")


def of_user(chosen, row):
    return next(one for one in chosen if one["user"] == f"u{row}")


def test_the_planted_extremes_and_the_median_are_among_ten_different_people(chosen, results):
    assert len({one["user"] for one in chosen}) == len(chosen) == 10
    values = results["deep"].values["ndcg@100"]
    assert "typical: the median of deep's ndcg@100 among all 101 people" in chosen[0]["why"]
    assert chosen[0]["values"]["deep"] == np.median(values)
    assert "the highest" in of_user(chosen, BEST)["why"]
    assert "the lowest" in of_user(chosen, WORST)["why"]
    assert "disagree most" in of_user(chosen, APART)["why"]
    assert of_user(chosen, APART)["values"] == {"deep": 0.55, "plain": 0.01}


def test_people_of_short_and_of_long_histories_are_among_them(chosen):
    short = [one for one in chosen if "shortest histories (up to" in one["why"]]
    long = [one for one in chosen if "longest histories" in one["why"]]
    assert (len(short), len(long)) == (3, 3)
    assert max(one["given_total"] for one in short) < min(one["given_total"] for one in long)
    for three in (short, long):  # lower quarter, upper quarter, median
        low, high, middle = (one["values"]["deep"] for one in three)
        assert low < middle < high


def test_the_same_results_give_the_same_people_in_plain_values(chosen, split, results):
    assert examples(split, results, CATALOGUE, "ndcg@100") == chosen
    assert json.loads(json.dumps(chosen, allow_nan=False)) == chosen


def test_of_equal_values_the_shorter_history_comes_first(split, results):
    same = {"deep": replace(results["deep"], values={"ndcg@100": np.zeros(N)})}
    _, worst, best = examples(split, same, CATALOGUE, "ndcg@100", n=3)
    assert (worst["user"], worst["given_total"]) == ("u0", 2)
    assert (best["user"], best["given_total"]) == ("u89", 31)


def test_a_list_marks_its_hits_and_ends_where_it_ends(chosen):
    lists = of_user(chosen, APART)["lists"]
    assert list(lists) == ["deep", "plain"]
    assert [one["item"] for one in lists["deep"]] == [f"i{k}" for k in range(50, 40, -1)]
    assert all(one["hit"] for one in lists["deep"])
    assert len(of_user(chosen, BEST)["lists"]["deep"]) == 3


def test_what_was_not_hidden_is_no_hit(split, results):
    late = replace(split, hidden=rows(np.full(N, 5), np.full(N, 46)))
    hits = [one["hit"] for one in examples(late, results, CATALOGUE, "ndcg@100", n=1)[0]["lists"]["deep"]]
    assert hits == [True] * 5 + [False] * 5


def test_without_times_the_most_popular_come_first_and_fifteen_are_shown(chosen):
    best = of_user(chosen, BEST)  # 19 items from the first on
    assert best["given_by"] == best["hidden_by"] == "most popular first"
    assert [one["item"] for one in best["given"]] == [f"i{k:02}" for k in range(18, 3, -1)]
    assert best["given_total"] == 19
    assert [one["item"] for one in best["hidden"]] == [f"i{k}" for k in range(59, 44, -1)]
    assert best["hidden_total"] == 20


def test_with_times_the_newest_come_first_with_titles_and_categories(split, results):
    order = -split.given.indices.astype(np.int64)  # the first items are the latest
    timed = replace(split, given_order=order, hidden_times=-split.hidden.indices.astype(np.int64))
    best = of_user(examples(timed, results, CATALOGUE, "ndcg@100"), BEST)
    assert best["given"][0] == {"item": "i00", "title": "The First", "categories": ["Drama", "War"]}
    assert best["given"][1] == {"item": "i01", "title": "i01", "categories": []}
    assert best["hidden"][0]["item"] == "i40"
    assert best["given_by"] == best["hidden_by"] == "newest first"


def test_who_has_no_value_is_not_chosen_and_a_missing_value_is_none(split, results):
    deep, plain = (one.values["ndcg@100"].copy() for one in results.values())
    deep[BEST], plain[WORST] = np.nan, np.nan
    changed = {
        "deep": replace(results["deep"], values={"ndcg@100": deep}),
        "plain": replace(results["plain"], values={"ndcg@100": plain}),
    }
    found = examples(split, changed, CATALOGUE, "ndcg@100", n=16)
    assert f"u{BEST}" not in {one["user"] for one in found}
    assert of_user(found, WORST)["values"] == {"deep": 0.05, "plain": None}


def test_one_model_few_people_and_equal_lengths_still_give_examples(split, results):
    few = replace(split, given=split.given[[5] * 4], hidden=split.hidden[:4], users=("a", "b", "c", "d"))
    one = results["deep"]
    small = {"deep": replace(one, values={"ndcg@100": one.values["ndcg@100"][:4]}, lists=one.lists[:4])}
    found = examples(few, small, CATALOGUE, "ndcg@100")
    assert {one["user"] for one in found} == {"a", "b", "c", "d"}
    assert [one["why"].endswith("the nearest who is not shown above") for one in found] == [False, False, False, True]
    alone = examples(split, {"deep": one}, CATALOGUE, "ndcg@100")
    assert len(alone) == 10
    assert not any("disagree" in one["why"] for one in alone)
    assert examples(split, {}, CATALOGUE, "ndcg@100") == []


def test_a_metric_that_no_person_has_is_refused(split, results):
    with pytest.raises(SettingError, match="coverage@10"):
        examples(split, results, CATALOGUE, "coverage@10")

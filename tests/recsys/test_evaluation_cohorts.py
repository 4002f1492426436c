"""Cohorts of a world small enough to know every group, and every value in it, by heart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.cohorts import as_cohorts, cohort_values, cohorts
from recsys.evaluation.evaluate import PerUser, hits_of
from recsys.evaluation.grouping import cut
from recsys.evaluation.metrics import metric
from recsys.evaluation.split import Split
from recsys.interactions import MICROSECONDS_PER_DAY, NO_TIME
from recsys.matrix import Index

NAMES = ("ndcg@2", "recall@2", "hit_rate@1")
DAY = MICROSECONDS_PER_DAY


def rows_of(columns, width=8) -> csr_matrix:
    return csr_matrix(np.array([[float(item in row) for item in range(width)] for row in columns], dtype=np.float32))


def split_of(lengths, *, hidden=None, last_given=None, train=None, users=None) -> Split:
    """Everybody gave as many of items 0 to 4 as said, and item 7 (by default) is hidden from all."""
    n = len(lengths)
    return Split(
        name="strong",
        train=rows_of([[0]] * 5 if train is None else train),
        given=rows_of([range(length) for length in lengths]),
        hidden=rows_of([[7]] * n if hidden is None else hidden),
        items=Index.of(list("abcdefgh")),
        users=tuple(users or (f"u{k}" for k in range(n))),
        validation=None,
        facts={},
        last_given=None if last_given is None else np.array(last_given, dtype=np.int64),
    )


def judged(split, lists) -> PerUser:
    lists = np.array(lists, dtype=np.int32)
    hits, relevant = hits_of(lists, split.hidden), np.diff(split.hidden.indptr)
    values = {name: metric(name)(hits, relevant) for name in NAMES}
    return PerUser(values, lists, lists.astype(np.float32), 0.0, 0.0)


def cohort(name, splits, catalogue=None, asked=()):
    return {one.name: one for one in cohorts(splits, catalogue or Catalogue(), asked)}[name]


def members(found, which=0):
    return {group.name: np.flatnonzero(group.masks[which]).tolist() for group in found.groups}


def test_histories_are_cold_warm_and_heavy_by_quarters_and_new_without_any():
    found = cohort("history length", [split_of([1, 5, 2, 3, 2, 3, 5, 1, 0])])
    assert members(found) == {"new": [8], "cold": [0, 7], "warm": [2, 3, 4, 5], "heavy": [1, 6]}
    assert [group.label for group in found.groups] == [
        "new: nothing given",
        "cold: 1 item",
        "warm: 2 to 3 items",
        "heavy: 5 items",
    ]


def test_equal_lengths_are_never_parted():
    assert members(cohort("history length", [split_of([3] * 9)])) == {"warm": list(range(9))}
    assert members(cohort("history length", [split_of([1, 1, 4, 4])])) == {"cold": [0, 1], "heavy": [2, 3]}
    rng = np.random.default_rng(0)
    for _ in range(50):
        values = rng.integers(0, 6, rng.integers(1, 40))
        low, high = cut(values, (0.25, 0.75))
        nearest = min(abs(np.mean(values < bound) - 0.25) for bound in [*values, np.inf])
        assert abs(np.mean(values < low) - 0.25) == pytest.approx(nearest)
        assert low <= high


def test_several_splits_share_the_bounds_of_their_groups():
    found = cohort("history length", [split_of([1, 1, 1, 2]), split_of([2, 2, 5, 5])])
    assert members(found, 0) == {"cold": [0, 1, 2], "warm": [3], "heavy": []}
    assert members(found, 1) == {"cold": [], "warm": [0, 1], "heavy": [2, 3]}


def test_the_head_makes_half_of_what_was_trained_on_and_the_tail_the_last_fifth():
    train = [[0, 1]] * 3 + [[0, 2]] * 2 + [[0, 3], [0, 4]] + [[0]] * 2  # 9, 3, 2, 1, 1 and three items of nobody
    found = cohort("item popularity", [split_of([1], train=train)])
    assert members(found) == {"head": [0], "middle": [1], "tail": [2, 3, 4, 5, 6, 7]}
    assert [group.label for group in found.groups] == [
        "head: 1 of 8 items",
        "middle: 1 of 8 items",
        "tail: 6 of 8 items",
    ]


def test_items_of_equal_popularity_are_in_one_group():
    assert members(cohort("item popularity", [split_of([1], train=[range(8)] * 3)])) == {"head": list(range(8))}


def test_only_hidden_items_of_the_group_count_and_lists_stay_whole():
    split = split_of([0, 0, 0], hidden=[[0, 5], [5, 6], [0, 1]])
    mask = np.arange(8) >= 5
    found = cohort_values(mask, "items", {}, np.array([[0, 5], [0, 6], [0, 1]]), split, [*NAMES, "coverage@2"])
    assert found["recall@2"].tolist() == pytest.approx([1, 0.5, np.nan], nan_ok=True)
    assert found["hit_rate@1"].tolist() == pytest.approx([0, 0, np.nan], nan_ok=True)
    assert found["ndcg@2"][0] == pytest.approx(1 / np.log2(3))
    assert set(found) == set(NAMES)


def test_the_parts_of_all_items_add_up_to_the_whole_recall():
    rng = np.random.default_rng(1)
    split = split_of([0] * 40, hidden=[rng.permutation(8)[: rng.integers(1, 6)] for _ in range(40)])
    lists = np.array([rng.permutation(8)[:2] for _ in range(40)], dtype=np.int32)
    hits, relevant = hits_of(lists, split.hidden), np.diff(split.hidden.indptr)
    total = np.zeros(40)
    for mask in (np.arange(8) < 3, np.arange(8) >= 3):
        of_mask = mask[split.hidden.toarray().nonzero()[1]]
        number = np.bincount(split.hidden.toarray().nonzero()[0], of_mask, minlength=40)
        part = cohort_values(mask, "items", {}, lists, split, ["recall@2"])["recall@2"]
        total += np.nan_to_num(part) * number
    assert total / relevant == pytest.approx(metric("recall@2")(hits, relevant))


def test_a_metric_deeper_than_the_lists_that_were_kept_is_not_told_of_items():
    split = split_of([0], hidden=[[7]])
    assert cohort_values(np.ones(8, bool), "items", {}, np.array([[1, 2]]), split, ["recall@2", "recall@3"]).keys() == {
        "recall@2"
    }
    whole = cohort_values(np.ones(8, bool), "items", {}, np.arange(8)[None], split, ["recall@20"])
    assert whole["recall@20"] == [1.0]


def test_people_are_recent_earlier_and_long_ago_by_the_day_they_were_last_seen():
    times = [5 * DAY, 0, 9 * DAY, 5 * DAY + 7, 9 * DAY + 1, 30, NO_TIME]
    found = cohort("recency", [split_of([1] * 7, last_given=times)])
    assert members(found) == {"recent": [2, 4], "earlier": [0, 3], "long ago": [1, 5], "unknown": [6]}
    assert [group.label for group in found.groups] == [
        "recent: 1970-01-10",
        "earlier: 1970-01-06",
        "long ago: 1970-01-01",
        "unknown: no time given",
    ]


def test_without_times_there_is_no_recency():
    assert [one.name for one in cohorts([split_of([1, 2])], Catalogue())] == ["history length", "item popularity"]
    with_none = split_of([1, 2], last_given=[NO_TIME, NO_TIME])
    assert [one.name for one in cohorts([with_none], Catalogue())] == ["history length", "item popularity"]


def test_people_are_grouped_by_an_attribute_and_small_groups_put_together():
    jobs = ["nurse"] * 20 + ["clerk"] * 25 + ["king", "queen", ""] + [None]
    people = {f"u{k}": {"job": job} if job is not None else {} for k, job in enumerate(jobs)}
    found = cohort("job", [split_of([1] * 49)], Catalogue(users=people), ["job"])
    assert {group.name: group.masks[0].sum() for group in found.groups} == {
        "clerk": 25,
        "nurse": 20,
        "other": 2,
        "unknown": 2,
    }
    assert found.of == "users"


def test_people_of_several_splits_are_counted_once():
    """Ten clerks seen twice are ten: too few for a group of their own."""
    people = {f"u{k}": {"job": "clerk" if k < 10 else "nurse"} for k in range(40)}
    splits = [split_of([1] * 30, users=[f"u{k}" for k in range(30)])] * 2
    assert [group.name for group in cohort("job", splits, Catalogue(users=people), ["job"]).groups] == [
        "nurse",
        "other",
    ]


def test_many_numbers_become_four_ranges():
    people = {f"u{k}": {"age": str(20 + k % 40)} for k in range(200)}
    found = cohort("age", [split_of([1] * 200)], Catalogue(users=people), ["age"])
    assert [group.name for group in found.groups] == ["20 to 29", "30 to 39", "40 to 49", "50 to 59"]
    assert [group.masks[0].sum() for group in found.groups] == [50] * 4


def test_items_are_grouped_by_category_and_may_be_in_several():
    categories = {"a": ["Drama", "Horror"], "b": ["Drama"], "c": ["Western"], "d": []}
    split = split_of([0] * 60, hidden=[[0, 3]] * 30 + [[1, 3]] * 29 + [[2]])
    found = cohort("category", [split], Catalogue(categories=categories), ["category"])
    assert members(found) == {"Drama": [0, 1], "Horror": [0], "other": [2], "unknown": [3, 4, 5, 6, 7]}
    assert found.of == "items"


def test_an_attribute_of_both_is_asked_of_both():
    both = Catalogue(users={"u0": {"land": "fr"}}, items={"a": {"land": "de"}})
    names = [one.name for one in cohorts([split_of([1])], both, ["land"])]
    assert names[-2:] == ["land of users", "land of items"]


def test_an_unknown_attribute_is_refused_with_those_there_are():
    known = Catalogue(users={"u0": {"gender": "f"}}, categories={"a": ["Drama"]})
    with pytest.raises(SettingError, match="no attribute is called 'sex'") as caught:
        cohorts([split_of([1])], known, ["sex"])
    assert caught.value.do == "ask for one of users: gender; items: category"
    with pytest.raises(SettingError, match="no attribute is called 'sex'"):
        cohorts([split_of([1])], Catalogue(), ["sex"])


def test_the_report_holds_every_groups_mean_interval_and_users():
    split = split_of([1, 1, 4, 4], hidden=[[7]] * 4, last_given=[0, 0, 3 * DAY, NO_TIME])
    good, bad = judged(split, [[7, 1]] * 2 + [[1, 7]] * 2), judged(split, [[1, 2]] * 4)
    found = as_cohorts([split], {"good": [good], "bad": [bad]}, NAMES, Catalogue(), seed=0)
    cold, heavy = found["history length"]["groups"]
    assert (cold["name"], cold["users"]) == ("cold", 2)
    assert cold["models"]["good"]["ndcg@2"] == pytest.approx({"mean": 1, "low": 1, "high": 1, "users": 2})
    assert heavy["models"]["good"]["ndcg@2"]["mean"] == pytest.approx(1 / np.log2(3))
    assert {one["recall@2"]["mean"] for group in (cold, heavy) for one in [group["models"]["bad"]]} == {0}
    assert [group["name"] for group in found["item popularity"]["groups"]] == ["tail"]  # nobody misses a popular item
    assert found["recency"]["of"] == "users"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_several_splits_are_pooled_and_their_people_stay_together():
    split = split_of([1] * 30 + [4] * 30)
    lists = [[7, 1] if k % 3 else [1, 2] for k in range(60)]
    once, thrice = (
        as_cohorts([split] * n, {"one": [judged(split, lists)] * n}, NAMES, Catalogue(), seed=3) for n in (1, 3)
    )
    assert _close(thrice, once)


def _close(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_close, a, b))
    return a == (pytest.approx(b) if isinstance(b, float) else b)


def test_users_keep_what_is_no_matter_of_accuracy():
    split = split_of([1, 1, 4, 4])
    novel = PerUser(
        {"novelty@2": np.array([1.0, np.nan, 5, 7])}, np.zeros((4, 2), np.int32), np.zeros((4, 2)), 0.0, 0.0
    )
    found = as_cohorts([split], {"one": [novel]}, ["novelty@2", "coverage@2"], Catalogue(), seed=0)
    cold, heavy = found["history length"]["groups"]
    assert cold["models"]["one"]["novelty@2"]["users"] == 1
    assert heavy["models"]["one"]["novelty@2"]["mean"] == 6
    assert "item popularity" not in found

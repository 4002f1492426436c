"""Each check beside the fault that must set it off, and beside a clean evaluation that must not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from recsys.evaluation.checks import Check, check_pooled, check_results, check_split
from recsys.evaluation.evaluate import PerUser
from recsys.evaluation.split import Split
from recsys.interactions import NO_TIME
from recsys.matrix import Index
from recsys.recommender import Holdout


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


@pytest.fixture
def timed(split: Split) -> Split:
    """The same cut at time 100, with a validation part of user b."""
    return replace(
        split,
        name="temporal",
        train=csr_matrix(np.array([[1, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1]], dtype=np.float32)),
        validation=Holdout(
            csr_matrix(np.array([[1, 0, 1, 0]], dtype=np.float32)),
            csr_matrix(np.array([[0, 1, 0, 0]], dtype=np.float32)),
        ),
        validation_users=("b",),
        latest_trained=99,
        hidden_times=np.array([100, 101, 102, 103]),
        last_given=np.array([99, 50]),
    )


def the(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


def result(values, ties=0.0) -> PerUser:
    values = np.array(values, dtype=np.float64)
    nothing = np.zeros((len(values), 1))
    return PerUser({"ndcg@100": values}, nothing.astype(np.int32), nothing.astype(np.float32), 0.0, ties)


GOOD = {"popularity": result([0.1, 0.2, 0.1] * 9), "als": result([0.3, 0.5, 0.4] * 9)}
TUNED = {"popularity": {}, "als": {"factors": 64}}


def statuses(checks, name):
    return [check.status for check in checks if check.name == name]


def results_of(results=GOOD, configs=TUNED):
    values = {name: found.values["ndcg@100"] for name, found in results.items()}
    return [*check_results(results, configs), *check_pooled(values, "ndcg@100", seed=0)]


def test_a_clean_evaluation_passes_every_check(split):
    checks = [*check_split(split), *results_of()]
    assert len(checks) == 14
    assert {check.name for check in checks if check.status != "ok"} == {"enough people"}
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
    checks = results_of({"als": GOOD["als"]})
    assert statuses(checks, "beats popularity") == ["warn"]
    checks = results_of({"popularity": GOOD["popularity"]})
    assert statuses(checks, "yardstick tuned") == ["warn"]


def test_an_untouched_yardstick_warns():
    assert statuses(results_of(configs={"popularity": {}, "als": {}}), "yardstick tuned") == ["warn"]
    assert statuses(results_of(configs={"popularity": {}, "als": {"alpha": 5.0}}), "yardstick tuned") == ["warn"]


@pytest.mark.parametrize(("trials", "status"), [(12, "ok"), (1, "warn")])
def test_a_yardstick_that_was_searched_for_is_tuned_whatever_was_found(trials, status):
    tuning = {"metric": "ndcg@100", "models": {"als": {"trials": trials, "seconds": 61.2}}}
    (check,) = [
        check
        for check in check_results(GOOD, {"popularity": {}, "als": {}}, tuning=tuning)
        if check.name == "yardstick tuned"
    ]
    assert check.status == status
    assert f"{trials} trials in 61 s" in check.detail


@pytest.mark.parametrize(("ties", "status"), [(0.02, "ok"), (0.2, "warn"), (1.0, "fail")])
def test_equal_scores_warn_and_constant_scores_fail(ties, status):
    tied = {**GOOD, "als": result([0.3, 0.5, 0.4] * 9, ties)}
    assert statuses(results_of(tied), "scores differ") == ["ok", status]


def test_a_clean_cut_in_time_passes_every_check(timed):
    assert {check.status for check in check_split(timed, earlier=0)} == {"ok"}


@pytest.mark.parametrize(("people", "status"), [(99, "warn"), (100, "ok")])
def test_few_people_are_said_to_be_few_however_many_splits_ask_them(people, status):
    values = {"popularity": np.zeros(2 * people)}
    found = check_pooled(values, "ndcg@100", seed=0, groups=np.tile(np.arange(people), 2))
    assert the(found, "enough people").status == status


def test_a_cut_in_time_with_the_future_in_training_fails(timed):
    for latest in (100, 103):
        found = the(check_split(replace(timed, latest_trained=latest)), "time order")
        assert found.status == "fail"
        assert f"{latest - 99} of 4 hidden" in found.detail
    later_given = replace(timed, last_given=np.array([99, 103]))
    assert "1 hidden" in the(check_split(later_given), "time order").detail
    assert the(check_split(later_given), "time order").status == "fail"
    assert the(check_split(replace(timed, hidden_times=None)), "time order").status == "warn"


@pytest.mark.parametrize(("name", "status"), [("strong", "ok"), ("fixed", "warn"), ("leave-last-out", "warn")])
def test_where_time_is_not_promised_the_share_known_too_late_is_told(timed, name, status):
    split = replace(timed, name=name, latest_trained=102, hidden_times=np.array([100, 101, NO_TIME, 103]))
    found = the(check_split(split), "time order")
    assert found.status == status
    assert found.detail.startswith("66.7% of hidden interactions are older")
    assert the(check_split(replace(split, hidden_times=None)), "time order").status == "ok"
    backwards = replace(split, last_given=np.array([101, 0]))
    assert the(check_split(backwards), "time order").status == ("fail" if name == "leave-last-out" else status)


def test_training_on_what_is_hidden_fails(timed):
    leaky = replace(timed, train=csr_matrix(timed.train + timed.hidden[[0, 0, 0]]), train_users=("a", "d", "c"))
    found = the(check_split(leaky), "hidden is not trained on")
    assert found.status == "fail"
    assert found.detail.startswith("2 of 4")
    others = replace(leaky, train_users=("a", "b", "c"), validation=None, validation_users=())
    assert the(check_split(others), "hidden is not trained on").status == "ok"
    unnamed = replace(leaky, train_users=())
    assert the(check_split(unnamed), "hidden is not trained on").status == "warn"


def test_training_on_what_choices_are_made_by_fails(timed):
    leaky = replace(timed, train=csr_matrix(np.ones((3, 4), dtype=np.float32)))
    found = the(check_split(leaky), "hidden is not trained on")
    assert found.status == "fail"
    assert "1 of 1 of validation" in found.detail


def test_a_choice_made_on_the_test_part_fails(timed):
    name = "choices apart from the test"
    same_pairs = replace(timed, validation=Holdout(timed.given, timed.hidden), validation_users=timed.users)
    found = the(check_split(same_pairs), name)
    assert found.status == "fail"
    assert found.detail.startswith("4 of 4")
    other_pairs = replace(same_pairs, validation=Holdout(timed.hidden, timed.given))
    assert the(check_split(other_pairs), name).status == "ok"
    assert the(check_split(replace(other_pairs, name="strong")), name).status == "fail"  # there users must differ
    assert the(check_split(replace(other_pairs, validation_users=("d",))), name).status == "warn"


def test_people_under_two_names_are_counted():
    rng = np.random.default_rng(0)
    rows = csr_matrix((rng.random((200, 40)) < 0.3).astype(np.float32))
    held = Holdout.of(rows[150:], 0.8, rng)
    users = tuple(f"u{k}" for k in range(200))
    items = Index.of([str(k) for k in range(40)])
    clean = Split("strong", rows[:150], held.given, held.hidden, items, users[150:], None, {}, train_users=users[:150])
    assert the(check_split(clean), "nobody twice").status == "ok"
    for copies, status in ((2, "warn"), (10, "fail")):
        train = vstack([rows[:150], rows[150 : 150 + copies]], format="csr")
        copied = replace(clean, train=train, train_users=(*users[:150], *(f"copy{k}" for k in range(copies))))
        found = the(check_split(copied), "nobody twice")
        assert found.status == status
        assert found.detail.startswith(f"{copies} of 50")


def test_people_who_agree_by_chance_are_not_one_person():
    rng = np.random.default_rng(0)
    whole = (rng.random((400, 9)) < 0.7).astype(np.float32)  # of nine items many take the same ones
    same = sum(any((one == other).all() for other in whole[:300]) for one in whole[300:])
    assert same > 50
    rows, users = csr_matrix(whole), tuple(f"u{k}" for k in range(400))
    held, items = Holdout.of(rows[300:], 0.8, rng), Index.of(list("abcdefghi"))
    split = Split("strong", rows[:300], held.given, held.hidden, items, users[300:], None, {}, train_users=users[:300])
    found = the(check_split(split), "nobody twice")
    assert (found.status, found.detail.split(" of ")[0]) == ("ok", "0")


def test_looking_at_the_test_again_warns(split):
    assert the(check_split(split, earlier=0), "first look at the test").status == "ok"
    again = the(check_split(split, earlier=3), "first look at the test")
    assert again.status == "warn"
    assert "3 earlier reports" in again.detail
    assert "the more looks, the more the best looks better than it is" in again.detail

"""Which numbers of a report came out the same, and how often a test part was looked at."""

from __future__ import annotations

import json

import pytest

from recsys.reports.earlier import earlier_looks
from recsys.reports.verify import differences, same_place


def report(mean=0.4, models=("als",), versions=None, metric="ndcg@100", device="cpu"):
    found = {"mean": mean, "low": 0.3, "high": 0.5, "users": 60}
    return {
        "models": {name: {"metrics": {metric: dict(found)}} for name in models},
        "versions": versions or {"numpy": "2.4"},
        "machine": {"cpus": 2},
        "device": device,
    }


def outcomes(written, now, tolerance=0.0):
    return {one.metric: one.outcome for one in differences(written, now, tolerance)}


def test_equal_numbers_are_the_same_and_every_end_of_an_interval_is_compared():
    assert outcomes(report(), report()) == {
        "ndcg@100": "same",
        "ndcg@100 (low)": "same",
        "ndcg@100 (high)": "same",
    }


def test_without_tolerance_the_last_digit_counts():
    assert outcomes(report(), report(mean=0.4 + 1e-15))["ndcg@100"] == "different"


@pytest.mark.parametrize(("off", "outcome"), [(0.0019, "within tolerance"), (0.0021, "different")])
def test_a_tolerance_is_a_difference(off, outcome):
    assert outcomes(report(), report(mean=0.4 + off), 0.002)["ndcg@100"] == outcome


def test_numbers_above_one_may_be_apart_by_a_share_of_themselves():
    assert outcomes(report(mean=10.0), report(mean=10.015), 0.002)["ndcg@100"] == "within tolerance"


def test_a_model_or_metric_that_did_not_come_out_is_missing():
    assert set(outcomes(report(), report(models=("ease",))).values()) == {"missing"}
    assert set(outcomes(report(), report(metric="recall@20")).values()) == {"missing"}


def test_where_a_report_was_made_is_compared_in_words():
    assert same_place(report(), report()) == []
    assert same_place(report(), report(versions={"numpy": "2.5"})) == ["numpy: 2.4 then, 2.5 now"]
    assert same_place(report(), report(device="cuda")) == ["device: cpu then, cuda now"]


def put(folder, name, recipe):
    (folder / name).mkdir(parents=True)
    (folder / name / "report.json").write_text(json.dumps({"recipe": recipe}))


def test_looks_with_other_settings_at_the_same_test_part_are_counted_once_each(tmp_path):
    put(tmp_path, "a", {"test_sha256": "t", "models": {"als": {"factors": 8}}})
    put(tmp_path, "b", {"test_sha256": "t", "models": {"als": {"factors": 16}}})
    put(tmp_path, "again", {"test_sha256": "t", "models": {"als": {"factors": 16}}})
    put(tmp_path, "other", {"test_sha256": "u", "models": {"als": {"factors": 32}}})
    put(tmp_path, "old", {})
    assert earlier_looks(tmp_path, "t", {"als": {"factors": 8}}) == 1
    assert earlier_looks(tmp_path, "t", {"als": {"factors": 64}}) == 2
    assert earlier_looks(tmp_path, "v", {"als": {}}) == 0
    assert earlier_looks(tmp_path / "none", "t", {}) == 0


def test_the_same_question_asked_again_is_no_look_though_a_model_failed_then(tmp_path):
    put(tmp_path, "a", {"test_sha256": "t", "models": {"als": {"layers": [8]}}})  # svd could not be fitted
    assert earlier_looks(tmp_path, "t", {"als": {"layers": (8,)}, "svd": {}}) == 0
    assert earlier_looks(tmp_path, "t", {"svd": {}}) == 1


@pytest.mark.parametrize("text", ['{"recipe": ', "[1, 2]", '{"recipe": null}', '{"recipe": "bread"}', '"x"'])
def test_a_damaged_report_and_one_of_another_program_are_no_look(tmp_path, text):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "report.json").write_text(text)
    assert earlier_looks(tmp_path, "t", {}) == 0

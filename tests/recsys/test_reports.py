"""A comparison of real models on a small world, and the report folder written from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError, SettingError, TrainingError
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.metrics import per_user_names
from recsys.evaluation.protocols import strong
from recsys.evaluation.run import DEFAULT_METRICS, compare, main_metric
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix
from recsys.models import create
from recsys.recommender import FitOptions
from recsys.reports.report import SHOWN, as_report, as_table
from recsys.reports.write import write_report

CONTRACT = [
    *("schema", "created", "command", "versions", "device", "seed", "data", "protocol"),
    *("checks", "models", "comparisons", "cohorts"),
]
PER_USER = per_user_names(DEFAULT_METRICS)


@pytest.fixture(scope="module")
def split():
    """300 people of three tastes among 30 items, ids with what ids may hold."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero((np.arange(300)[:, None] % 3 == np.arange(30) % 3) & (rng.random((300, 30)) < 0.6))
    data = Interactions.from_lists([f"user {u}/é" for u in user], [f"item {i}" for i in item])
    return strong(InteractionMatrix.build(data, min_user=2), seed=0)


@pytest.fixture(scope="module")
def watched():
    return []


@pytest.fixture(scope="module")
def evaluation(split, watched):
    class Watch:
        def __init__(self, name):
            self.name = name

        def __call__(self, progress):
            watched.append((self.name, progress.step))

        def close(self):
            watched.append((self.name, "closed"))

    models = {"als": {"factors": 8}, "popularity": {}}
    return compare(split, models, device="cpu", watch=Watch, command=["recsys", "evaluate"])


def test_the_report_has_the_keys_of_the_contract_and_survives_json(evaluation):
    report = json.loads(json.dumps(as_report(evaluation), allow_nan=False))
    assert [key for key in report if key in CONTRACT] == CONTRACT
    assert report["schema"] == 1
    assert datetime.fromisoformat(report["created"]).tzinfo is not None
    assert report["command"] == ["recsys", "evaluate"]
    assert report["protocol"]["name"] == "strong"
    assert report["protocol"]["users"] == 30
    assert set(report["data"]) == {"sha256", "users", "items", "interactions", "span"}
    assert set(report["versions"]) >= {"python", "recsys", "numpy"}
    assert report["cohorts"] == {}
    for model in report["models"].values():
        assert set(model) >= {"config", "settings", "seconds", "parameters", "bytes", "peak_memory", "metrics"}
        assert set(model["seconds"]) == {"fit", "score"}
        assert list(model["metrics"]) == list(DEFAULT_METRICS)
        for metric in model["metrics"].values():
            assert metric["low"] <= metric["mean"] <= metric["high"]
    for check in report["checks"]:
        assert set(check) == {"name", "status", "detail"}


def test_every_pair_of_models_is_compared_in_every_metric(evaluation):
    comparisons = as_report(evaluation)["comparisons"]
    assert [c["metric"] for c in comparisons] == PER_USER
    for c in comparisons:
        assert list(c)[:8] == ["a", "b", "metric", "difference", "low", "high", "p", "p_adjusted"]
        assert (c["users"], c["detectable"] >= 0) == (30, True)
        means = [as_report(evaluation)["models"][name]["metrics"][c["metric"]]["mean"] for name in (c["a"], c["b"])]
        assert c["difference"] == pytest.approx(means[0] - means[1], abs=1e-12)
        assert c["low"] <= c["difference"] <= c["high"]
        assert 0 < c["p"] <= c["p_adjusted"] <= 1
        if c["metric"].startswith("ndcg"):  # personal taste is all there is in this world
            assert c["low"] > 0
            assert c["p_adjusted"] < 0.05


def test_a_model_is_judged_as_it_is_judged_alone(evaluation, split):
    alone = evaluate(create("als", factors=8).fit(split.train, FitOptions()), split, DEFAULT_METRICS)
    for metric in PER_USER:
        np.testing.assert_allclose(
            evaluation.models["als"].last.per_user.values[metric], alone.values[metric], rtol=1e-12
        )


def test_whoever_watches_is_told_and_released(watched, evaluation):
    assert watched == [*(("als", step) for step in range(1, 16)), ("als", "closed"), ("popularity", "closed")]


def test_the_table_has_a_row_a_model_and_a_cell_a_metric(evaluation):
    header, rows = as_table(evaluation)
    assert header == ["model", *SHOWN, "fit s", "score s"]
    assert [row[0] for row in rows] == ["als", "popularity"]
    assert {len(row) for row in rows} == {len(header)}
    mean = evaluation.models["als"].intervals["ndcg@100"].mean
    assert rows[0][header.index("ndcg@100")].startswith(f"{mean:.4f} ±")


def test_a_wrong_metric_or_setting_is_found_before_anything_is_trained(split, monkeypatch):
    monkeypatch.setattr("recsys.models.popularity.Popularity.fit", lambda *_: pytest.fail("trained"))
    with pytest.raises(SettingError, match="'luck@3'"):
        compare(split, {"popularity": {}}, ["luck@3"])
    with pytest.raises(SettingError, match="'colour'"):
        compare(split, {"popularity": {}, "als": {"colour": 1}})


def test_the_folder_holds_the_report_the_users_and_the_lists(evaluation, tmp_path):
    folder = write_report(evaluation, tmp_path / "reports" / "first")
    assert sorted(path.name for path in folder.iterdir()) == [
        "per_user.parquet",
        "recommendations.parquet",
        "report.html",
        "report.json",
    ]
    assert list(folder.parent.iterdir()) == [folder]  # nothing unfinished stays behind
    stored = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(as_report(evaluation)))

    users = pd.read_parquet(folder / "per_user.parquet")
    assert list(users.columns) == ["model", "user", *PER_USER]
    assert set(users["user"]) == set(evaluation.split.users)
    means = users.groupby("model")["ndcg@100"].mean()
    for name in ("als", "popularity"):
        assert means[name] == pytest.approx(stored["models"][name]["metrics"]["ndcg@100"]["mean"], abs=1e-12)


def test_the_stored_lists_give_back_the_stored_metric(evaluation, split, tmp_path):
    folder = write_report(evaluation, tmp_path / "r")
    lists = pd.read_parquet(folder / "recommendations.parquet")
    assert list(lists.columns) == ["model", "user", "item", "rank", "score"]
    hidden = {user: set(split.items.ids[row.indices]) for user, row in zip(split.users, split.hidden, strict=True)}
    ours = lists[(lists["model"] == "als") & (lists["rank"] <= 20)]
    found = [len(hidden[user] & set(rows["item"])) / len(hidden[user]) for user, rows in ours.groupby("user")]
    assert np.mean(found) == pytest.approx(evaluation.models["als"].intervals["recall@20"].mean, abs=1e-12)
    first = lists[(lists["model"] == "als") & (lists["user"] == split.users[0])]
    assert first["rank"].tolist() == list(range(1, len(first) + 1))
    assert first["score"].is_monotonic_decreasing


def test_a_folder_that_holds_something_is_left_as_it_is(evaluation, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="already something") as caught:
        write_report(evaluation, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_write_that_breaks_off_leaves_nothing(evaluation, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(DataError, match="No space left"):
        write_report(evaluation, tmp_path / "report")
    assert list(tmp_path.iterdir()) == []


def test_the_span_of_the_data_is_told_in_iso_8601(evaluation):
    split = replace(evaluation.split, data={**evaluation.split.data, "span": [0, 1_700_000_000_000_000]})
    told = as_report(replace(evaluation, splits=[split]))["data"]["span"]
    assert told == ["1970-01-01T00:00:00Z", "2023-11-14T22:13:20Z"]
    assert as_report(evaluation)["data"]["span"] is None


def test_places_in_an_order_are_no_dates(evaluation):
    split = replace(evaluation.split, data={**evaluation.split.data, "span": [1_000_000, 2_300_000_000]})
    assert as_report(replace(evaluation, splits=[split]))["data"]["span"] is None


@pytest.fixture(scope="module")
def pooled(split):
    """Two seeds of one question, of which the second asks partly the same people."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero((np.arange(300)[:, None] % 3 == np.arange(30) % 3) & (rng.random((300, 30)) < 0.6))
    data = Interactions.from_lists([f"user {u}/é" for u in user], [f"item {i}" for i in item])
    matrix = InteractionMatrix.build(data, min_user=2)
    splits = [replace(strong(matrix, seed, test=0.5), label=f"seed {seed}") for seed in (0, 1)]
    return compare(splits, {"als": {"factors": 8}, "popularity": {}}, ["recall@5", "ndcg@5", "gini@5"])


def test_several_seeds_are_pooled_and_one_persons_rows_are_one_person(pooled):
    both = set(pooled.splits[0].users) & set(pooled.splits[1].users)
    assert len(both) > 20
    people = pooled.persons
    assert len(people) == 300
    assert len(set(people.tolist())) == 300 - len(both) == pooled.models["als"].intervals["ndcg@5"].users
    each = [fit.per_user.values["ndcg@5"].mean() for fit in pooled.models["als"].fits]
    assert pooled.models["als"].intervals["ndcg@5"].mean == pytest.approx(np.mean(each), abs=1e-12)


def test_the_same_people_asked_again_do_not_make_a_figure_of_all_lists_surer(split):
    once, twice = (
        compare([replace(split, label=label) for label in labels], {"popularity": {}}, ["ndcg@5", "gini@5"])
        for labels in (["one"], ["one", "two"])
    )
    alone, pooled = (found.models["popularity"].intervals["gini@5"] for found in (once, twice))
    assert (pooled.mean, pooled.users) == (pytest.approx(alone.mean, abs=1e-12), alone.users)
    assert (pooled.low, pooled.high) == pytest.approx((alone.low, alone.high), abs=1e-12)


def test_other_people_asked_as_well_make_a_figure_of_all_lists_surer(pooled):
    found = pooled.models["als"].intervals["gini@5"]
    each = [fit.per_user.totals["gini@5"] for fit in pooled.models["als"].fits]
    assert found.users == len(set(pooled.persons.tolist()))
    width = [one.high - one.low for one in each]
    assert np.hypot(*width) / 2 < found.high - found.low < np.mean(width)  # strangers, and the same people


def test_many_models_and_metrics_leave_a_sure_difference_sure(split):
    """However many questions are corrected for: with a fixed number of draws no p could be small enough for them."""
    metrics = [f"{name}@{k}" for name in ("ndcg", "recall", "precision", "hit_rate") for k in range(1, 31)]
    models = {"als": {"factors": 8}, "popularity": {}, "svd": {"factors": 4}}
    found = compare(split, models, metrics)
    assert len(found.comparisons) * 1e-4 > 0.03
    sure = [one.p_adjusted for one in found.comparisons if (one.b, one.metric) == ("popularity", "ndcg@5")]
    assert sure[0] <= 0.01


def test_one_person_asked_makes_a_report_without_what_one_person_cannot_tell(split, tmp_path):
    one = replace(split, given=split.given[:1], hidden=split.hidden[:1], users=split.users[:1])
    found = compare(one, {"als": {"factors": 8}, "popularity": {}}, ["ndcg@5", "coverage@5"])
    report = json.loads((write_report(found, tmp_path / "r") / "report.json").read_text(encoding="utf-8"))
    assert [told["detectable"] for told in report["comparisons"]] == [None]
    assert "nan" not in report["verdict"]["text"]


def test_of_every_model_only_what_makes_codes_is_kept_and_only_of_the_last_split(split):
    found = compare([split, replace(split, label="again")], {"svd": {"factors": 4}, "popularity": {}}, ["ndcg@5"])
    assert [fit.coder is None for fit in found.models["svd"].fits] == [True, False]
    assert [fit.coder for fit in found.models["popularity"].fits] == [None, None]
    assert found.models["svd"].last.parameters == 30 * 4 + 4


def test_every_seed_is_told_by_itself_and_its_rows_are_named(pooled, tmp_path):
    report = as_report(pooled)
    assert [one["label"] for one in report["rounds"]] == ["seed 0", "seed 1"]
    assert report["seeds"] == [0, 1]
    users = pd.read_parquet(write_report(pooled, tmp_path / "r") / "per_user.parquet")
    told = users[users["model"] == "als"].groupby("round")["ndcg@5"].mean()
    for one in report["rounds"]:
        assert one["models"]["als"]["ndcg@5"] == pytest.approx(told[one["label"]], abs=1e-12)


def test_a_model_that_cannot_be_fitted_is_reported_and_the_others_keep_their_results(split, monkeypatch):
    def broken(*_):
        raise TrainingError("the loss is not finite")

    monkeypatch.setattr("recsys.models.als.ALS.fit", broken)
    found = compare(split, {"als": {}, "popularity": {}}, ["ndcg@5"])
    assert list(found.models) == ["popularity"]
    assert [check.detail for check in found.checks if check.name == "models fitted"] == [
        "als has no result: TrainingError: the loss is not finite"
    ]
    assert "als has no result" in found.verdict.text.replace("Als", "als")
    with pytest.raises(TrainingError, match="no model could be fitted"):
        compare(split, {"als": {}}, ["ndcg@5"])


def test_the_metric_to_decide_by_is_the_last_ndcg_or_else_one_that_looks_at_hits():
    assert main_metric(DEFAULT_METRICS) == "ndcg@100"
    assert main_metric(["ndcg@5", "recall@20", "gini@20"]) == "ndcg@5"
    assert main_metric(["recall@20", "mrr", "novelty@20"]) == "mrr"
    with pytest.raises(SettingError, match="novelty@20"):
        main_metric(["novelty@20"])


def test_recall_and_ndcg_are_told_by_cut_off_and_agree_with_the_metrics(evaluation):
    for model in as_report(evaluation)["models"].values():
        assert model["cutoffs"]["ndcg"]["20"]["mean"] == pytest.approx(model["metrics"]["ndcg@20"]["mean"], abs=1e-12)
        means = [one["mean"] for one in model["cutoffs"]["recall"].values()]
        assert means == sorted(means)

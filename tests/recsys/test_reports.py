"""A comparison of real models on a small world, and the report folder written from it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError, SettingError
from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.protocols import strong
from recsys.evaluation.run import DEFAULT_METRICS, compare
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix
from recsys.models import create
from recsys.recommender import FitOptions
from recsys.reports.report import as_report, as_table
from recsys.reports.write import write_report

KEYS = [
    "schema",
    "created",
    "command",
    "versions",
    "device",
    "seed",
    "data",
    "protocol",
    "checks",
    "models",
    "comparisons",
    "cohorts",
]


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
    return compare(split, models, seed=0, device="cpu", watch=Watch, command=["recsys", "evaluate"])


def test_the_report_has_the_keys_of_the_contract_and_survives_json(evaluation):
    report = json.loads(json.dumps(as_report(evaluation), allow_nan=False))
    assert list(report) == KEYS
    assert report["schema"] == 1
    assert datetime.fromisoformat(report["created"]).tzinfo is not None
    assert report["command"] == ["recsys", "evaluate"]
    assert report["protocol"]["name"] == "strong"
    assert report["protocol"]["users"] == 30
    assert set(report["data"]) == {"sha256", "users", "items", "interactions", "span"}
    assert set(report["versions"]) >= {"python", "recsys", "numpy"}
    assert report["cohorts"] == {}
    for model in report["models"].values():
        assert set(model) == {"config", "seconds", "parameters", "metrics"}
        assert set(model["seconds"]) == {"fit", "score"}
        assert list(model["metrics"]) == list(DEFAULT_METRICS)
        for metric in model["metrics"].values():
            assert metric["low"] <= metric["mean"] <= metric["high"]
    for check in report["checks"]:
        assert set(check) == {"name", "status", "detail"}


def test_every_pair_of_models_is_compared_in_every_metric(evaluation):
    comparisons = as_report(evaluation)["comparisons"]
    assert [c["metric"] for c in comparisons] == list(DEFAULT_METRICS)
    for c in comparisons:
        assert list(c) == ["a", "b", "metric", "difference", "low", "high", "p", "p_adjusted"]
        means = [as_report(evaluation)["models"][name]["metrics"][c["metric"]]["mean"] for name in (c["a"], c["b"])]
        assert c["difference"] == pytest.approx(means[0] - means[1], abs=1e-12)
        assert c["low"] <= c["difference"] <= c["high"]
        assert 0 < c["p"] <= c["p_adjusted"] <= 1
        if c["metric"].startswith("ndcg"):  # personal taste is all there is in this world
            assert c["low"] > 0
            assert c["p_adjusted"] < 0.05


def test_a_model_is_judged_as_it_is_judged_alone(evaluation, split):
    alone = evaluate(create("als", factors=8).fit(split.train, FitOptions()), split, DEFAULT_METRICS)
    for metric in DEFAULT_METRICS:
        np.testing.assert_allclose(evaluation.models["als"].per_user.values[metric], alone.values[metric], rtol=1e-12)


def test_whoever_watches_is_told_and_released(watched, evaluation):
    assert watched == [*(("als", step) for step in range(1, 16)), ("als", "closed"), ("popularity", "closed")]


def test_the_table_has_a_row_a_model_and_a_cell_a_metric(evaluation):
    header, rows = as_table(evaluation)
    assert header == ["model", *DEFAULT_METRICS, "fit s", "score s"]
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
        "report.json",
    ]
    assert list(folder.parent.iterdir()) == [folder]  # nothing unfinished stays behind
    stored = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(as_report(evaluation)))

    users = pd.read_parquet(folder / "per_user.parquet")
    assert list(users.columns) == ["model", "user", *DEFAULT_METRICS]
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
    told = as_report(replace(evaluation, split=split))["data"]["span"]
    assert told == ["1970-01-01T00:00:00Z", "2023-11-14T22:13:20Z"]
    assert as_report(evaluation)["data"]["span"] is None

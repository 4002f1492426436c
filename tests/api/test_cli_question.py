"""What `recsys evaluate` is asked: refused before anything is read or tuned, or told whole in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def log(tmp_path: Path) -> str:
    """80 people, 24 items and two types of events, of which one has no rule."""
    rng, rows = np.random.default_rng(0), []
    for u in range(80):
        for k, i in enumerate(rng.permutation(24)[:10].tolist()):
            rows.append(f"u{u},i{i},{'poke' if k % 5 == 4 else 'view'},{1_600_000_000 + 86_400 * (7 * k + u % 11)}")
    (tmp_path / "log.csv").write_text("user,item,event,timestamp\n" + "\n".join(rows) + "\n")
    return "log.csv"


def ask(log: str, *more: str) -> tuple[str, ...]:
    return ("--home", "h", "evaluate", "--interactions", log, "--models", "svd,popularity", "--quick", *more)


@pytest.mark.parametrize("metrics", ["coverage@20", "gini@5,novelty@5", "ndcg@5,calibration@20"])
def test_metrics_that_cannot_be_decided_by_or_known_are_refused_before_anything_is_tuned(
    metrics: str, run: Any, log: str
) -> None:
    outcome = run(*ask(log, "--metrics", metrics, "--tune", "2"))
    assert outcome.status == 2
    assert "tuning" not in outcome.err
    assert "says how much" in outcome.err or "needs categories" in outcome.err


def test_a_smallest_value_is_refused_where_it_would_do_nothing(run: Any, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text("user,item,value\na,b,1\n")
    outcome = run("evaluate", "--train", "train.csv", "--test", "test.csv", "--min-value", "4")
    assert outcome.status == 2
    assert "--min-value" in outcome.err


def test_a_seed_given_twice_is_one(run: Any, log: str) -> None:
    report = json.loads(run(*ask(log, "--seed", "3", "--seed", "3", "--json")).out)
    assert (report["seeds"], report["rounds"]) == ([3], [])


@pytest.mark.parametrize("protocol", ["strong", "leave-last-out", "temporal", "rolling"])
def test_events_that_count_nothing_are_named_and_told_as_left_out(protocol: str, run: Any, log: str) -> None:
    outcome = run(*ask(log, "--protocol", protocol, "--json"))
    assert outcome.status == 0, outcome.err
    assert "event type 'poke' has no rule: its 160 rows count nothing" in outcome.err
    report = json.loads(outcome.out)
    told = [one for one in report["protocol"]["left_out"] if "without a rule" in one["why"]]
    assert [one["count"] for one in told] == [160] * max(1, len(report["rounds"]))
    assert [one["label"] for one in report["rounds"]] == [
        one["why"].rpartition(": of")[0] for one in told if one["why"][:2] != "of"
    ]


def test_categories_of_other_items_are_no_calibration(run: Any, log: str, tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("item,title,categories\nanother,Film,Comedy\n")
    report = json.loads(run(*ask(log, "--items", "films.csv", "--json")).out)
    assert report["verdict"]["valid"]
    assert not [name for name in report["models"]["svd"]["metrics"] if name.startswith("calibration")]

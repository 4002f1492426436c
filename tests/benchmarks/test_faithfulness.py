"""The benchmark of explanations, on the sample: what is named matters more than what is not."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from api.cli.bench_serve import faithfulness as command
from benchmarks import faithfulness
from recsys.serving.explain import Because, Explanation

SMALL = {
    "layers": [64],
    "bottleneck": 32,
    "epochs": 4,
    "weight_decay": 2.0,
    "recency": 0.3,
    "linear": [{"kind": "closed-form", "weight": 1.0, "l2": 100.0, "user_exponent": 0.25, "dropout": 0.5}],
    "blend": {"share": 0.5, "temperature": 4.0},
}


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    result = faithfulness.main(users=100, autoencoder=SMALL, als={"factors": 32})
    return dict(json.loads(json.dumps(result)))


@pytest.mark.parametrize("name", ["als", "autoencoder"])
def test_leaving_out_what_is_named_costs_more_than_leaving_out_as_much_at_random(found, name):
    model = found["models"][name]
    assert found["people"] == 100
    assert model["explained"] > 90
    for lost in ("score", "place"):
        assert model[lost]["named"] > model[lost]["random"]
        assert model[lost]["more"] > 0.8
        assert model[lost]["p"] < 1e-6


@pytest.mark.parametrize("name", ["als", "autoencoder"])
def test_without_the_needed_items_it_always_leaves_the_list(found, name):
    needed = found["models"][name]["needed"]
    assert needed["found"] > 80
    assert needed["leaves"] == 1
    assert needed["random"] < 0.7


def test_the_tables_say_it(found):
    (_, header, costs), (_, _, sets), (verdict, *_) = faithfulness.tables(found)
    assert verdict == "every promise holds"
    assert [row[:2] for row in costs] == [
        (name, lost) for name in ("als", "autoencoder") for lost in ("score", "places")
    ]
    assert all(len(row) == len(header) for row in costs)
    assert [row[2] for row in sets] == ["100.0%", "100.0%"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"score": {"named": 0.1, "random": 0.2, "more": 0.3, "differ": 90, "p": 1e-4}}, "do not cost more score"),
        ({"place": {"named": 2.0, "random": 1.9, "more": 0.55, "differ": 90, "p": 0.4}}, "do not cost more place"),
        ({"needed": {"found": 90, "leaves": 89 / 90, "random": 0.1, "items": 3.0, "most": 9}}, "1 of 90 stay"),
    ],
)
def test_what_does_not_hold_is_broken_and_ends_with_status_1(found, monkeypatch, changed, words):
    assert not found["broken"]
    worse = copy.deepcopy(found)
    worse["models"]["als"] |= changed
    worse["broken"] = faithfulness._verdict(worse["models"])
    [said] = worse["broken"]
    assert said.startswith("als: ")
    assert words in said
    for result, status in ((found, 0), (worse, 1)):
        monkeypatch.setattr(faithfulness, "main", lambda *_, result=result, **__: result)
        ended = CliRunner().invoke(command, [])
        assert ended.exit_code == status
        assert (said in ended.stdout) == bool(status)


def test_a_control_that_names_items_at_random_is_not_found_faithful(monkeypatch):
    def at_random(bundle, profile, columns, blocked, depth, most):
        rng = np.random.default_rng(profile.row.indices.sum())
        ids = rng.choice(bundle.items.ids[profile.row.indices], 2 * most, replace=False).tolist()
        return [Explanation(tuple(Because(item, 1 / most) for item in ids[:most]), tuple(ids[most:]))]

    monkeypatch.setattr(faithfulness, "explained", at_random)
    no_training = {**SMALL, "blend": {"share": 0.0, "temperature": None}}
    found = faithfulness.main(users=100, autoencoder=no_training, als={"factors": 32})
    for name, model in found["models"].items():
        assert any(words.startswith(name) for words in found["broken"])
        assert model["score"]["p"] > 1e-3
        assert model["needed"]["leaves"] < 1

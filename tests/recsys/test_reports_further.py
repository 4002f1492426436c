"""The parts of a report beyond the numbers: what cannot be made is left out, and the numbers stay."""

from __future__ import annotations

import numpy as np

from recsys.evaluation.protocols import fixed
from recsys.evaluation.run import compare
from recsys.interactions import Interactions
from recsys.reports.further import further
from recsys.reports.page import page
from recsys.reports.report import as_report


def asked_of_strangers():
    """120 people to learn from and 40 others, of whom nothing is given, to ask."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero(rng.random((160, 20)) < 0.4)
    parts = [(user < 120), (user >= 120)]
    train, test = (
        Interactions.from_lists([f"u{u}" for u in user[part]], [f"i{i}" for i in item[part]]) for part in parts
    )
    models = {"autoencoder": {"epochs": 1, "layers": [8], "bottleneck": 4}, "popularity": {}}
    return compare(fixed(train, test, 0), models, ["ndcg@5"], device="cpu", command=["recsys", "--train", "my file"])


def test_a_part_that_cannot_be_made_does_not_take_the_report_with_it():
    told = []
    evaluation = asked_of_strangers()
    found = further(evaluation, tell=told.append)
    assert found["groups"] is None
    assert any(line.startswith("report: without groups of similar people: nobody has a history") for line in told)
    text = page(as_report(evaluation, found))
    assert "recsys --train &#39;my file&#39;" in text  # as a shell takes it

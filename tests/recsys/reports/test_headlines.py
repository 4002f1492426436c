"""An evaluation that went wrong, from its split to its page: the headline says so before any number."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation import metrics
from recsys.evaluation.protocols import strong, temporal
from recsys.evaluation.run import compare
from recsys.evaluation.split import Split
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import InteractionMatrix
from recsys.reports.page import page
from recsys.reports.report import as_report

DAY = 86_400_000_000


@pytest.fixture(scope="module")
def data() -> Interactions:
    """300 people of three tastes among 60 items, a third of them taken, one a day."""
    rng = np.random.default_rng(0)
    user, item = np.nonzero((np.arange(300)[:, None] % 3 == np.arange(60) % 3) & (rng.random((300, 60)) < 0.5))
    moment = 20_000 * DAY + rng.permutation(len(user)) * DAY // 20
    return Interactions.from_lists([f"u{u}" for u in user], [f"i{i}" for i in item], times=moment)


@pytest.fixture(scope="module")
def split(data) -> Split:
    return strong(InteractionMatrix.build(data, min_user=2), seed=0, test=0.4)


def headline(split, models, names=("recall@5", "ndcg@5")) -> str:
    """What stands above everything else on the page."""
    shown = page(as_report(compare(split, models, names)))
    (found,) = re.findall(r'<div class="verdict [a-z]+">(.*?)</div>', shown, re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found)).split())


def test_a_sound_evaluation_names_its_winner(split):
    said = headline(split, {"svd": {"factors": 8}, "popularity": {}})
    assert "svd ranks best" in said
    assert "Do not" not in said


def test_a_split_that_trains_on_what_it_asks_for_is_no_evaluation(split):
    leaky = replace(
        split,
        train=csr_matrix(np.vstack([split.train.toarray(), (split.given + split.hidden).toarray()])),
        train_users=(*split.train_users, *split.users),
    )
    said = headline(leaky, {"svd": {"factors": 8}, "popularity": {}})
    assert "Do not use these numbers" in said
    assert "120 of 120 test users have a history in the training part" in said


def test_a_cut_in_time_that_trains_on_the_future_is_no_evaluation(data):
    cut = temporal(data, FeedbackWeights(), 0, share=0.2)
    assert "Do not" not in headline(cut, {"svd": {"factors": 8}, "popularity": {}})
    leaky = replace(cut, latest_trained=int(data.time.max()))
    said = headline(leaky, {"svd": {"factors": 8}, "popularity": {}})
    assert "Do not use these numbers" in said
    assert "models know the future" in said


def test_a_metric_that_is_another_one_under_its_name_is_found(split, monkeypatch):
    swapped = {**metrics.METRICS, "recall": metrics.METRICS["recall_capped"]}
    monkeypatch.setattr(metrics, "METRICS", swapped)
    said = headline(split, {"svd": {"factors": 8}, "popularity": {}})
    assert "Do not use these numbers" in said
    assert "recall@5" in said


def test_a_model_that_popularity_beats_is_the_headline():
    rng = np.random.default_rng(1)
    user, item = np.nonzero(rng.random((300, 60)) < np.linspace(0.02, 0.5, 60))  # no taste: some items are liked more
    matrix = InteractionMatrix.build(Interactions.from_lists([f"u{u}" for u in user], [f"i{i}" for i in item]))
    noise = {"svd": {"factors": 40, "item_exponent": 1.0}, "popularity": {}}
    said = headline(strong(matrix, seed=0, test=0.4), noise)
    assert "A model failed a check" in said
    assert "Svd minus popularity, ndcg@5: -" in said

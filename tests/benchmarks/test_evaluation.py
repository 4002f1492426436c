"""The benchmark of the evaluation, on little data; what it takes is nobody's bar here."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import evaluation
from recsys.recommender import FitOptions, top_n


@pytest.mark.parametrize("name", sorted(evaluation.TOP_K))
def test_every_bare_top_k_is_exact(name: str) -> None:
    scores = np.random.default_rng(0).standard_normal((20, 300)).astype(np.float32)
    np.testing.assert_array_equal(evaluation.TOP_K[name](scores, 30), top_n(scores, None, 30)[0])


def test_the_model_scores_histories_by_what_goes_with_them() -> None:
    split, _ = evaluation._world(200, 300, 6_000)
    model = evaluation.Factors(evaluation.FactorsConfig(300)).fit(split.train, FitOptions())
    seen = split.given.toarray()
    np.testing.assert_allclose(model.score(split.given)[seen > 0], 1, atol=0.5)  # the whole space gives itself back
    narrow = evaluation.Factors(evaluation.FactorsConfig(16)).fit(split.train, FitOptions())
    again = evaluation.Factors(narrow.config).restore(narrow.state())
    np.testing.assert_array_equal(again.score(split.given), narrow.score(split.given))
    assert narrow.item_vectors().shape == (300, 16)


def test_both_are_timed_in_turn_and_the_ratio_is_of_their_medians() -> None:
    result = evaluation.main(60, 150, 2_000, width=8, repeat=3)
    assert (result["users"], result["items"], result["width"]) == (60, 150, 8)
    assert {"ndcg@100", "coverage@20", "diversity@20", "calibration@20"} <= set(result["metrics"])
    assert [len(many) for many in result["runs"].values()] == [3, 3]
    assert result["ratio"] == pytest.approx(sorted(result["runs"]["evaluate"])[1] / sorted(result["runs"]["bare"])[1])
    (title, header, rows), (said, *_) = evaluation.tables(result)
    assert title.startswith("60 users x 150 items, 2,000 interactions")
    assert [row[0] for row in rows] == [f"product and {result['top_k']}", "evaluate"]
    assert all(len(row) == len(header) for row in rows)
    assert f"{result['ratio']:.2f} times" in said

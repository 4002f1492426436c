"""Blend: the two paths' scores made one, and the choice of how much of each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear.judge import Judge
from recsys.models.blend import Blend, choose_blend
from recsys.recommender import Holdout


@pytest.fixture
def scores():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 30)).astype(np.float32), rng.normal(scale=3, size=(6, 30)).astype(np.float32)


def test_a_share_of_one_is_the_deep_path_and_of_none_the_linear_one_by_its_deviation(scores):
    linear, deep = scores
    np.testing.assert_array_equal(Blend(1.0, None)(linear, deep), deep)
    np.testing.assert_array_equal(Blend(1.0, 2.0)(linear, deep), deep)
    alone = Blend(0.0, 4.0)(linear, deep)
    np.testing.assert_allclose(alone, linear / linear.std(axis=1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(Blend(0.0, None)(linear, np.full_like(deep, np.nan)), alone)


def test_the_mixture_is_of_unit_deviations_the_deep_one_of_tempered_probabilities(scores):
    linear, deep = (each.astype(np.float64) for each in scores)
    probabilities = np.exp(deep / 4.0)
    probabilities /= probabilities.sum(axis=1, keepdims=True)

    def unit(x):
        return x / x.std(axis=1, keepdims=True)

    found = Blend(0.3, 4.0)(*scores)
    assert found.dtype == np.float32
    np.testing.assert_allclose(
        found - found[:, :1], _relative(0.7 * unit(linear) + 0.3 * unit(probabilities)), atol=1e-4
    )
    np.testing.assert_allclose(Blend(0.3, None)(*scores), 0.7 * unit(linear) + 0.3 * unit(deep), atol=1e-4)


def _relative(x):
    return x - x[:, :1]


def test_neither_the_scale_of_a_path_nor_a_shift_of_its_logits_matters(scores):
    linear, deep = scores
    expected = Blend(0.5, 4.0)(linear, deep)
    np.testing.assert_allclose(Blend(0.5, 4.0)(100 * linear, deep + 500), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("temperature", [None, 1e-3, 4.0, 1e6])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_rows_of_constant_and_of_extreme_scores_stay_finite(share, temperature):
    linear = np.array([[0, 0, 0], [1, 2, 3], [0, 0, 0], [1e-20, 0, 0]], dtype=np.float32)
    deep = np.array([[5, 5, 5], [2, 2, 2], [1e4, 0, -1e4], [1, 2, 3]], dtype=np.float32)
    assert np.isfinite(Blend(share, temperature)(linear, deep)).all()


def test_the_scores_given_are_left_as_they_were(scores):
    before = [each.copy() for each in scores]
    for blend in (Blend(0.0, None), Blend(0.5, 4.0), Blend(0.5, None)):
        blend(*scores)
    for one, other in zip(scores, before, strict=True):
        np.testing.assert_array_equal(one, other)


def judge_of(n_rows=200, n_items=50):
    """People who have one item given and one hidden, and scores that know the hidden one."""
    rng = np.random.default_rng(0)
    picked = np.stack([rng.choice(n_items, 2, replace=False) for _ in range(n_rows)])

    def rows(column):
        return csr_matrix((np.ones(n_rows, np.float32), (np.arange(n_rows), picked[:, column])), (n_rows, n_items))

    knowing = rng.normal(size=(n_rows, n_items)).astype(np.float32)
    knowing[np.arange(n_rows), picked[:, 1]] += 3
    noise = rng.normal(size=(n_rows, n_items)).astype(np.float32)
    return Judge(Holdout(rows(0), rows(1)), "ndcg@10", 0), knowing, noise


def test_the_better_path_is_chosen_where_the_other_is_noise():
    judge, knowing, noise = judge_of()
    by_linear, value = choose_blend(judge, knowing, noise)
    assert by_linear.share <= 0.2
    assert value == pytest.approx(judge(by_linear(knowing, noise)).mean())
    assert value >= judge(knowing).mean()
    by_deep, value = choose_blend(judge, noise, knowing)
    assert by_deep.share >= 0.8
    assert value >= judge(knowing).mean()


def test_two_paths_that_know_different_things_are_mixed():
    judge, knowing, noise = judge_of()
    other = np.roll(noise, 1, axis=0) + (knowing - noise) * 0  # as noisy, of its own
    hidden = judge._hidden.toarray()
    one, two = noise + 1.5 * hidden, other + 1.5 * hidden
    blend, value = choose_blend(judge, one.astype(np.float32), two.astype(np.float32))
    assert 0.2 <= blend.share <= 0.8
    assert value > max(judge(one).mean(), judge(two).mean()) + 0.02


@pytest.mark.parametrize("blend", [Blend(), Blend(0.35, None), Blend(0.0, 2.0)])
def test_a_blend_survives_its_state_and_its_settings(blend):
    assert Blend.restore(blend.state()) == blend
    assert Blend.of(blend.settings()) == blend
    assert blend.state().dtype == np.float64
    assert np.isfinite(blend.state()).all()  # or no bundle takes it


@pytest.mark.parametrize(
    ("settings", "named"),
    [({"share": 1.1}, "share"), ({"temperature": 0.0}, "temperature"), ({"share": 0.5, "warmth": 1.0}, "'warmth'")],
)
def test_settings_out_of_range_and_unknown_ones_are_refused_by_name(settings, named):
    with pytest.raises(SettingError, match=named):
        Blend.of(settings)

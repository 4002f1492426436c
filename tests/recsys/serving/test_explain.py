"""Explanations: what carries a recommendation, against scores worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.matrix import Index
from recsys.models import create
from recsys.serving import left_out as batches
from recsys.serving.assortment import Article, Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.explain import Because, alike, explained
from recsys.serving.left_out import LeftOut
from tests.recsys.serving.explain_worlds import N_ITEMS, bundle_of, profile_of, rows_without

MODELS = ("als", "ease", "autoencoder", "svd")


def from_weights(weights: np.ndarray, **config: float) -> ModelBundle:
    """EASE whose item-item weights are given: a score is a sum of them."""
    model = create("ease", **config).restore({"weights": weights.astype(np.float32)})
    ids = [f"i{k}" for k in range(len(weights))]
    return ModelBundle(model, Index.of(ids, "item"), np.ones(len(weights), np.float32), {"model": "ease"})


def reasons(bundle: ModelBundle, profile, columns, **more) -> list[tuple[Because, ...]]:
    blocked = np.zeros(len(bundle.items), dtype=bool)
    blocked[profile.row.indices] = True
    return [one.because for one in explained(bundle, profile, columns, blocked, depth=5, **more)]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("recency", [0.0, 0.7])
@pytest.mark.parametrize("timed", [False, True])
def test_scores_without_entries_are_those_of_histories_without_them(name, recency, timed):
    if name == "svd" and recency:
        pytest.skip("SVD has no such setting")
    bundle, histories = bundle_of(name, recency)
    row = histories[np.argmax(np.diff(histories.indptr))]
    order = np.random.default_rng(1).permutation(row.nnz) + 1 if timed else None
    removed = np.random.default_rng(2).random((70, row.nnz)) < 0.3
    removed[0] = False
    removed[1] = True
    left_out = LeftOut(bundle.model, profile_of(row, order))
    found = np.concatenate([scores for _, scores in left_out.batches(removed)])
    expected = rows_without(bundle.model, row, order, removed)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert left_out.rows == 70


@pytest.mark.parametrize("strength", [1.0, 1 + 1e-6, 0.01, 40.0])
@pytest.mark.parametrize("size", [1, 7, 40])
def test_als_leaves_entries_out_in_closed_form(strength, size, monkeypatch):
    """alpha is 1: at a strength of 1 a system does not change at all. 40: every item of the catalogue."""
    items = np.random.default_rng(0).normal(0, 0.5, (40, 12)).astype(np.float32)
    model = create("als", alpha=1.0).restore({"items": items, "regularization": np.array([0.1])})
    row = csr_matrix((np.full(size, strength, np.float32), np.arange(size), [0, size]), shape=(1, 40))
    removed = np.r_[np.eye(size, dtype=bool), np.random.default_rng(1).random((20, size)) < 0.5]
    expected = rows_without(model, row, None, removed)
    monkeypatch.setattr(model, "fold_in", None)  # nothing is solved again
    found = np.concatenate([scores for _, scores in LeftOut(model, profile_of(row)).batches(removed)])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * max(np.abs(expected).max(), 0.1))


@pytest.mark.parametrize("name", MODELS)
def test_an_items_share_is_its_drop_in_standing_over_all_drops(name):
    bundle, histories = bundle_of(name)
    row = histories[np.argmax(np.diff(histories.indptr))]
    removed = np.r_[np.zeros((1, row.nnz), bool), np.eye(row.nnz, dtype=bool)]
    scores = rows_without(bundle.model, row, None, removed).astype(np.float64)
    standing = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    column = int(np.argsort(scores[0])[-3])
    drops = standing[0, column] - standing[1:, column]
    (found,) = reasons(bundle, profile_of(row), [column], most=row.nnz)
    shares = {one.item: one.share for one in found}
    expected = {f"i{row.indices[k]}": drops[k] / drops[drops > 0].sum() for k in np.flatnonzero(drops > 0)}
    assert shares == pytest.approx(expected, abs=1e-4)
    assert sum(shares.values()) == pytest.approx(1)
    assert [one.share for one in found] == sorted(shares.values(), reverse=True)
    assert reasons(bundle, profile_of(row), [column], most=2)[0] == found[:2]


def test_what_raises_the_whole_catalogue_alike_is_no_reason():
    weights = np.zeros((6, 6))
    weights[0, 3] = 1.0
    weights[1, :] = 10.0  # as free as a constant added to logits
    row = csr_matrix(np.array([[1, 1, 0, 0, 0, 0]], dtype=np.float32))
    assert reasons(from_weights(weights), profile_of(row), [3]) == [(Because("i0", pytest.approx(1)),)]


def test_nothing_carries_an_item_that_the_history_only_lowers():
    weights = np.zeros((5, 5))
    weights[0, 3] = weights[1, 3] = -1.0
    row = csr_matrix(np.array([[1, 1, 0, 0, 0]], dtype=np.float32))
    assert reasons(from_weights(weights), profile_of(row), [3]) == [()]


def test_a_later_item_counts_for_the_place_that_earlier_ones_take_without_it():
    """Two entries with the same weight: without the latest, the other moves up to its place."""
    weights = np.zeros((6, 6))
    weights[0, 3] = weights[1, 3] = 1.0
    weights[:2, 4] = 0.5
    row = csr_matrix(np.array([[1, 1, 0, 0, 0, 0]], dtype=np.float32))
    bundle = from_weights(weights, recency=1.0)
    fading = rows_without(bundle.model, row, np.array([1, 2]), np.eye(2, dtype=bool))
    np.testing.assert_allclose(fading[:, 3], [1, 1])  # each alone is the latest


@pytest.mark.parametrize("name", MODELS)
def test_the_only_item_of_a_history_carries_all_of_it(name):
    bundle, _ = bundle_of(name)
    row = csr_matrix((np.ones(1, np.float32), [4], [0, 1]), shape=(1, len(bundle.items)))
    scores = bundle.model.score(row)[0]
    scores[4] = -np.inf
    assert reasons(bundle, profile_of(row), [int(np.argmax(scores))]) == [(Because("i4", 1.0),)]


def test_an_impersonal_model_and_an_unknown_history_have_no_reasons():
    model = create("popularity").restore({"popularity": np.arange(5, dtype=np.float32)})
    ids = Index.of([f"i{k}" for k in range(5)], "item")
    popular = ModelBundle(model, ids, np.arange(5, dtype=np.float32), {"model": "popularity"})
    row = csr_matrix(np.array([[1, 1, 0, 0, 0]], dtype=np.float32))
    blocked = np.array([True, True, False, False, False])
    (found,) = explained(popular, profile_of(row), [4], blocked, 1)
    assert found.because == ()
    assert found.needed is None
    (nobody,) = explained(popular, profile_of(csr_matrix((1, 5), dtype=np.float32)), [4], blocked, 1)
    assert (nobody.because, nobody.needed) == ((), None)
    assert explained(popular, profile_of(row), [], blocked, 1) == []


@pytest.mark.parametrize(("timed", "expected"), [(True, [0, 2, 3]), (False, [1, 3, 4])])
def test_of_a_long_history_the_latest_or_else_the_strongest_are_tried(monkeypatch, timed, expected):
    monkeypatch.setattr(batches, "TRIED", 3)
    bundle, _ = bundle_of("ease")
    row = csr_matrix((np.array([1, 3, 1, 2, 2], np.float32), np.arange(5), [0, 5]), shape=(1, len(bundle.items)))
    order = np.array([9, 1, 7, 8, 2]) if timed else None
    assert LeftOut(bundle.model, profile_of(row, order)).tried().tolist() == expected
    (found,) = reasons(bundle, profile_of(row, order), [10], most=5)
    assert {one.item for one in found} <= {f"i{k}" for k in expected}


def test_two_items_share_the_categories_that_both_have():
    assortment = Assortment(
        [Article("a", categories=("war", "drama", "old")), Article("b", categories=("drama", "war")), Article("c")]
    )
    assert alike(assortment, "b", "a") == alike(assortment, "a", "b") == ("drama", "war")
    assert alike(assortment, "a", "c") == ()
    assert alike(assortment, "b", "unknown") == ()


@pytest.mark.parametrize("recency", [0.0, 1.0])
def test_of_nothing_at_all_als_has_no_score_and_the_only_entry_carries_everything(recency):
    bundle, _ = bundle_of("als", recency)
    carried = 0
    for only in range(N_ITEMS):
        profile = profile_of(csr_matrix(([1.0], ([0], [only])), shape=(1, N_ITEMS), dtype=np.float32))
        scores = bundle.model.score(profile.row)[0].astype(np.float64)
        raised = np.flatnonzero(scores > scores.mean() + 1e-5 * scores.std())
        found = reasons(bundle, profile, raised.tolist())
        assert all(one == (Because(f"i{only}", 1.0),) for one in found)
        carried += len(raised)
    assert carried > 300

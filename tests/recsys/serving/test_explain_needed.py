"""The items a recommendation could not be without, against every subset of short histories."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.matrix import Index
from recsys.models import create
from recsys.recommender import top_n
from recsys.serving import counterfactual
from recsys.serving.bundle import ModelBundle
from recsys.serving.explain import explained
from tests.recsys.serving.explain_worlds import bundle_of, profile_of, rows_without

DEPTH = 5
MODELS = ("als", "ease", "autoencoder")


def listed(bundle: ModelBundle, row: csr_matrix, order: np.ndarray | None, removed: np.ndarray) -> np.ndarray:
    """(n, DEPTH) the list after each removal, as the service would make it: what was in the history is never shown."""
    scores = rows_without(bundle.model, row, order, removed)
    scores[removed.all(axis=1)] = bundle.popularity
    return top_n(scores, csr_matrix(np.repeat(row.toarray(), len(removed), axis=0)), DEPTH)[0]


def every_subset(size: int) -> np.ndarray:
    sets = [some for k in range(size + 1) for some in combinations(range(size), k)]
    removed = np.zeros((len(sets), size), dtype=bool)
    for row, some in enumerate(sets):
        removed[row, list(some)] = True
    return removed


def short_rows(rows: csr_matrix, most: int, at_least: int = 2) -> list[csr_matrix]:
    lengths = np.diff(rows.indptr)
    return [rows[k] for k in np.flatnonzero((lengths <= most) & (lengths >= at_least))[:25]]


def needed_of(
    bundle: ModelBundle, row: csr_matrix, order: np.ndarray | None, columns: np.ndarray
) -> list[list[int] | None]:
    blocked = np.zeros(len(bundle.items), dtype=bool)
    blocked[row.indices] = True
    found = explained(bundle, profile_of(row, order), columns, blocked, DEPTH)
    return [None if one.needed is None else [int(id_[1:]) for id_ in one.needed] for one in found]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("recency", [0.0, 0.7])
@pytest.mark.parametrize(("every", "paired"), [(8, 32), (0, 32), (0, 0)])
def test_sets_that_are_called_smallest_are_and_the_others_cannot_be_made_smaller_by_one(
    name, recency, every, paired, monkeypatch
):
    """every 0: as in a history of more than 8 items; paired 0: of more than 32, where only the strongest contributors'
    pairs are tried."""
    monkeypatch.setattr(counterfactual, "EVERY", every)
    monkeypatch.setattr(counterfactual, "PAIRED", paired)
    monkeypatch.setattr(counterfactual, "STRONGEST", 3)
    bundle, rows = bundle_of(name, recency)
    sizes = []
    for number, row in enumerate(short_rows(rows, 8)):
        order = np.random.default_rng(number).permutation(row.nnz) + 1
        removed = every_subset(row.nnz)
        lists = listed(bundle, row, order, removed)
        columns = lists[0]
        for column, found in zip(columns.tolist(), needed_of(bundle, row, order, columns), strict=True):
            enough = removed[(lists != column).all(axis=1)]
            smallest = int(enough.sum(axis=1).min()) if len(enough) else None
            if found is None:
                assert smallest is None or smallest > (8 if every else 2 if paired else 1)
                continue
            gone = np.isin(row.indices, found)
            assert gone.sum() == len(found)
            assert (enough == gone).all(axis=1).any()
            assert smallest is not None
            if len(found) <= (8 if every else 3 if paired else 2):
                assert len(found) == smallest
            for entry in np.flatnonzero(gone):
                part = gone.copy()
                part[entry] = False
                assert not (enough == part).all(axis=1).any()
            sizes.append((len(found), smallest))
    assert len({size for size, _ in sizes}) >= 3  # the worlds ask for more than single items
    assert np.mean([size > smallest for size, smallest in sizes]) < 0.1


def from_weights(weights: np.ndarray, popularity: np.ndarray | None = None) -> ModelBundle:
    n = len(weights)
    model = create("ease").restore({"weights": weights.astype(np.float32)})
    popularity = np.zeros(n, np.float32) if popularity is None else popularity.astype(np.float32)
    return ModelBundle(model, Index.of([f"i{k}" for k in range(n)], "item"), popularity, {"model": "ease"})


def carried_by(n_entries: int, n_items: int = 40) -> tuple[np.ndarray, csr_matrix]:
    """(weights, a history of n): item n is carried a little by each entry, item n + 1 by entry 0 alone."""
    weights = np.zeros((n_items, n_items))
    weights[:n_entries, n_entries] = 1.0
    weights[0, n_entries + 1] = n_entries - 3.5
    row = csr_matrix((np.ones(n_entries, np.float32), np.arange(n_entries), [0, n_entries]), shape=(1, n_items))
    return weights, row


def test_a_set_of_four_where_no_three_are_enough():
    weights, row = carried_by(8)
    weights[0, 8] = 0.5  # entry 0 carries the rival: without it nothing is gained
    bundle = from_weights(weights)
    blocked = np.arange(40) < 8
    (found,) = explained(bundle, profile_of(row), [8], blocked, depth=1)
    assert found.needed is not None
    assert len(found.needed) == 4
    assert "i0" not in found.needed


def test_nothing_is_needed_of_what_comes_whatever_was_liked():
    n = 10
    weights = np.zeros((n, n))
    weights[:3, 9] = 1.0
    bundle = from_weights(weights, popularity=np.arange(n))
    row = csr_matrix(np.array([[1, 1, 1, *[0] * 7]], dtype=np.float32))
    blocked = np.arange(n) < 3
    (found,) = explained(bundle, profile_of(row), [9], blocked, depth=1)
    assert found.needed is None  # without anything the most popular comes, and it is that
    other = from_weights(weights, popularity=np.arange(n)[::-1])
    (found,) = explained(other, profile_of(row), [9], blocked, depth=1)
    assert found.needed is not None
    assert sorted(found.needed) == ["i0", "i1", "i2"]


def test_blocked_items_do_not_take_a_place():
    weights = np.zeros((6, 6))
    weights[0, 3], weights[1, 4], weights[1, 5] = 1.0, 0.9, 0.8
    row = csr_matrix(np.array([[1, 1, 0, 0, 0, 0]], dtype=np.float32))
    free, blocked = np.arange(6) < 2, np.isin(np.arange(6), [0, 1, 4, 5])
    (with_rivals,) = explained(from_weights(weights), profile_of(row), [3], free, depth=1)
    assert with_rivals.needed == ("i0",)
    (without,) = explained(from_weights(weights), profile_of(row), [3], blocked | (np.arange(6) == 2), depth=1)
    assert without.needed is None


def test_an_item_that_is_not_in_the_list_by_its_score_needs_no_set():
    weights = np.zeros((6, 6))
    weights[0, 3], weights[0, 4] = 1.0, 0.5
    row = csr_matrix(np.array([[1, 0, 0, 0, 0, 0]], dtype=np.float32))
    (found,) = explained(from_weights(weights), profile_of(row), [4], np.arange(6) < 1, depth=1)
    assert found.needed is None
    raised = np.where(np.arange(6) == 4, 5.0, 0.0)  # a rule puts it there, whatever the history
    (found,) = explained(from_weights(weights), profile_of(row), [4], np.arange(6) < 1, depth=1, raised=raised)
    assert found.because
    assert found.needed == ("i0",)  # scores of nothing are equal, and the lower column comes first


def test_the_search_ends_at_its_limit(monkeypatch):
    weights, row = carried_by(8)
    bundle = from_weights(weights)
    blocked = np.arange(40) < 8
    assert explained(bundle, profile_of(row), [8], blocked, depth=1)[0].needed is not None
    monkeypatch.setattr(counterfactual, "EVERY", 0)
    assert explained(bundle, profile_of(row), [8], blocked, depth=1)[0].needed is not None
    monkeypatch.setattr(counterfactual, "ROWS", 4)
    assert explained(bundle, profile_of(row), [8], blocked, depth=1)[0].needed is None

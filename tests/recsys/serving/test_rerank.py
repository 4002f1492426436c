"""Re-ranking against the objective worked out anew for every candidate of every step."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import rel_entr

from recsys.serving.rerank import REACH, SMOOTHING, WINDOW, reranked

N, C = 90, 7
STEPS = 25  # worked out by hand


@pytest.fixture
def case():
    random = np.random.default_rng(3)
    vectors = random.normal(size=(N, 5)).astype(np.float32) + 0.5
    vectors[4] = 0
    categories = (random.random((N, C)) < 0.3).astype(np.float32)
    categories[7:12] = 0  # items without any
    wanted = random.dirichlet(np.ones(C))
    wanted[2] = 0
    columns = random.permutation(N).astype(np.int32)
    scores = np.sort(random.gumbel(size=N).astype(np.float32))[::-1]
    return columns, scores, vectors, categories, wanted / wanted.sum()


def unit(rows):
    rows = rows.astype(np.float64)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def divergence(shares, wanted):
    """Steck's KL of a list, given the (k, c) sets of categories of its items."""
    known = shares[shares.sum(axis=1) > 0]
    known = known / known.sum(axis=1, keepdims=True)
    q = known.mean(axis=0) if len(known) else np.zeros(len(wanted))
    return rel_entr(wanted, (1 - SMOOTHING) * q + SMOOTHING * wanted).sum()


def by_hand(columns, scores, d, c, rows, categories, wanted):
    """Greedy, with nothing kept from one step to the next."""
    s = (scores.astype(np.float64) - scores[-1]) / (scores[0] - scores[-1])
    cosines = unit(rows[columns]) @ unit(rows[columns]).T
    best = cosines[:50]
    reach = np.quantile(best[~np.eye(*best.shape, dtype=bool)], REACH)
    taken, left = [], list(range(len(columns)))
    while len(taken) < STEPS:

        def value(i):
            near = max((cosines[i, j] for j in taken), default=0) / reach
            mix = divergence(categories[columns[[*taken, i]]], wanted) if c else 0
            return (1 - c) * ((1 - d) * s[i] - d * near) - c * mix

        found = [value(i) for i in left]
        taken.append(left.pop(next(k for k, one in enumerate(found) if one > max(found) - 1e-7)))
    return columns[taken]


@pytest.mark.parametrize("by", ["vectors", "categories"])
@pytest.mark.parametrize(("d", "c"), [(0.3, 0), (0.8, 0), (1, 0), (0, 0.2), (0, 0.9), (0.4, 0.3), (0.7, 0.6), (1, 0.5)])
def test_the_list_is_that_of_the_objective_worked_out_by_hand(case, by, d, c):
    columns, scores, vectors, categories, wanted = case
    known = {"categories": csr_matrix(categories), "wanted": wanted}
    if by == "vectors":
        known |= {"vectors": vectors, "lengths": np.linalg.norm(vectors, axis=1)}
    expected = by_hand(columns, scores, d, c, vectors if by == "vectors" else categories, categories, wanted)
    found, _ = reranked(columns, scores, STEPS, diversity=d, calibration=c, **known)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("d", "c"), [(0.3, 0), (0, 0.5), (0.4, 0.4), (1, 1)])
@pytest.mark.parametrize("vectors", [True, False])
def test_a_shorter_list_begins_a_longer_one_and_nothing_is_lost(d, c, vectors):
    random = np.random.default_rng(0)
    n = WINDOW + 40
    rows = random.normal(size=(n, 30)).astype(np.float32)
    known = {"vectors": rows} if vectors else {}
    known["categories"] = csr_matrix((random.random((n, 9)) < 0.3).astype(np.float32))
    columns, scores = random.permutation(n).astype(np.int32), np.sort(random.random(n).astype(np.float32))[::-1]
    known |= {"wanted": random.dirichlet(np.ones(9)), "diversity": d, "calibration": c}
    whole, whole_scores = reranked(columns, scores, n, **known)
    assert sorted(whole) == sorted(columns)
    np.testing.assert_array_equal(whole[WINDOW:], columns[WINDOW:])
    assert (whole[:WINDOW] != columns[:WINDOW]).any()
    by_column = dict(zip(columns.tolist(), scores.tolist(), strict=True))
    assert [by_column[column] for column in whole.tolist()] == whole_scores.tolist()
    assert (whole.dtype, whole_scores.dtype) == (np.int32, np.float32)
    for depth in (0, 1, 2, 10, 499, 500, 501, 530):
        part, part_scores = reranked(columns, scores, depth, **known)
        np.testing.assert_array_equal(part, whole[:depth])
        np.testing.assert_array_equal(part_scores, whole_scores[:depth])
        cut = max(depth, WINDOW)  # what is deeper need not be known
        np.testing.assert_array_equal(reranked(columns[:cut], scores[:cut], depth, **known)[0], whole[:depth])


def test_what_nothing_is_known_for_leaves_the_order_as_it_is(case):
    columns, scores, vectors, categories, wanted = case
    some, none = csr_matrix(categories), csr_matrix((N, C), dtype=np.float32)
    for known in (
        {"diversity": 0.0, "calibration": 0.0, "vectors": vectors, "categories": some, "wanted": wanted},
        {"diversity": 0.9},
        {"diversity": 0.9, "categories": none},
        {"calibration": 1.0, "categories": some},
        {"calibration": 1.0, "categories": some, "wanted": np.zeros(C)},  # an empty history
        {"calibration": 1.0, "categories": none, "wanted": wanted},
        {"calibration": 1.0, "wanted": wanted},
    ):
        found, found_scores = reranked(columns, scores, 20, **known)
        np.testing.assert_array_equal(found, columns[:20])
        np.testing.assert_array_equal(found_scores, scores[:20])


def test_calibration_that_cannot_be_leaves_diversity_as_it_was(case):
    columns, scores, vectors, categories, _ = case
    alone, _ = reranked(columns, scores, N, diversity=0.6, vectors=vectors)
    both, _ = reranked(
        columns, scores, N, diversity=0.6, calibration=1.0, vectors=vectors, categories=csr_matrix(categories)
    )
    np.testing.assert_array_equal(both, alone)


def test_the_ends_of_the_dials():
    columns = np.arange(6, dtype=np.int32)
    scores = np.array([9, 8, 7, 3, 2, 1], dtype=np.float32)
    sets = csr_matrix(np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32))
    unlike, _ = reranked(columns, scores, 6, diversity=1.0, categories=sets)
    assert unlike.tolist() == [0, 4, 1, 2, 3, 5]  # the best, the best that is unlike it, then all are alike
    even, _ = reranked(columns, scores, 6, calibration=1.0, categories=sets, wanted=np.array([0.5, 0.5]))
    assert even.tolist() == [0, 4, 1, 5, 2, 3]
    one, _ = reranked(columns, scores, 6, calibration=1.0, categories=sets, wanted=np.array([0.0, 1.0]))
    assert one.tolist()[:2] == [4, 5]


def test_one_category_for_all_leaves_the_order_as_it_is(case):
    columns, scores, *_ = case
    all_alike = csr_matrix(np.ones((N, 1), dtype=np.float32))
    for dial in ({"diversity": 0.7}, {"calibration": 0.7, "wanted": np.ones(1)}):
        np.testing.assert_array_equal(reranked(columns, scores, N, categories=all_alike, **dial)[0], columns)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_short_and_even_lists(n, case):
    _, _, vectors, *_ = case
    columns, scores = np.arange(n, dtype=np.int32), np.zeros(n, dtype=np.float32)
    found, found_scores = reranked(columns, scores, 10, diversity=0.5, vectors=vectors)
    assert found.tolist() == list(range(n))
    assert len(found_scores) == n


def test_more_diversity_makes_lists_less_alike(case):
    columns, scores, vectors, *_ = case

    def alike(d):
        found, _ = reranked(columns, scores, 10, diversity=d, vectors=vectors)
        return (unit(vectors[found]) @ unit(vectors[found]).T).mean()

    assert alike(0) > alike(0.5) > alike(1)


def test_more_calibration_brings_the_mix_closer(case):
    columns, scores, _, categories, wanted = case

    def off(c):
        found, _ = reranked(columns, scores, 10, calibration=c, categories=csr_matrix(categories), wanted=wanted)
        return divergence(categories[found], wanted)

    assert off(0) > off(0.5) > off(1)

"""Metrics of the lists themselves, against loops over ids that say the same slowly, on 1,000 random users."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.stats import entropy
from sklearn.metrics.pairwise import cosine_similarity

from recsys.errors import SettingError
from recsys.evaluation import totals
from recsys.evaluation.beyond import About
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.evaluate import PerUser, evaluate
from recsys.evaluation.metrics import METRICS, metric
from recsys.evaluation.split import Split
from recsys.matrix import Index

N_USERS, N_ITEMS, N_TRAIN = 1000, 60, 80
CUTOFFS = (1, 2, 5, 20, 150)


class Given:
    """A model that answers with scores made before, row after row."""

    config = None

    def __init__(self, scores):
        self.scores, self.at = scores, 0

    def score(self, rows):
        self.at += rows.shape[0]
        return self.scores[self.at - rows.shape[0] : self.at]


class World:
    """People and items as dictionaries of ids, and as a split.

    Scores have ties and are missing at random, for every 50th user all of them (empty lists); some histories are empty,
    nearly everything, or only what nobody took; the last five items were taken by nobody, every sixth has no category.
    """

    def __init__(self):
        rng = np.random.default_rng(11)
        self.ids = [f"i{k:02}" for k in range(N_ITEMS)]
        wanted = rng.random((N_TRAIN, N_ITEMS)) < np.linspace(0.7, 0.02, N_ITEMS)
        wanted[:, -5:] = False
        given = rng.random((N_USERS, N_ITEMS)) < rng.choice([0.0, 0.1, 0.3, 0.97], (N_USERS, 1))
        given[1::50, :-5] = False
        self.scores = rng.integers(0, 9, (N_USERS, N_ITEMS)).astype(np.float32)
        self.scores[rng.random(self.scores.shape) < 0.1] = np.nan
        self.scores[2::50] = np.nan
        names = np.array(["comedy", "drama", "horror", "war"])
        mixed = {item: rng.choice(names, rng.integers(1, 4), replace=False).tolist() for item in self.ids}
        self.categories = {item: mixed[item] for k, item in enumerate(self.ids) if k % 6}
        self.takers = {item: set(np.flatnonzero(wanted[:, k]).tolist()) for k, item in enumerate(self.ids)}
        self.columns = dict(zip(self.ids, wanted.T.astype(float), strict=True))
        self.histories = [[self.ids[k] for k in np.flatnonzero(row)] for row in given]
        self.lists = [self._ranked(*one) for one in zip(self.scores, given, strict=True)]
        self.split = Split(
            name="strong",
            train=csr_matrix(wanted * rng.uniform(0.5, 3, wanted.shape)).astype(np.float32),  # strengths do not count
            given=csr_matrix(given * rng.uniform(0.5, 3, given.shape)).astype(np.float32),
            hidden=csr_matrix(~given, dtype=np.float32),
            items=Index.of(self.ids),
            users=tuple(f"u{k}" for k in range(N_USERS)),
            validation=None,
            facts={},
        )

    def _ranked(self, scores, given):
        free = [k for k in range(N_ITEMS) if not given[k] and not np.isnan(scores[k])]
        return [self.ids[k] for k in sorted(free, key=lambda k: (-scores[k], k))]

    def evaluated(self, names, batch=None) -> PerUser:
        return evaluate(Given(self.scores), self.split, names, batch, Catalogue(categories=self.categories))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def ours(world: World) -> PerUser:
    return world.evaluated([f"{name}@{k}" for name, one in METRICS.items() if one.kind != "hits" for k in CUTOFFS])


def novelty(world, shown, history):
    return np.mean([math.log2(N_TRAIN / max(len(world.takers[item]), 1)) for item in shown]) if shown else np.nan


def diversity(world, shown, history):
    if len(shown) < 2:
        return np.nan
    alike = cosine_similarity([world.columns[item] for item in shown])
    return np.mean([1 - alike[a, b] for a, b in combinations(range(len(shown)), 2)])


def popularity_lift(world, shown, history):
    before = [len(world.takers[item]) for item in history]
    if not shown or not sum(before):
        return np.nan
    return np.mean([len(world.takers[item]) for item in shown]) / np.mean(before) - 1


def calibration(world, shown, history):
    def mix(items):
        mass = dict.fromkeys(("comedy", "drama", "horror", "war"), 0.0)
        for item in items:
            for name in world.categories.get(item, ()):
                mass[name] += 1 / len(world.categories[item])
        return np.array(list(mass.values())) / sum(mass.values()) if any(mass.values()) else None

    p, q = mix(history), mix(shown)
    return np.nan if p is None or q is None else entropy(p, 0.99 * q + 0.01 * p)


@pytest.mark.parametrize("oracle", [novelty, diversity, popularity_lift, calibration])
def test_a_metric_of_lists_equals_a_loop_over_ids(world, ours, oracle):
    for k in CUTOFFS:
        expected = [oracle(world, *one) for one in zip([ids[:k] for ids in world.lists], world.histories, strict=True)]
        found = ours.values[f"{oracle.__name__}@{k}"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9, equal_nan=True, err_msg=f"@{k}")
        assert np.isnan(found[2::50]).all()  # of an empty list nothing can be said
        assert np.isfinite(found).mean() > 0.5 or (k == 1 and oracle is diversity)


def test_coverage_and_gini_equal_loops_over_ids(world, ours):
    for k in CUTOFFS:
        times = {item: 0 for item in world.ids if world.takers[item]}
        for item in [item for ids in world.lists for item in ids[:k]]:
            if item in times:
                times[item] += 1
        counts = list(times.values())
        covered = len([count for count in counts if count]) / len(counts)
        # Another formula than ours: half the mean difference of two different items, as a share of the mean.
        apart = np.mean([abs(a - b) for a, b in combinations(counts, 2)]) / 2 / np.mean(counts)
        assert ours.totals[f"coverage@{k}"].mean == pytest.approx(covered, abs=1e-9)
        assert ours.totals[f"gini@{k}"].mean == pytest.approx(apart, abs=1e-9)
        assert all(ours.totals[f"{name}@{k}"].users == N_USERS for name in ("coverage", "gini"))


def test_the_batch_changes_nothing(world, ours):
    names = ["novelty@20", "diversity@20", "popularity_lift@20", "calibration@20", "gini@20", "coverage@20"]
    parts = world.evaluated(names, batch=7)
    for name in parts.values:
        np.testing.assert_allclose(parts.values[name], ours.values[name], rtol=1e-12)
    assert parts.totals == {name: ours.totals[name] for name in ("gini@20", "coverage@20")}


def test_users_with_a_nan_or_without_any_finite_score_are_counted(world):
    assert world.evaluated(["ndcg@5"]).not_finite == np.isnan(world.scores).any(axis=1).sum()
    scores = np.zeros((N_USERS, N_ITEMS), dtype=np.float32)
    assert evaluate(Given(scores), world.split, ["ndcg@5"]).not_finite == 0
    scores[0], scores[1], scores[2, 3], scores[4, 5], scores[6, 7] = -np.inf, np.inf, np.nan, -np.inf, np.inf
    scores[8], scores[9, ::2] = 3e38, 3e38  # finite, though their sum is not
    assert evaluate(Given(scores), world.split, ["ndcg@5"]).not_finite == 3


@pytest.mark.parametrize(("n_items", "deep"), [(40, 40), (130, 100)])
def test_lists_are_kept_a_hundred_deep_whatever_is_measured(world, n_items, deep):
    rows = csr_matrix((5, n_items), dtype=np.float32)
    split = replace(
        World().split, train=rows, given=rows, hidden=rows, items=Index.of([str(k) for k in range(n_items)])
    )
    scores = np.random.default_rng(0).standard_normal((5, n_items)).astype(np.float32)
    for names in (["ndcg@5"], ["mrr", "gini@120"]):
        found = evaluate(Given(scores), split, names)
        assert found.lists.shape == found.scores.shape == (5, deep)
        np.testing.assert_array_equal(found.lists, np.argsort(-scores, axis=1)[:, :deep])


def test_calibration_is_zero_for_the_same_mix_and_most_for_another():
    items = Index.of(["comedy", "drama", "both", "neither"])
    categories = {"comedy": ["c"], "drama": ["d"], "both": ["c", "d"]}
    train = csr_matrix(np.ones((1, 4)))
    about = About(train, np.ones(4, dtype=int), Catalogue(categories=categories).category_matrix(items)[0])
    history = csr_matrix(np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]], dtype=float))
    shown = np.array([[0, -1], [1, -1], [2, 3], [0, 1], [3, -1]], dtype=np.int32)
    found = metric("calibration@2").of_lists(shown, history, about)
    np.testing.assert_allclose(found, [0, -math.log(0.01), 0, np.nan, np.nan], atol=1e-12)


def test_calibration_by_categories_of_other_items_alone_is_undefined(world):
    catalogue = Catalogue(categories={"another": ("comedy",), "i01": ()})
    values = evaluate(Given(world.scores), world.split, ["calibration@5"], None, catalogue).values["calibration@5"]
    assert np.isnan(values).all()


def test_calibration_without_categories_is_refused_before_a_model_is_asked(world):
    with pytest.raises(SettingError, match="needs categories"):
        evaluate(Given(None), world.split, ["calibration@5"])


@pytest.mark.parametrize(("counts", "share", "unequal"), [([3, 3, 3, 3], 1, 0), ([0, 0, 8, 0], 1 / 4, 1)])
def test_everything_alike_is_no_inequality_and_all_on_one_is_all_of_it(counts, share, unequal):
    assert totals.coverage(np.array(counts)) == share
    assert totals.gini(np.array(counts)) == pytest.approx(unequal, abs=1e-15)


def test_the_interval_of_a_total_holds_what_other_people_give():
    """Lists of 5 drawn from a catalogue of uneven items: the mean over many draws of people is what is estimated."""
    rng = np.random.default_rng(0)
    catalogue = np.ones(150, dtype=bool)

    def people():
        return np.argsort(np.log(np.arange(1, 151)) - rng.gumbel(size=(75, 150)), axis=1)[:, :5]

    for function in (totals.coverage, totals.gini):
        found = [totals.total_interval(function, people(), catalogue, seed) for seed in range(100)]
        truth = np.mean([one.mean for one in found])
        assert sum(one.low <= truth <= one.high for one in found) >= 90
        width, spread = np.mean([one.high - one.low for one in found]), np.std([one.mean for one in found])
        assert width / (2 * 1.96) < 2 * spread


def test_an_interval_of_a_total_follows_its_seed_and_never_leaves_zero_to_one():
    items = np.arange(300).reshape(100, 3) % 37
    first, same, other = (totals.total_interval(totals.gini, items, np.ones(37, bool), seed) for seed in (1, 1, 2))
    assert first == same != other
    full = totals.total_interval(totals.coverage, items, np.ones(37, dtype=bool), 0)
    assert (full.mean, full.high) == (1, 1)


def test_of_one_user_nothing_is_known_of_others_and_of_no_list_nothing_at_all():
    one = totals.total_interval(totals.coverage, np.array([[0, 1]]), np.ones(4, dtype=bool), 0)
    assert (one.mean, one.low, one.high, one.users) == (0.5, 0.0, 1.0, 1)
    none = totals.total_interval(totals.gini, np.full((9, 2), -1), np.ones(4, dtype=bool), 0)
    assert np.isnan([none.mean, none.low, none.high]).all()
    assert none.users == 0


def test_items_that_nobody_took_are_no_part_of_the_catalogue():
    items = np.array([[0, 3], [1, 3], [0, 3]])
    taken = np.array([True, True, False, False])
    assert totals.total_interval(totals.coverage, items, taken, 0).mean == 1
    assert totals.total_interval(totals.gini, items, taken, 0).mean == pytest.approx(1 / 3)

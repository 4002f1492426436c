"""Metrics of hits against the textbook on 1,000 random rankings, and against ranx and scikit-learn on every 7th."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.metrics import METRICS, metric
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.recommender import top_n

N_USERS, N_ITEMS = 1000, 40
# ranx's names. recall_capped is nobody's there: it is checked through precision, hits / k.
RANX = {
    "recall": "recall",
    "precision": "precision",
    "ndcg": "ndcg",
    "map": "map",
    "mrr": "mrr",
    "hit_rate": "hit_rate",
}
CUTOFFS = (1, 5, 20, 100)
SOME = range(0, N_USERS, 7)  # of every kind: ranx as plain Python and scikit-learn, a user at a time, are slow


@pytest.fixture(scope="module")
def world():
    """Scores with ties, users without any given item, with nearly all given (short lists), with 1 to 20 relevant, and
    every 50th without any score, whose list is empty."""
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 12, (N_USERS, N_ITEMS)).astype(np.float32)
    given, hidden = np.zeros((2, N_USERS, N_ITEMS), dtype=np.float32)
    for user in range(N_USERS):
        order = rng.permutation(N_ITEMS)
        relevant = 1 + user % 20
        shown = N_ITEMS - relevant - (user % 3) if user % 5 == 0 else user % 7
        hidden[user, order[:relevant]] = 1
        given[user, order[relevant : relevant + shown]] = 1
    scores[49::50] = np.nan
    return scores, csr_matrix(given), csr_matrix(hidden)


class Given:
    """A model that answers with scores made before, row after row."""

    config = None

    def __init__(self, scores):
        self.scores, self.at = scores, 0

    def score(self, rows):
        self.at += rows.shape[0]
        return self.scores[self.at - rows.shape[0] : self.at]


def evaluated(world, names, batch=None):
    scores, given, hidden = world
    users, items = tuple(map(str, range(N_USERS))), Index.of([f"i{k}" for k in range(N_ITEMS)])
    split = Split("strong", given, given, hidden, items, users, None, {})
    return evaluate(Given(scores), split, names, batch)


def textbook(name, k, ranked, relevant):
    """One user: the ids in the order they are shown, and the set of those that are right."""
    shown = ranked[:k]
    right = [rank for rank, item in enumerate(shown, 1) if item in relevant]
    if name == "recall":
        return len(right) / len(relevant)
    if name == "recall_capped":
        return len(right) / min(k, len(relevant))
    if name == "precision":
        return len(right) / k
    if name == "hit_rate":
        return 1.0 if right else 0.0
    if name == "mrr":
        return 1 / right[0] if right else 0.0
    if name == "map":
        return sum(len(set(shown[:rank]) & relevant) / rank for rank in right) / len(relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    return sum(1 / math.log2(rank + 1) for rank in right) / best


def test_metrics_equal_the_textbook(world):
    scores, given, hidden = world
    names = [name for name, known in METRICS.items() if known.kind == "hits"]
    ours = evaluated(world, [f"{name}@{k}" for name in names for k in CUTOFFS])
    ranked = []
    for user in range(N_USERS):
        free = set(range(N_ITEMS)) - set(given[user].indices.tolist()) if user % 50 != 49 else set()
        ranked.append(sorted(free, key=lambda item: (-scores[user, item], item)))
    relevant = [set(hidden[user].indices.tolist()) for user in range(N_USERS)]
    assert min(map(len, ranked)) == 0
    for name in names:
        for k in CUTOFFS:
            expected = [textbook(name, k, *one) for one in zip(ranked, relevant, strict=True)]
            np.testing.assert_allclose(ours.values[f"{name}@{k}"], expected, rtol=0, atol=1e-9, err_msg=f"{name}@{k}")


def test_metrics_equal_ranx(world, monkeypatch):
    scores, given, hidden = world
    ranked, _ = top_n(scores, given, N_ITEMS)
    import numba

    # The same functions, run as the Python they are written in: compiling them takes longer than all tests together.
    monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numba's and ranx's own; nothing of ours runs in here
        from ranx import Qrels, Run
        from ranx import evaluate as ranx_evaluate

        names = [f"{theirs}@{k}" for theirs in RANX.values() for k in CUTOFFS]
        qrels = Qrels({f"{u:03}": {str(i): 1 for i in hidden[u].indices} for u in SOME})
        # ranx orders a run by score: give it our order as descending scores, so that both look at the same lists.
        # It knows no empty list: those hold an item that is nobody's.
        lists = [{str(i): 1000.0 - r for r, i in enumerate(ranked[u]) if i >= 0} or {"none": 1.0} for u in SOME]
        run = Run({f"{u:03}": one for u, one in zip(SOME, lists, strict=True)})
        theirs = ranx_evaluate(qrels, run, names, return_mean=False)
    ours = evaluated(world, [f"{name}@{k}" for name in RANX for k in CUTOFFS])
    for name, their_name in RANX.items():
        for k in CUTOFFS:
            np.testing.assert_allclose(ours.values[f"{name}@{k}"][SOME], theirs[f"{their_name}@{k}"], rtol=0, atol=1e-9)


def test_ndcg_equals_scikit_learn(world):
    from sklearn.metrics import ndcg_score

    scores, given, hidden = world
    ours = evaluated(world, [f"ndcg@{k}" for k in CUTOFFS])
    ranked, _ = top_n(scores, given, N_ITEMS)
    truth = hidden.toarray()
    # scikit-learn averages over ties and has no excluded items: it gets our order, what was given at the bottom.
    order = np.full(scores.shape, -1.0)
    for user in range(N_USERS):
        listed = ranked[user][ranked[user] >= 0]
        order[user, listed] = np.arange(len(listed), 0, -1)
        order[user, order[user] < 0] = -1.0 - np.arange((order[user] < 0).sum())
        if not len(listed):
            truth[user] = 0  # an empty list finds nothing, whatever there is
    for k in CUTOFFS:
        theirs = [ndcg_score(truth[[u]], order[[u]], k=k) for u in SOME]
        np.testing.assert_allclose(ours.values[f"ndcg@{k}"][SOME], theirs, rtol=0, atol=1e-9)


def test_recall_capped_equals_recall_where_k_is_enough_and_precision_where_it_is_not(world):
    relevant = np.diff(world[2].indptr)
    for k in CUTOFFS:
        ours = evaluated(world, [f"recall_capped@{k}", f"recall@{k}", f"precision@{k}"]).values
        expected = np.where(relevant <= k, ours[f"recall@{k}"], ours[f"precision@{k}"])
        np.testing.assert_allclose(ours[f"recall_capped@{k}"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [7, 333, 1000])
def test_the_batch_changes_nothing(world, batch):
    whole, parts = evaluated(world, ["ndcg@20", "mrr"]), evaluated(world, ["ndcg@20", "mrr"], batch)
    np.testing.assert_array_equal(parts.lists, whole.lists)
    for name in whole.values:
        np.testing.assert_allclose(parts.values[name], whole.values[name], rtol=1e-14)


def test_given_items_are_never_listed_and_short_lists_end_in_nothing(world):
    _, given, _ = world
    lists = evaluated(world, ["recall@100"]).lists
    for user in range(N_USERS):
        free = N_ITEMS - given[user].nnz if user % 50 != 49 else 0
        assert (lists[user] >= 0).sum() == free
        assert not set(lists[user][:free]) & set(given[user].indices)
        assert (lists[user][free:] == -1).all()
    assert metric("recall@100")(lists >= 0, np.full(N_USERS, N_ITEMS)).max() <= 1

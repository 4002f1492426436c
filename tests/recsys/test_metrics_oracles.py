"""Metrics against ranx and scikit-learn on the same random rankings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.metrics import metric
from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.recommender import top_n

N_USERS, N_ITEMS = 60, 40
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


@pytest.fixture(scope="module")
def world():
    """Scores with ties, users without any given item, with nearly all given (short lists), with 1 to 20 relevant."""
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 12, (N_USERS, N_ITEMS)).astype(np.float32)
    given, hidden = np.zeros((2, N_USERS, N_ITEMS), dtype=np.float32)
    for user in range(N_USERS):
        order = rng.permutation(N_ITEMS)
        relevant = 1 + user % 20
        shown = N_ITEMS - relevant - (user % 3) if user % 5 == 0 else user % 7
        hidden[user, order[:relevant]] = 1
        given[user, order[relevant : relevant + shown]] = 1
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
        qrels = Qrels({f"{u:03}": {str(i): 1 for i in hidden[u].indices} for u in range(N_USERS)})
        # ranx orders a run by score: give it our order as descending scores, so that both look at the same lists.
        run = Run({f"{u:03}": {str(i): 1000.0 - r for r, i in enumerate(ranked[u]) if i >= 0} for u in range(N_USERS)})
        theirs = ranx_evaluate(qrels, run, names, return_mean=False)
    ours = evaluated(world, [f"{name}@{k}" for name in RANX for k in CUTOFFS])
    for name, their_name in RANX.items():
        for k in CUTOFFS:
            np.testing.assert_allclose(ours.values[f"{name}@{k}"], theirs[f"{their_name}@{k}"], rtol=0, atol=1e-9)


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
    for k in CUTOFFS:
        theirs = [ndcg_score(truth[[u]], order[[u]], k=k) for u in range(N_USERS)]
        np.testing.assert_allclose(ours.values[f"ndcg@{k}"], theirs, rtol=0, atol=1e-9)


def test_recall_capped_equals_recall_where_k_is_enough_and_precision_where_it_is_not(world):
    relevant = np.diff(world[2].indptr)
    for k in CUTOFFS:
        ours = evaluated(world, [f"recall_capped@{k}", f"recall@{k}", f"precision@{k}"]).values
        expected = np.where(relevant <= k, ours[f"recall@{k}"], ours[f"precision@{k}"])
        np.testing.assert_allclose(ours[f"recall_capped@{k}"], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [1, 7, 60])
def test_the_batch_changes_nothing(world, batch):
    whole, parts = evaluated(world, ["ndcg@20", "mrr"]), evaluated(world, ["ndcg@20", "mrr"], batch)
    np.testing.assert_array_equal(parts.lists, whole.lists)
    for name in whole.values:
        np.testing.assert_allclose(parts.values[name], whole.values[name], rtol=1e-14)


def test_given_items_are_never_listed_and_short_lists_end_in_nothing(world):
    _, given, _ = world
    lists = evaluated(world, ["recall@100"]).lists
    for user in range(N_USERS):
        free = N_ITEMS - given[user].nnz
        assert (lists[user] >= 0).sum() == free
        assert not set(lists[user][:free]) & set(given[user].indices)
        assert (lists[user][free:] == -1).all()
    assert metric("recall@100")(lists >= 0, np.full(N_USERS, N_ITEMS)).max() <= 1

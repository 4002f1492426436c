"""Rows of many threads scored together: the same bits as alone, whatever the model and whoever else asks."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from recsys.errors import SettingError
from recsys.linear.products import AT_ONCE
from recsys.matrix import Index
from recsys.models import MODELS, config_of, create
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle
from recsys.serving.scoring import BatchedScorer
from tests.threads import until

N_ITEMS = 700  # more than one block of columns
PARTS = [
    {"kind": "low-pass", "user_exponent": 0.25, "item_exponent": 0.4, "rank": 40, "weight": 1.0},
    {"kind": "neighbours", "user_exponent": 0.5, "item_exponent": 0.5, "most": 30, "weight": 0.5},
    {"kind": "closed-form", "user_exponent": 0.25, "l2": 20.0, "dropout": 0.5, "weight": 0.5},
]
SMALL = {"epochs": 1, "linear": "none"}
SETTINGS = {
    "autoencoder": {**SMALL, "layers": [64, 48], "bottleneck": 32},
    "autoencoder, wide": {**SMALL, "layers": [600, 420], "bottleneck": 600},
    "autoencoder, two paths": {**SMALL, "layers": [64], "linear": PARTS, "blend": {"share": 0.4, "temperature": 4.0}},
    "als": {"factors": 40, "iterations": 3},
    "ease, sparse": {"dense_items": 100, "neighbours": 20},
}


@pytest.fixture(scope="module")
def histories():
    rng = np.random.default_rng(0)
    liked = rng.random((400, N_ITEMS)) < rng.uniform(0.002, 0.1, (400, 1))
    return csr_matrix(np.where(liked, rng.uniform(0.5, 3, liked.shape), 0).astype(np.float32))


@pytest.fixture(scope="module", params=sorted({*MODELS, *SETTINGS}))
def model(request, histories):
    settings = SETTINGS.get(request.param, {})
    return create(request.param.partition(",")[0], **settings).fit(histories, FitOptions(device="cpu"))


@pytest.fixture(scope="module")
def strangers(histories):
    """60 mixed histories: those of training, new ones, an empty one, one of a single item and one of nearly all."""
    rng = np.random.default_rng(1)
    mixed = histories[:60].toarray()
    mixed[20:40] = rng.uniform(0, 2, (20, N_ITEMS)) * (rng.random((20, N_ITEMS)) < 0.03)
    mixed[3], mixed[4], mixed[5] = 0, np.eye(N_ITEMS)[7], np.arange(N_ITEMS) % 9 > 0
    return csr_matrix(mixed.astype(np.float32))


def test_the_bits_of_a_history_are_the_same_in_every_batch(model, strangers):
    alone = np.vstack([model.score(strangers[k]) for k in range(60)])
    rng = np.random.default_rng(2)
    for size in range(1, AT_ONCE + 1):
        for _ in range(4):
            chosen = rng.choice(60, size, replace=False)
            np.testing.assert_array_equal(model.score(strangers[chosen]), alone[chosen])


def test_a_saved_and_loaded_model_gives_the_same_bits(model, strangers, tmp_path):
    name = next(name for name, place in MODELS.items() if place.endswith(type(model).__name__))
    items = Index.of([f"i{k}" for k in range(N_ITEMS)], "item")
    bundle = ModelBundle(model, items, np.ones(N_ITEMS, np.float32), {"model": name, "config": config_of(model)})
    bundle.save(tmp_path / "bundle")
    loaded = ModelBundle.load(tmp_path / "bundle")
    for size in (1, 2, AT_ONCE):
        np.testing.assert_array_equal(loaded.model.score(strangers[:size]), model.score(strangers[:size]))
    assert (loaded.vectors is None) == (bundle.vectors is None)
    if bundle.vectors is not None:
        np.testing.assert_array_equal(loaded.vectors, bundle.vectors)
        np.testing.assert_array_equal(loaded.cosines(3), bundle.cosines(3))


class Slow:
    """Scores are row sums and who asked; notes every batch; waits where it is told to."""

    def __init__(self):
        self.batches, self.running, self.gate, self.begun = [], 0, threading.Event(), threading.Event()
        self.gate.set()

    def score(self, rows):
        self.running += 1
        assert self.running == 1
        self.batches.append(rows.shape[0])
        self.begun.set()
        assert self.gate.wait(20)
        self.running -= 1
        if (rows.data < 0).any():
            raise ValueError("a history of less than nothing")
        return np.asarray(rows.toarray() * 2, dtype=np.float32)


def row_of(value, n_items=5):
    return csr_matrix(np.full((1, n_items), value, dtype=np.float32))


class Asker(threading.Thread):
    def __init__(self, scorer, model, row):
        super().__init__()
        self.scorer, self.model, self.row, self.found, self.error = scorer, model, row, None, None

    def run(self):
        try:
            self.found = self.scorer.score(self.model, self.row)
        except Exception as error:  # noqa: BLE001  # the test looks at it
            self.error = error


def ask(scorer, model, values, begun=None):
    askers = [Asker(scorer, model, row_of(value)) for value in values]
    for asker in askers:
        asker.start()
    return askers


def waiting(scorer, model):
    return len(scorer._waiting.get(model, ()))


def test_a_lone_row_is_scored_at_once_and_alone():
    scorer, slow = BatchedScorer(), Slow()
    np.testing.assert_array_equal(scorer.score(slow, row_of(3)), np.full(5, 6, np.float32))
    assert slow.batches == [1]
    assert not scorer._waiting


def test_rows_that_come_while_another_is_scored_are_scored_together_as_many_as_fit():
    scorer, slow = BatchedScorer(), Slow()
    slow.gate.clear()
    first = ask(scorer, slow, [1])
    assert slow.begun.wait(20)
    others = ask(scorer, slow, range(2, 42))
    until(lambda: waiting(scorer, slow) == 40)
    slow.gate.set()
    for value, asker in enumerate(first + others, 1):
        asker.join(20)
        np.testing.assert_array_equal(asker.found, np.full(5, 2 * value, np.float32))
    assert slow.batches == [1, *[AT_ONCE] * (40 // AT_ONCE), *filter(None, [40 % AT_ONCE])]
    assert not scorer._waiting


def test_an_error_reaches_everybody_of_its_batch_and_nobody_else():
    scorer, slow = BatchedScorer(), Slow()
    slow.gate.clear()
    first = ask(scorer, slow, [1])
    assert slow.begun.wait(20)
    others = []
    bad = AT_ONCE + 1  # the first that wait are a batch, with the bad one as its last
    for value in [*range(2, bad), -1, *range(bad + 1, bad + 4)]:
        others += ask(scorer, slow, [value])
        expected = len(others)
        until(lambda n=expected: waiting(scorer, slow) == n)
    slow.gate.set()
    for asker in first + others:
        asker.join(20)
    assert slow.batches == [1, AT_ONCE, 3]
    assert [type(asker.error) for asker in others] == [ValueError] * AT_ONCE + [type(None)] * 3
    assert first[0].found[0] == 2
    assert [asker.found[0] for asker in others[AT_ONCE:]] == [2 * (bad + k) for k in (1, 2, 3)]
    np.testing.assert_array_equal(scorer.score(slow, row_of(4)), np.full(5, 8, np.float32))  # and it goes on


def test_what_comes_after_scoring_is_done_for_a_batch_by_one_thread_and_fails_for_one_row_alone():
    scorer, slow = BatchedScorer(), Slow()
    slow.gate.clear()
    threads, found, errors = set(), [], []

    def then(scores):
        threads.add(threading.get_ident())
        if scores[0] == 6:
            raise KeyError("three")
        return float(scores.sum())

    def asked(value):
        try:
            found.append(scorer.scored(slow, row_of(value), then))
        except KeyError as error:
            errors.append(str(error))

    first = ask(scorer, slow, [1])
    assert slow.begun.wait(20)
    others = [threading.Thread(target=asked, args=(value,)) for value in (2, 3, 4, 5)]
    for other in others:
        other.start()
    until(lambda: waiting(scorer, slow) == 4)
    slow.gate.set()
    for asker in first + others:
        asker.join(20)
    assert slow.batches == [1, 4]
    assert (sorted(found), errors, len(threads)) == ([20.0, 40.0, 50.0], ["'three'"], 1)
    assert not scorer._waiting


def test_rows_for_two_models_are_never_put_together():
    scorer, one, other = BatchedScorer(), Slow(), Slow()
    one.gate.clear()
    first = ask(scorer, one, [1])
    assert one.begun.wait(20)
    np.testing.assert_array_equal(scorer.score(other, row_of(5)), np.full(5, 10, np.float32))  # does not wait for one
    more = ask(scorer, one, [2, 3])
    until(lambda: waiting(scorer, one) == 2)
    one.gate.set()
    for asker in first + more:
        asker.join(20)
    assert (one.batches, other.batches) == ([1, 2], [1])


def test_rows_of_another_width_and_several_rows_are_refused():
    scorer, slow = BatchedScorer(), Slow()
    with pytest.raises(SettingError, match="2 rows"):
        scorer.score(slow, csr_matrix(vstack([row_of(1), row_of(2)])))
    slow.gate.clear()
    first = ask(scorer, slow, [1])
    assert slow.begun.wait(20)
    mixed = [Asker(scorer, slow, row_of(1, 5)), Asker(scorer, slow, row_of(1, 6))]
    for asker in mixed:
        asker.start()
    until(lambda: waiting(scorer, slow) == 2)
    slow.gate.set()
    for asker in first + mixed:
        asker.join(20)
    assert [type(asker.error) for asker in mixed] == [SettingError, SettingError]


def test_many_threads_get_the_bits_of_their_own_history_and_may_change_them(model, strangers):
    scorer, alone = BatchedScorer(), np.vstack([model.score(strangers[k]) for k in range(60)])
    wrong, barrier = [], threading.Barrier(8)

    def asked(numbers):
        barrier.wait()
        for k in numbers:
            scores = scorer.score(model, strangers[k])
            same = scores.shape == (N_ITEMS,) and (scores == alone[k]).all()
            scores[:] = -1
            if not same:
                wrong.append(k)

    bounds = np.linspace(0, 60, 9).astype(int)
    threads = [threading.Thread(target=asked, args=([*range(a, b)] * 3,)) for a, b in pairwise(bounds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not scorer._waiting
    np.testing.assert_array_equal(model.score(strangers[0])[0], alone[0])

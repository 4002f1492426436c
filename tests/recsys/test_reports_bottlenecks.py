"""Error against width: data of a known rank, people who were not learnt from, and rankings worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.split import Split
from recsys.matrix import Index
from recsys.reports import bottlenecks as module
from recsys.reports.bottlenecks import bottlenecks, missing

BLOCKS, OF_BLOCK = 8, 5
ITEMS = BLOCKS * OF_BLOCK
TRAIN, ASKED = 160, 24


def planted(one_kept_back):
    """Everybody has one to three of eight blocks of items whole: a matrix of rank 8.

    Those asked about give whole blocks and hide what nothing tells; or keep one item of a block back.
    """
    rng = np.random.default_rng(0)
    blocks = np.argsort(rng.random((TRAIN + ASKED, BLOCKS)), axis=1) < rng.integers(1, 4, (TRAIN + ASKED, 1))
    whole = np.repeat(blocks, OF_BLOCK, axis=1).astype(np.float32)
    given, hidden = whole[TRAIN:].copy(), np.zeros((ASKED, ITEMS), dtype=np.float32)
    hidden[np.arange(ASKED), given.argmax(axis=1) if one_kept_back else given.argmin(axis=1)] = 1
    return Split(
        name="planted",
        train=csr_matrix(whole[:TRAIN]),
        given=csr_matrix(given * (1 - hidden)),
        hidden=csr_matrix(hidden),
        items=Index.of([f"i{k:02}" for k in range(ITEMS)], "item"),
        users=tuple(f"asked {k}" for k in range(ASKED)),
        validation=None,
        facts={},
        train_users=tuple(f"learnt {k}" for k in range(TRAIN)),
    )


@pytest.fixture(scope="module")
def split():
    return planted(one_kept_back=False)


@pytest.fixture(scope="module")
def few_epochs():
    with pytest.MonkeyPatch.context() as patch:
        small = {**module._RESTORING, "layers": (16,), "epochs": 2}
        patch.setattr(module, "_RESTORING", small)
        yield


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def found(split, few_epochs, told):
    return bottlenecks(split, 0, "cpu", (8, 2, 4, 40, 500), told.append)


def test_svd_restores_data_of_rank_eight_through_eight_numbers_and_not_through_fewer(found):
    errors = [row["error"] for row in found["models"]["svd"]]
    assert errors[0] > errors[1] > 0.1
    assert errors[2] < 0.01
    assert found["models"]["svd"][2]["hidden_error"] > 0.5  # of which nothing is known


def test_svd_finds_the_fifth_item_of_a_block_by_the_other_four(few_epochs):
    row = bottlenecks(planted(one_kept_back=True), 0, "cpu", (8,))["models"]["svd"][0]
    assert (row["hidden_error"], row["hidden_low"], row["hidden_high"]) == (0, 0, 0)


def test_each_model_has_a_row_a_width_that_the_data_allows(found):
    assert list(found["models"]) == ["autoencoder", "svd"]
    for rows in found["models"].values():
        assert [row["width"] for row in rows] == [2, 4, 8]
        for row in rows:
            assert 0 <= row["low"] <= row["error"] <= row["high"] <= 1
            assert 0 <= row["hidden_low"] <= row["hidden_error"] <= row["hidden_high"] <= 1


def test_what_is_said_is_what_was_trained(found):
    assert "same 160 histories" in found["about"]
    assert "24 other people" in found["about"]
    assert "hidden layer of 16" in found["about"]
    assert "2 epochs" in found["about"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_progress_is_told_after_every_epoch_of_every_width(found, told):
    assert [(one.step, one.steps) for one in told] == [(step, 6) for step in range(1, 7)]
    assert told[-1].seconds_left == 0


def test_one_seed_gives_one_result(split, found, few_epochs):
    assert bottlenecks(split, 0, "cpu", (8, 2, 4)) == found


def test_nobody_is_asked_about_who_was_learnt_from(split):
    again = Split(
        name="the same people",
        train=split.train,
        given=split.train,
        hidden=split.train,
        items=split.items,
        users=split.train_users,
        validation=None,
        facts={},
        train_users=split.train_users,
    )
    learners, asked = module._people(again, np.random.default_rng(0))
    assert not set(learners.tolist()) & set(asked.tolist())
    assert (len(learners), len(asked)) == (120, 40)


def test_at_most_so_many_people_are_learnt_from_and_asked_about(split, monkeypatch):
    monkeypatch.setattr(module, "_MOST_LEARNERS", 50)
    monkeypatch.setattr(module, "_MOST_ASKED", 7)
    learners, asked = module._people(split, np.random.default_rng(0))
    assert (len(set(learners.tolist())), len(set(asked.tolist()))) == (50, 7)


def test_what_is_missing_is_counted_to_the_size_of_each_row():
    scores = np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5], [1, 1, 1, 1, 1, 1]], dtype=np.float32)
    wanted = csr_matrix(np.array([[1, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]], dtype=np.float32))
    assert missing(scores, None, wanted).tolist() == [0.5, 0, 0]
    seen = csr_matrix(np.array([[0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]], dtype=np.float32))
    assert missing(scores, seen, wanted).tolist() == [0, 0, 0]


def test_there_is_nothing_where_no_width_or_nobody_is_left(split):
    assert bottlenecks(split, 0, "cpu", (40, 64)) is None
    nobody = csr_matrix((ASKED, ITEMS), dtype=np.float32)
    alone = Split("none", split.train, nobody, split.hidden, split.items, split.users, None, {})
    assert bottlenecks(alone, 0, "cpu", (2,)) is None

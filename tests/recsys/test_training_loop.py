"""train_autoencoder as a whole: it stops, it tells, it repeats itself, and it leaves the caller's world alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.models.autoencoder import AutoencoderConfig
from recsys.recommender import FitOptions, Holdout, Progress
from recsys.training.batches import DeviceRows
from recsys.training.loop import train_autoencoder
from recsys.training.network import DenoisingNetwork

SMALL = AutoencoderConfig(
    layers=[16], bottleneck=8, epochs=6, learning_rate=0.01, batch_size=64, dropout=0.0, weight_decay=0.01
)
OPTIONS = FitOptions(device="cpu")


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    """400 people of four tastes among 40 items: each likes about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((400, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((400, 40)) < 0.5)).astype(np.float32))


def trained(matrix, config=SMALL, **options):
    told: list[Progress] = []
    state = train_autoencoder(matrix, config, replace(OPTIONS, on_progress=told.append, **options))
    return state, told


def test_training_finds_what_is_there(tastes):
    told = trained(tastes, replace(SMALL, epochs=15))[1]
    # One hidden item at a random rank among 36 gives .26 on average, among the 6 of the same taste that are left .55.
    assert told[-1].best > 0.5
    assert told[-1].loss < 0.75 * told[0].loss


def test_without_validation_a_tenth_of_the_users_is_spared_and_stopped_by(tastes):
    _, told = trained(tastes)
    assert [progress.metric for progress in told] == ["ndcg@100"] * len(told)
    values = [progress.value for progress in told]
    assert [progress.best for progress in told] == np.maximum.accumulate(values).tolist()


def test_too_few_users_to_spare_are_all_trained_on_to_the_end(tastes):
    _, told = trained(tastes[:50])
    assert len(told) == SMALL.epochs
    assert {progress.value for progress in told} == {None}


def test_training_stops_when_patience_is_out_and_says_that_it_is_done(tastes):
    # A validation part that asks for what nobody in training likes gets no better by training.
    strangers = csr_matrix(np.roll(tastes.toarray(), 1, axis=1) + 0.0)
    holdout = Holdout(given=tastes[:100], hidden=strangers[:100])
    _, told = trained(tastes, replace(SMALL, epochs=60, patience=3), validation=holdout)
    assert len(told) < 60
    best_at = int(np.argmax([progress.value for progress in told]))
    assert len(told) == best_at + 1 + 3
    assert told[-1].step == told[-1].steps
    assert told[-1].seconds_left == 0


def test_the_weights_kept_are_those_of_the_best_epoch(tastes):
    holdout = Holdout.of(tastes[:100], 0.5, np.random.default_rng(1))
    state, told = trained(tastes[100:], replace(SMALL, epochs=40, patience=40, learning_rate=0.05), validation=holdout)
    best_at = 1 + int(np.argmax([progress.value for progress in told]))
    assert best_at < 40  # else the last epoch's weights could not be told from the best's
    # The same run stopped by patience right after its best epoch, or later, keeps the same weights.
    again, fewer = trained(tastes[100:], replace(SMALL, epochs=40, patience=39, learning_rate=0.05), validation=holdout)
    assert [p.value for p in fewer] == [p.value for p in told[: len(fewer)]]
    for key, value in state.items():
        np.testing.assert_array_equal(again[key], value)


def test_time_left_adds_up_to_the_time_it_took(tastes):
    _, told = trained(tastes, replace(SMALL, epochs=30, patience=30))
    assert told[-1].seconds_left == 0
    lefts = [progress.seconds_left for progress in told]
    assert all(left > 0 for left in lefts[:-1])
    assert lefts[5] == pytest.approx(told[-1].seconds * 24 / 30, rel=3)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_training_within_a_step(tastes, monkeypatch, broken):
    steps, encode = [], DenoisingNetwork.encode

    def breaks_at_the_tenth_step(network, visible):
        code = encode(network, visible)
        if network.training and torch.is_grad_enabled():
            steps.append(len(steps) + 1)
        return code * broken if len(steps) == 10 else code

    monkeypatch.setattr(DenoisingNetwork, "encode", breaks_at_the_tenth_step)
    with pytest.raises(TrainingError, match=r"the loss became (nan|inf) at step 10 of") as caught:
        train_autoencoder(tastes, SMALL, OPTIONS)
    assert len(steps) == 10
    assert "learning_rate" in caught.value.do


def test_training_leaves_the_callers_random_state_and_threads_alone(tastes):
    torch.manual_seed(99)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    trained(tastes)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_the_callers_random_state_does_not_change_training(tastes):
    torch.manual_seed(1)
    first, _ = trained(tastes)
    torch.manual_seed(2)
    torch.rand(10)
    second, _ = trained(tastes)
    for key, value in first.items():
        np.testing.assert_array_equal(second[key], value)


def test_strengths_weigh_in_as_targets(tastes):
    """Items of taste 0 wanted five times as strongly by half of its people rise for a newcomer with no history."""
    loved = tastes.copy().tolil()
    loved[:, 0] = loved[:, 0] * 20
    config = replace(SMALL, epochs=20)
    nothing = DeviceRows(csr_matrix((1, 40), dtype=np.float32), torch.device("cpu")).batch(torch.tensor([0]))
    logits = []
    for matrix in (tastes, csr_matrix(loved, dtype=np.float32)):
        network = DenoisingNetwork(40, config).eval()
        network.load_state_dict({key: torch.from_numpy(x) for key, x in trained(matrix, config)[0].items()})
        logits.append(network(nothing)[0].detach().numpy())
    plain, strong = logits
    assert (strong - strong.mean())[0] > (plain - plain.mean())[0] + 0.5

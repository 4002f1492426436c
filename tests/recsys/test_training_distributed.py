"""Two processes that train one network: each user once an epoch, the arithmetic of one process, one end for both."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from torch import distributed

from recsys.errors import TrainingError
from recsys.models.autoencoder import AutoencoderConfig
from recsys.recommender import Checkpoint, FitOptions, Holdout, Progress
from recsys.training.batches import Batch, DeviceRows
from recsys.training.checkpoint import Keeper
from recsys.training.corruption import Masking
from recsys.training.distributed import Processes, joined
from recsys.training.loop import train_autoencoder
from recsys.training.network import DenoisingNetwork

pytestmark = pytest.mark.skipif(not distributed.is_available(), reason="this torch has no torch.distributed")

USERS = 401  # eight batches of 50 and one of a single user, which leaves one of two processes without any
CONFIG = AutoencoderConfig(
    layers=[16], bottleneck=8, epochs=4, learning_rate=0.05, batch_size=50, dropout=0.0, weight_decay=0.01, average=0.8
)


def tastes(n_users: int = USERS) -> csr_matrix:
    """People of four tastes among 40 items: each likes about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((n_users, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((n_users, 40)) < 0.5)).astype(np.float32))


def holdout() -> Holdout:
    return Holdout.of(tastes(61), 0.5, np.random.default_rng(1))


def told(config: AutoencoderConfig = CONFIG, **options) -> tuple[dict[str, np.ndarray], list[Progress]]:
    progress: list[Progress] = []
    options = {"validation": holdout(), "on_progress": progress.append, "device": "cpu", **options}
    return train_autoencoder(tastes(), config, FitOptions(**options)), progress


def facts(progress: list[Progress]) -> list[list[float]]:
    return [[p.step, p.loss, p.value, p.best] for p in progress]


def digest(state: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(b"".join(state[name].tobytes() for name in sorted(state))).hexdigest()


def hide_some_items(masking: Masking, batch: Batch) -> tuple[Batch, torch.Tensor]:
    """A corruption that draws nothing, so that the parts of a batch are corrupted as the batch."""
    hidden = batch.item % 8 < 4
    return batch.keep(~hidden), hidden


class Interrupted(Exception):
    """What a test stops a training with."""


def worker(folder: Path) -> None:
    """What each of the processes does: a few trainings, their results as JSON in ``folder``."""
    found: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch, joined("cpu") as processes:
        seen: list[list[int]] = []
        cut = DeviceRows.batch

        def watched(rows: DeviceRows, users: torch.Tensor) -> Batch:
            if len(rows) == USERS:
                seen.append(users.tolist())
            return cut(rows, users)

        patch.setattr(DeviceRows, "batch", watched)
        state, progress = told()
        patch.undo()
        found |= {"seen": seen, "state": digest(state), "told": facts(progress)}

        place = Checkpoint(folder / "checkpoint", seconds=0, keep=True)
        calls = []

        def stop(network: DenoisingNetwork) -> dict[str, np.ndarray]:
            calls.append(network)
            if len(calls) == 3:  # both processes stop in the third epoch, when two are on the disk
                raise Interrupted
            return arrays(network)

        arrays = DenoisingNetwork.arrays
        patch.setattr(DenoisingNetwork, "arrays", stop)
        with pytest.raises(Interrupted):
            told(checkpoint=place)
        patch.undo()
        distributed.barrier()
        state, progress = told(checkpoint=place)
        found |= {"resumed": digest(state), "told after": facts(progress)}

        patch.setattr(Masking, "__call__", hide_some_items)
        state, progress = told()
        patch.undo()
        if processes.first:
            np.savez(folder / "same.npz", **state)
        found["told of the same"] = facts(progress)

        with pytest.raises(TrainingError, match="different data or settings"):
            told(replace(CONFIG, layers=[16 + processes.rank]))

        encode = DenoisingNetwork.encode

        def broken(network: DenoisingNetwork, visible: Batch) -> torch.Tensor:
            return encode(network, visible) * (float("nan") if processes.rank == 1 else 1.0)

        patch.setattr(DenoisingNetwork, "encode", broken)
        try:
            told()
        except TrainingError as error:
            found["error"] = error.what
    (folder / f"{processes.rank}.json").write_text(json.dumps(found))


@pytest.fixture(scope="module")
def two(run_together: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict], Path]:
    """What each of two processes found, and the folder they wrote to."""
    folder = tmp_path_factory.mktemp("two")
    here = Path(__file__)
    code = (
        f"import sys; sys.path.insert(0, {str(here.parent)!r}); "
        f"import {here.stem} as here; here.worker(here.Path({str(folder)!r}))"
    )
    run_together([sys.executable, "-c", code], 2, folder)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)], folder


def test_no_user_is_seen_twice_in_an_epoch_and_none_is_left_out(two):
    parts = [process["seen"] for process in two[0]]
    steps = 9
    assert [len(part) for part in parts] == [steps * CONFIG.epochs] * 2
    orders = []
    for epoch in range(CONFIG.epochs):
        mine, other = ([u for batch in part[epoch * steps :][:steps] for u in batch] for part in parts)
        assert sorted(mine + other) == list(range(USERS))
        assert abs(len(mine) - len(other)) <= steps
        orders.append(mine + other)
    assert all(one != next_one for one, next_one in pairwise(orders))
    assert not parts[1][steps - 1]  # the single user of the last batch is the other process's


def test_both_processes_end_with_the_same_network_and_one_of_them_tells(two):
    first, second = two[0]
    assert first["state"] == second["state"]
    assert len(first["told"]) == CONFIG.epochs
    assert second["told"] == second["told after"] == []


def test_two_processes_validate_as_well_as_one(two):
    # Over ten seeds one process gives .693 with a standard deviation of .012; an untrained network gives .36.
    ours, theirs = two[0][0]["told"][-1][3], told()[1][-1].best
    assert ours == pytest.approx(theirs, abs=0.05)


def test_parts_of_a_batch_add_up_to_the_batch(two, monkeypatch):
    monkeypatch.setattr(Masking, "__call__", hide_some_items)
    state, progress = told()
    np.testing.assert_allclose(two[0][0]["told of the same"], facts(progress), rtol=1e-5)
    with np.load(two[1] / "same.npz") as theirs:
        for name, value in state.items():
            np.testing.assert_allclose(theirs[name], value, atol=1e-5, err_msg=name)


def test_an_interrupted_training_of_two_goes_on_to_the_same_bits(two):
    first, second = two[0]
    assert first["resumed"] == second["resumed"] == first["state"]
    assert first["told after"] == first["told"][2:]


def test_a_loss_that_is_not_finite_in_one_process_stops_both(two):
    # That they have come so far shows, too, that both refused to train networks of different widths together.
    assert [process["error"] for process in two[0]] == ["the loss became nan at step 1 of 36"] * 2


def test_a_checkpoint_of_two_processes_is_not_gone_on_from_by_one(two):
    with pytest.raises(TrainingError, match="processes was 2, now 1"):
        told(checkpoint=Checkpoint(two[1] / "checkpoint"))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 6, 20])
def test_parts_are_disjoint_and_even_whatever_the_numbers(size, count):
    users = torch.randperm(count)
    parts = [Processes(rank, size).part(users) for rank in range(size)]
    assert torch.equal(torch.cat(parts), users)
    lengths = [len(part) for part in parts]
    assert max(lengths) - min(lengths) <= 1


def test_a_process_alone_meets_nobody_and_changes_nothing():
    alone = Processes.present()
    assert alone == Processes(0, 1)
    value = torch.tensor([1.5])
    assert alone.total(value) is alone.of_first(value) is alone.gathered(value)[0] is value
    assert alone.seed(7) == 7
    assert len({Processes(rank, 4).seed(7) for rank in range(4)}) == 4


def test_processes_that_nobody_started_are_told_how_to(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(TrainingError, match="could not meet") as caught, joined("cpu"):
        pass
    assert "torchrun" in caught.value.do


def test_processes_that_see_different_checkpoints_do_not_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr(Processes, "gathered", lambda _, value: [value, value + 1])  # one epoch further there
    with pytest.raises(TrainingError, match="see different checkpoints") as caught:
        Keeper(Checkpoint(tmp_path / "c"), Processes(0, 2), {}, []).latest()
    assert "share" in caught.value.do


def test_more_processes_than_cuda_devices_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(TrainingError, match="process 1 of this machine has no CUDA device") as caught, joined("cuda"):
        pass
    assert "--nproc-per-node" in caught.value.do

"""train_autoencoder: histories in, the arrays of the network that restored held-out histories best out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.recommender import FitOptions, Progress, State
from recsys.training.batches import DeviceRows
from recsys.training.checkpoint import Keeper, Snapshot, fingerprint
from recsys.training.corruption import Corruption
from recsys.training.device import choose_device, product_dtype, threads_for
from recsys.training.distributed import Processes
from recsys.training.negatives import Negatives
from recsys.training.network import DenoisingNetwork, attribute_mean
from recsys.training.objective import Objective
from recsys.training.start import spectral_start
from recsys.training.validation import Validation, spare

if TYPE_CHECKING:
    from recsys.models.autoencoder_config import AutoencoderConfig

_DECAY, _EPOCHS = 2.0, 50  # where a config leaves them open


def train_autoencoder(matrix: csr_matrix, config: AutoencoderConfig, options: FitOptions) -> State:
    """Train on an (n_users, n_items) CSR of strengths; the averaged weights of the best epoch as float32 arrays.

    Without ``options.validation`` a tenth of the users (at most 2,000) is kept from training for early stopping, and
    stays out: nothing is refitted. Under 200 users nobody can be spared, and every epoch is trained. One seed gives one
    result on one machine's CPU; CUDA's sums may differ in the last bits. The caller's random state is left as it was.
    With ``options.checkpoint`` an interrupted training goes on where it was, to the same result bit by bit. In a
    process group (`recsys.training.distributed.joined`) every process calls this with the same arguments, trains on
    its part of each batch, and gets the same arrays; only process 0 tells of progress and writes.
    Raises TrainingError for a device that is absent, for a loss that is not finite, for a checkpoint that is damaged or
    of another training, and for processes that differ; SettingError for a metric that does not exist.
    """
    device = choose_device(options.device)
    processes = Processes.present()
    learners, holdout = spare(matrix, options)
    train, attributes = learners.matrix, learners.attributes
    how = {"config": asdict(config), "device": device.type, "metric": options.metric, "seed": options.seed}
    judged = (holdout.given, holdout.hidden, holdout.attributes) if holdout is not None else ()
    data = [train, attributes, *judged]
    if processes.size > 1:
        processes.check_same({**how, "data": fingerprint(data)})
    keeper = Keeper(options.checkpoint, processes, how, data)
    with _seeded(options.seed, device):
        validation = Validation(holdout, device, options.metric, processes) if holdout is not None else None
        run = _Run(train, attributes if config.conditional else None, config, device, processes, options.seed)
        if not processes.first:
            torch.manual_seed(processes.seed(options.seed))  # the others mask their users as they please
        with threads_for(run.work):
            return run.train(validation, options, keeper)


@dataclass
class _Course:
    """How far a training has come, and its best epoch so far."""

    epoch: int = 0
    seconds: float = 0.0
    loss: float = math.nan
    value: float | None = None
    best: float = -math.inf
    best_epoch: int = 0
    kept: State | None = None


class _Run:
    """What one training holds: the network, its running average, the optimizer and its schedule."""

    def __init__(
        self,
        matrix: csr_matrix,
        attributes: np.ndarray | None,
        config: AutoencoderConfig,
        device: torch.device,
        processes: Processes,
        seed: int = 0,
    ) -> None:
        self.config, self.device, self.processes = config, device, processes
        self.rows = DeviceRows(matrix, device, attributes)
        self.corrupt = Corruption(config, matrix.shape[1])
        self.network = DenoisingNetwork(matrix.shape[1], config, attribute_mean(attributes)).to(device)
        if config.start == "spectral":
            spectral_start(self.network, matrix, seed)
        for parameter in self.network.parameters():
            processes.of_first(parameter.data)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": _DECAY if config.weight_decay is None else config.weight_decay},
                {"params": vectors, "weight_decay": 0.0},
            ],
            lr=config.learning_rate,
            fused=True,
        )
        # At least eight steps an epoch, so that a few hundred users are also learnt from in the epochs there are.
        self.batch = min(config.batch_size, max(1, math.ceil(len(self.rows) / 8)))
        # The first layer is a sum of rows, not a product: about this many multiply-adds a step, forwards.
        products = sum(p.numel() for p in matrices) - self.network.input_weight.numel()
        self.work = math.ceil(self.batch / processes.size) * products
        self.dtype = product_dtype(device, self.work)
        negatives = Negatives(self.rows, config.negatives) if config.negatives else None
        self.objective = Objective(config, self.dtype, negatives)
        self.epochs = config.epochs or _EPOCHS
        self.steps = self.epochs * math.ceil(len(self.rows) / self.batch)
        self.step = 0

    def train(self, validation: Validation | None, options: FitOptions, keeper: Keeper) -> State:
        course = self._resume(keeper.latest())
        if course.epoch and self._done(course, validation):
            self._tell(course, options, course.epoch, 0.0)
        before, started, epoch_seconds = course.seconds, time.perf_counter(), []
        while not self._done(course, validation):
            epoch_started = time.perf_counter()
            course.loss = self._epoch()
            course.epoch += 1
            if validation is not None:
                course.value = validation(self.average)
                if course.value > course.best:
                    course.best, course.best_epoch, course.kept = course.value, course.epoch, self.average.arrays()
            done = self._done(course, validation)
            course.seconds = before + time.perf_counter() - started
            if keeper.due(done):
                keeper.keep(self._snapshot(course))
            epoch_seconds.append(time.perf_counter() - epoch_started)
            steps = course.epoch if done else self.epochs
            # Epochs are alike but for the first: the middle one of the latest few says what the next will take.
            self._tell(course, options, steps, median(epoch_seconds[-5:]) * (steps - course.epoch))
        keeper.close()
        return course.kept if course.kept is not None else self.average.arrays()

    def _tell(self, course: _Course, options: FitOptions, steps: int, left: float) -> None:
        if options.on_progress is not None and self.processes.first:
            best = None if course.value is None else course.best
            options.on_progress(
                Progress(course.epoch, steps, course.loss, options.metric, course.value, best, course.seconds, left)
            )

    def _done(self, course: _Course, validation: Validation | None) -> bool:
        out_of_patience = validation is not None and course.epoch - course.best_epoch >= self.config.patience
        return course.epoch == self.epochs or out_of_patience

    def _epoch(self) -> float:
        """One pass over the users in a new order; the mean loss."""
        order = self.processes.of_first(torch.randperm(len(self.rows), device=self.device))
        losses = [self._step(users) for users in torch.split(order, self.batch)]
        return float(np.mean(losses))

    def _step(self, users: torch.Tensor) -> float:
        """Learn from a batch, of which this process takes its part; the batch's loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.step, self.steps)
        corrupted = self.corrupt(self.rows.batch(self.processes.part(users)))
        loss, weight = self.objective(self.network, corrupted, self.step)
        if self.processes.size > 1:  # the loss is a weighted mean: its parts, weighted alike, add up to the batch's
            loss = loss * weight / self.processes.total(weight.clone()).clamp(min=1.0)
        value = float(self.processes.total(loss.detach().clone()))
        self.step += 1
        if not math.isfinite(value):  # before the update, so that nothing learnt is lost to it
            raise TrainingError(
                f"the loss became {value} at step {self.step} of {self.steps}",
                where=f"learning rate {self.config.learning_rate:g}, device {self.device}, {self.dtype}",
                do="lower learning_rate; if it stays, look for extreme strengths in the data",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives none
        self.processes.total_gradients(self.network.parameters())
        self.optimizer.step()
        self._average()
        return value

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running average towards the weights; in the first steps faster, so that it forgets the start."""
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)

    def _snapshot(self, course: _Course) -> Snapshot:
        """Everything that the epochs to come depend on. The processes take it together."""
        parts: dict[str, Mapping[str, torch.Tensor]] = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            **{f"optimizer/{k}": state for k, state in self.optimizer.state_dict()["state"].items()},
        }
        for name, random in _random_states(self.device).items():
            every = self.processes.gathered(random)
            parts[f"random/{name}"] = {str(rank): each for rank, each in enumerate(every)}
        arrays = {f"{part}/{name}": x.cpu().numpy() for part, named in parts.items() for name, x in named.items()}
        arrays |= {f"kept/{name}": value for name, value in (course.kept or {}).items()}
        facts = {name: value for name, value in vars(course).items() if name != "kept"}
        return Snapshot(arrays, {**facts, "step": self.step})

    def _resume(self, snapshot: Snapshot | None) -> _Course:
        """Take up the training where the snapshot was taken; without one, at its start."""
        if snapshot is None:
            return _Course()
        facts = dict(snapshot.facts)
        self.step = facts.pop("step")
        for part, network in (("network", self.network), ("average", self.average)):
            network.load_state_dict({name: torch.from_numpy(x) for name, x in snapshot.part(part).items()})
        optimizer: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in snapshot.part("optimizer").items():
            number, _, name = key.partition("/")
            optimizer.setdefault(int(number), {})[name] = torch.from_numpy(value)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": optimizer})
        torch.set_rng_state(torch.from_numpy(snapshot.arrays[f"random/cpu/{self.processes.rank}"]))
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(torch.from_numpy(snapshot.arrays[f"random/cuda/{self.processes.rank}"]))
        return _Course(**facts, kept=snapshot.part("kept") or None)


def _schedule(step: int, steps: int) -> float:
    """The share of the learning rate: a linear warm-up over a twentieth of the steps, then half a cosine to nothing."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's random state set for one training and put back after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _random_states(device: torch.device) -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states

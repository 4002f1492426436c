"""train_autoencoder: histories in, the arrays of the network that restored held-out histories best out."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.recommender import FitOptions, Holdout, Progress, State
from recsys.training.batches import DeviceRows
from recsys.training.corruption import Masking
from recsys.training.device import choose_device, product_dtype, threads_for
from recsys.training.network import DenoisingNetwork
from recsys.training.objective import hidden_likelihood
from recsys.training.validation import Validation

if TYPE_CHECKING:
    from recsys.models.autoencoder import AutoencoderConfig

_FEWEST_VALIDATION_USERS = 20  # with fewer, a stopping point chosen on them is noise
_MOST_VALIDATION_USERS = 2_000


def train_autoencoder(matrix: csr_matrix, config: AutoencoderConfig, options: FitOptions) -> State:
    """Train on an (n_users, n_items) CSR of strengths; the averaged weights of the best epoch as float32 arrays.

    Without ``options.validation`` a tenth of the users (at most 2,000) is kept from training for early stopping, and
    stays out: nothing is refitted. Under 200 users nobody can be spared, and every epoch is trained. One seed gives one
    result on one machine's CPU; CUDA's sums may differ in the last bits. The caller's random state is left as it was.
    Raises TrainingError for a device that is absent and for a loss that is not finite.
    """
    device = choose_device(options.device)
    train, holdout = _spare(matrix, options)
    with _seeded(options.seed, device):
        run = _Run(train, config, device)
        with threads_for(run.work):
            return run.train(Validation(holdout, device) if holdout is not None else None, options)


class _Run:
    """What one training holds: the network, its running average, the optimizer and its schedule."""

    def __init__(self, matrix: csr_matrix, config: AutoencoderConfig, device: torch.device) -> None:
        self.config, self.device = config, device
        self.rows = DeviceRows(matrix, device)
        self.corrupt = Masking(config.mask_low, config.mask_high)
        self.network = DenoisingNetwork(matrix.shape[1], config.layers, config.bottleneck, config.dropout).to(device)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        matrices = [p for p in self.network.parameters() if p.ndim > 1]
        vectors = [p for p in self.network.parameters() if p.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": config.weight_decay}, {"params": vectors, "weight_decay": 0.0}],
            lr=config.learning_rate,
            fused=True,
        )
        # At least eight steps an epoch, so that a few hundred users are also learnt from in the epochs there are.
        self.batch = min(config.batch_size, max(1, math.ceil(len(self.rows) / 8)))
        # The first layer is a sum of rows, not a product: about this many multiply-adds a step, forwards.
        self.work = self.batch * (sum(p.numel() for p in matrices) - self.network.input_weight.numel())
        self.dtype = product_dtype(device, self.work)
        self.steps = config.epochs * math.ceil(len(self.rows) / self.batch)
        self.step = 0

    def train(self, validation: Validation | None, options: FitOptions) -> State:
        started, epoch_seconds = time.perf_counter(), []
        best, best_epoch, kept = -math.inf, 0, None
        for epoch in range(1, self.config.epochs + 1):
            epoch_started = time.perf_counter()
            loss = self._epoch()
            value = None
            if validation is not None:
                value = validation(self.average)
                if value > best:
                    best, best_epoch, kept = value, epoch, self.average.arrays()
            done = epoch == self.config.epochs or (value is not None and epoch - best_epoch >= self.config.patience)
            epoch_seconds.append(time.perf_counter() - epoch_started)
            if options.on_progress is not None:
                steps = epoch if done else self.config.epochs
                # Epochs are alike but for the first: the middle one of the latest few says what the next will take.
                left = median(epoch_seconds[-5:]) * (steps - epoch)
                spent = time.perf_counter() - started
                shown = None if value is None else best
                options.on_progress(Progress(epoch, steps, loss, Validation.metric, value, shown, spent, left))
            if done:
                break
        return kept if kept is not None else self.average.arrays()

    def _epoch(self) -> float:
        """One pass over the users in a new order; the mean loss."""
        order = torch.randperm(len(self.rows), device=self.device)
        losses = [self._step(users) for users in torch.split(order, self.batch)]
        return float(np.mean(losses))

    def _step(self, users: torch.Tensor) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * _schedule(self.step, self.steps)
        corrupted = self.corrupt(self.rows.batch(users))
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            code = self.network.encode(corrupted.visible)
        loss = hidden_likelihood(
            code.float(), self.network.decoder_weight, self.network.decoder_bias, corrupted, self.dtype
        )
        value = float(loss.detach())
        self.step += 1
        if not math.isfinite(value):  # before the update, so that nothing learnt is lost to it
            raise TrainingError(
                f"the loss became {value} at step {self.step} of {self.steps}",
                where=f"learning rate {self.config.learning_rate:g}, device {self.device}, {self.dtype}",
                do="lower learning_rate; if it stays, look for extreme strengths in the data",
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch gives none
        self.optimizer.step()
        self._average()
        return value

    @torch.no_grad()
    def _average(self) -> None:
        """Move the running average towards the weights; in the first steps faster, so that it forgets the start."""
        decay = min(self.config.average, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)


def _schedule(step: int, steps: int) -> float:
    """The share of the learning rate: a linear warm-up over a twentieth of the steps, then half a cosine to nothing."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def _spare(matrix: csr_matrix, options: FitOptions) -> tuple[csr_matrix, Holdout | None]:
    """The rows to train on, and those to stop by."""
    if options.validation is not None:
        usable = options.validation.hidden.nnz > 0
        return matrix, options.validation if usable else None
    rng = np.random.default_rng(options.seed)
    able = np.flatnonzero(np.diff(matrix.indptr) > 1)
    wanted = min(len(able) // 10, _MOST_VALIDATION_USERS)
    if wanted < _FEWEST_VALIDATION_USERS:
        return matrix, None
    spared = np.zeros(matrix.shape[0], dtype=bool)
    spared[rng.choice(able, wanted, replace=False)] = True
    return matrix[~spared], Holdout.of(matrix[spared], 0.8, rng)


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's random state set for one training and put back after it."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield

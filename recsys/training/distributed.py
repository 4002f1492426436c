"""Processes: the copies of one training that torchrun started, each learning from its own part of every batch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch import distributed as dist

from recsys.errors import TrainingError
from recsys.training.device import choose_device


@dataclass(frozen=True)
class Processes:
    """This process is number ``rank`` of ``size`` that train one network together.

    Every method but ``part`` is a meeting: all processes have to call it, in the same order, and all of them get the
    same answer, bit by bit. A process alone meets nobody and gets back what it gave.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"  # where what is sent has to lie

    @classmethod
    def present(cls) -> Processes:
        """Those of torch's default process group, where the caller has joined one (``joined``), else this one alone."""
        if not (dist.is_available() and dist.is_initialized()):
            return cls()
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Is it this process that tells of progress and writes files?"""
        return self.rank == 0

    def part(self, users: Tensor) -> Tensor:
        """This process's share of a (k,) batch: the shares are disjoint, are all of it, and differ by one user at most.

        Empty where there are fewer users than processes.
        """
        return users.tensor_split(self.size)[self.rank]

    def seed(self, seed: int) -> int:
        """A seed of this process's own, for what it draws about its own users; process 0 keeps ``seed``."""
        return seed if self.first else int(np.random.SeedSequence([seed, self.rank]).generate_state(1)[0])

    def of_first(self, value: Tensor) -> Tensor:
        """The tensor of process 0, in place."""
        if self.size > 1:
            dist.broadcast(value, 0)
        return value

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def gathered(self, value: Tensor) -> list[Tensor]:
        """The tensors of all processes, which must be of one shape and type, by rank."""
        if self.size == 1:
            return [value]
        value = value.to(self.device)
        every = [torch.empty_like(value) for _ in range(self.size)]
        dist.all_gather(every, value)
        return every

    def check_same(self, what: Mapping[str, Any]) -> None:
        """TrainingError, in every process, unless all have the same JSON values: else they would wait for ever."""
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).digest()
        every = self.gathered(torch.frombuffer(bytearray(digest), dtype=torch.uint8))
        if any(not torch.equal(one, every[0]) for one in every):
            raise TrainingError(
                "the processes that are to train one network have different data or settings",
                do="give all of them the same files, settings and seed",
            )

    def total_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Each parameter's gradient becomes the sum over the processes; one that a process has not counts as 0."""
        if self.size == 1:
            return
        waiting = []
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            waiting.append(dist.all_reduce(parameter.grad, async_op=True))
        for work in waiting:
            work.wait()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Meet the other processes that torchrun started, for as long as the context lasts, and train on ``device`` there.

    Uses torch's own rendezvous (``env://``, gloo on the CPU, nccl on CUDA with one device a process), so it is for a
    caller who knows that this process was started by torchrun. Raises TrainingError when they cannot meet, or when
    there are more processes on a machine than CUDA devices.
    """
    chosen = choose_device(device)
    if not dist.is_available():
        raise TrainingError("this torch is built without torch.distributed", do="start it without torchrun")
    if chosen.type == "cuda":
        local = dist.get_node_local_rank(fallback_rank=0)
        if local >= torch.cuda.device_count():
            raise TrainingError(
                f"process {local} of this machine has no CUDA device: there are {torch.cuda.device_count()}",
                do="give torchrun at most that many with --nproc-per-node, or train with --device cpu",
            )
        torch.cuda.set_device(local)
    try:
        dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    except (ValueError, RuntimeError) as error:
        raise TrainingError(
            "the training processes could not meet", where=str(error), do="start them with torchrun"
        ) from error
    try:
        yield Processes.present()
    finally:
        dist.destroy_process_group()

"""Where a training runs, and in which precision its products are made there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from recsys.errors import SettingError, TrainingError

_SMALL = 20_000_000  # multiply-adds, a fraction of a millisecond


def choose_device(wanted: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda". TrainingError when cuda is asked for and absent."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise SettingError(f"no device is called '{wanted}'", do="use auto, cpu or cuda")
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise TrainingError(f"device 'cuda' was asked for, but {built}", do="use --device cpu, or auto")
    return torch.device("cuda" if present and wanted != "cpu" else "cpu")


def product_dtype(device: torch.device, work: int) -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware and a step of ``work`` multiply-adds gains by it, else
    float32. Weights stay float32 either way."""
    if work < _SMALL:
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Without AVX512-BF16 or AMX a CPU emulates bfloat16, slower than float32. torch has no public question for it.
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """One CPU thread for steps of little work: there, threads waiting for each other cost more than they bring.

    On a busy machine much more: the contract suite's small networks took 30 times as long with two.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < _SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)

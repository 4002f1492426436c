"""Where a training runs, and in which precision its products are made there."""

from __future__ import annotations

import torch

from recsys.errors import SettingError, TrainingError


def choose_device(wanted: str) -> torch.device:
    """The device for "auto", "cpu" or "cuda". TrainingError when cuda is asked for and absent."""
    if wanted not in ("auto", "cpu", "cuda"):
        raise SettingError(f"no device is called '{wanted}'", do="use auto, cpu or cuda")
    present = torch.cuda.is_available()
    if wanted == "cuda" and not present:
        built = "this torch is built without CUDA" if torch.version.cuda is None else "torch finds no CUDA device"
        raise TrainingError(f"device 'cuda' was asked for, but {built}", do="use --device cpu, or auto")
    return torch.device("cuda" if present and wanted != "cpu" else "cpu")


def product_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it in hardware, else float32. Weights stay float32 either way."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    # Without AVX512-BF16 or AMX a CPU emulates bfloat16, slower than float32. torch has no public question for it.
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32

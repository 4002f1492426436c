"""The training step beside the matrix rate of the machine, measured in turns in one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.process import peak
from benchmarks.train.operations import shares
from benchmarks.train.split import Parts
from recsys.models import create
from recsys.recommender import FitOptions, Holdout, Progress

if TYPE_CHECKING:
    import torch
    from scipy.sparse import csr_matrix

    from recsys.models.autoencoder import AutoencoderConfig

SIDES = ("forward", "code", "weight")
_LEAST = 0.4  # seconds that a product is repeated for
_ROUNDS = 2  # of training, then products: the machine's speed changes while one looks


def products(config: AutoencoderConfig, n_items: int) -> list[tuple[int, int]]:
    """(inputs, outputs) of every matrix product forward; the last is the decoder's, over the catalogue.

    The first layer is none: it is a sum of the rows of the items in a history.
    """
    layers = list(config.layers)
    outputs = [*layers, config.bottleneck * (2 if config.variational else 1)]
    encoder = [(sum(layers[:k]) if config.dense else layers[k - 1], outputs[k]) for k in range(1, len(outputs))]
    return [*encoder, *pairwise([config.bottleneck, *config.decoder_layers, n_items])]


def multiply_adds(config: AutoencoderConfig, n_items: int) -> int:
    """Multiply-adds of one user's matrix products in a training step.

    Each product is made forward, for its inputs' gradient and for its weights'. Logits that a chunked loss makes a
    second time count once: they are work, not progress.
    """
    return 3 * sum(inputs * outputs for inputs, outputs in products(config, n_items))


def measure(
    folder: str, device: str, seed: int, epochs: int, settings: Mapping[str, Any], kinds: bool = False
) -> dict[str, Any]:
    """The autoencoder trained on a split's training part with nobody held out; multiply-adds a second throughout.

    "step": the training's. "products": those of the decoder's three products alone, by dtype. "share": step over the
    fastest dtype's forward product. kinds: also the share of time by kind of operation, from a run of its own.
    """
    import torch

    from recsys.training.device import choose_device, product_dtype, threads_for

    matrix = Parts.load(folder).train
    config: AutoencoderConfig = create("autoencoder", **settings).config
    where = choose_device(device)
    (n_users, n_items), batch = matrix.shape, min(config.batch_size, matrix.shape[0])
    a_user, width = multiply_adds(config, n_items), products(config, n_items)[-1][0]
    forward = batch * a_user // 3
    cuda = where.type == "cuda"
    seconds: list[float] = []
    rounds: list[dict[str, dict[str, float]]] = []
    held, cuda_held = 0, None
    with threads_for(forward):
        threads = torch.get_num_threads()
        for _ in range(_ROUNDS):
            seconds += _epochs(matrix, device, seed, {**settings, "epochs": epochs + 1})
            if not held:  # before the products' own matrices
                held, cuda_held = peak(), torch.cuda.max_memory_allocated() if cuda else None
            rounds.append(
                {
                    str(dtype).removeprefix("torch."): _rates(where, dtype, batch, width, n_items)
                    for dtype in {torch.float32, product_dtype(where, forward)}
                }
            )
    rates = {dtype: {side: median(one[dtype][side] for one in rounds) for side in SIDES} for dtype in rounds[0]}
    fastest = max(rates, key=lambda dtype: rates[dtype]["forward"])
    step = a_user * n_users / median(seconds)
    profiled = None
    if kinds:
        profiled = shares(lambda: _epochs(matrix, device, seed, {**settings, "epochs": 2}), cuda)
    return {
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "threads": threads,
        "torch": torch.__version__,
        "users": n_users,
        "items": n_items,
        "batch": batch,
        "width": width,
        "multiply_adds_a_user": a_user,
        "epoch_seconds": seconds,
        "users_a_second": n_users / median(seconds),
        "step": step,
        "products": rates,
        "products_by_round": rounds,
        "fastest": fastest,
        "share": step / rates[fastest]["forward"],
        "memory": held,
        "cuda_memory": cuda_held,
        "kinds": profiled,
    }


def _epochs(matrix: csr_matrix, device: str, seed: int, settings: Mapping[str, Any]) -> list[float]:
    """Seconds of every epoch but the first, with nobody held out: training and nothing else."""
    clock: list[float] = []

    def watch(progress: Progress) -> None:
        clock.append(time.perf_counter())

    nobody = Holdout(matrix[:0], matrix[:0])
    options = FitOptions(device=device, seed=seed, validation=nobody, on_progress=watch)
    create("autoencoder", **settings).fit(matrix, options)
    return [later - earlier for earlier, later in pairwise(clock)]


def _rates(device: torch.device, dtype: torch.dtype, rows: int, width: int, n_items: int) -> dict[str, float]:
    """Multiply-adds a second of the decoder's three products, each into a matrix that is there already.

    forward: (rows, width) x (width, n_items). code, weight: the gradients of both sides.
    """
    import torch

    def made(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, device=device).to(dtype)

    code, weight, slope = made(rows, width), made(n_items, width), made(rows, n_items)
    product: dict[str, Callable[[], object]] = {
        "forward": lambda: torch.mm(code, weight.T, out=slope),
        "code": lambda: torch.mm(slope, weight, out=code),
        "weight": lambda: torch.mm(slope.T, code, out=weight),
    }
    return {side: rows * width * n_items / _seconds(product[side], device) for side in SIDES}


def _seconds(product: Callable[[], object], device: torch.device) -> float:
    """The mean of one call, over _LEAST seconds or more of them, warmed up by as many."""
    import torch

    calls = 1
    while True:
        started = time.perf_counter()
        for _ in range(calls):
            product()
        if device.type == "cuda":
            torch.cuda.synchronize()
        spent = time.perf_counter() - started
        if spent >= _LEAST:
            return spent / calls
        calls *= 2

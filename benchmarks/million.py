"""Benchmark: one epoch of the autoencoder on a made-up catalogue of a million items, within a limit of memory.

    recsys bench million [--users 200000 --items 1000000 --interactions 20000000]

Every measurement is a process of its own, ended when it holds more than the limit. First one epoch of the deep path on
the whole data; then the default settings with one epoch, the choice and fit of the linear path included. Then the first
people alone with batches of b, 2b and 4b: the peak may not grow by more than what is in proportion to a batch whatever
the catalogue, its histories and codes.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, load_npz, save_npz

from benchmarks.process import alone, limit, peak
from recsys.errors import SettingError, TrainingError
from recsys.models import config_of, create
from recsys.recommender import FitOptions, Holdout, Progress

GIB = 2**30
NETWORK: Mapping[str, Any] = {}  # settings beside the default ones
TASTES = 500  # clusters of items
_STEPS = 8  # of the largest batch
_OWN_TASTE = 0.8  # share of a history from the person's own clusters
ROOM = GIB // 2  # growth allowed: a chunk of logits (128 MB) and its copies, and the batch's own histories and codes


def main(
    users: int, items: int, interactions: int, *, batch: int = 512, most: float = 20.0, device: str = "auto"
) -> dict[str, Any]:
    """ "epoch": the whole data once, the deep path; "whole": the default fit with one epoch; "batches": batch -> the
    first people once. most: GiB a process may hold.

    Raises TrainingError when one holds more.
    """

    def train(**arguments: Any) -> dict[str, Any]:
        found = alone("benchmarks.million", {"file": file, "device": device, "most": most * GIB, **arguments})
        if found["peak"] > most * GIB:  # between two looks of the process at itself
            raise TrainingError(f"a training held {found['peak'] / GIB:.1f} GiB, allowed are {most:.1f}")
        return found

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "matrix.npz"))
        made = alone("benchmarks.million", {"make": file, "users": users, "items": items, "interactions": interactions})
        epoch = train(settings={"linear": "none"})
        whole = train(settings={})
        few = min(users, 4 * batch * _STEPS)
        sizes = (batch, 2 * batch, 4 * batch)
        batches = {str(size): train(settings={"linear": "none", "batch_size": size}, people=few) for size in sizes}
    return {"data": made, "most": most, "epoch": epoch, "whole": whole, "batches": batches}


def measure(**arguments: Any) -> dict[str, Any]:
    """Either makes the data or trains on it: what a process of its own does."""
    return _made(**arguments) if "make" in arguments else _trained(**arguments)


def _made(make: str, users: int, items: int, interactions: int) -> dict[str, Any]:
    started = time.perf_counter()
    matrix = made_up(users, items, interactions)
    save_npz(make, matrix, compressed=False)
    taken = int((np.bincount(matrix.indices, minlength=items) > 0).sum())
    seconds = time.perf_counter() - started
    return {"users": users, "items": items, "interactions": matrix.nnz, "items_taken": taken, "seconds": seconds}


def _trained(
    file: str, device: str, most: float, settings: Mapping[str, Any], people: int | None = None
) -> dict[str, Any]:
    """One epoch, on everybody, or on the first people with nobody held out. Memory in bytes."""
    limit(most)
    import torch

    import recsys.training.loop  # noqa: F401  imports are not counted

    matrix = csr_matrix(load_npz(file))
    validation = None
    if people is not None:
        matrix = matrix[:people]
        validation = Holdout(matrix[:0], matrix[:0])
    before = peak()
    steps: list[Progress] = []
    model = create("autoencoder", **{"epochs": 1, **NETWORK, **settings})
    started = time.perf_counter()
    model.fit(matrix, FitOptions(device=device, validation=validation, on_progress=steps.append))
    seconds = time.perf_counter() - started
    last = steps[-1]
    alone = last.loss is not None  # else the clock of the steps has run through the linear path too
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_initialized() else None
    return {
        "users": matrix.shape[0],
        "fit_seconds": seconds,
        "epoch_seconds": last.seconds if alone else None,
        "users_a_second": matrix.shape[0] / last.seconds if alone else None,
        "loss": last.loss,
        "before": before,
        "cuda": on_gpu,
        "threads": torch.get_num_threads(),
        "parameters": sum(array.size for array in model.state().values()),
        "config": config_of(model),
    }


def made_up(users: int, items: int, interactions: int, seed: int = 0) -> csr_matrix:
    """(users, items) CSR of ones, exactly ``interactions`` of them.

    Items lie in clusters, TASTES or fewer; a person likes three of them and takes four fifths of their items there.
    Within a cluster and over the catalogue popularity falls as 1 / (rank + 10) (Zipf, Mandelbrot); how much a person
    takes is log-normal. Raises SettingError when more than a quarter of all pairs is asked for.
    """
    if interactions > users * items / 4:
        raise SettingError(f"{interactions:,} of {users * items:,} pairs is no sparse matrix", do="ask for fewer")
    rng = np.random.default_rng(seed)
    clusters = max(1, min(TASTES, items // 64))
    size = items // clusters
    activity = rng.lognormal(0.0, 1.0, users).cumsum()
    likes = rng.integers(clusters, size=(users, 3), dtype=np.int32)
    place = rng.permutation(items).astype(np.int32)  # so that an item's number says nothing about it
    pairs = np.empty(0, dtype=np.int64)
    while len(pairs) < interactions:
        more = int((interactions - len(pairs)) * 1.1) + users // 10 + 16
        user = np.searchsorted(activity, rng.random(more) * activity[-1]).astype(np.int32)
        own = rng.random(more) < _OWN_TASTE
        rank = np.where(own, _zipf(rng, size, more), _zipf(rng, items, more))
        taste = likes[user, rng.integers(3, size=more)]
        item = np.where(own, rank * clusters + taste, rank)
        pairs = np.concatenate([pairs, user.astype(np.int64) * items + place[item]])
        pairs.sort()  # then the distinct: np.unique's hashing takes six times as long
        pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])]
    keep = np.ones(len(pairs), dtype=bool)
    keep[rng.choice(len(pairs), len(pairs) - interactions, replace=False)] = False
    pairs = pairs[keep]
    indptr = np.searchsorted(pairs, np.arange(users + 1, dtype=np.int64) * items)
    return csr_matrix(
        (np.ones(len(pairs), dtype=np.float32), (pairs % items).astype(np.int32), indptr.astype(np.int32)),
        shape=(users, items),
    )


def _zipf(rng: np.random.Generator, n: int, count: int, shift: float = 10.0) -> np.ndarray:
    """(count,) ranks below n, from 0, with probability in proportion to 1 / (rank + shift), nearly."""
    drawn = shift * ((n + shift) / shift) ** rng.random(count) - shift
    return np.minimum(drawn.astype(np.int64), n - 1)


def tables(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads: (title, header, rows) a table."""
    data, epoch, most = result["data"], result["epoch"], result["most"]
    title = (
        f"{data['users']:,} users x {data['items']:,} items ({data['items_taken']:,} taken), {data['interactions']:,} "
        f"interactions, made in {data['seconds']:.0f} s"
    )
    header = ("", "batch", "users/s", "epoch s", "fit s", "peak GiB", "before GiB", "of the limit")
    rows = [
        _row("one epoch, deep path", epoch["config"]["batch_size"], epoch, most),
        _row("defaults, one epoch", result["whole"]["config"]["batch_size"], result["whole"], most),
        *(_row(f"{run['users']:,} users", size, run, most) for size, run in result["batches"].items()),
    ]
    grown = growth(result)
    verdict = "flat" if grown <= ROOM else "NOT flat"
    said = f"the peak grows by {grown / GIB:.2f} GiB from the smallest batch to four times it: {verdict}"
    return [(title, header, rows), (said, (), ())]


def _row(name: str, batch: Any, run: Mapping[str, Any], most: float) -> tuple[str, ...]:
    held = run["peak"]
    rates = "", ""
    if run["epoch_seconds"] is not None:
        rates = f"{run['users_a_second']:,.0f}", f"{run['epoch_seconds']:.1f}"
    return (
        name,
        str(batch),
        *rates,
        f"{run['fit_seconds']:.1f}",
        f"{held / GIB:.2f}",
        f"{run['before'] / GIB:.2f}",
        f"{held / GIB / most:.2f}",
    )


def growth(result: Mapping[str, Any]) -> int:
    """Bytes by which the peak of the largest batch is above that of the smallest."""
    peaks = [run["peak"] for run in result["batches"].values()]
    return peaks[-1] - peaks[0]

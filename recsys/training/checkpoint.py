"""Checkpoints: the state of a training in one file that is whole or as it was before, and holds no pickle."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsys.errors import TrainingError
from recsys.recommender import Checkpoint, Holdout, State
from recsys.training.distributed import Processes

FORMAT = 1
_FACTS = "facts"


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A moment of a training: arrays by name, and facts that JSON can hold."""

    arrays: State
    facts: dict[str, Any]

    def part(self, name: str) -> State:
        """The arrays whose names begin with ``name/``, without that."""
        return {key.removeprefix(f"{name}/"): x for key, x in self.arrays.items() if key.startswith(f"{name}/")}


class Keeper:
    """Keeps the snapshots of one training, of one process or several, where the caller wants them; or nowhere.

    identity: what a training must have in common with this one to be gone on from.
    """

    def __init__(self, wanted: Checkpoint | None, processes: Processes) -> None:
        self.wanted, self.identity = wanted, dict[str, Any]()
        self._processes = processes
        self._last = time.monotonic()

    def latest(self) -> Snapshot | None:
        """The snapshot to go on from, None where there is none; see ``read``. A meeting of the processes."""
        if self.wanted is None:
            return None
        found = read(self.wanted.path, self.identity)
        epochs = self._processes.gathered(self._on_device(-1 if found is None else found.facts["epoch"]))
        if len({int(epoch) for epoch in epochs}) > 1:
            raise TrainingError(
                "the training processes see different checkpoints",
                where=str(self.wanted.path),
                do="name a file in a folder that all of them share",
            )
        return found

    def due(self, done: bool) -> bool:
        """Is it time to keep a snapshot? A meeting of the processes: process 0 has the clock."""
        if self.wanted is None:
            return False
        if done:
            return self.wanted.keep
        now = time.monotonic() - self._last >= self.wanted.seconds
        return bool(self._processes.of_first(self._on_device(now)))

    def keep(self, snapshot: Snapshot) -> None:
        if self.wanted is not None and self._processes.first:
            write(self.wanted.path, snapshot, self.identity)
        self._last = time.monotonic()

    def close(self) -> None:
        """The training is done: nothing is left to go on from, unless the file is wanted for good."""
        if self.wanted is not None and self._processes.first and not self.wanted.keep:
            self.wanted.path.unlink(missing_ok=True)

    def _on_device(self, value: int) -> torch.Tensor:
        return torch.tensor([value], device=self._processes.device)


def write(path: Path, snapshot: Snapshot, identity: Mapping[str, Any]) -> None:
    """Put a snapshot in the place of the one before, in one step. TrainingError where the place cannot be written.

    identity: what a training must have in common with this one to go on from it, as JSON values. Killed at any moment,
    the file holds this snapshot or the last. It is a .npz: zip's CRC-32 guards every array.
    """
    partial = path.with_name(f".{path.name}.partial")  # one name: what a killed writing leaves, the next overwrites
    facts = json.dumps({"format": FORMAT, "identity": identity, "facts": snapshot.facts}).encode()
    arrays = {**snapshot.arrays, _FACTS: np.frombuffer(facts, dtype=np.uint8)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, array, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise TrainingError(
            "the checkpoint cannot be written",
            where=f"{path}: {error.strerror}",
            do="mend permissions or free space, or train without a checkpoint; the one before is still there",
        ) from error


def read(path: Path, identity: Mapping[str, Any]) -> Snapshot | None:
    """The snapshot of an interrupted training, None where there is none.

    Raises TrainingError for a damaged file, and, naming what differs, for one of a training with another ``identity``.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
            card = json.loads(found.pop(_FACTS).tobytes())
            theirs, facts, version = card["identity"], card["facts"], card["format"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(
            "the checkpoint cannot be read", where=f"{path}: {error.strerror or error}", do="mend its permissions"
        ) from error
    except (ValueError, KeyError, TypeError, EOFError, NotImplementedError) as error:
        raise _damaged(path, error) from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise _damaged(path, error) from error
    if version != FORMAT:
        raise TrainingError(
            f"the checkpoint has format {version!r}, this version of recsys reads {FORMAT}",
            where=str(path),
            do="go on with the version that wrote it, or remove the file to train from the start",
        )
    ours = json.loads(json.dumps(identity))
    for name in sorted({*ours, *theirs}):
        if ours.get(name) != theirs.get(name):
            raise TrainingError(
                f"the checkpoint belongs to another training: {_difference(name, theirs.get(name), ours.get(name))}",
                where=str(path),
                do="go on with the same data and settings, or remove the file to train from the start",
            )
    return Snapshot(found, facts)


def fingerprint(train: csr_matrix, validation: Holdout | None) -> str:
    """64 hex digits that stand for exactly these histories, in this order."""
    digest = hashlib.sha256()
    for matrix in (train, *((validation.given, validation.hidden) if validation is not None else ())):
        digest.update(repr(matrix.shape).encode())
        for array, dtype in ((matrix.indptr, np.int64), (matrix.indices, np.int64), (matrix.data, np.float64)):
            # A piece at a time: a matrix of 20 million entries is not copied whole to be hashed.
            for start in range(0, len(array), 2**20):
                digest.update(np.ascontiguousarray(array[start : start + 2**20], dtype=dtype).data)
    return digest.hexdigest()


def _damaged(path: Path, error: Exception) -> TrainingError:
    return TrainingError(
        "the checkpoint is damaged: it cannot be trained on from it",
        where=f"{path}: {error}",
        do="remove the file to train from the start",
    )


def _difference(name: str, theirs: Any, ours: Any) -> str:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        name = next(key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key))
        theirs, ours = theirs.get(name), ours.get(name)
    if name == "data":
        return "it was made from other data"
    return f"{name} was {json.dumps(theirs)} there and is {json.dumps(ours)} now"

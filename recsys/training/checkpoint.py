"""Checkpoints: the state of a training in one file that is whole or as it was before, and holds no pickle."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix

from recsys import __version__
from recsys.errors import TrainingError
from recsys.recommender import Checkpoint, State
from recsys.training.distributed import Processes

FORMAT = 1
_DIGEST = 32  # bytes of a sha256


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

    how: the settings, as JSON values, that a training must share with this one to be gone on from; besides it must
    have the same data, number of processes and version of recsys.
    """

    def __init__(
        self,
        wanted: Checkpoint | None,
        processes: Processes,
        how: Mapping[str, Any],
        data: Sequence[csr_matrix | np.ndarray | None],
    ) -> None:
        self.wanted = wanted
        self._processes = processes
        self._last = time.monotonic()
        self._identity: dict[str, Any] = {}
        if wanted is not None:
            self._identity = {**how, "data": fingerprint(data), "processes": processes.size, "recsys": __version__}

    def latest(self) -> Snapshot | None:
        """The snapshot to go on from, None where there is none; see ``read``. A meeting of the processes."""
        if self.wanted is None:
            return None
        found = read(self.wanted.path, self._identity)
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
        return bool(self._processes.of_first(self._on_device(int(now))))

    def keep(self, snapshot: Snapshot) -> None:
        """Write it, one process for all."""
        if self.wanted is not None and self._processes.first:
            write(self.wanted.path, snapshot, self._identity)
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
    the file holds this snapshot or the last. It is a sha256 of all that follows, a line of JSON, the arrays as .npy.
    """
    partial = path.with_name(f".{path.name}.partial")  # one name: what a killed writing leaves, the next overwrites
    card = {"arrays": list(snapshot.arrays), "facts": snapshot.facts, "format": FORMAT, "identity": identity}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("w+b") as file:
            file.write(bytes(_DIGEST) + json.dumps(card).encode() + b"\n")
            for array in snapshot.arrays.values():
                np.lib.format.write_array(file, array, allow_pickle=False)
            digest = _digest(file)
            file.seek(0)
            file.write(digest)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise TrainingError(
            "the checkpoint cannot be written",
            where=f"{path}: {error.strerror or error}",
            do="mend permissions or free space, or train without a checkpoint; the one before is still there",
        ) from error


def read(path: Path, identity: Mapping[str, Any]) -> Snapshot | None:
    """The snapshot of an interrupted training, None where there is none.

    Raises TrainingError for a damaged file, and, naming what differs, for one of a training with another ``identity``.
    """
    try:
        with path.open("rb") as file:
            if file.read(_DIGEST) != _digest(file):
                raise _refused("the checkpoint is damaged, or is none: its sha256 does not match", path)
            file.seek(_DIGEST)
            card = json.loads(file.readline())
            if card["format"] != FORMAT:
                raise _refused(f"the checkpoint has format {card['format']}, this version reads {FORMAT}", path)
            difference = _difference(card["identity"], json.loads(json.dumps(identity)))
            if difference:
                raise _refused(f"the checkpoint belongs to another training: {difference}", path)
            arrays = {name: np.lib.format.read_array(file, allow_pickle=False) for name in card["arrays"]}
            return Snapshot(arrays, card["facts"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(
            "the checkpoint cannot be read", where=f"{path}: {error.strerror or error}", do="mend its permissions"
        ) from error


def _digest(file: BufferedReader | BufferedRandom) -> bytes:
    file.seek(_DIGEST)
    return hashlib.file_digest(file, "sha256").digest()


def fingerprint(data: Sequence[csr_matrix | np.ndarray | None]) -> str:
    """64 hex digits that stand for exactly these matrices, in this order; None is a part that is not there."""
    digest = hashlib.sha256()
    for part in data:
        digest.update(repr(None if part is None else part.shape).encode())
        arrays = (part.indptr, part.indices, part.data) if isinstance(part, csr_matrix) else (part,)
        for array in arrays:
            flat = np.asarray([] if array is None else array).ravel()
            # As float64, which holds all that occur, a piece at a time: nothing large is copied whole to be hashed.
            for start in range(0, len(flat), 2**20):
                digest.update(flat[start : start + 2**20].astype(np.float64).data)
    return digest.hexdigest()


def _refused(why: str, path: Path) -> TrainingError:
    return TrainingError(why, where=str(path), do="go on as it was begun, or remove the file to train from the start")


def _difference(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """What two identities do not share, in words; empty where they are one."""
    for name in sorted({*theirs, *ours}, key=lambda name: (name == "data", name)):  # data last: a seed splits it, too
        before, now = theirs.get(name), ours.get(name)
        if before == now:
            continue
        if isinstance(before, dict) and isinstance(now, dict):
            return _difference(before, now)
        return "its data was another" if name == "data" else f"{name} was {json.dumps(before)}, now {json.dumps(now)}"
    return ""

"""NightLock: one night at a time; the kernel frees the lock of one that dies, and a stuck one can be taken for dead."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from recsys.errors import AlreadyRunning, Fenced
from recsys.serving.files import unwritable

_LOCK, _HOLDER = "lock", "holder.json"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs a night. since, beat: seconds since 1970, of its start and of its last sign of life; step: its last."""

    pid: int
    host: str
    token: int
    since: float
    beat: float
    step: str = ""

    @property
    def silent(self) -> float:
        """Seconds without a sign of life."""
        return max(0.0, time.time() - self.beat)

    def words(self) -> str:
        return f"process {self.pid} on {self.host}, {self.step or 'starting'}, last heard of {self.silent:.0f} s ago"


class NightLock:
    """A lock on a folder. ``stuck``: seconds without a sign of life after which its holder is taken for dead.

    A holder that was taken for dead may still run. At its next ``beat`` it learns that another took over (Fenced); what
    it would publish the registry refuses, because the other asked for a higher token first.
    """

    def __init__(self, folder: Path, stuck: float = 3600.0) -> None:
        self.folder = Path(folder)
        self.stuck = stuck
        self.taken_from: Holder | None = None  # a stuck one, by the last ``held``
        self._descriptor: int | None = None
        self._mine: Holder | None = None

    def holder(self) -> Holder | None:
        """Whoever holds the lock now, as far as it told; None when nobody does."""
        path = self.folder / _LOCK
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._told() or Holder(0, "an unknown machine", 0, time.time(), time.time())
        finally:
            os.close(descriptor)
        return None

    def check(self) -> None:
        """AlreadyRunning where another holds it who is not stuck: sooner said than `held` can."""
        other = self.holder()
        if other is not None and other.silent <= self.stuck:
            raise self._taken(other)

    @contextmanager
    def held(self, take_over: bool = False) -> Iterator[None]:
        """Hold it for a block. AlreadyRunning at once when another does, saying so when that one seems to be stuck.

        take_over: hold it all the same when its holder has been silent for ``stuck`` seconds.
        """
        self.taken_from = None
        self._take(take_over)
        try:
            yield
        finally:
            descriptor, self._descriptor = self._descriptor, None
            if self._same(descriptor):
                (self.folder / _HOLDER).unlink(missing_ok=True)
            if descriptor is not None:
                os.close(descriptor)

    def beat(self, step: str | None = None, token: int | None = None) -> None:
        """A sign of life. Fenced when another has taken over, StoreError when it cannot be written."""
        if not self._same(self._descriptor):
            raise Fenced(
                "another night took over from this one, which was silent for too long",
                where=str(self.folder),
                do="nothing: this one ends here, and publishes nothing",
            )
        before = self._mine or Holder(os.getpid(), socket.gethostname(), 0, time.time(), time.time())
        self._mine = replace(
            before,
            beat=time.time(),
            step=before.step if step is None else step,
            token=before.token if token is None else token,
        )
        path = self.folder / _HOLDER
        partial = path.with_name(f".{_HOLDER}.{os.getpid()}")
        try:
            partial.write_text(json.dumps(asdict(self._mine)))
            partial.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error

    def _take(self, take_over: bool) -> None:
        path = self.folder / _LOCK
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise unwritable(path, error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = self._same(descriptor)
        except BlockingIOError:
            free = False
        if free:
            self._descriptor = descriptor
            self._mine = None
            self.beat()
            return
        os.close(descriptor)
        other = self._told()
        stuck = other is not None and other.silent > self.stuck
        if stuck and take_over:
            path.unlink(missing_ok=True)  # the old one keeps the lock of a file that has no name any more
            self._take(take_over=False)
            self.taken_from = other
            return
        raise self._taken(other)

    def _taken(self, other: Holder | None) -> AlreadyRunning:
        words = other.words() if other is not None else "just started"
        return AlreadyRunning(
            "a night is already running", where=f"{self.folder}: {words}", do="see `recsys nightly --status`"
        )

    def _same(self, descriptor: int | None) -> bool:
        """Is an open file still the one that has the lock's name?"""
        if descriptor is None:
            return False
        try:
            named = (self.folder / _LOCK).stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise unwritable(self.folder / _LOCK, error) from error
        mine = os.fstat(descriptor)
        return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)

    def _told(self) -> Holder | None:
        try:
            return Holder(**json.loads((self.folder / _HOLDER).read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

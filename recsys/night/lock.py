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

_LOCK, _HOLDER, _TURN = "lock", "holder.json", "turn"
_TRIES, _PAUSE = 10, 0.02  # a lock is held for a moment by whoever only looks who has it


@dataclass(frozen=True, slots=True)
class Holder:
    """Who runs a night. since, beat: seconds since 1970, of its start and of its last sign of life; step: its last.

    file: the inode of the lock that it holds: what a killed one left behind says nothing of the next.
    """

    pid: int
    host: str
    token: int
    since: float
    beat: float
    step: str = ""
    file: int = 0

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
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unwritable(self.folder / _LOCK, error) from error
        try:
            if self._locked(descriptor):
                return None
            return self._told(descriptor) or Holder(0, "this machine or another", 0, time.time(), time.time())
        finally:
            os.close(descriptor)

    @contextmanager
    def held(self, take_over: bool = False) -> Iterator[None]:
        """Hold it for a block. AlreadyRunning at once when another does. Within a block of its own it is held already.

        take_over: hold it all the same when its holder has been silent for ``stuck`` seconds.
        """
        if self._descriptor is not None:
            yield
            return
        self.taken_from = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._take(take_over)
        except OSError as error:
            raise unwritable(self.folder, error) from error
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
        if self._descriptor is None or not self._same(self._descriptor):
            raise Fenced(
                "another night took over from this one, which was silent for too long",
                where=str(self.folder),
                do="nothing: this one ends here, and publishes nothing",
            )
        now, file = time.time(), os.fstat(self._descriptor).st_ino
        before = self._mine or Holder(os.getpid(), socket.gethostname(), 0, now, now, file=file)
        step, token = before.step if step is None else step, before.token if token is None else token
        self._mine = replace(before, beat=now, step=step, token=token)
        path = self.folder / _HOLDER
        partial = path.with_name(f".{_HOLDER}.{os.getpid()}")
        try:
            partial.write_text(json.dumps(asdict(self._mine)))
            partial.replace(path)
        except OSError as error:
            raise unwritable(path, error) from error

    def _take(self, take_over: bool) -> None:
        """One at a time decides who holds it, so that two cannot both take over, each from the other."""
        turn = os.open(self.folder / _TURN, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(turn, fcntl.LOCK_EX)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            if not self._locked(descriptor):
                other = self._told(descriptor)
                os.close(descriptor)
                if other is None or not take_over or other.silent <= self.stuck:
                    raise self._taken(other)
                (self.folder / _LOCK).unlink()  # the old one keeps the lock of a file that has no name any more
                self.taken_from = other
                descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._descriptor, self._mine = descriptor, None
            self.beat()
        finally:
            os.close(turn)

    def _taken(self, other: Holder | None) -> AlreadyRunning:
        words = other.words() if other is not None else "just started"
        return AlreadyRunning(
            "a night is already running", where=f"{self.folder}: {words}", do="see `recsys nightly --status`"
        )

    @staticmethod
    def _locked(descriptor: int) -> bool:
        for _ in range(_TRIES):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_PAUSE)
            else:
                return True
        return False

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

    def _told(self, descriptor: int) -> Holder | None:
        """What the holder of an open lock said of itself; None where it said nothing yet, or nothing readable."""
        try:
            told = json.loads((self.folder / _HOLDER).read_bytes())
            found = Holder(
                int(told["pid"]),
                str(told["host"]),
                int(told["token"]),
                float(told["since"]),
                float(told["beat"]),
                str(told["step"]),
                int(told["file"]),
            )
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if found.file == os.fstat(descriptor).st_ino else None

"""Steps: each named, timed, told, written down, and not done twice by a night that was cut off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from recsys.errors import Fenced, RecsysError, StoreError, TrainingError
from recsys.night.journal import MOST_BEGINNINGS, Journal
from recsys.night.lock import NightLock
from recsys.night.plan import Ledger, Tell

BEAT_SECONDS = 5.0  # a sign of life is written at most so often


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step: plain values to go on from, and a sentence for people."""

    result: Any
    detail: str


class Steps:
    """Runs the steps of one night. night: its number in the ledger; None where none is kept, as of a dry run."""

    def __init__(self, journal: Journal, lock: NightLock, ledger: Ledger | None, night: int | None, tell: Tell) -> None:
        self.journal = journal
        self._lock = lock
        self._ledger = ledger
        self._night = night
        self._tell = tell
        self._last_beat = 0.0
        self.now = ""

    def run(self, name: str, work: Callable[[], Done], again: bool = False) -> Any:
        """The result of a step: worked out now, or as it was before an interruption, unless it is to be done again.

        Raises what the work does, and TrainingError for a step that was cut off again and again.
        """
        if self.journal.done(name) and not again:
            self._tell(f"{name}: done before the interruption")
            return self.journal.result(name)
        self.now = name
        self.beat(force=True)
        if self.journal.began(name) > MOST_BEGINNINGS:
            raise TrainingError(
                f"the step '{name}' was cut off {MOST_BEGINNINGS} times without an error",
                where="the night before this one, and those before it",
                do="see whether the system kills it for want of memory; the next night begins anew",
            )
        self._write(name, "running", 0.0, "")
        started = time.monotonic()
        with self._failing(name, started):
            done = work()
            self.beat(force=True)  # one that was taken for dead writes no more from here on
        seconds = time.monotonic() - started
        self.journal.ended(name, seconds, done.detail, done.result)
        self._write(name, "done", seconds, done.detail)
        self._tell(f"{name}: {done.detail} ({seconds:.1f} s)")
        self.beat(force=True)
        return done.result

    def beat(self, force: bool = False) -> None:
        """A sign of life, now and then. Fenced when another night took over."""
        now = time.monotonic()
        if force or now - self._last_beat > BEAT_SECONDS:
            self._last_beat = now
            self._lock.beat(step=self.now)

    @contextmanager
    def _failing(self, name: str, started: float) -> Iterator[None]:
        try:
            yield
        except Fenced:
            raise  # what is there is another's
        except MemoryError as error:
            self._failed(name, started, "not enough memory")
            raise TrainingError(
                f"not enough memory: {name}", do="use a smaller model, or a machine with more memory"
            ) from error
        except (RecsysError, OSError, ArithmeticError) as error:
            self._failed(
                name, started, error.what if isinstance(error, RecsysError) else f"{type(error).__name__}: {error}"
            )
            raise

    def _failed(self, name: str, started: float, why: str) -> None:
        """Written down as far as it can be: perhaps it is the disk, or the database, that failed."""
        try:
            self.journal.failed(name)
            self._write(name, "failed", time.monotonic() - started, why)
        except (StoreError, OSError) as second:
            self._tell(f"the ledger cannot be written: {second}".splitlines()[0])

    def _write(self, name: str, status: str, seconds: float, detail: str) -> None:
        if self._ledger is not None and self._night is not None:
            self._ledger.step(self._night, name, status, seconds, detail)

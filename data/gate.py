"""FileGate: which of two SQLite libraries has a file open in this process; never both."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine


class FileGate:
    """Who has one SQLite file open in this process: connections of the standard library, or the bulk lane alone; and
    which of its threads writes.

    The bulk lane (ADBC) brings a SQLite library of its own. Two SQLite libraries with the same file open in one process
    break each other's locks: POSIX drops all of a process's locks on a file when any of its descriptors for it closes
    (sqlite.org/howtocorrupt.html, 2.2.1). So every connection of the standard library is counted from before it opens
    until after it closes, over all engines on the file, and the bulk lane runs only while that count is zero and keeps
    new ones waiting.
    """

    _of: weakref.WeakValueDictionary[str, FileGate] = weakref.WeakValueDictionary()
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.engines: weakref.WeakSet[Engine] = weakref.WeakSet()
        self._changed = threading.Condition()
        self._writing = threading.Lock()
        self._open = 0
        self._alone = False

    @classmethod
    def of(cls, file: Path) -> FileGate:
        """The one gate of a file, however its path is written. It lives as long as an engine on the file."""
        with cls._lock:
            return cls._of.setdefault(str(file.resolve()), cls())

    def enter(self, wait: float) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: not self._alone, timeout=wait):
                raise sqlite3.OperationalError("database is locked")
            self._open += 1

    def leave(self) -> None:
        with self._changed:
            self._open -= 1

    @contextmanager
    def turn(self, wait: float) -> Iterator[float]:
        """One thread writes at a time: SQLite's own waiting is asking again and again, and who asks rarely may never
        find the file free. Yields the seconds left of ``wait``; sqlite3.OperationalError when none are."""
        end = time.monotonic() + wait
        if not self._writing.acquire(timeout=wait):
            raise sqlite3.OperationalError("database is locked")
        try:
            yield max(0.0, end - time.monotonic())
        finally:
            self._writing.release()

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Close what idles in the pools. True when nothing else has the file open, and then nothing will until the end;
        False when it is in use, and then this changes nothing."""
        free = self._close()
        try:
            yield free
        finally:
            if free:
                self._reopen()

    def _close(self) -> bool:
        with self._changed:
            if self._alone:
                return False
            self._alone = True
        for engine in self.engines:
            engine.dispose()
        if self._open:
            self._reopen()
            return False
        return True

    def _reopen(self) -> None:
        with self._changed:
            self._alone = False
            self._changed.notify_all()


class GatedConnection(sqlite3.Connection):
    """A connection of the standard library that a gate knows of from before it opens until after it has closed."""

    def __init__(self, database: str, *, gate: FileGate, timeout: float, **options: Any) -> None:
        gate.enter(timeout)
        self._gate: FileGate | None = gate
        try:
            super().__init__(database, timeout=timeout, **options)
        except sqlite3.Error:
            self._left()
            raise

    def close(self) -> None:
        super().close()
        self._left()

    def _left(self) -> None:
        gate, self._gate = self._gate, None
        if gate is not None:
            gate.leave()

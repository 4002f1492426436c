"""WalIndex: has an embedded database changed? The memory that SQLite's processes share says so, without a question."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine

from data.engine import in_words

_HEADER = 48  # bytes, of which two copies begin the file


class WalIndex:
    """The header of a wal-index, FILE-shm, which every commit of every process rewrites (sqlite.org/walformat.html).

    A writer puts the new header in the second copy, then in the first, and only then others see the commit. A reader
    that finds both alike therefore holds what is true now: as long as it stays the same, nothing was committed.

    A connection stays open for as long as this lives: so long SQLite neither removes the file nor makes it shorter. And
    nothing here is ever closed, since closing any descriptor of a file drops all locks of the process on it, those of
    SQLite's own connections too (sqlite.org/howtocorrupt.html, 2.2). This is for a process that serves until it ends.
    """

    _held: list[Any] = []  # until the process ends

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory

    @classmethod
    def of(cls, engine: Engine) -> Self | None:
        """None for a database that has no wal-index, or whose wal-index cannot be read. Raises StoreError."""
        if engine.dialect.name != "sqlite":
            return None
        with in_words(engine):
            taken = engine.raw_connection()
            connection: Any = taken.driver_connection
            taken.detach()
            connection.execute("select count(*) from sqlite_master").fetchone()  # from here on it has the file open
        cls._held.append(connection)
        try:
            file = Path(f"{engine.url.database}-shm").open("rb", buffering=0)  # noqa: SIM115 (see above)
            cls._held.append(file)
            memory = mmap.mmap(file.fileno(), 2 * _HEADER, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # no such file, or it is empty: the database is not in WAL mode
            return None
        cls._held.append(memory)
        return cls(memory)

    def state(self) -> bytes | None:
        """Equal to an earlier one when nothing was committed since that was read. None while a commit is on its way."""
        copies = self._memory[: 2 * _HEADER]
        return copies[:_HEADER] if copies[:_HEADER] == copies[_HEADER:] else None

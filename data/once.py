"""Requests under an Idempotency-Key: one effect and one answer, however often they come, and never two at a time."""

from __future__ import annotations

import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, insert, select, text

from data import writes
from data.changes import now
from data.engine import in_time, rows_of
from data.records import Added, check_id
from data.tables import IdempotencyKey
from data.transactions import lane_of, writing
from data.vocabulary import Vocabulary
from recsys.errors import KeyInFlight, KeyReused, StoreError
from recsys.interactions import MICROSECONDS_PER_DAY, Interactions

_KEY_LIFE = 7 * MICROSECONDS_PER_DAY
_DIGEST = re.compile("[0-9a-f]{64}")


def add_once(
    engine: Engine, key: str, digest: str, interactions: Interactions, answer: Callable[[Added], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """As Store.add_once tells."""
    check_id(key, "Idempotency-Key")
    kept = _opaque(key)
    vocabulary = Vocabulary()
    rows = vocabulary.rows(interactions)
    number = int.from_bytes(blake2b(kept.encode(), digest_size=7).digest())
    sqlite = engine.dialect.name == "sqlite"
    keys = IdempotencyKey
    asked = select(keys.digest, keys.response).where(keys.key == kept, keys.created >= now() - _KEY_LIFE)
    with in_time(engine):
        ended = rows_of(engine, asked)  # what has ended stays as it is, and whoever only reads waits for no writer
        if ended:
            return _again(key, digest, *ended[0])
        with _held(Path(f"{engine.url.database}-keys"), number) if sqlite else nullcontext(True) as free:
            if not free:
                raise _in_flight(key)
            with writing(engine) as connection:
                lock = text("select pg_try_advisory_xact_lock(:number)")
                if not sqlite and not connection.execute(lock, {"number": number}).scalar_one():
                    raise _in_flight(key)
                connection.execute(delete(keys).where(keys.created < now() - _KEY_LIFE))
                earlier = connection.execute(asked).one_or_none()  # another may have ended meanwhile
                if earlier is None:
                    given = answer(writes.add_rows(lane_of(connection), vocabulary, [rows]))
                    connection.execute(insert(keys).values(key=kept, digest=digest, response=given, created=now()))
                    return given, False
    return _again(key, digest, *earlier)


def _opaque(key: str) -> str:
    """What rests in the store for a key: 64 hex digits, in which nobody's id can be found; those of the API are so."""
    return key if _DIGEST.fullmatch(key) else sha256(key.encode()).hexdigest()


def _again(key: str, digest: str, of_earlier: str, given: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    if of_earlier != digest:
        raise KeyReused(f"Idempotency-Key {key!r} was used for another request", do="send a new key with a new request")
    return given, True


def _in_flight(key: str) -> KeyInFlight:
    return KeyInFlight(
        f"a request under the Idempotency-Key {key!r} has not ended yet", do="send it again in a moment, unchanged"
    )


@dataclass(slots=True)
class _Side:
    """The file beside a SQLite database of which each key in flight locks a byte; it stays empty."""

    descriptor: int
    taken: set[int] = field(default_factory=set)


_sides: dict[str, _Side] = {}
_changing = threading.Lock()


@contextmanager
def _held(file: Path, number: int) -> Iterator[bool]:
    """Whether the byte of that number is ours until the end: no other thread's and no other process's.

    The kernel frees what a killed process held. It also drops all of a process's locks on a file when any descriptor of
    it closes (fcntl(2)): so there is one, open for as long as any byte is held, and threads are told apart by a set.
    """
    name = str(file.resolve())
    with _changing:
        free = _taken(name, number)
    try:
        yield free
    finally:
        if free:
            with _changing:
                _freed(name, number)


def _taken(name: str, number: int) -> bool:
    try:
        side = _sides[name] = _sides.get(name) or _Side(os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666))
        if number in side.taken:
            return False
        try:
            fcntl.lockf(side.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: another process holds it
            _close_idle(name)
            return False
    except OSError as error:
        raise StoreError(
            f"the file beside the database cannot be used: {error.strerror}; nothing was stored",
            where=name,
            do="make its folder writable, and free some space",
        ) from error
    side.taken.add(number)
    return True


def _freed(name: str, number: int) -> None:
    side = _sides[name]
    fcntl.lockf(side.descriptor, fcntl.LOCK_UN, 1, number)
    side.taken.remove(number)
    _close_idle(name)


def _close_idle(name: str) -> None:
    if not _sides[name].taken:
        os.close(_sides.pop(name).descriptor)

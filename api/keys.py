"""API keys: how one is made, what is kept of it, and the ring that tells who a key belongs to."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from data.changes import now
from data.records import KeyRecord
from recsys.errors import StoreError

ADMIN = "admin"  # may everything; no other scope implies another
SCOPES = ("read", "feedback", ADMIN)
_FORM = re.compile(r"rk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
_NOBODY = "0" * 64  # compared with when there is no such id, so that the answer takes as long


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling. id: of the key; "" for a program on this machine that sent none and may do everything."""

    id: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        return scope in self.scopes or ADMIN in self.scopes


def new_key(name: str, scopes: Iterable[str]) -> tuple[str, KeyRecord]:
    """A key that nobody has, with 256 random bits: (its text, to be shown once; what is kept of it)."""
    id_, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    wanted = set(scopes)
    record = KeyRecord(id_, name, digest(id_, secret), tuple(s for s in SCOPES if s in wanted), now())
    return f"rk_{id_}_{secret}", record


def digest(id_: str, secret: str) -> str:
    """HMAC-SHA256 (RFC 2104) of the secret as 64 hex digits, keyed with the id: it holds for no other key. A slow hash
    is for passwords, which can be guessed."""
    return hmac.digest(id_.encode(), secret.encode(), "sha256").hex()


def usable(records: Iterable[KeyRecord]) -> bool:
    """Whether any of the keys grants anything."""
    return any(record.revoked is None and record.scopes for record in records)


class KeyRing:
    """The keys in memory, read again as soon as ``mark`` gives another number. Safe to share between threads.

    read: every key there is. mark: a number that is another one after any key changed (Marks.keys), asked for a caller
    whose key was known a moment ago. stranger: the same number, asked for anybody else, so that nothing of what they
    sent is part of the question; None: as ``mark``. Where the database does not answer (StoreError), the last keys that
    were read go on to hold; StoreError when there are none.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[KeyRecord]],
        mark: Callable[[], int],
        stranger: Callable[[], int] | None = None,
    ) -> None:
        self._read = read
        self._mark = mark
        self._stranger = stranger or mark
        self._held: tuple[int, dict[str, KeyRecord]] | None = None
        self._reading = threading.Lock()

    def caller(self, text: str) -> Caller | None:
        """Whose key this is; None when it is nobody's, or revoked."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        id_, secret = form.groups()
        hashed, held = digest(id_, secret), self._held
        found = None if held is None else _owner(held[1], id_, hashed)
        records = self._current(self._stranger if found is None else self._mark)
        return found if held is not None and records is held[1] else _owner(records, id_, hashed)

    def _current(self, ask: Callable[[], int]) -> dict[str, KeyRecord]:
        held = self._held
        try:
            mark = ask()  # before the keys: what changes in between is seen at the next request
            if held is not None and held[0] == mark:
                return held[1]
            with self._reading:
                held = self._held
                if held is None or held[0] != mark:
                    held = self._held = (mark, {record.id: record for record in self._read()})
        except StoreError:
            if held is None:
                raise
        return held[1]


def _owner(records: dict[str, KeyRecord], id_: str, hashed: str) -> Caller | None:
    record = records.get(id_)
    same = hmac.compare_digest(record.digest if record else _NOBODY, hashed)
    if record is None or not same or record.revoked is not None:
        return None
    return Caller(id_, frozenset(record.scopes))

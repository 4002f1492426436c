"""Forgetting: a user and every trace of theirs leaves the database, and its file."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, or_, select, update

from data.changes import now
from data.engine import in_words, rows_of
from data.records import Receipt
from data.tables import ForgottenReceipt, Import, Interaction, Quarantined, TopList, User
from data.transactions import writing

REDACTED = "(forgotten)"
_AT_ONCE = 500


def forget_user(engine: Engine, user: str, versions: Iterable[str] = ()) -> Receipt | None:
    """As Store.forget tells.

    A quarantined row is text that could not be read, so any in which the id stands as a word of its own goes: one too
    many of them costs nothing, but for a number that is nobody's id: there it is more likely a value. In names of files
    the word alone is replaced. What is kept of answered POSTs are hashes and counts (data.once): they stay, so that one
    sent again does not bring the person back.
    """
    named = _Named(user)
    with writing(engine, alone=True) as connection:
        id_ = connection.execute(select(User.id).where(User.external_id == user)).scalar_one_or_none()
        events = lists = 0
        if id_ is not None:
            events = connection.execute(delete(Interaction).where(Interaction.user_id == id_)).rowcount
            lists = connection.execute(delete(TopList).where(TopList.user_id == id_)).rowcount
            connection.execute(delete(User).where(User.id == id_))
        if id_ is None and _NUMBER.fullmatch(user):
            return None
        bad = named.in_columns(connection, Quarantined.id, Quarantined.reason, Quarantined.text)
        for start in range(0, len(bad), _AT_ONCE):
            connection.execute(delete(Quarantined).where(Quarantined.id.in_(bad[start : start + _AT_ONCE])))
        if id_ is None and not bad:
            return None
        named.redact(connection, Import, Import.source)
        named.redact(connection, Quarantined, Quarantined.file)
        receipt = Receipt(secrets.token_hex(12), now(), events, len(bad), lists, tuple(sorted(versions)))
        row = {name: getattr(receipt, name) for name in ("id", "at", "events", "quarantined", "lists")}
        connection.execute(insert(ForgottenReceipt).values(**row, versions=list(receipt.versions)))
    if engine.dialect.name == "sqlite":
        _empty_log(engine)
    return receipt


def receipt(engine: Engine, id_: str) -> Receipt | None:
    """As Store.receipt tells."""
    of = ForgottenReceipt
    rows = rows_of(engine, select(of.at, of.events, of.quarantined, of.lists, of.versions).where(of.id == id_))
    if not rows:
        return None
    at, events, quarantined, lists, versions = rows[0]
    return Receipt(id_, at, events, quarantined, lists, tuple(versions))


def set_receipt_versions(engine: Engine, id_: str, versions: Sequence[str]) -> None:
    """As Store.set_receipt_versions tells."""
    with writing(engine) as connection:
        of = ForgottenReceipt
        connection.execute(update(of).where(of.id == id_).values(versions=sorted(versions)))


_NUMBER = re.compile(r"[\d.,+-]+")


class _Named:
    """Where an id stands as a word of its own, as it may be written: plain, doubled quotes (CSV), escaped (JSON)."""

    def __init__(self, user: str) -> None:
        escaped = json.dumps(user)[1:-1], json.dumps(user, ensure_ascii=False)[1:-1]
        self.spellings = {user, user.replace('"', '""'), *escaped}
        written = "|".join(re.escape(spelling) for spelling in sorted(self.spellings, key=len, reverse=True))
        self.word = re.compile(rf"(?<!\w)(?:{written})(?!\w)", re.IGNORECASE)

    def in_columns(self, connection: Connection, key: Any, *columns: Any) -> list[Any]:
        """The keys of the rows that have it in one of these columns."""
        maybe = or_(*(column.icontains(text, autoescape=True) for column in columns for text in self.spellings))
        rows = connection.execute(select(key, *columns).where(maybe))
        return [number for number, *texts in rows if any(self.word.search(text) for text in texts)]

    def redact(self, connection: Connection, table: Any, column: Any) -> None:
        """Write something else in its place."""
        for number in self.in_columns(connection, table.id, column):
            text = connection.execute(select(column).where(table.id == number)).scalar_one()
            changed = {column.key: self.word.sub(REDACTED, text)}
            connection.execute(update(table).where(table.id == number).values(changed))


def _empty_log(engine: Engine) -> None:
    """The write-ahead log still holds old pages: write them over now. A reader at work puts it off to the next time."""
    with in_words(engine), closing(engine.raw_connection()) as connection:
        connection.cursor().execute("pragma wal_checkpoint(truncate)")

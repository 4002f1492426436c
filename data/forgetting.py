"""Forgetting: a user and every trace of theirs leaves the database, and its file."""

from __future__ import annotations

import json
import re
from contextlib import closing

from sqlalchemy import Connection, Engine, delete, or_, select

from data.engine import in_words
from data.tables import Interaction, Quarantined, User
from data.transactions import writing

_AT_ONCE = 500


def forget_user(engine: Engine, user: str) -> bool:
    """Delete a user, their events, and quarantined rows that may name them. False when there was nothing to delete.

    A quarantined row is text that could not be read, so any row in which the id stands as a word of its own goes: one
    too many of them costs nothing.
    """
    with writing(engine, alone=True) as connection:
        id_ = connection.execute(select(User.id).where(User.external_id == user)).scalar_one_or_none()
        if id_ is not None:
            connection.execute(delete(Interaction).where(Interaction.user_id == id_))
            connection.execute(delete(User).where(User.id == id_))
        named = _naming(connection, user)
        for start in range(0, len(named), _AT_ONCE):
            connection.execute(delete(Quarantined).where(Quarantined.id.in_(named[start : start + _AT_ONCE])))
    if engine.dialect.name == "sqlite":
        _empty_log(engine)
    return id_ is not None or bool(named)


def _naming(connection: Connection, user: str) -> list[int]:
    # As it may stand in a file: plain, with doubled quotes (CSV), escaped (JSON).
    spellings = {user, user.replace('"', '""'), json.dumps(user)[1:-1], json.dumps(user, ensure_ascii=False)[1:-1]}
    word = re.compile("|".join(rf"(?<!\w){re.escape(spelling)}(?!\w)" for spelling in spellings), re.IGNORECASE)
    maybe = select(Quarantined.id, Quarantined.text).where(
        or_(*(Quarantined.text.contains(spelling, autoescape=True) for spelling in spellings))
    )
    return [number for number, text in connection.execute(maybe) if word.search(text)]


def _empty_log(engine: Engine) -> None:
    """The write-ahead log still holds old pages: write them over now. A reader at work puts it off to the next time."""
    with in_words(engine), closing(engine.raw_connection()) as connection:
        connection.cursor().execute("pragma wal_checkpoint(truncate)")

"""What the store knows of users, read; writes.py puts them in, forgetting.py takes them out."""

from __future__ import annotations

from sqlalchemy import Engine, Select, select

from data.engine import rows_of
from data.records import UserRecord
from data.tables import Interaction, User

_ALL = select(User.external_id, User.attributes, User.created)


def user(engine: Engine, id_: str) -> UserRecord | None:
    rows = rows_of(engine, _ALL.where(User.external_id == id_))
    return UserRecord(*rows[0]) if rows else None


def list_users(engine: Engine, offset: int, limit: int) -> list[UserRecord]:
    return [UserRecord(*row) for row in rows_of(engine, _ALL.order_by(User.id).offset(offset).limit(limit))]


def active_users(engine: Engine, since: int | None, after: str | None, limit: int) -> list[str]:
    """As Store.active_users tells."""
    return [row.external_id for row in rows_of(engine, active(since, after, limit), long=True)]


def active(since: int | None, after: str | None, limit: int) -> Select:
    """The question. Each user's events lie together, so a page reads those of its own users only."""
    theirs = Interaction.user_id == User.id
    events = select(Interaction.user_id).where(theirs if since is None else theirs & (Interaction.time >= since))
    asked = select(User.external_id).where(events.exists()).order_by(User.external_id).limit(limit)
    return asked if after is None else asked.where(User.external_id > after)

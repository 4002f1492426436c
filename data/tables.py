"""The tables, as SQLAlchemy mapped classes. A change here needs a migration: the drift test fails until both agree."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import Double

from data.records import MAX_EVENT, MAX_ID, MAX_KEY

# SQLite numbers rows by itself only in a column declared exactly INTEGER; it holds 64 bits all the same.
Number = BigInteger().with_variant(Integer(), "sqlite")
# Microseconds since 1970-01-01 UTC: one 64-bit integer on both engines, no time zones to disagree about.
Microseconds = BigInteger
# jsonb compares by content, so that an upsert can tell that nothing changed; on SQLite the text is written sorted.
Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class User(Base):
    """changed: a number that grows with every event and record stored of them, by the clock (microseconds), so that
    somebody who is forgotten and comes again is never taken for who they were."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(MAX_ID), unique=True)
    attributes: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    created: Mapped[int] = mapped_column(Microseconds)
    changed: Mapped[int] = mapped_column(BigInteger, server_default="0")


class Item(Base):
    """deleted: when it was taken out. The row stays, emptied: what people did with it still refers to it, and a live
    model that knows it must be told never to show it. changed: the count of the change "items" that it last had."""

    __tablename__ = "items"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    external_id: Mapped[str] = mapped_column(String(MAX_ID), unique=True)
    title: Mapped[str | None] = mapped_column(Text)
    categories: Mapped[list[str]] = mapped_column(Json, server_default="[]")
    attributes: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")
    hidden: Mapped[bool] = mapped_column(Boolean, server_default=false())
    created: Mapped[int] = mapped_column(Microseconds)
    deleted: Mapped[int | None] = mapped_column(Microseconds)
    changed: Mapped[int] = mapped_column(BigInteger, server_default="0", index=True)


class EventType(Base):
    __tablename__ = "event_types"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_EVENT), unique=True)


class Interaction(Base):
    """One event as it came. Stored in the order of its primary key: a history is one range scan, a sorted bulk insert
    appends. fingerprint (see data.fingerprint) makes the same event the same row, however often it is sent."""

    __tablename__ = "interactions"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), type_=Number, primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("items.id"), type_=Number, primary_key=True)
    fingerprint: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(ForeignKey("event_types.id"), type_=Number)
    value: Mapped[float | None] = mapped_column(Double)
    time: Mapped[int | None] = mapped_column(Microseconds)
    key: Mapped[str | None] = mapped_column(String(MAX_ID))

    __table_args__ = (
        Index(
            "uq_interactions_key", "key", unique=True, sqlite_where=key.is_not(None), postgresql_where=key.is_not(None)
        ),
        {"sqlite_with_rowid": False},
    )


class Import(Base):
    """One import that changed something, or the first of its file."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    source: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[int] = mapped_column(Microseconds)
    received: Mapped[int] = mapped_column(BigInteger)
    added: Mapped[int] = mapped_column(BigInteger)
    new_users: Mapped[int] = mapped_column(BigInteger)
    new_items: Mapped[int] = mapped_column(BigInteger)
    quarantined: Mapped[int] = mapped_column(BigInteger)


class Quarantined(Base):
    """A row of a file that could not be taken. digest: of file, line, reason and text, so that it is kept once."""

    __tablename__ = "quarantine"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), type_=Number)
    file: Mapped[str] = mapped_column(Text)
    line: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    at: Mapped[int] = mapped_column(Microseconds)


class IdempotencyKey(Base):
    """An answered POST: sent again under the same key, it gets the same answer and has no second effect."""

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(MAX_ID), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    response: Mapped[dict[str, Any]] = mapped_column(Json)
    created: Mapped[int] = mapped_column(Microseconds, index=True)


class ApiKey(Base):
    """A key to the web API, as data.records.KeyRecord tells. Its secret part is not kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(MAX_KEY), primary_key=True)
    name: Mapped[str] = mapped_column(String(MAX_ID))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(Json)
    created: Mapped[int] = mapped_column(Microseconds)
    revoked: Mapped[int | None] = mapped_column(Microseconds)


class Change(Base):
    """How often a kind of thing changed: a row each for "items", "keys" and "forgotten" (people), read by caches."""

    __tablename__ = "changes"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class Night(Base):
    """One run of the night, as data.nights.NightRecord tells. token: it fences off those of earlier runs."""

    __tablename__ = "nights"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    token: Mapped[int] = mapped_column(BigInteger)
    started: Mapped[int] = mapped_column(Microseconds)
    ended: Mapped[int | None] = mapped_column(Microseconds)
    status: Mapped[str] = mapped_column(String(16))
    decision: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str | None] = mapped_column(Text)
    facts: Mapped[dict[str, Any]] = mapped_column(Json, server_default="{}")


class NightStep(Base):
    """A step of a night. seconds: how long it took, or has taken so far."""

    __tablename__ = "night_steps"

    night_id: Mapped[int] = mapped_column(ForeignKey("nights.id", ondelete="CASCADE"), type_=Number, primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    status: Mapped[str] = mapped_column(String(16))
    started: Mapped[int] = mapped_column(Microseconds)
    seconds: Mapped[float] = mapped_column(Double)
    detail: Mapped[str] = mapped_column(Text)


class Verdict(Base):
    """What a night decided about one model. level: the chance of a false promotion that the question cost."""

    __tablename__ = "verdicts"

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    night_id: Mapped[int] = mapped_column(ForeignKey("nights.id", ondelete="CASCADE"), type_=Number)
    model: Mapped[str] = mapped_column(String(64))
    champion: Mapped[str | None] = mapped_column(String(128))
    challenger: Mapped[str | None] = mapped_column(String(128))
    decision: Mapped[str] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    figures: Mapped[Any] = mapped_column(Json)
    level: Mapped[float] = mapped_column(Double)
    at: Mapped[int] = mapped_column(Microseconds)

    __table_args__ = (UniqueConstraint("night_id", "model"),)  # a night that goes on judges again, and decides the same


class TopList(Base):
    """What a version would show a user, made at night. items: [[item, score], ...], the best first."""

    __tablename__ = "top_lists"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), type_=Number, primary_key=True)
    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[str] = mapped_column(String(128))
    made: Mapped[int] = mapped_column(Microseconds)
    items: Mapped[list[list[Any]]] = mapped_column(Json)


class ForgottenReceipt(Base):
    """What data.records.Receipt tells of somebody who was forgotten: nothing in it says who it was."""

    __tablename__ = "receipts"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[int] = mapped_column(Microseconds)
    events: Mapped[int] = mapped_column(BigInteger)
    quarantined: Mapped[int] = mapped_column(BigInteger)
    lists: Mapped[int] = mapped_column(BigInteger)
    versions: Mapped[list[str]] = mapped_column(Json, server_default="[]")

"""The API keys as the store keeps them: put, listed, revoked."""

from __future__ import annotations

from sqlalchemy import Engine, insert, select, update

from data.changes import now, touch
from data.engine import rows_of
from data.records import MAX_KEY, KeyRecord, check_id
from data.tables import ApiKey
from data.transactions import lane_of, writing


def put_key(engine: Engine, key: KeyRecord) -> None:
    check_id(key.id, "key id", MAX_KEY)
    check_id(key.name, "name of a key")
    with writing(engine) as connection:
        row = {name: getattr(key, name) for name in ("id", "name", "digest", "created", "revoked")}
        connection.execute(insert(ApiKey).values(scopes=list(key.scopes), **row))
        touch(lane_of(connection), "keys")


def keys(engine: Engine) -> list[KeyRecord]:
    of = ApiKey
    asked = select(of.id, of.name, of.digest, of.scopes, of.created, of.revoked).order_by(of.created.desc(), of.id)
    return [
        KeyRecord(row.id, row.name, row.digest, tuple(row.scopes), row.created, row.revoked)
        for row in rows_of(engine, asked)
    ]


def revoke_key(engine: Engine, id_: str) -> bool:
    with writing(engine) as connection:
        in_use = (ApiKey.id == id_) & ApiKey.revoked.is_(None)
        found = connection.execute(update(ApiKey).where(in_use).values(revoked=now())).rowcount
        if found:
            touch(lane_of(connection), "keys")
        return bool(found)

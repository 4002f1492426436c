"""Store: where users, items and interactions rest, and the one door to their database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
from sqlalchemy import Engine, Executable, Select, delete, func, or_, select, text, update

from data import writes
from data.columnar import read_interactions
from data.engine import in_words, open_engine
from data.forgetting import forget_user
from data.records import Added, BadRow, Batch, Imported, ItemRecord, Stats, UserRecord, check_id
from data.spool import Spool
from data.tables import Change, EventType, IdempotencyKey, Interaction, Item, Quarantined, User
from data.transactions import BULK, bulk_writing, lane_of, writing
from data.vocabulary import Vocabulary
from recsys.errors import KeyReused
from recsys.interactions import MICROSECONDS_PER_DAY, NO_TIME, Interactions

_ASKED = 500  # ids in one question
_KEY_LIFE = 7 * MICROSECONDS_PER_DAY


class Store:
    """Safe to share between threads. Every write is one transaction: whole and durable on return, or not at all.

    Methods raise StoreError when the database cannot be used, and SchemaMismatch when its tables are of another version
    (`migrations.check` says so at once).
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, url: str, *, create: bool = False, wait: float = 5.0) -> Self:
        """The store at a URL, sqlite:///FILE or postgresql://..., neither migrated nor reached yet.

        create: let a SQLite file that does not exist be made. wait: seconds to wait for another writer.
        """
        return cls(open_engine(url, create=create, wait=wait))

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ping(self) -> None:
        """StoreError when the database cannot be reached."""
        self._rows(select(1))

    # Interactions

    def add(self, interactions: Interactions) -> Added:
        """Store events with the users and items they name. An event that is there already changes nothing.

        Raises DataError for ids, values or times that cannot be kept (see data.records).
        """
        vocabulary = Vocabulary()
        rows = vocabulary.rows(interactions)
        with bulk_writing(self.engine, len(rows)) as lane:
            return writes.add_rows(lane, vocabulary, [rows], ahead=len(rows) >= BULK)

    def add_once(self, key: str, digest: str, interactions: Interactions) -> tuple[Added, bool]:
        """`add` under an Idempotency-Key: (what came of it, whether that is the answer given to an earlier call).

        digest: of the request; another one under the same key raises KeyReused. The key is kept in the same transaction
        as its effect, for 7 days.
        """
        check_id(key, "Idempotency-Key")
        vocabulary = Vocabulary()
        rows = vocabulary.rows(interactions)
        keys = IdempotencyKey
        with writing(self.engine) as connection:
            lane = lane_of(connection)
            connection.execute(delete(keys).where(keys.created < writes.now() - _KEY_LIFE))
            # On PostgreSQL this waits until another holder of the key has ended.
            if not lane.each(
                "insert into idempotency_keys (key, digest, response, created) values (:key, :digest, '{}', :now)"
                " on conflict do nothing",
                key=[key],
                digest=[digest],
                now=[writes.now()],
            ):
                earlier = connection.execute(select(keys.digest, keys.response).where(keys.key == key)).one()
                if earlier.digest != digest:
                    raise KeyReused(
                        f"Idempotency-Key {key!r} was used for another request", do="send a new key with a new request"
                    )
                return Added(**earlier.response), True
            added = writes.add_rows(lane, vocabulary, [rows])
            connection.execute(update(keys).where(keys.key == key).values(response=asdict(added)))
            return added, False

    def import_batches(
        self,
        source: str,
        batches: Iterable[Batch],
        *,
        items: Sequence[ItemRecord] = (),
        users: Sequence[UserRecord] = (),
        sha256: str = "",
    ) -> Imported:
        """Store a file: its rows, its bad rows, and the items and users that came with it, all in one transaction.

        The batches are first read to their end, through a spool on disk (48 bytes a row), so memory is bounded and an
        exception from them leaves the store as it was. Importing the same again changes nothing, and an import undoes
        no decision made here: hidden items stay hidden, deleted ones deleted. sha256: of the source, for the record.
        """
        file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        with Spool(Path(file).parent if file else None) as spool:
            spool.take(batches)
            with bulk_writing(self.engine, spool.received + spool.bad) as lane:
                return writes.import_spooled(lane, source, sha256, spool, items, users)

    def interactions(self, since: int | None = None, until: int | None = None) -> Interactions:
        """Every event, or those with since <= time < until in microseconds (then none without a time); no keys.

        One snapshot, columnar, in the order of storage; labels are those in use.
        """
        return read_interactions(self.engine, since, until)

    def history(self, user: str) -> Interactions:
        """One user's events, oldest first, those without a time before all others. Empty for an unknown user."""
        of = Interaction
        asked = (
            select(Item.external_id, EventType.name, of.value, of.time, of.key)
            .join_from(User, of, of.user_id == User.id)
            .join(Item, Item.id == of.item_id)
            .join(EventType, EventType.id == of.event_id)
            .where(User.external_id == user)
        )
        rows = sorted(self._rows(asked), key=lambda row: (NO_TIME if row.time is None else row.time, row.external_id))
        return Interactions.from_lists(
            [user] * len(rows),
            [row.external_id for row in rows],
            [row.name for row in rows],
            [np.nan if row.value is None else row.value for row in rows],
            [NO_TIME if row.time is None else row.time for row in rows],
            [row.key or "" for row in rows] if any(row.key for row in rows) else None,
        )

    # Users

    def put_users(self, users: Sequence[UserRecord]) -> int:
        """Insert or replace users; the number that changed. DataError for what cannot be kept."""
        with writing(self.engine) as connection:
            return writes.put_users(lane_of(connection), users)

    def user(self, id_: str) -> UserRecord | None:
        rows = self._rows(select(User.external_id, User.attributes, User.created).where(User.external_id == id_))
        return UserRecord(*rows[0]) if rows else None

    def list_users(self, offset: int = 0, limit: int = 100) -> list[UserRecord]:
        """A page of the users, in the order in which they came to be."""
        asked = select(User.external_id, User.attributes, User.created).order_by(User.id)
        return [UserRecord(*row) for row in self._rows(asked.offset(offset).limit(limit))]

    def forget(self, user: str) -> bool:
        """Delete a user and everything of theirs, quarantined rows too. False when there was nothing."""
        return forget_user(self.engine, user)

    # Items

    def put_items(self, items: Sequence[ItemRecord]) -> int:
        """Insert or replace items, deleted ones too; the number that changed. DataError for what cannot be kept."""
        with writing(self.engine) as connection:
            return writes.put_items(lane_of(connection), items)

    def item(self, id_: str) -> ItemRecord | None:
        return self.items([id_]).get(id_)

    def items(self, ids: Iterable[str]) -> dict[str, ItemRecord]:
        """Those of the ids that there are."""
        return {row.external_id: _item(row) for row in self._of_items(_ITEM, ids)}

    def titles(self, ids: Iterable[str]) -> dict[str, str]:
        """The titles of those items that have one."""
        rows = self._of_items(select(Item.external_id, Item.title).where(Item.title.is_not(None)), ids)
        return {row.external_id: row.title for row in rows}

    def list_items(self, offset: int = 0, limit: int = 100) -> list[ItemRecord]:
        """A page of the items, in the order in which they came to be."""
        return [_item(row) for row in self._rows(_ITEM.order_by(Item.id).offset(offset).limit(limit))]

    def delete_item(self, id_: str) -> bool:
        """Take an item out and empty its record; what people did with it stays. False when there is none."""
        emptied: dict[str, Any] = {
            "title": None,
            "categories": [],
            "attributes": {},
            "hidden": False,
            "deleted": writes.now(),
        }
        with writing(self.engine) as connection:
            alive = (Item.external_id == id_) & Item.deleted.is_(None)
            found = connection.execute(update(Item).where(alive).values(**emptied)).rowcount
            if found:
                writes.touch_items(lane_of(connection))
            return bool(found)

    def hidden_items(self) -> set[str]:
        """Items never to be shown: the hidden and the deleted ones."""
        asked = select(Item.external_id).where(or_(Item.hidden, Item.deleted.is_not(None)))
        return {row.external_id for row in self._rows(asked)}

    def item_change_stamp(self) -> int:
        """A number that is another one after any item was added, changed, hidden or deleted. One row is read."""
        rows = self._rows(select(Change.count).where(Change.name == "items"))
        return int(rows[0][0]) if rows else 0

    def popular_items(self, n: int, since: int | None = None) -> list[tuple[str, int]]:
        """(item, how many users touched it), the most first, since a time in microseconds; hidden ones left out.

        Reads every event: cache the answer.
        """
        users = func.count(Interaction.user_id.distinct())
        counted = select(Interaction.item_id, users.label("users")).group_by(Interaction.item_id)
        if since is not None:
            counted = counted.where(Interaction.time >= since)
        by_item = counted.subquery()
        asked = (
            select(Item.external_id, by_item.c.users)
            .join(by_item, by_item.c.item_id == Item.id)
            .where(~Item.hidden, Item.deleted.is_(None))
            .order_by(by_item.c.users.desc(), Item.id)
            .limit(n)
        )
        return [(row.external_id, row.users) for row in self._rows(asked)]

    # The whole

    def stats(self) -> Stats:
        """Counts over everything, deleted items left out."""
        [(users, items, touched, quarantined, events, first, last)] = self._rows(
            text(
                "select (select count(*) from users), (select count(*) from items where deleted is null),"
                " (select count(*) from (select distinct item_id from interactions) touched"
                " join items on items.id = touched.item_id where items.deleted is null),"
                " (select count(*) from quarantine), count(*), min(time), max(time) from interactions"
            )
        )
        return Stats(users, items, touched, events, quarantined, None if first is None else (first, last))

    def quarantined(self, offset: int = 0, limit: int = 100) -> list[BadRow]:
        """A page of the rows that could not be taken, in the order in which they came."""
        of = Quarantined
        asked = select(of.file, of.line, of.reason, of.text).order_by(of.id).offset(offset).limit(limit)
        return [BadRow(*row) for row in self._rows(asked)]

    def _rows(self, asked: Executable) -> Sequence[Any]:
        with in_words(self.engine), self.engine.connect() as connection:
            return connection.execute(asked).all()

    def _of_items(self, asked: Select[*tuple[Any, ...]], ids: Iterable[str]) -> Iterator[Any]:
        wanted = list(ids)
        for start in range(0, len(wanted), _ASKED):
            yield from self._rows(
                asked.where(Item.external_id.in_(wanted[start : start + _ASKED]), Item.deleted.is_(None))
            )


_ITEM = select(Item.external_id, Item.title, Item.categories, Item.attributes, Item.hidden, Item.created).where(
    Item.deleted.is_(None)
)


def _item(row: Any) -> ItemRecord:
    return ItemRecord(row.external_id, row.title, tuple(row.categories), row.attributes, bool(row.hidden), row.created)

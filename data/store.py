"""Store: where users, items and interactions rest, and the one door to their database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Engine, select

from data import catalogue, crowd, forgetting, keys, lists, once, people, quick, totals, writes
from data.columnar import read_interactions
from data.engine import open_engine, rows_of
from data.lists import Ranked
from data.nights import Nights
from data.quick import QuickReads
from data.records import Added, Batch, Imported, ItemRecord, ItemState, KeyRecord, Marks, Receipt, Stats, UserRecord
from data.spool import Spool
from data.transactions import BULK, bulk_writing, lane_of, writing
from data.vocabulary import Vocabulary
from data.walindex import WalIndex
from recsys.interactions import Interactions


class Store:
    """Safe to share between threads. Every write is one transaction: whole and durable on return, or not at all.

    Methods raise StoreError when the database cannot be used, and SchemaMismatch when its tables are of another version
    (`migrations.check` says so at once).
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._quick = QuickReads(engine)

    @classmethod
    def open(cls, url: str, *, create: bool = False, wait: float = 5.0, patience: float | None = None) -> Self:
        """The store at a URL, sqlite:///FILE or postgresql://..., neither migrated nor reached yet.

        create: let a SQLite file that does not exist be made. wait: seconds to wait for another writer.
        patience: seconds to wait for an answer of PostgreSQL, None for as long as it takes. Then questions fail at once
        until it answers again (see data.patience); marks and histories are given up after half a second.
        """
        return cls(open_engine(url, create=create, wait=wait, patience=patience))

    def close(self) -> None:
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ping(self) -> None:
        """StoreError when the database cannot be reached."""
        rows_of(self.engine, select(1))

    def marks(self, user: str | None = None) -> Marks:
        """What caches compare to learn that what they hold is stale, in one question of a few microseconds.

        DataError for an id that the database cannot hold.
        """
        return quick.marks(self._quick, user)

    def watch(self) -> WalIndex | None:
        """What says without a question whether anything was committed since; None where nothing does (PostgreSQL).

        For a process that serves until it ends: it keeps a connection and a file open, whatever becomes of the store.
        """
        return WalIndex.of(self.engine)

    # Interactions

    def add(self, interactions: Interactions) -> Added:
        """Store events with the users and items they name. An event that is there already changes nothing.

        Raises DataError for ids, values or times that cannot be kept (see data.records).
        """
        vocabulary = Vocabulary()
        rows = vocabulary.rows(interactions)
        with bulk_writing(self.engine, len(rows)) as lane:
            return writes.add_rows(lane, vocabulary, [rows], ahead=len(rows) >= BULK)

    def add_once(
        self, key: str, digest: str, interactions: Interactions, answer: Callable[[Added], dict[str, Any]]
    ) -> tuple[dict[str, Any], bool]:
        """`add` under an Idempotency-Key: (the answer made of what came of it, or given to an earlier call; which).

        digest: of the request; another one under the same key raises KeyReused. The answer, any JSON object, is kept in
        the same transaction as the effect, for 7 days. While one call is at work, another under its key raises
        KeyInFlight at once, in whatever thread or process; a killed one leaves its key free.
        """
        return once.add_once(self.engine, key, digest, interactions, answer)

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
        """One user's events, oldest first, those without a time before all others. Empty for an unknown user; DataError
        for an id that the database cannot hold."""
        return quick.history(self._quick, user)

    # Users

    def put_users(self, users: Sequence[UserRecord]) -> int:
        """Insert or replace users; the number that changed. DataError for what cannot be kept."""
        with writing(self.engine) as connection:
            return writes.put_users(lane_of(connection), users)

    def user(self, id_: str) -> UserRecord | None:
        return people.user(self.engine, id_)

    def list_users(self, offset: int = 0, limit: int = 100) -> list[UserRecord]:
        """A page of the users, in the order in which they came to be."""
        return people.list_users(self.engine, offset, limit)

    def active_users(self, since: int | None, after: str | None, limit: int) -> list[str]:
        """Users with an event at or after ``since``, in microseconds (None: any), in an order that stays, by pages."""
        return people.active_users(self.engine, since, after, limit)

    def forget(self, user: str, versions: Iterable[str] = ()) -> Receipt | None:
        """Delete a user and everything of theirs, quarantined rows too; the receipt does not name them. None when there
        was nothing. versions: of models that may have learnt from them, for the receipt."""
        return forgetting.forget_user(self.engine, user, versions)

    def receipt(self, id_: str) -> Receipt | None:
        return forgetting.receipt(self.engine, id_)

    def set_receipt_versions(self, id_: str, versions: Sequence[str]) -> None:
        forgetting.set_receipt_versions(self.engine, id_, versions)

    # Items

    def put_items(self, items: Sequence[ItemRecord]) -> int:
        """Insert or replace items, deleted ones too; the number that changed. DataError for what cannot be kept."""
        with writing(self.engine) as connection:
            return writes.put_items(lane_of(connection), items)

    def item(self, id_: str) -> ItemRecord | None:
        return self.items([id_]).get(id_)

    def items(self, ids: Iterable[str]) -> dict[str, ItemRecord]:
        """Those of the ids that there are."""
        return catalogue.items(self.engine, ids)

    def titles(self, ids: Iterable[str]) -> dict[str, str]:
        """The titles of those items that have one."""
        return catalogue.titles(self.engine, ids)

    def list_items(self, offset: int = 0, limit: int = 100) -> list[ItemRecord]:
        """A page of the items, in the order in which they came to be."""
        return catalogue.list_items(self.engine, offset, limit)

    def delete_item(self, id_: str) -> bool:
        """Take an item out and empty its record; what people did with it stays. False when there is none."""
        return catalogue.delete_item(self.engine, id_)

    def items_changed(self, since: int) -> tuple[int, list[ItemState]]:
        """(the count of item changes, the items changed after the count was ``since``, deleted ones too), as of one
        moment: whoever asks again with that count misses none. since -1: all items."""
        return catalogue.items_changed(self.engine, since)

    # What people did, taken together. Each of these but `shared` reads every event: cache the answers.

    def trending(self, now: int, half_life: float, since: int, n: int) -> list[tuple[str, float]]:
        """(item, weight), the largest first, then the oldest item; hidden ones left out. Times in microseconds.

        The weight is the sum of 0.5 ** ((now - time) / half_life) over the item's events with since <= time <= now.
        """
        return crowd.trending(self.engine, now, half_life, since, n)

    def neighbours(self, user: str, limit: int) -> list[tuple[str, int]]:
        """(another user, how many of this user's latest 200 items they touched too), the most first."""
        return crowd.neighbours(self.engine, user, limit)

    def shared(self, user: str, others: Sequence[str]) -> dict[str, list[str]]:
        """Of each of the others: which of the user's latest 200 items they touched too, the user's latest first."""
        return crowd.shared(self.engine, user, others)

    def both(self, item: str, others: Sequence[str]) -> dict[str, int]:
        """Of each of the other items: how many people touched both."""
        return crowd.both(self.engine, item, others)

    # API keys

    def put_key(self, key: KeyRecord) -> None:
        """Keep a new API key. DataError for an id or a name that cannot be kept."""
        keys.put_key(self.engine, key)

    def keys(self) -> list[KeyRecord]:
        """Every key, revoked ones too, the newest first."""
        return keys.keys(self.engine)

    def revoke_key(self, id_: str) -> bool:
        """False when there is no such key in use."""
        return keys.revoke_key(self.engine, id_)

    # The night

    @cached_property
    def nights(self) -> Nights:
        """What every night did and decided."""
        return Nights(self.engine)

    def put_lists(self, model: str, version: str, rows: Sequence[tuple[str, Ranked]]) -> int:
        """Keep what a version would show users, some hundred at a time: [(user, [(item, score), the best first])]; how
        many were kept. Users who are gone are passed over. DataError for a score that is not finite."""
        return lists.put_lists(self.engine, model, version, rows)

    def lists(self, model: str, users: Sequence[str]) -> dict[str, tuple[str, list[tuple[str, float]]]]:
        """(version, [(item, score), the best first]) of those of the users who have a list of this model."""
        return lists.lists(self.engine, model, users)

    def drop_lists(self, model: str, keep_version: str) -> int:
        """Delete the lists of a model that other versions made; how many there were. In short transactions."""
        return lists.drop_lists(self.engine, model, keep_version)

    # The whole

    def stats(self) -> Stats:
        """Counts over everything, deleted items left out."""
        return totals.stats(self.engine)

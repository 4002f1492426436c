"""What the store writes: each function is a piece of one transaction, in SQL that both engines read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256

import numpy as np

from data.changes import now, touch_items, touch_users
from data.checks import check_item, check_user
from data.engine import to_json
from data.lanes import Lane
from data.numbering import numbers
from data.records import Added, BadRow, Imported, ItemRecord, UserRecord
from data.spool import Spool
from data.vocabulary import Rows, Vocabulary

LONGEST_TEXT = 1000  # characters kept of a bad row
SPAN = 1_000_000  # rows of an import in memory at a time
_SLICE = 500_000  # events handed to the database at a time
_PIECE = 20_000  # bad rows in memory at a time


def add_rows(lane: Lane, vocabulary: Vocabulary, pieces: Iterable[Rows], *, ahead: bool = False) -> Added:
    """Store rows with the users, items and event types they speak of. Rows that are there already change nothing.

    ahead: prepare the next rows in a second thread while the database takes those before.
    """
    users, new_users, known_users = numbers(lane, "users", list(vocabulary.users.numbers))
    items, new_items, _ = numbers(lane, "items", list(vocabulary.items.numbers))
    events, _, _ = numbers(lane, "event_types", list(vocabulary.events.numbers))

    def slices() -> Iterator[Rows]:
        for rows in pieces:
            user, item = users[rows.user], items[rows.item]
            order = _by_key(user, item)
            numbered = replace(rows, user=user, item=item, event=events[rows.event])
            for start in range(0, len(order), _SLICE):
                yield numbered.take(order[start : start + _SLICE])

    received = added = 0
    active = []
    for rows in _ahead(slices()) if ahead else slices():
        received += len(rows)
        new = lane.events(rows)
        added += new
        if new and len(known_users):
            active.append(rows.user[np.flatnonzero(np.diff(rows.user, prepend=-1))])  # they come sorted
    if active:
        touch_users(lane, np.intersect1d(known_users, np.concatenate(active)))
    if new_items:
        touch_items(lane)
    return Added(received, added, received - added, new_users, new_items)


def _ahead(pieces: Iterator[Rows]) -> Iterator[Rows]:
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, pieces, None)
        while (rows := coming.result()) is not None:
            coming = worker.submit(next, pieces, None)
            yield rows


def _by_key(user: np.ndarray, item: np.ndarray) -> np.ndarray:
    """The order of the clustered key, in which inserting is fastest."""
    if len(user) and max(user.max(), item.max()) < 2**31:
        return np.argsort((user << 32) | item)
    return np.lexsort((item, user))


def put_items(lane: Lane, items: Sequence[ItemRecord], *, imported: bool = False) -> int:
    """Insert or replace items; the number that changed. imported: what people decided here outlives the file: a
    hidden item stays hidden, a deleted one deleted."""
    for item in items:
        check_item(item)
    items = sorted(items, key=lambda item: item.id) if lane.concurrent else items
    changed = lane.each(
        "insert into items (external_id, title, categories, attributes, hidden, created, changed)"
        " values (:id, :title, :categories, :attributes, :hidden, :created, -1)"
        " on conflict (external_id) do update set title = excluded.title, categories = excluded.categories,"
        " attributes = excluded.attributes, hidden = excluded.hidden or (:imported and items.hidden), deleted = null,"
        " changed = -1,"
        " created = case when :dated then excluded.created else items.created end"
        " where (items.deleted is null or not :imported) and"
        " (items.deleted is not null or coalesce(items.title, '') <> coalesce(excluded.title, '')"
        " or items.categories <> excluded.categories or items.attributes <> excluded.attributes"
        " or items.hidden <> (excluded.hidden or (:imported and items.hidden))"
        " or (:dated and items.created <> excluded.created))",
        id=[item.id for item in items],
        title=[item.title for item in items],
        categories=[to_json(list(item.categories)) for item in items],
        attributes=[to_json(dict(item.attributes)) for item in items],
        hidden=[item.hidden for item in items],
        created=[_dated(item.created) for item in items],
        imported=[imported] * len(items),
        dated=[item.created is not None for item in items],
    )
    if changed:
        touch_items(lane)
    return changed


def put_users(lane: Lane, users: Sequence[UserRecord]) -> int:
    """Insert or replace users; the number that changed."""
    for user in users:
        check_user(user)
    users = sorted(users, key=lambda user: user.id) if lane.concurrent else users
    return lane.each(
        "insert into users (external_id, attributes, created, changed) values (:id, :attributes, :created, :now)"
        " on conflict (external_id) do update set attributes = excluded.attributes,"
        " changed = case when users.changed < excluded.changed then excluded.changed else users.changed + 1 end,"
        " created = case when :dated then excluded.created else users.created end"
        " where users.attributes <> excluded.attributes or (:dated and users.created <> excluded.created)",
        id=[user.id for user in users],
        attributes=[to_json(dict(user.attributes)) for user in users],
        created=[_dated(user.created) for user in users],
        now=[now()] * len(users),
        dated=[user.created is not None for user in users],
    )


def _dated(created: int | None) -> int:
    return now() if created is None else created


def import_spooled(
    lane: Lane, source: str, digest: str, spool: Spool, items: Sequence[ItemRecord], users: Sequence[UserRecord]
) -> Imported:
    """Everything an import brought. One that repeats an earlier one and changes nothing leaves no trace."""
    known = lane.select(
        "select 1 from imports where source = :source and sha256 = :digest limit 1",
        source=storable(source),
        digest=digest,
    )
    [(number,)] = lane.select(
        "insert into imports (source, sha256, at, received, added, new_users, new_items, quarantined)"
        " values (:source, :digest, :at, 0, 0, 0, 0, 0) returning id",
        source=storable(source),
        digest=digest,
        at=now(),
    )
    before = _count(lane)
    added = add_rows(lane, spool.vocabulary, spool.ranges(SPAN), ahead=True)
    changed_items, changed_users = put_items(lane, items, imported=True), put_users(lane, users)
    after = _count(lane)
    imported = Imported(
        added.received,
        added.added,
        added.repeated,
        new_users=after[0] - before[0],
        new_items=after[1] - before[1],
        quarantined=spool.bad,
        new_quarantined=_quarantine(lane, number, spool.bad_rows(_PIECE)),
        changed_items=changed_items,
        changed_users=changed_users,
    )
    changed = added.added or added.new_users or added.new_items or changed_items or changed_users
    if known and not changed and not imported.new_quarantined:
        lane.each("delete from imports where id = :number", number=[number])
        return imported
    names = ("received", "added", "new_users", "new_items", "quarantined")
    lane.each(
        "update imports set received = :received, added = :added, new_users = :new_users, new_items = :new_items,"
        " quarantined = :quarantined where id = :number",
        **{name: [getattr(imported, name)] for name in names},
        number=[number],
    )
    return imported


def _count(lane: Lane) -> tuple[int, ...]:
    return lane.select("select (select count(*) from users), (select count(*) from items)")[0]


def _quarantine(lane: Lane, number: int, pieces: Iterable[list[BadRow]]) -> int:
    """Keep the rows of an import that could not be taken, each once however often it comes. The number of new ones."""
    new = 0
    for piece in pieces:
        rows = [(storable(row.file), row.line, storable(row.reason), storable(row.text)) for row in piece]
        file, line, reason, text = zip(*rows, strict=True)
        new += lane.each(
            "insert into quarantine (import_id, file, line, reason, text, digest, at)"
            " values (:number, :file, :line, :reason, :text, :digest, :at) on conflict do nothing",
            number=[number] * len(rows),
            file=file,
            line=line,
            reason=reason,
            text=text,
            digest=[sha256(to_json(row).encode()).hexdigest() for row in rows],
            at=[now()] * len(rows),
        )
    return new


def storable(text: str) -> str:
    """Any text as both engines can hold it: NUL and lone surrogates written as escapes, the end cut off."""
    return text[:LONGEST_TEXT].encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

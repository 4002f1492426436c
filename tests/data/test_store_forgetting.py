"""Forgetting: everything of one person goes, out of the bytes of the file too, and nothing of anybody else's."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import pytest
from sqlalchemy import text

from data.records import BadRow, Batch, Receipt, UserRecord
from data.store import Store
from recsys.errors import KeyReused
from recsys.interactions import Interactions

TIME = 1_700_000_000_000_000


def put_aside(store: Store) -> list[BadRow]:
    with store.engine.connect() as connection:
        rows = connection.execute(text("select file, line, reason, text from quarantine order by id"))
        return [BadRow(*row) for row in rows]


def sources(store: Store) -> list[str]:
    with store.engine.connect() as connection:
        return list(connection.execute(text("select source from imports order by id")).scalars())


def test_forgetting_removes_the_person_and_nobody_else(store: Store) -> None:
    bad = [
        BadRow("f", 1, "no item", "ann,,5"),
        BadRow("f", 2, "no item", "anna,,5"),
        BadRow("f", 3, "?", '{"u":"ann"}'),
        BadRow("f", 4, "not a number: 'ann'", "bob,x,ann"),
    ]
    store.import_batches("f", [Batch(Interactions.from_lists(["ann", "bob", "ann"], ["x", "x", "y"]), bad)])
    store.put_lists("als", "v1", [("ann", [("x", 1.0)]), ("bob", [("y", 1.0)])])
    store.put_lists("deep", "v2", [("ann", [("x", 1.0)])])
    receipt = store.forget("ann")
    assert receipt is not None
    assert (receipt.events, receipt.quarantined, receipt.lists, receipt.versions) == (2, 3, 2, ())
    assert store.user("ann") is None
    assert len(store.history("ann")) == 0
    assert store.interactions().user.decode().tolist() == ["bob"]
    assert store.lists("als", ["ann", "bob"]) == {"bob": ("v1", [("y", 1.0)])}
    assert put_aside(store) == [BadRow("f", 2, "no item", "anna,,5")]
    assert store.forget("ann") is None
    assert store.forget("nobody") is None


def test_forgetting_finds_a_quarantined_row_of_somebody_who_was_never_taken_in(store: Store) -> None:
    store.import_batches("f", [Batch(Interactions.empty(), [BadRow("f", 1, "no item", '"o""neil",')])])
    receipt = store.forget('o"neil')
    assert receipt is not None
    assert (receipt.events, receipt.quarantined) == (0, 1)
    assert put_aside(store) == []


def test_a_receipt_is_kept_and_says_nothing_of_who_it_was(store: Store) -> None:
    store.add(Interactions.from_lists(["somebody", "other"], ["x", "y"]))
    receipt = store.forget("somebody", {"v2", "v1"})
    assert receipt is not None
    assert receipt.versions == ("v1", "v2")
    assert store.receipt(receipt.id) == receipt
    store.set_receipt_versions(receipt.id, ["v3", "v1"])
    assert store.receipt(receipt.id) == Receipt(receipt.id, receipt.at, 1, 0, 0, ("v1", "v3"))
    assert store.receipt("none") is None
    assert "somebody" not in repr(astuple(receipt))


def test_each_receipt_has_an_id_of_its_own(store: Store) -> None:
    store.add(Interactions.from_lists(["a", "b"], ["x", "y"]))
    first, second = store.forget("a"), store.forget("b")
    assert first is not None
    assert second is not None
    assert first.id != second.id


def test_in_the_name_of_a_file_only_the_word_is_replaced(store: Store) -> None:
    bad = [BadRow("exports/ann.csv", 1, "no item", "bob,,5")]
    rows = Interactions.from_lists(["ann", "bob"], ["x", "y"])
    store.import_batches("exports/ann.csv", [Batch(rows, bad)], sha256="1")
    store.import_batches("exports/anna.csv", [Batch(Interactions.from_lists(["bob"], ["z"]))], sha256="2")
    store.forget("ann")
    assert sources(store) == ["exports/(forgotten).csv", "exports/anna.csv"]
    assert put_aside(store) == [BadRow("exports/(forgotten).csv", 1, "no item", "bob,,5")]


def test_a_short_id_takes_nothing_along_that_it_is_only_a_part_of(store: Store) -> None:
    store.import_batches("ml-1m/r12.dat", [Batch(Interactions.from_lists(["1", "12"], ["x", "y"]))], sha256="1")
    store.add_once("1a", "digest", Interactions.from_lists(["12"], ["z"]), lambda added: {"added": added.added})
    assert store.forget("1") is not None
    assert sources(store) == ["ml-1m/r12.dat"]
    assert len(store.history("12")) == 2
    again, replayed = store.add_once("1a", "digest", Interactions.from_lists(["12"], ["z"]), lambda added: {})
    assert (again, replayed) == ({"added": 1}, True)


def test_what_was_answered_stays_answered_and_does_not_bring_them_back(store: Store) -> None:
    rows = Interactions.from_lists(["ann"], ["x"])
    store.add_once("by ann", "digest", rows, lambda added: {"added": added.added})
    store.forget("ann")
    with pytest.raises(KeyReused):
        store.add_once("by ann", "other digest", rows, lambda added: {})
    assert store.add_once("by ann", "digest", rows, lambda added: {}) == ({"added": 1}, True)
    assert store.user("ann") is None
    with store.engine.connect() as connection:
        (kept,) = connection.execute(text("select key from idempotency_keys")).scalars()
    assert len(kept) == 64
    assert "ann" not in kept


def test_whoever_is_deleted_by_hand_loses_their_lists_too(store: Store) -> None:
    store.put_users([UserRecord("a"), UserRecord("b")])
    store.put_lists("als", "v1", [("a", [("x", 1.0)]), ("b", [("x", 1.0)])])
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("delete from users where external_id = 'a'"))
        left = connection.execute(text("select count(*) from top_lists")).scalar_one()
    assert left == 1
    assert list(store.lists("als", ["a", "b"])) == ["b"]


@pytest.mark.parametrize("count", [50, 30_000])
def test_a_forgotten_id_is_no_longer_in_the_bytes_of_the_database(sqlite_url: str, tmp_path: Path, count: int) -> None:
    secret = "somebody-to-be-forgotten"
    users = [f"user{number}" for number in range(count)]
    users[count // 2] = secret
    keys = [f"key of {user}" for user in users]
    rows = Interactions.from_lists(users, ["x"] * count, times=[TIME] * count, keys=keys)
    with Store.open(sqlite_url) as store:
        store.import_batches(f"{secret}.csv", [Batch(rows, [BadRow(f"{secret}.csv", 1, "r", secret)])])
        store.put_lists("als", "v1", [(secret, [("x", 1.0)])])
        store.put_users([UserRecord(secret, {"mail": f"{secret}@example.org"})])
        store.add_once(f"by {secret}", "d", rows.take(slice(0, 1)), lambda _: {})

        def held() -> bool:
            return any(secret.encode() in file.read_bytes() for file in tmp_path.glob("store.db*"))

        assert held()  # or the next line would prove nothing
        store.forget(secret)
        assert not held()


def test_a_number_that_is_nobodys_id_takes_nobodys_rows_along(store: Store) -> None:
    bad = [BadRow("f", 1, "no item", "ann,,5"), BadRow("f", 2, "no item", "42,,3")]
    store.import_batches("f", [Batch(Interactions.from_lists(["42"], ["x"]), bad)])
    assert store.forget("5") is None
    assert put_aside(store) == bad
    receipt = store.forget("42")  # the control: somebody's id
    assert receipt is not None
    assert put_aside(store) == bad[:1]

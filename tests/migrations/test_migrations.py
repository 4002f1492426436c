"""Migrations: up and down with rows in the tables, on both engines, two at once, killed half way, without drift."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

import migrations
from data.records import BadRow, Batch, ItemRecord, KeyRecord
from data.store import Store
from data.tables import Base
from recsys.errors import SchemaMismatch, SettingError, StoreError
from recsys.interactions import Interactions

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of its own on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.db'}"
        return
    with request.getfixturevalue("fresh_postgresql")() as address:
        yield address


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url, create=True) as opened:
        yield opened


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def fill(store: Store, count: int = 500) -> None:
    numbers = range(count)
    rows = Interactions.from_lists(["u"] * count, [f"i{n % 400}" for n in numbers], values=[float(n) for n in numbers])
    store.import_batches("f", [Batch(rows, [BadRow("f", 1, "r", "t")])], items=[ItemRecord("i1", "One")])
    store.add_once("key", "digest", rows, asdict)


def test_the_tables_of_the_code_are_those_of_the_migrations(store: Store) -> None:
    migrations.upgrade(store.engine)
    with store.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
        connection.execute(text("alter table items add column surplus bigint"))
        drift = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
        assert len(drift) == 1  # it would have been seen


def test_interactions_lie_in_the_order_of_their_key(store: Store) -> None:
    migrations.upgrade(store.engine)
    with store.engine.connect() as connection:
        indexes = inspect(connection).get_indexes("interactions")
        assert [(index["name"], index["unique"]) for index in indexes] == [("uq_interactions_key", True)]
        if store.engine.dialect.name == "sqlite":
            [(made,)] = connection.execute(text("select sql from sqlite_master where name = 'interactions'")).all()
            assert "WITHOUT ROWID" in made
            [(index,)] = connection.execute(
                text("select sql from sqlite_master where name = 'uq_interactions_key'")
            ).all()
            assert "WHERE key IS NOT NULL" in index


@pytest.mark.parametrize("rows", [500, pytest.param(100_000, marks=pytest.mark.slow)])
def test_every_step_goes_up_and_down_and_up_again_with_rows_in_the_tables(store: Store, rows: int) -> None:
    assert migrations.current(store.engine) is None
    migrations.upgrade(store.engine)
    assert migrations.current(store.engine) == migrations.head()
    assert tables(store.engine) == set(Base.metadata.tables)
    fill(store, rows)
    migrations.downgrade(store.engine, "base")
    assert migrations.current(store.engine) is None
    assert tables(store.engine) == set()
    migrations.upgrade(store.engine)
    assert store.stats().interactions == 0
    fill(store, rows)
    assert store.stats().interactions == rows


def test_the_second_step_keeps_what_there_was_both_ways(store: Store) -> None:
    migrations.upgrade(store.engine)
    fill(store)
    store.put_key(KeyRecord("k", "robot", "0" * 64, ("read",), 1))
    before = store.stats(), store.list_items(limit=1000)
    migrations.downgrade(store.engine, "0001")
    assert "api_keys" not in tables(store.engine)
    migrations.upgrade(store.engine)
    assert (store.stats(), store.list_items(limit=1000)) == before
    assert store.keys() == []
    assert store.marks("u").user == 0  # a row from before there were counts
    assert len(store.items_changed(-1)[1]) == 400


def test_the_third_step_keeps_what_there_was_both_ways(store: Store) -> None:
    migrations.upgrade(store.engine)
    fill(store)
    before = store.stats(), store.marks("u"), store.list_items(limit=1000)
    store.put_lists("als", "v1", [("u", [("i1", 1.0)])])
    night = store.nights.begin(1)
    store.nights.step(night, "als", "done")
    store.nights.verdict(night, "als", None, "v1", "promote", "the first", [], 0.0)
    store.import_batches("g", [Batch(Interactions.from_lists(["gone"], ["i1"]))])
    assert store.forget("gone") is not None
    migrations.downgrade(store.engine, "0002")
    assert tables(store.engine).isdisjoint({"nights", "night_steps", "verdicts", "top_lists", "receipts"})
    migrations.upgrade(store.engine)
    assert (store.stats(), replace(store.marks("u"), forgotten=0), store.list_items(limit=1000)) == before
    assert store.nights.recent(1) == []
    assert store.lists("als", ["u"]) == {}


def test_upgrading_what_is_new_already_changes_nothing(store: Store) -> None:
    migrations.upgrade(store.engine)
    fill(store)
    before = store.stats()
    migrations.upgrade(store.engine)
    assert store.stats() == before


def test_check_tells_an_empty_an_older_and_a_newer_database_from_the_right_one(store: Store) -> None:
    with pytest.raises(SchemaMismatch, match="no tables yet"):
        migrations.check(store.engine)
    migrations.upgrade(store.engine)
    migrations.check(store.engine)
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("update alembic_version set version_num = 'from-the-future'"))
    with pytest.raises(SchemaMismatch, match="from-the-future"):
        migrations.check(store.engine)
    with pytest.raises(SettingError, match="from-the-future"):
        migrations.upgrade(store.engine)


def test_a_revision_there_is_not_is_refused(store: Store) -> None:
    with pytest.raises(SettingError, match="no-such"):
        migrations.upgrade(store.engine, "no-such-revision")
    assert migrations.current(store.engine) is None


def test_a_database_that_is_not_there_is_a_store_error() -> None:
    with Store.open("postgresql://postgres@127.0.0.1:1/none") as store:
        for use in (migrations.current, migrations.check, migrations.upgrade):
            with pytest.raises(StoreError, match="reached"):
                use(store.engine)


def test_a_percent_sign_in_a_path_is_only_a_percent_sign(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / '100%d %(here)s'}.db", create=True) as store:
        migrations.upgrade(store.engine)
        migrations.check(store.engine)


SCRIPT = """
    import os, signal, sys
    import migrations
    from data.store import Store
    with Store.open(sys.argv[1], create=True, wait=30) as store:
        if sys.argv[2] == "die":
            import alembic.op
            def dying(*arguments, **options):
                print("half way", flush=True)
                os.kill(os.getpid(), signal.SIGKILL)
            alembic.op.create_index = dying
        migrations.upgrade(store.engine)
"""


def start(url: str, fate: str = "live") -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(SCRIPT), url, fate]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_that_migrate_at_once_do_no_harm(url: str) -> None:
    started = [start(url) for _ in range(2)]
    for process in started:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    with Store.open(url) as store:
        migrations.check(store.engine)
        fill(store)


def test_a_migration_killed_half_way_leaves_nothing_and_can_be_run_again(url: str) -> None:
    process = start(url, "die")
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (-signal.SIGKILL, "half way\n"), errors
    with Store.open(url) as store:
        assert tables(store.engine) == set()
        migrations.upgrade(store.engine)
        fill(store)

"""A migrated store on each engine: a fresh SQLite file, and a PostgreSQL database of this test run's own, emptied."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest

import migrations
from data.store import Store
from data.tables import Base


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.db"
    with Store.open(f"sqlite:///{file}", create=True) as store:
        migrations.upgrade(store.engine)
    return file


@pytest.fixture(scope="session")
def postgresql_url(fresh_postgresql: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with fresh_postgresql() as url:
        with Store.open(url) as store:
            migrations.upgrade(store.engine)
        yield url


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    shutil.copy(migrated_file, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    address = str(request.getfixturevalue("postgresql_url"))
    with psycopg.connect(address) as connection:
        connection.execute(f"truncate {', '.join(Base.metadata.tables)} restart identity cascade")
    return address


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened

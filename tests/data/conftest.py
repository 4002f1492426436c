"""A migrated store on each engine: a fresh SQLite file, and a PostgreSQL database of this test run's own, emptied."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import migrations
from data.store import Store
from data.tables import Base

SERVER = "postgresql://postgres@127.0.0.1:5432"


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "template.db"
    with Store.open(f"sqlite:///{file}", create=True) as store:
        migrations.upgrade(store.engine)
    return file


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    try:
        admin = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=2)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL on 127.0.0.1:5432: {error}")
    name = f"recsys_test_{uuid.uuid4().hex[:12]}"
    with admin:
        admin.execute(f"create database {name}")
    try:
        with Store.open(f"{SERVER}/{name}") as store:
            migrations.upgrade(store.engine)
        yield f"{SERVER}/{name}"
    finally:
        with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)")


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

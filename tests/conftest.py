"""What several rooms of tests share: a PostgreSQL database of a test's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest

SERVER = "postgresql://postgres@127.0.0.1:5432"


@pytest.fixture(scope="session")
def fresh_postgresql() -> Callable[[], AbstractContextManager[str]]:
    """``with fresh_postgresql() as url``: an empty database, dropped at the end; skips where no server answers."""

    @contextmanager
    def fresh() -> Iterator[str]:
        try:
            admin = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=2)
        except psycopg.OperationalError as error:
            pytest.skip(f"no PostgreSQL on 127.0.0.1:5432: {error}")
        name = f"recsys_test_{uuid.uuid4().hex[:12]}"
        with admin:
            admin.execute(f"create database {name}")
            try:
                yield f"{SERVER}/{name}"
            finally:
                admin.execute(f"drop database {name} with (force)")

    return fresh

"""What several rooms of tests share: a PostgreSQL database of a test's own, processes that work together."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[1]
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


Together = Callable[[Sequence[str], int, Path], list[tuple[str, str]]]


@pytest.fixture(scope="session")
def run_together() -> Together:
    """run_together(command, processes, folder): (stdout, stderr) of each, started as torchrun starts them; one, as from
    a shell. What they say is kept in the folder; all must end well."""

    def run(command: Sequence[str], processes: int, folder: Path) -> list[tuple[str, str]]:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        if processes > 1:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = str(free.getsockname()[1])
            environ |= {"TORCHELASTIC_RUN_ID": "none", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            environ |= {"WORLD_SIZE": str(processes)}
        said = [(folder / f"{rank}.out", folder / f"{rank}.err") for rank in range(processes)]
        running = []
        for rank, (out, errors) in enumerate(said):
            with out.open("wb") as stdout, errors.open("wb") as stderr:
                own = {**environ, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                running.append(subprocess.Popen(command, env=own, stdout=stdout, stderr=stderr))
        try:
            statuses = [process.wait(timeout=120) for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        assert statuses == [0] * processes, [errors.read_text() for _, errors in said]
        return [(out.read_text(), errors.read_text()) for out, errors in said]

    return run

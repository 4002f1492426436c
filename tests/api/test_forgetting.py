"""Forgetting somebody through both doors: nothing that is kept holds their id any more, and no model comes back."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from psycopg import sql

import migrations
from api.app import create_app
from api.cli import cli
from api.settings import Settings
from data.records import BadRow, Batch
from data.store import Store
from data.tables import Base
from recsys.errors import Forgotten
from recsys.interactions import Interactions
from recsys.serving.registry import ModelRegistry
from tests.conftest import ROOT

TIME = 1_700_000_000_000_000
OTHER = "person-3-of-sixty"


def log() -> Interactions:
    """Sixty people of two tastes among 20 items, every event with a key of its sender."""
    pairs = [(u, i) for u in range(60) for i in range(20) if u % 2 == i % 2 and (u * 5 + i * 3) % 7]
    users = [f"person-{u}-of-sixty" for u, _ in pairs]
    times = [TIME + 1_000_000 * number for number in range(len(pairs))]
    keys = [f"key {number} of {user}" for number, user in enumerate(users)]
    return Interactions.from_lists(
        users, [f"i{i}" for _, i in pairs], ["rating"] * len(pairs), [5.0] * len(pairs), times, keys
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a published model and a report of real people."""
    import subprocess
    import sys

    home = tmp_path_factory.mktemp("made") / "home"
    settings = Settings(home=home)
    home.mkdir()
    with Store.open(settings.url, create=True) as store:
        migrations.upgrade(store.engine)
        store.import_batches("log.csv", [Batch(log())])
    for command in ("train --model als --publish", "evaluate --models als,popularity --quick"):
        done = [sys.executable, "-m", "api.cli", "--home", str(home), *command.split()]
        subprocess.run(done, check=True, capture_output=True, cwd=ROOT)
    return home


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, made: Path, home: Path) -> Iterator[Settings]:
    shutil.copytree(made, home)
    if request.param == "sqlite":
        yield Settings(home=home, default_model="als")
        return
    for file in home.glob("recsys.db*"):
        file.unlink()
    with request.getfixturevalue("fresh_postgresql")() as url:
        with Store.open(url) as store:
            migrations.upgrade(store.engine)
            store.import_batches("log.csv", [Batch(log())])
        yield Settings(home=home, database_url=url, default_model="als")


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    app = create_app(settings)
    yield app.test_client()
    app.extensions["recsys"].store.close()


def report_of(settings: Settings) -> dict[str, Any]:
    (file,) = settings.reports_folder.glob("*/report.json")
    return json.loads(file.read_text())


def traces(settings: Settings, user: str) -> set[str]:
    """Where the id stands: in any byte of any file under home, of tables unpacked, and in any row of PostgreSQL."""
    found = set()
    for file in (one for one in settings.home.rglob("*") if one.is_file()):
        held = file.read_bytes()
        if file.suffix == ".parquet":
            held += repr(pq.read_table(file).to_pylist()).encode()
        if user.encode() in held:
            found.add(file.name)
    if settings.database_url:
        with psycopg.connect(settings.url) as connection:
            for table in Base.metadata.tables:
                rows = connection.execute(sql.SQL("select cast(t as text) from {} t").format(sql.Identifier(table)))
                found.update({table} if any(user in text for (text,) in rows) else ())
    return found


def plant(client: FlaskClient, settings: Settings, user: str) -> None:
    """Leave the id wherever the program may leave one."""
    event = {"user": user, "item": "i1", "event": "view", "id": f"sent by {user}"}
    for key in ("post 1", f"post of {user}"):
        sent = client.post("/v1/feedback", json={"events": [event]}, headers={"Idempotency-Key": key})
        assert sent.status_code == 200
    assert client.put(f"/v1/users/{user}", json={"attributes": {"mail": f"{user}@example.org"}}).status_code == 200
    with Store.open(settings.url) as store:
        bad = BadRow(f"exports/{user}.csv", 3, f"no item: '{user}'", f'{user},,"5"')
        store.import_batches(f"exports/{user}.csv", [Batch(Interactions.empty(), [bad])])
        store.put_lists("als", "v1", [(user, [("i1", 1.0)])])
    for ask in ("", "?explain=true"):
        assert client.get(f"/v1/users/{user}/recommendations{ask}").get_json()["strategy"] == "personal"


def people_of_tables(settings: Settings) -> set[str]:
    return {
        user for file in settings.reports_folder.glob("*/*.parquet") for user in pq.read_table(file)["user"].to_pylist()
    }


@pytest.mark.parametrize("door", ["http", "cli"])
def test_no_trace_of_somebody_forgotten_is_found_anywhere(
    client: FlaskClient, settings: Settings, door: str, capfd: pytest.CaptureFixture[str], caplog: Any
) -> None:
    user = report_of(settings)["examples"][0]["user"]
    plant(client, settings, user)
    before = traces(settings, user)
    database = {"users", "interactions", "quarantine", "imports"} if settings.database_url else {"recsys.db"}
    assert before >= {*database, "report.json", "report.html", "per_user.parquet", "recommendations.parquet"}
    (version,) = ModelRegistry(settings.registry_folder).versions()
    others = people_of_tables(settings) - {user}
    assert len(others) >= 4

    if door == "http":
        answer = client.delete(f"/v1/users/{user}")
        assert (answer.status_code, answer.data) == (204, b"")
        receipt = client.get(f"/v1/receipts/{answer.headers['Receipt']}").get_json()
    else:
        url = {"RECSYS_DATABASE_URL": settings.database_url}
        said = CliRunner(env=url).invoke(cli, ["--home", str(settings.home), "forget", user, "--json"])
        assert said.exit_code == 0, said.output
        receipt = json.loads(said.stdout)
        assert receipt.pop("left") == []

    assert traces(settings, user) == set()
    assert user not in capfd.readouterr().err + caplog.text
    assert (receipt["quarantined"], receipt["lists"]) == (1, 1)
    assert receipt["events"] == 1 + sum(one == user for one in log().user.decode())
    assert receipt["versions"] == [{"version": version, "kept": True, "live": True}]

    gone = client.get(f"/v1/users/{user}/recommendations").get_json()
    assert gone["strategy"] != "personal"
    assert client.get(f"/v1/users/{user}").status_code == 404
    assert client.delete(f"/v1/users/{user}").status_code == 404
    assert people_of_tables(settings) == others
    assert client.get(f"/v1/users/{OTHER}/recommendations").get_json()["strategy"] == "personal"


def test_a_marked_version_does_not_come_back(client: FlaskClient, settings: Settings, make_bundle: Any) -> None:
    registry = ModelRegistry(settings.registry_folder)
    (first,) = registry.versions()
    (second,) = registry.publish([make_bundle()])
    for version in (first, second):
        registry.promote(version)  # before, either may
    client.delete(f"/v1/users/{OTHER}")
    for refused in (lambda: registry.promote(first), registry.rollback):
        with pytest.raises(Forgotten):
            refused()
    assert registry.live().models == {"als": second}


def test_a_retried_post_does_not_bring_them_back(client: FlaskClient) -> None:
    sent = {"json": {"events": [{"user": OTHER, "item": "i1", "event": "view"}]}, "headers": {"Idempotency-Key": "k"}}
    assert client.post("/v1/feedback", **sent).status_code == 200
    assert client.delete(f"/v1/users/{OTHER}").status_code == 204
    assert client.post("/v1/feedback", **sent).headers["Idempotency-Replayed"] == "true"
    assert client.get(f"/v1/users/{OTHER}").status_code == 404


def test_the_command_prints_a_receipt_and_shows_it_again(run: Any, made: Path, home: Path) -> None:
    shutil.copytree(made, home)
    (version,) = ModelRegistry(home / "models").versions()
    said = run("--home", str(home), "forget", OTHER)
    assert said.status == 0
    (number,) = re.findall(r"^receipt ([0-9a-f]{24}): forgotten since \S+Z; deleted: \d+ events", said.out)
    assert f"  {version}: it answers until another is live" in said.out
    assert OTHER not in said.out
    assert run("--home", str(home), "forget", "--receipt", number).out == said.out
    with closing(Store.open(Settings(home=home).url)) as store:
        assert store.receipt(number) is not None
    assert run("--home", str(home), "forget", OTHER).status == 1
    assert run("--home", str(home), "forget", "--receipt", "0" * 24).status == 1
    assert run("--home", str(home), "forget").status == 2
    assert run("--home", str(home), "forget", OTHER, "--receipt", number).status == 2


def test_a_receipt_there_is_not_is_a_404(client: FlaskClient) -> None:
    for number in ("0" * 24, "none", "a%00b"):
        assert client.get(f"/v1/receipts/{number}").status_code == 404

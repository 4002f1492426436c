"""An app over a seeded store and a registry of known models, on SQLite and, where one answers, on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

import migrations
from api.app import create_app
from api.cli import main
from api.settings import Settings
from data.records import ItemRecord
from data.store import Store
from recsys.interactions import Interactions
from recsys.matrix import Index
from recsys.models import create
from recsys.serving.bundle import ModelBundle
from recsys.serving.registry import ModelRegistry

ITEMS = ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]


def known_bundle(scale: float = 1.0) -> ModelBundle:
    """a* items are one taste, b* the other; a smaller number scores higher; b0 is the most popular."""
    vectors = np.zeros((8, 2), dtype=np.float32)
    vectors[:4, 0] = vectors[4:, 1] = np.array([1.0, 0.9, 0.8, 0.7], dtype=np.float32) * scale
    state = {"items": vectors, "regularization": np.array([0.1], dtype=np.float64)}
    model = create("als", factors=2, alpha=4.0).restore(state)
    popularity = np.array([50, 40, 30, 20, 90, 35, 25, 15], dtype=np.float32)
    card = {"model": "als", "config": {"factors": 2, "alpha": 4.0}}
    return ModelBundle(model, Index.of(ITEMS, "item"), popularity, card)


def seed(url: str) -> None:
    with Store.open(url, create=True) as store:
        migrations.upgrade(store.engine)
        store.put_items(
            [
                ItemRecord(item, title=f"Title of {item}", categories=("first",) if item[0] == "a" else ())
                for item in ITEMS
            ]
        )
        store.add(
            Interactions.from_lists(["u1", "u1"], ["a1", "b3"], ["rating", "rating"], [5.0, 1.0], [10**15, 10**15 + 1])
        )


@pytest.fixture(scope="session")
def postgresql(fresh_postgresql: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """The URL of an empty database of its own; skipped where no server answers."""
    with fresh_postgresql() as url:
        yield url


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def settings(home: Path) -> Settings:
    found = Settings(home=home, default_model="als")
    home.mkdir()
    seed(found.url)
    return found


@pytest.fixture
def registry(settings: Settings) -> ModelRegistry:
    return ModelRegistry(settings.registry_folder)


@pytest.fixture
def empty_app(settings: Settings) -> Iterator[Flask]:
    """Data, but no model."""
    app = create_app(settings)
    yield app
    app.extensions["recsys"].store.close()


@pytest.fixture
def app(registry: ModelRegistry, empty_app: Flask) -> Flask:
    registry.publish([known_bundle()])
    return empty_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def make_bundle() -> Callable[[float], ModelBundle]:
    return known_bundle


@pytest.fixture(scope="session")
def seeded_home(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable]:
    """engine name -> a client of one app for the whole session, for tests that leave what they store to others."""
    clients: dict[str, FlaskClient] = {}

    def client_of(engine: str) -> FlaskClient:
        if engine not in clients:
            url = request.getfixturevalue("postgresql") if engine == "postgresql" else ""
            settings = Settings(home=tmp_path_factory.mktemp(engine), database_url=url, default_model="als")
            seed(settings.url)
            ModelRegistry(settings.registry_folder).publish([known_bundle()])
            clients[engine] = create_app(settings).test_client()
        return clients[engine]

    yield client_of
    for client in clients.values():
        client.application.extensions["recsys"].store.close()


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Call the command line in an empty folder, with no settings from outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    def call(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call

"""Session: what a command needs from outside, opened when first asked for: settings, store, registry."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recsys.errors import DataError, StoreError

if TYPE_CHECKING:
    from api.settings import Settings
    from data.store import Store
    from recsys.serving.assortment import Assortment
    from recsys.serving.bundle import ModelBundle
    from recsys.serving.registry import ModelRegistry
    from recsys.serving.service import RecommendationService


class Session:
    """One run of the command line. Nothing is read or opened before it is needed: ``--help`` stays quick."""

    def __init__(self, config_file: str | None = None, home: str | None = None, debug: bool = False) -> None:
        self.config_file = Path(config_file) if config_file else None
        self.flags: dict[str, Any] = {"home": home}
        self.debug = debug
        self._forgotten: int | None = None

    @cached_property
    def settings(self) -> Settings:
        from api.settings import Settings

        return Settings.load(self.config_file, flags=self.flags)

    def store(self, *, create: bool = False) -> Store:
        """The store, its schema checked. create: make and migrate the database when there is none yet.

        Raises DataError when there is no database and none may be made, SchemaMismatch when it is of another version.
        """
        import migrations
        from data.store import Store

        url = self.settings.url
        file = sqlite_file(url)
        missing = file is not None and not file.exists()
        if missing and not create:
            raise DataError(
                "there is no data yet", where=f"{file}", do="run `recsys import FILE` or `recsys demo` first"
            )
        if missing and file is not None:
            make_folder(file.parent)
        store = Store.open(url, create=create)
        click.get_current_context().call_on_close(store.close)
        if create and migrations.current(store.engine) is None:
            migrations.upgrade(store.engine)
        migrations.check(store.engine)
        if self._forgotten is None:
            self._forgotten = store.marks().forgotten
        return store

    def check_nobody_left(self) -> None:
        """DataError when somebody was forgotten since the store was first opened here: what was made of it may know
        them, and must not be kept."""
        if self._forgotten is not None and self.store().marks().forgotten != self._forgotten:
            raise DataError(
                "somebody was forgotten meanwhile, and what was made of the store may know them",
                where="the store",
                do="run the same command again",
            )

    def registry(self) -> ModelRegistry:
        from recsys.serving.registry import ModelRegistry

        return ModelRegistry(self.settings.registry_folder)

    def live_bundle(self, model: str | None) -> ModelBundle:
        """The live version of a model, by default of the configured one. NoModel where there is none."""
        registry = self.registry()
        return registry.load(registry.live().version(model or self.settings.default_model))

    def service(self) -> RecommendationService:
        from api.app import recommendation_service

        return recommendation_service(self.settings)

    def assortment(self, store: Store) -> Assortment:
        """What is known of the items now."""
        from api.assortments import Assortments

        return Assortments(store).current(store.marks().items)


def sqlite_file(url: str) -> Path | None:
    """The file behind a SQLite URL, None for another engine or memory."""
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if not parsed.drivername.startswith("sqlite") or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def make_folder(folder: Path) -> None:
    """Make a folder and its parents. StoreError in words when that is not allowed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "the folder cannot be made",
            where=f"{folder}: {error.strerror}",
            do="give another one with --home or RECSYS_HOME, or mend its permissions",
        ) from error

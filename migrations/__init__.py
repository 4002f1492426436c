"""The schema's history: Alembic, configured in code, found by package, run on a connection that is handed over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from data.engine import in_words, shown
from data.transactions import writing
from recsys.errors import SchemaMismatch, SettingError

if TYPE_CHECKING:
    from alembic.config import Config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the schema up to a revision in one transaction. Two at once are harmless: the second finds it done.

    Raises SettingError for a revision there is not, StoreError when the database cannot be used.
    """
    from alembic import command

    with _migrating(engine) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to a revision, "base" for none of it, in one transaction; raises what ``upgrade`` does."""
    from alembic import command

    with _migrating(engine) as connection:
        command.downgrade(_config(connection), revision)


def current(engine: Engine) -> str | None:
    """The revision of the database, None when it was never migrated."""
    with in_words(engine), engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()
        return None if found is None else str(found)


def head() -> str | None:
    """The newest revision this program knows."""
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config(None)).get_current_head()


def check(engine: Engine) -> None:
    """SchemaMismatch when the database is not of the newest revision, StoreError when it cannot be read."""
    found, wanted = current(engine), head()
    if found == wanted:
        return
    where = shown(engine.url)
    if found is None:
        raise SchemaMismatch("the database has no tables yet", where=where, do="run `recsys db upgrade`")
    raise SchemaMismatch(
        f"the database is of schema version {found}, this program of {wanted}",
        where=where,
        do="run `recsys db upgrade`, or the program that made it if that is a newer one",
    )


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    from alembic.util import CommandError

    with writing(engine, alone=True) as connection:
        try:
            yield connection
        except CommandError as error:
            raise SettingError(
                f"cannot migrate there: {error}", where=shown(engine.url), do="see `recsys db current`"
            ) from error


def _config(connection: Connection | None) -> Config:
    from alembic.config import Config

    config = Config()
    # A config parser reads this value: a percent sign in a path has to be doubled. No URL goes through it at all.
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config

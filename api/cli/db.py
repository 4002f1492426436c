"""recsys db: the schema's version, up and down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.output import say
from api.cli.session import Session, make_folder, sqlite_file

if TYPE_CHECKING:
    from data.store import Store


@click.group(epilog="Example: recsys db upgrade")
def command() -> None:
    """Upgrade, downgrade or show the database's schema version."""


@command.command(epilog="Example: recsys db upgrade")
@click.argument("revision", default="head")
@click.pass_obj
def upgrade(session: Session, revision: str) -> None:
    """Bring the schema up to REVISION (head). Makes an embedded database that does not exist yet."""
    import migrations

    store = _open(session)
    migrations.upgrade(store.engine, revision)
    say(f"schema version {migrations.current(store.engine)}")


@command.command(epilog="Example: recsys db downgrade 0001")
@click.argument("revision")
@click.pass_obj
def downgrade(session: Session, revision: str) -> None:
    """Take the schema back to REVISION ("base" removes every table and what it holds)."""
    import migrations

    store = _open(session)
    migrations.downgrade(store.engine, revision)
    say(f"schema version {migrations.current(store.engine) or 'none'}")


@command.command(epilog="Example: recsys db current")
@click.pass_obj
def current(session: Session) -> None:
    """Print the database's schema version and the newest this program knows."""
    import migrations

    store = _open(session)
    click.echo(f"{migrations.current(store.engine) or 'none'} (newest: {migrations.head()})")


def _open(session: Session) -> Store:
    """The store without the schema check every other command makes."""
    from data.store import Store

    file = sqlite_file(session.settings.url)
    if file is not None:
        make_folder(file.parent)
    store = Store.open(session.settings.url, create=True)
    click.get_current_context().call_on_close(store.close)
    return store

"""recsys config: what holds, and where each value came from."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_table
from api.cli.session import Session


@click.group(epilog="Example: recsys config show")
def command() -> None:
    """Show every setting and where its value came from, or what the log calls a user."""


@command.command(epilog="Example: RECSYS_PORT=9000 recsys config show")
@json_option
@click.pass_obj
def show(session: Session, as_json: bool) -> None:
    """Print every setting, its value (passwords masked) and its source."""
    rows = session.settings.shown()
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
    else:
        print_table("", ("setting", "value", "from"), rows, numbers_from=9)


@command.command(epilog="Example: grep $(recsys config pseudonym alice) server.log")
@click.argument("user")
@click.pass_obj
def pseudonym(session: Session, user: str) -> None:
    """Print what log lines call USER under log_users = pseudonym; it takes the key in home to compute it."""
    from api.pseudonyms import naming

    click.echo(naming("pseudonym", session.settings.home)(user))

"""recsys forget: remove a person."""

from __future__ import annotations

import click

from api.cli.output import say
from api.cli.session import Session
from recsys.errors import UnknownId


@click.command(epilog="Example: recsys forget alice")
@click.argument("user")
@click.pass_obj
def command(session: Session, user: str) -> None:
    """Remove USER and everything they did from the store. The next training no longer knows them."""
    if not session.store().forget(user):
        raise UnknownId(f"unknown user: {user!r}", where="the store", do="check the id; nothing was removed")
    say(f"{user} is gone from the store; run `recsys train --publish` to retrain without them")

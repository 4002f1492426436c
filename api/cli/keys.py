"""recsys keys: the API keys of programs that call the server."""

from __future__ import annotations

from dataclasses import asdict

import click

from api.cli.output import json_option, print_json, print_table, say
from api.cli.session import Session
from api.keys import SCOPES
from data.records import check_id


@click.group(epilog="Example: recsys keys create shop --scope read --scope feedback")
def command() -> None:
    """Create, list and revoke API keys."""


@command.command(epilog="Example: recsys keys create shop --scope read --scope feedback > shop.key")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(SCOPES),
    help="What it grants: read answers, send feedback, or admin: everything. May be given again.",
)
@click.pass_obj
def create(session: Session, name: str, scopes: tuple[str, ...]) -> None:
    """Create a key for NAME and print it, once: what is kept cannot be turned back into it."""
    from api.keys import new_key

    text, record = new_key(check_id(name, "name"), scopes)
    session.store(create=True).put_key(record)
    say(f"key {record.id} of {name} grants {', '.join(record.scopes)}; it is not shown again")
    say("send it as the header: Authorization: Bearer KEY")
    click.echo(text)


@command.command("list", epilog="Example: recsys keys list --json")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the keys, also revoked ones, without their secrets."""
    from api.resources.fields import iso

    kept = session.store().keys()
    if as_json:
        rows = [{**asdict(key), "created": iso(key.created), "revoked": iso(key.revoked)} for key in kept]
        print_json([{name: value for name, value in row.items() if name != "digest"} for row in rows])
        return
    if not kept:
        say("there are no keys: `recsys keys create NAME --scope read` makes one")
        return
    table = [(key.id, key.name, ", ".join(key.scopes), iso(key.created) or "", iso(key.revoked) or "") for key in kept]
    print_table("", ("id", "name", "scopes", "created", "revoked"), table, numbers_from=9)


@command.command(epilog="Example: recsys keys revoke 0123456789abcdef")
@click.argument("id_", metavar="ID")
@click.pass_obj
def revoke(session: Session, id_: str) -> None:
    """Revoke the key with this ID: running servers refuse it from the next request on."""
    from recsys.errors import UnknownId

    if not session.store().revoke_key(check_id(id_, "key id")):
        raise UnknownId(f"there is no key {id_!r} in use", do="`recsys keys list` shows every key")
    say(f"revoked: {id_}")

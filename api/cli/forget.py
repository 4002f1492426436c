"""recsys forget: remove a person."""

from __future__ import annotations

from typing import Any

import click

from api.cli.output import json_option, print_json, say
from api.cli.session import Session
from recsys.errors import UnknownId


@click.command(epilog="Example: recsys forget alice")
@click.argument("user", required=False)
@click.option("--receipt", "number", metavar="ID", help="Show the receipt of an earlier forgetting instead.")
@json_option
@click.pass_obj
def command(session: Session, user: str | None, number: str | None, as_json: bool) -> None:
    """Remove USER and everything they did: from the store, its lists and the reports, at once.

    Model versions hold no user data. Those that may have learnt from them are marked: they never go live again, and
    the next training does not know them. Prints a receipt, which does not name them.
    """
    from api.forgetting import forget, shown

    store, registry = session.store(), session.registry()
    left: list[str] = []
    if user is not None and number is None:
        settings = session.settings
        done = forget(store, registry, settings.reports_folder, user, settings.night_folder)
        if done is None:
            raise UnknownId(f"unknown user: {user!r}", where="the store", do="check the id; nothing was removed")
        receipt, left = done
    elif number is not None and user is None:
        found = store.receipt(number)
        if found is None:
            raise UnknownId(f"there is no receipt {number!r}", where="the store", do="check the number")
        receipt = found
    else:
        raise click.UsageError("give either USER, or --receipt ID")
    facts = shown(receipt, registry)
    if as_json:
        print_json({**facts, "left": left})
        return
    click.echo("\n".join(_words(facts)))
    for place in left:
        say(f"look at {place}")


def _words(facts: dict[str, Any]) -> list[str]:
    deleted = f"{facts['events']:,} events, {facts['quarantined']:,} rows put aside, {facts['lists']:,} lists"
    lines = [f"receipt {facts['id']}: forgotten since {facts['at']}; deleted: {deleted}"]
    versions = facts["versions"]
    if not versions:
        return [*lines, "no model version that is kept is marked"]
    lines.append("marked, as they may have learnt from them; none of these goes live again:")
    for one in versions:
        state = "it answers until another is live" if one["live"] else "kept" if one["kept"] else "removed since"
        lines.append(f"  {one['version']}: {state}")
    lines.append("models hold no user data: from now on all answer without them; the next training does not know them")
    if any(one["live"] for one in versions):
        lines.append("run `recsys train --publish`, or wait for the night, for a live one that never knew them")
    return lines

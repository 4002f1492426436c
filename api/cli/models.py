"""recsys models: the published versions, and which of them answer."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_table, say
from api.cli.session import Session


@click.group(epilog="Example: recsys models list")
def command() -> None:
    """List, inspect, promote, roll back and verify published models."""


@command.command("list", epilog="Example: recsys models list --json")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the versions kept, newest first; the live ones are marked."""
    rows = session.registry().describe()
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("no model has been trained yet: run `recsys train --publish`")
        return
    print_table(
        "",
        ("version", "model", "created", "live"),
        [(r["version"], r["model"], r["created"], "live" if r["live"] else "") for r in rows],
        numbers_from=9,
    )


@command.command(epilog="Example: recsys models show VERSION")
@click.argument("version")
@click.pass_obj
def show(session: Session, version: str) -> None:
    """Print the card of VERSION: what it is, what it was trained on, how it was judged."""
    print_json(session.registry().card(version))


@command.command(epilog="Example: recsys models promote VERSION")
@click.argument("version")
@click.pass_obj
def promote(session: Session, version: str) -> None:
    """Put VERSION live for its model. It is verified first."""
    session.registry().promote(version)
    say(f"live: {version}")


@command.command(epilog="Example: recsys models rollback")
@click.pass_obj
def rollback(session: Session) -> None:
    """Put the release before the live one back."""
    release = session.registry().rollback()
    say("live: " + ", ".join(sorted(release.models.values())))


@command.command(epilog="Example: recsys models verify")
@click.argument("version", required=False)
@click.pass_obj
def verify(session: Session, version: str | None) -> None:
    """Hash every file of VERSION, or of every version kept, against its manifest."""
    registry = session.registry()
    versions = [version] if version else registry.versions()
    for name in versions:
        registry.verify(name)
    say(f"{len(versions)} {'version is' if len(versions) == 1 else 'versions are'} whole")

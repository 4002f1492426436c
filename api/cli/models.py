"""recsys models: the published versions, and which of them answer."""

from __future__ import annotations

from typing import Any

import click

from api.cli.diff import diff
from api.cli.output import json_option, print_json, print_table, say
from api.cli.session import Session
from recsys.serving.versions import parts_of


@click.group(epilog="Example: recsys models list")
def command() -> None:
    """List, inspect, compare, promote, roll back, prune and verify published models."""


@command.command("list", epilog="Example: recsys models list --json")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """List the versions kept, newest first: which are live, and which a rollback would bring back.

    A version is marked that may have learnt from somebody who was forgotten since then: it does not go live again.
    """
    registry = session.registry()
    rows, hold = registry.describe(), registry.hold()
    if as_json:
        print_json(rows)
    elif rows:
        header = ("version", "model", "created", "live", "decision", "marked since")
        print_table("", header, [_row(row) for row in rows], numbers_from=9)
    else:
        say("no model has been trained yet: run `recsys train --publish`")
    if hold is not None:
        say(f"held since {hold.since}, when somebody went back from {', '.join(hold.versions) or 'a release'}: {_HELD}")


@command.command(epilog="Example: recsys models show VERSION")
@click.argument("version")
@click.pass_obj
def show(session: Session, version: str) -> None:
    """Print the card of VERSION: what it is, what it was trained on, how it was judged, whether it may go live."""
    registry = session.registry()
    card = registry.card(version)
    more = {"created": parts_of(version)[0], "marked": registry.marks().get(version)}
    print_json({**card, **more, "verdict": registry.verdict(version)})


@command.command(epilog="Example: recsys models promote VERSION")
@click.argument("version")
@click.pass_obj
def promote(session: Session, version: str) -> None:
    """Put VERSION live for its model. It is verified first. Nights promote again if a rollback had stopped them."""
    registry = session.registry()
    held = registry.hold()
    registry.promote(version)
    say(f"live: {version}" + ("; nights promote again" if held else ""))


@command.command(epilog="Example: recsys models rollback")
@click.pass_obj
def rollback(session: Session) -> None:
    """Put the release before the live one back. Until somebody says so, no night promotes anything from then on."""
    release = session.registry().rollback()
    say("live: " + ", ".join(sorted(release.models.values())))
    say(_HELD)


@command.command(epilog="Example: recsys models resume")
@click.pass_obj
def resume(session: Session) -> None:
    """Let nights promote again after a rollback. What was rolled back they still leave alone."""
    registry = session.registry()
    held = registry.hold()
    registry.lift_hold()
    say("nights promote again" if held else "nothing was held: nights promote as before")


@command.command(epilog="Example: recsys models prune --keep 3 --dry-run")
@click.option("--keep", type=click.IntRange(0), help="How many to keep of each model ([nightly] keep).")
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@json_option
@click.pass_obj
def prune(session: Session, keep: int | None, dry_run: bool, as_json: bool) -> None:
    """Remove old versions, but never one that is live or that a rollback would bring back."""
    registry = session.registry()
    most = session.settings.nightly.keep if keep is None else keep
    gone = registry.prunable(most) if dry_run else registry.prune(most)
    if as_json:
        print_json({"removed": not dry_run, "versions": gone})
        return
    for version in gone:
        say(f"{'would go' if dry_run else 'removed'}: {version}")
    say(f"{_count(len(gone))} {'would go' if dry_run else 'removed'}")


@command.command(epilog="Example: recsys models verify")
@click.argument("version", required=False)
@click.pass_obj
def verify(session: Session, version: str | None) -> None:
    """Hash every file of VERSION, or of every version kept, against its manifest."""
    registry = session.registry()
    versions = [version] if version else registry.versions()
    for name in versions:
        registry.verify(name)
    say(f"{_count(len(versions))} {'is' if len(versions) == 1 else 'are'} whole")


command.add_command(diff)

_HELD = "no night promotes until somebody does: `recsys models promote VERSION`, or `recsys models resume`"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    place = "live" if row["live"] else "previous" if row["previous"] else ""
    return row["version"], row["model"], row["created"], place, row["decision"] or "", row["marked"] or ""


def _count(versions: int) -> str:
    return f"{versions} {'version' if versions == 1 else 'versions'}"

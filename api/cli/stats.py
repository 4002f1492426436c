"""recsys stats: what the store holds, counted."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from api.cli.output import json_option, print_json, print_table
from api.cli.session import Session


@click.command(epilog="Example: recsys stats --json")
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Count what the store holds."""
    counts = session.store().stats()
    span = None if counts.span is None else [iso(counts.span[0]), iso(counts.span[1])]
    values = {
        "users": counts.users,
        "items": counts.items,
        "items_with_interactions": counts.items_with_interactions,
        "interactions": counts.interactions,
        "quarantined": counts.quarantined,
    }
    if as_json:
        print_json({**values, "span": span})
        return
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in values.items()]
    print_table("", ("what", "count"), [*rows, ("span", " to ".join(span) if span else "no times known")])


def iso(microseconds: int) -> str:
    return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

"""recsys stats: what the store holds, counted."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_table
from api.cli.session import Session
from recsys.interactions import iso_time


@click.command(epilog="Example: recsys stats --json")
@json_option
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Count what the store holds."""
    counts = session.store().stats()
    span = None if counts.span is None else [iso_time(moment) for moment in counts.span]
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

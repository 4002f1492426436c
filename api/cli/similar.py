"""recsys similar: the items most like one item."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_ranked
from api.cli.session import Session


@click.command(epilog="Example: recsys similar i42 -n 5")
@click.argument("item")
@click.option("-n", "n", type=click.IntRange(1, 500), default=10, show_default=True, help="How many items.")
@click.option("--model", help="Which live model answers; by default the configured one.")
@json_option
@click.pass_obj
def command(session: Session, item: str, n: int, model: str | None, as_json: bool) -> None:
    """List the items most like ITEM, by what the same people liked."""
    store = session.store()
    rows = session.service(store).similar_items(item, n, model=model)
    records = store.items([row.item for row in rows])
    if as_json:
        print_json({"item": item, "items": [{"item": r.item, "score": r.score, "rank": r.rank} for r in rows]})
        return
    print_ranked(rows, records, "cosine")

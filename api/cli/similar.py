"""recsys similar: the items most like one item."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_ranked, say
from api.cli.session import Session
from recsys.serving.ask import Ask


@click.command(epilog="Example: recsys similar i42 -n 5")
@click.argument("item")
@click.option("-n", "n", type=click.IntRange(1, 500), default=10, show_default=True, help="How many items.")
@click.option("--model", help="Which live model answers; by default the configured one.")
@json_option
@click.pass_obj
def command(session: Session, item: str, n: int, model: str | None, as_json: bool) -> None:
    """List the items most like ITEM, by what the same people liked."""
    store = session.store()
    answer = session.service().similar(item, Ask(n, model=model), session.assortment(store))
    if as_json:
        rows = [{"item": row.item, "score": row.score, "rank": row.rank} for row in answer.items]
        print_json({"item": item, "strategy": answer.strategy, "items": rows})
        return
    if answer.strategy == "content":
        say("no live model knows this item yet: these share its categories")
    print_ranked(answer.items, store.items([row.item for row in answer.items]), "cosine")

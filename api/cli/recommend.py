"""recsys recommend: the answer a user or a basket of items would get."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_ranked, say
from api.cli.session import Session
from recsys.errors import UnknownId
from recsys.interactions import Interactions


@click.command(epilog="Examples: recsys recommend alice -n 5; recsys recommend --items i1,i9")
@click.argument("user", required=False)
@click.option("--items", help="Recommend for these item ids, separated by commas, instead of for a user.")
@click.option("-n", "n", type=click.IntRange(1, 500), default=10, show_default=True, help="How many items.")
@click.option("--model", help="Which live model answers; by default the configured one.")
@json_option
@click.pass_obj
def command(session: Session, user: str | None, items: str | None, n: int, model: str | None, as_json: bool) -> None:
    """Recommend items for USER, or for a list of items.

    The list says how it was made: "personal" from the history, "popular" where there is nothing to go by.
    """
    if (user is None) == (items is None):
        raise click.UsageError("give either a USER or --items, one of the two")
    store = session.store()
    service = session.service(store)
    if user is not None:
        if store.user(user) is None:
            raise UnknownId(
                f"unknown user: {user!r}",
                where="the store",
                do="check the id, or use `recsys recommend --items a,b` for someone who is new",
            )
        answer = service.recommend(user, n=n, model=model)
    else:
        basket = [item.strip() for item in str(items).split(",") if item.strip()]
        unknown = [item for item in basket if store.item(item) is None]
        if unknown or not basket:
            named = ", ".join(map(repr, unknown[:3])) or "no id at all"
            raise UnknownId(f"unknown item: {named}", where="--items", do="check the ids; they are separated by commas")
        answer = service.recommend_history(Interactions.from_lists([""] * len(basket), basket), n=n, model=model)

    records = store.items([row.item for row in answer.items])
    if as_json:
        titles = {id_: record.title for id_, record in records.items()}
        rows = [
            {"item": row.item, "score": row.score, "rank": row.rank, "title": titles.get(row.item)}
            for row in answer.items
        ]
        print_json(
            {
                "user": user,
                "model": {"name": answer.model_name, "version": answer.model_version},
                "strategy": answer.strategy,
                "id": answer.id,
                "items": rows,
            }
        )
        return
    who = f"user {user}" if user is not None else "this basket"
    say(f"{answer.strategy} recommendations for {who}, by {answer.model_name} {answer.model_version}")
    print_ranked(answer.items, records, "score")

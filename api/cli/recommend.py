"""recsys recommend: the answer a user or a basket of items would get."""

from __future__ import annotations

import click

from api.cli.output import json_option, print_json, print_ranked, say
from api.cli.session import Session
from api.resources.answers import answer_as_json
from recsys.errors import UnknownId
from recsys.interactions import Interactions
from recsys.serving.answer import Recommended
from recsys.serving.ask import Ask
from recsys.serving.assortment import Assortment


@click.command(epilog="Examples: recsys recommend alice -n 5; recsys recommend --items i1,i9")
@click.argument("user", required=False)
@click.option("--items", help="Recommend for these item ids, separated by commas, instead of for a user.")
@click.option("-n", "n", type=click.IntRange(1, 500), default=10, show_default=True, help="How many items.")
@click.option("--model", help="Which live model answers; by default the configured one.")
@click.option("--explain", is_flag=True, help="Say which items of the history carry each row.")
@json_option
@click.pass_obj
def command(
    session: Session, user: str | None, items: str | None, n: int, model: str | None, explain: bool, as_json: bool
) -> None:
    """Recommend items for USER, or for a list of items.

    The list says how it was made: "personal" from the history, "content" from categories, "popular" where there is
    nothing to go by.
    """
    if (user is None) == (items is None):
        raise click.UsageError("give either a USER or --items, one of the two")
    store = session.store()
    if user is not None:
        if store.user(user) is None:
            raise UnknownId(
                f"unknown user: {user!r}",
                where="the store",
                do="check the id, or use `recsys recommend --items a,b` for someone who is new",
            )
        history = store.history(user)
    else:
        basket = [item.strip() for item in str(items).split(",") if item.strip()]
        unknown = [item for item in basket if store.item(item) is None]
        if unknown or not basket:
            named = ", ".join(map(repr, unknown[:3])) or "no id at all"
            raise UnknownId(f"unknown item: {named}", where="--items", do="check the ids; they are separated by commas")
        history = Interactions.from_lists([""] * len(basket), basket)
    known = session.assortment(store)
    answer = session.service().recommend(history, Ask(n, model=model, explain=explain), known, user)

    records = store.items([row.item for row in answer.items])
    if as_json:
        print_json(answer_as_json(answer, known, explain))
        return
    who = f"user {user}" if user is not None else "this basket"
    say(f"{answer.strategy} recommendations for {who}, by {answer.model_name} {answer.model_version}")
    print_ranked(answer.items, records, "score")
    for row in answer.items if explain else ():
        say(_why(row, known))


def _why(row: Recommended, known: Assortment) -> str:
    carried = ", ".join(f"{known.title(one.item) or one.item} ({one.share:.0%})" for one in row.because)
    words = f"{row.rank}. {known.title(row.item) or row.item}: " + (f"because of {carried}" if carried else row.source)
    if row.needed:
        words += "; not in this list without " + ", ".join(known.title(item) or item for item in row.needed)
    return words

"""recsys models diff: how one person's list changes between two versions, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from api.cli.output import json_option, print_json, print_table, printable, say
from api.cli.session import Session
from recsys.errors import UnknownId

if TYPE_CHECKING:
    from recsys.serving.diff import Difference, Reason, Row

_WORDS = {
    "model": "model",
    "seed": "seed",
    "panel": "share of people kept apart",
    "data.until": "data until",
    "data.users": "people learnt from",
    "data.items": "items learnt",
    "data.preferences": "preferences learnt from",
}


@click.command("diff", epilog="Example: recsys models diff VERSION1 VERSION2 --user alice -n 5")
@click.argument("before", metavar="V1")
@click.argument("after", metavar="V2")
@click.option("--user", required=True, help="Whose list.")
@click.option("-n", "n", type=click.IntRange(1, 200), default=10, show_default=True, help="How many items.")
@json_option
@click.pass_obj
def diff(session: Session, before: str, after: str, user: str, n: int, as_json: bool) -> None:
    """Show how a user's list changes from version V1 to V2, and why.

    Both lists are made now, from what the user did up to now, so that only the versions differ. Neither need be live.
    """
    from recsys.serving.diff import difference

    store, registry = session.store(), session.registry()
    if store.user(user) is None:
        raise UnknownId(f"unknown user: {user!r}", where="the store", do="check the id")
    bundles = registry.load(before), registry.load(after)
    known = session.assortment(store)
    found = difference(
        session.service(), session.settings.weights, (before, after), bundles, store.history(user), n, known
    )
    if as_json:
        titles = {row.item: known.title(row.item) for row in found.rows}
        print_json({"user": user, **found.as_dict(), "titles": titles})
        return
    _print(found, user, lambda item: known.title(item) or item)


def _print(found: Difference, user: str, title: Callable[[str], str]) -> None:
    places = max(sum(row.change != "left" for row in found.rows), sum(row.change != "entered" for row in found.rows))
    say(f"user {user}: {found.stayed} of {places} items stay, from V1 {found.versions[0]} to V2 {found.versions[1]}")
    if found.strategies != ("personal", "personal"):
        say(f"V1 answers by what is {found.strategies[0]}, V2 by what is {found.strategies[1]}")
    table = [(_rank(row, 0), _rank(row, 1), _moved(row), row.item, title(row.item), _people(row)) for row in found.rows]
    print_table("", ("V1", "V2", "moved", "item", "title", "people who liked it"), table, numbers_from=9)
    for row in found.rows:
        if row.change != "same":
            say(printable(f"{title(row.item)} {_told(row, found.n)}: {_why(row, title)}"))
    say(f"V1 knows {found.items[0]:,} items, V2 {found.items[1]:,}: {found.new:,} new, {found.gone:,} gone")
    for name, (one, other) in found.cards.items():
        say(f"{_WORDS.get(name, name.removeprefix('config.'))}: {_value(name, one)} in V1, {_value(name, other)} in V2")


def _rank(row: Row, side: int) -> str:
    rank = (row.before, row.after)[side]
    if rank is not None:
        return str(rank)
    if row.known[side]:
        return "further down"
    return "new to the model" if side == 0 else "no longer known"


def _moved(row: Row) -> str:
    if row.before is None or row.after is None or row.change in ("entered", "left"):
        return row.change
    return "" if row.before == row.after else f"{row.before - row.after:+d}"


def _people(row: Row) -> str:
    one, other = ("?" if count is None else f"{count:,}" for count in row.people)
    return one if one == other else f"{one} -> {other}"


def _told(row: Row, n: int) -> str:
    if row.change == "entered":
        before = (
            "it was unknown" if not row.known[0] else f"it was at {row.before}" if row.before else "it was far down"
        )
        return f"came to place {row.after} ({before})"
    if row.change == "left":
        after = "it is unknown now" if not row.known[1] else f"it is at {row.after}" if row.after else "it is far down"
        return f"left place {row.before} ({after})"
    return f"went {row.change} from {row.before} to {row.after}"


def _why(row: Row, title: Callable[[str], str]) -> str:
    reasons = "; ".join(f"{title(one.item)} {_share(one, row)}" for one in row.reasons)
    return f"what speaks for it: {reasons}" if reasons else "nothing in the history speaks for it"


def _share(reason: Reason, row: Row) -> str:
    """Shares before and after; where a version does not know the item itself, that is said in the row."""
    one, other = reason.before, reason.after
    if row.known[0] and row.known[1]:
        return f"{_percent(one)} -> {_percent(other)}"
    return _percent(other if one is None else one)


def _percent(share: float | None) -> str:
    return "not known to the model" if share is None else f"{share:.0%}"


def _value(name: str, value: Any) -> str:
    from recsys.interactions import iso_time

    if value is None:
        return "not said"
    return iso_time(value) if name == "data.until" else f"{value:,}" if isinstance(value, int) else str(value)

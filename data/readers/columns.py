"""Which column of a file holds what: by the user's mapping, or else by the names that are common for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recsys.errors import DataError

# Lower case without "_", "-" and spaces; the earlier name wins where a file has several.
NAMES: Mapping[str, Sequence[str]] = {
    "user": ("user", "userid", "uid", "customer", "customerid", "member", "memberid", "visitorid", "profileid"),
    "item": ("item", "itemid", "iid", "movie", "movieid", "product", "productid", "article", "articleid", "book",
             "bookid", "track", "trackid", "song", "songid", "video", "videoid", "business", "businessid", "asin",
             "sku", "isbn"),
    "event": ("event", "eventtype", "eventname", "action", "actiontype", "interactiontype", "behavior"),
    "value": ("value", "rating", "score", "stars", "overall", "preference", "quantity", "minutes", "watchtime"),
    "time": ("time", "timestamp", "ts", "datetime", "date", "createdat", "eventtime", "unixreviewtime", "timerank"),
    "key": ("eventid", "interactionid", "idempotencykey", "key"),
}  # fmt: skip
RATINGS = ("rating", "stars", "overall", "score")


@dataclass(frozen=True, slots=True)
class Columns:
    """The position of each field in a row, None where the file has none; ``event_name`` is what an event is called
    where no column says so."""

    user: int
    item: int
    event: int | None = None
    value: int | None = None
    time: int | None = None
    key: int | None = None
    event_name: str = "interaction"


def plain(name: str) -> str:
    """A column's name as it is compared: lower case, without separators and RecBole's ``:type``."""
    return name.partition(":")[0].strip().lower().replace("_", "").replace("-", "").replace(" ", "")


def recognised(found: Sequence[str], field: str) -> int | None:
    """The position of the column that commonly holds ``field``, or None."""
    names = [plain(name) for name in found]
    return next((names.index(name) for name in NAMES[field] if name in names), None)


def choose(found: Sequence[str], mapping: Mapping[str, str] | None, where: str) -> Columns:
    """The columns of a file with the header ``found``. mapping: field -> column name, or its number counted from 1.

    DataError when user or item cannot be found, or a mapped column is not there or is there twice.
    """
    mapping = {("key" if field == "id" else field): column for field, column in (mapping or {}).items()}
    unknown = sorted(set(mapping) - set(NAMES))
    if unknown:
        raise DataError(
            f"no field is called '{unknown[0]}'", where=where, do="map user, item, event, value, time or id"
        )
    places: dict[str, int | None] = {}
    for field in NAMES:
        if field in mapping:
            places[field] = _named(found, mapping[field], where)
        else:
            # A mapping that leaves a column out is still helped by the common names, but never given one column twice.
            place = recognised(found, field)
            taken = {_named(found, column, where) for column in mapping.values()}
            places[field] = None if place in taken else place
    user, item = places["user"], places["item"]
    missing = [field for field in ("user", "item") if places[field] is None]
    if user is None or item is None:
        example = ",".join(f"{field}=NAME" for field in missing)
        raise DataError(
            f"no column for {' and '.join(missing)}; the columns are: {listed(found)}",
            where=where,
            do=f"say which it is with --columns {example} (a column's name, or its number)",
        )
    used = [place for place in places.values() if place is not None]
    if len(set(used)) < len(used):
        raise DataError("one column is mapped to two fields", where=where, do="give each field in --columns its own")
    value = places["value"]
    rated = value is not None and plain(found[value]) in RATINGS
    return Columns(
        user, item, places["event"], value, places["time"], places["key"], "rating" if rated else "interaction"
    )


def _named(found: Sequence[str], column: str, where: str) -> int:
    exact = [place for place, name in enumerate(found) if name == column]
    matching = exact or [place for place, name in enumerate(found) if plain(name) == plain(column) and plain(column)]
    if len(matching) > 1:
        raise DataError(
            f"{len(matching)} columns are called '{column}'", where=where, do="give the column's number instead"
        )
    if matching:
        return matching[0]
    if column.isdecimal() and 1 <= int(column) <= len(found):
        return int(column) - 1
    raise DataError(
        f"no column is called '{column}'; the columns are: {listed(found)}",
        where=where,
        do="name one of them with --columns, or give its number, counted from 1",
    )


def listed(found: Sequence[str]) -> str:
    """Column names for a message, cut where they would fill the screen."""
    names = ", ".join(repr(name[:40]) for name in found[:20])
    return names + (f" and {len(found) - 20} more" if len(found) > 20 else "") if found else "(none)"

"""MovieLens as GroupLens publishes it: 100K (tabs), 1M (``::``, latin-1), latest (CSV); with movies and people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.readers import catalogue, csv, delimited
from data.readers.blocks import head_of
from data.readers.columns import Columns
from data.readers.parts import Part
from data.readers.rowwise import Layout
from data.records import BadRow, ItemRecord, UserRecord

FILES = ("u.data", "ratings.dat", "ratings.csv")
ITEM_FILES = ("movies.csv", "movies.dat", "u.item")
USER_FILES = ("users.dat", "u.user")
_TABS = re.compile(rb"\d+\t\d+\t\d+\t\d+\r?\n")
_COLONS = re.compile(rb"\d+::\d+::[\d.]+::\d+\r?\n")
_LATEST = re.compile(rb'"?userId"?,"?movieId"?,"?rating"?,"?(?:timestamp|time_rank)"?\r?\n')
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_NO_GENRES = ("(no genres listed)", "unknown")


def recognises(path: Path, head: bytes) -> bool:
    return any(pattern.match(head) for pattern in (_TABS, _COLONS, _LATEST))


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    """The ratings. A ``time_rank`` column (an order within a user instead of moments) is kept as that many seconds
    after 1970: the order is right, the dates mean nothing; a row without one has no time."""
    head = head_of(path)
    if columns or not (_TABS.match(head) or _COLONS.match(head)):
        return csv.parts(path, columns)
    four = Columns(0, 1, value=2, time=3, event_name="rating")
    if _TABS.match(head):
        return delimited.parts(path, Layout("\t", four, 4, header=False, quoted=False))
    return delimited.parts(path, Layout("::", four, 4, header=False, quoted=False, encoding="latin-1"))


def items(path: Path, bad: list[BadRow]) -> list[ItemRecord]:
    """Movies: title as published ("Toy Story (1995)"), genres as categories, the year as an attribute."""
    rows: Iterator[tuple[int, str, str, list[str]]]
    if path.name.endswith(".csv"):
        rows = ((line, row.get("movieId", ""), row.get("title", ""), row.get("genres", "").split("|"))
                for line, row in csv.rows(path, bad))  # fmt: skip
    elif path.name.endswith(".dat"):
        rows = ((line, row["id"], row["title"], row["genres"].split("|"))
                for line, row in _cells(path, "::", ("id", "title", "genres"), bad))  # fmt: skip
    else:
        rows = _hundred_thousand(path, bad)
    return catalogue.checked(path, (
        (line, ItemRecord(id_, title.strip() or None, _genres(genres), _year(title)))
        for line, id_, title, genres in rows
    ), bad)  # fmt: skip


def users(path: Path, bad: list[BadRow]) -> list[UserRecord]:
    """People: gender, age and occupation as attributes (1M: age and occupation are codes, explained in its README)."""
    if path.name.endswith(".dat"):
        rows = _cells(path, "::", ("id", "gender", "age", "occupation", "zip"), bad)
    else:
        rows = _cells(path, "|", ("id", "age", "gender", "occupation", "zip"), bad)
    told = ("gender", "age", "occupation")
    people = (
        (line, UserRecord(row["id"], {name: catalogue.plain_value(row[name]) for name in told})) for line, row in rows
    )
    return catalogue.checked(path, people, bad)


def _hundred_thousand(path: Path, bad: list[BadRow]) -> Iterator[tuple[int, str, str, list[str]]]:
    """u.item marks genres by 0 and 1 in the order of u.genre, which lies beside it."""
    names = [row["name"] for _, row in _cells(path.with_name("u.genre"), "|", ("name", "number"), bad)]
    fields = ("id", "title", "released", "video", "url", *names)
    for line, row in _cells(path, "|", fields, bad):
        yield line, row["id"], row["title"], [name for name in names if row[name] == "1"]


def _cells(
    path: Path, delimiter: str, names: tuple[str, ...], bad: list[BadRow]
) -> Iterator[tuple[int, dict[str, str]]]:
    plan = Layout(delimiter, Columns(0, 0), len(names), header=False, quoted=False, encoding="latin-1")
    return catalogue.text_rows(path, plan, names, bad)


def _genres(names: list[str]) -> tuple[str, ...]:
    return tuple(name for name in names if name and name not in _NO_GENRES)


def _year(title: str) -> dict[str, int]:
    found = _YEAR.search(title)
    return {"year": int(found[1])} if found else {}

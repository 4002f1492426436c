"""Items and users: rows of any format into ItemRecord and UserRecord, with titles, categories and attributes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from data.readers.blocks import blocks
from data.readers.cells import NUMBER, BadCell, id_of, shown, time_of
from data.readers.columns import NAMES, listed, plain
from data.readers.rowwise import Layout, record_lines, row_cells, without_header
from data.records import BadRow, ItemRecord, UserRecord
from recsys.errors import DataError
from recsys.interactions import NO_TIME

Record = TypeVar("Record", ItemRecord, UserRecord)
TITLES = ("title", "name", "itemname", "productname", "movietitle", "displayname", "label")
CATEGORIES = ("categories", "category", "genres", "genre", "class", "tags")
CREATED = ("created", "createdat", "added", "published")
LONGEST_TITLE = 1000


def is_title(name: str) -> bool:
    return plain(name) in TITLES


def text_rows(
    path: Path, layout: Layout, names: Sequence[str], bad: list[BadRow]
) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, name -> cell) of every row of a text file; what cannot be split goes to ``bad``."""
    header = layout.header
    for block in blocks(path, layout.separator if layout.quoted else None):
        if header:
            body = without_header(block, layout)
            if body is None:
                continue
            block, header = body, False
        for line, record in record_lines(block, layout):
            try:
                if block.cut:
                    raise BadCell("the line is longer than 1 MiB")
                yield line, dict(zip(names, row_cells(record, layout), strict=True))
            except BadCell as fault:
                bad.append(BadRow(str(path), line, str(fault), shown(record)))


def item_records(path: Path, rows: Iterable[tuple[int, Mapping[str, object]]], bad: list[BadRow]) -> list[ItemRecord]:
    """Generic rows: the id, title, categories, hidden and created columns by their common names; the rest are
    attributes. Categories are a list, or text cut at "|" (or ";" or "," where there is no "|")."""

    def record(row: Mapping[str, object], keys: Mapping[str, str]) -> ItemRecord:
        title = _text(row.get(keys["title"])) if "title" in keys else None
        if title and len(title) > LONGEST_TITLE:
            raise BadCell(f"title has {len(title)} characters, at most {LONGEST_TITLE} are allowed")
        return ItemRecord(
            id=_id(row.get(keys["id"]), "item"),
            title=title,
            categories=_categories(row.get(keys["categories"])) if "categories" in keys else (),
            attributes=_attributes(row, keys),
            hidden=_text(row.get(keys["hidden"])) in ("true", "True", "1", "yes") if "hidden" in keys else False,
            created=_created(row, keys),
        )

    return checked(path, _recorded(path, rows, "item", record, bad), bad)


def user_records(path: Path, rows: Iterable[tuple[int, Mapping[str, object]]], bad: list[BadRow]) -> list[UserRecord]:
    """Generic rows: the id and created columns by their common names; the rest are attributes."""

    def record(row: Mapping[str, object], keys: Mapping[str, str]) -> UserRecord:
        return UserRecord(_id(row.get(keys["id"]), "user"), _attributes(row, keys), _created(row, keys))

    return checked(path, _recorded(path, rows, "user", record, bad), bad)


def checked(path: Path, records: Iterable[tuple[int, Record]], bad: list[BadRow]) -> list[Record]:
    """The records whose id can be one, each id once: the last row of an id holds."""
    kept: dict[str, Record] = {}
    for line, record in records:
        try:
            id_of(record.id, "item" if isinstance(record, ItemRecord) else "user")
            kept[record.id] = record
        except BadCell as fault:
            bad.append(BadRow(str(path), line, str(fault), shown(repr(record)[:200])))
    return list(kept.values())


def plain_value(text: str) -> str | int | float:
    """A cell as JSON would hold it: a number where it looks like one and says nothing else ("007" stays text)."""
    if NUMBER.fullmatch(text) and len(text) <= 15 and not (text[:1] == "0" and text[1:2].isdigit()) and text[0] != "+":
        number = float(text)
        return int(text) if text.lstrip("-").isdigit() else number if math.isfinite(number) else text
    return text


def columns_of(found: Sequence[str], noun: str) -> dict[str, str]:
    """Field -> the column of ``found`` that holds it: id, title, categories, hidden, created, as far as there."""
    names: dict[str, str] = {}
    for name in found:
        names.setdefault(plain(name), name)
    wanted = {"id": ("id", *NAMES[noun]), "created": CREATED}
    if noun == "item":
        wanted |= {"id": (*NAMES["item"], "id"), "title": TITLES, "categories": CATEGORIES, "hidden": ("hidden",)}
    chosen = {
        field: next((names[name] for name in options if name in names), None) for field, options in wanted.items()
    }
    return {field: name for field, name in chosen.items() if name is not None}


def _recorded(
    path: Path, rows: Iterable[tuple[int, Mapping[str, object]]], noun: str, record: Any, bad: list[BadRow]
) -> Iterator[tuple[int, Any]]:
    keys: dict[str, str] = {}
    seen: int | None = None
    for line, row in rows:
        if seen != len(row) or "id" not in keys:  # JSON lines may change their fields from row to row
            keys, seen = columns_of(list(row), noun), len(row)
        if "id" not in keys:
            raise DataError(
                f"no column for the {noun}'s id; the columns are: {listed(list(row))}",
                where=str(path),
                do=f"call it 'id' or '{noun}'",
            )
        try:
            yield line, record(row, keys)
        except BadCell as fault:
            bad.append(BadRow(str(path), line, str(fault), shown(str(dict(row))[:400])))


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)


def _id(value: object, noun: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadCell(f"{noun} is missing" if value is None else f"{noun} is no string and no whole number")
    return str(value)


def _categories(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        mark = next((mark for mark in "|;," if mark in value), "|")
        names: Iterable[object] = value.split(mark)
    else:
        names = value if isinstance(value, list | tuple) else ()
    return tuple(dict.fromkeys(str(name).strip() for name in names if str(name).strip()))


def _attributes(row: Mapping[str, object], keys: Mapping[str, str]) -> dict[str, object]:
    used = set(keys.values())
    return {
        name: plain_value(value) if isinstance(value, str) else value
        for name, value in row.items()
        if name and name not in used and value is not None and value != ""
    }


def _created(row: Mapping[str, object], keys: Mapping[str, str]) -> int | None:
    text = _text(row.get(keys["created"])) if "created" in keys else None
    time = NO_TIME if text is None else time_of(text)
    return None if time == NO_TIME else time

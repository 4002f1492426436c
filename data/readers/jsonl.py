"""JSON lines: one object a line, its keys naming the fields."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from data.readers import catalogue
from data.readers.blocks import Block, blocks, head_of
from data.readers.cells import BadCell, id_of, in_range, scaled, shown, time_of
from data.readers.columns import NAMES, RATINGS, choose, plain
from data.readers.parts import Part, part_of
from data.records import BadRow, ItemRecord, UserRecord
from recsys.errors import DataError
from recsys.interactions import NO_TIME

FILES = ("interactions.jsonl", "interactions.ndjson")
DEEPEST = 32  # brackets inside brackets


def recognises(path: Path, head: bytes) -> bool:
    return head.lstrip().startswith(b"{")


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    """Fields are found by the keys of the first good lines; a line without ``value``, ``time`` or ``id`` has none, one
    without ``event`` is what all are called where no line has one."""
    keys = _keys(path, columns)
    rated = "value" in keys and plain(keys["value"]) in RATINGS
    for block in blocks(path, None):
        yield _part(block, str(path), keys, "rating" if rated else "interaction")


def items(path: Path, bad: list[BadRow]) -> list[ItemRecord]:
    return catalogue.item_records(path, objects(path, bad), bad)


def users(path: Path, bad: list[BadRow]) -> list[UserRecord]:
    return catalogue.user_records(path, objects(path, bad), bad)


def objects(path: Path, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, object) of every line that holds one; the others go to ``bad``."""
    for block in blocks(path, None):
        yield from ((line, found) for line, found, _ in _objects(block, str(path), bad))


def first_keys(path: Path, head: bytes) -> list[str]:
    """Every key of the objects in the first lines, in order of appearance. DataError for an empty file."""
    lines = head.split(b"\n")
    if not any(line.strip() for line in lines):
        raise DataError("the file is empty", where=str(path), do="give a file with one JSON object a line")
    found: dict[str, None] = {}
    for line in lines[:200]:
        try:
            found |= dict.fromkeys(object_of(line))
        except BadCell:
            continue
    return list(found)


def _keys(path: Path, columns: Mapping[str, str] | None) -> dict[str, str]:
    found = first_keys(path, head_of(path))
    chosen = choose(found, columns, str(path))
    places = {field: getattr(chosen, field) for field in NAMES}
    return {field: found[place] for field, place in places.items() if place is not None}


def object_of(line: bytes) -> dict[str, Any]:
    """The object a line holds. BadCell when it is no JSON, no object, says one key twice, or is nested too deeply."""
    if line.count(b"{") + line.count(b"[") > DEEPEST and _depth(line) > DEEPEST:
        raise BadCell(f"nested more than {DEEPEST} deep")
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadCell(_why(line, error)) from None
    if not isinstance(found, dict):
        raise BadCell(f"not a JSON object but {_kind(found)}")
    # Two equal keys leave fewer entries than there are colons after quotes; nested objects and colons in texts do so
    # too, and are looked at again.
    if line.count(b":") != len(found):
        json.loads(line, object_pairs_hook=_once, parse_int=str)
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise BadCell(f"key {next(key for key in keys if keys.count(key) > 1)[:40]!r} stands there twice")
    return found


def _why(line: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes that are not UTF-8 text"
    return f"not JSON: {str(error).partition(': line')[0]}"


def _kind(found: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(found), "a number")


def _depth(line: bytes) -> int:
    deepest = depth = 0
    for byte in line:  # brackets inside strings count too: such a line is refused a little early
        depth += (byte in b"{[") - (byte in b"}]")
        deepest = max(deepest, depth)
    return deepest


def _objects(block: Block, file: str, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, Any], bytes]]:
    for line, raw in enumerate(block.data.split(b"\n"), block.line):
        if not raw.strip():
            continue
        try:
            if block.cut:
                raise BadCell("the line is longer than 1 MiB")
            yield line, object_of(raw), raw
        except BadCell as fault:
            bad.append(BadRow(file, line, str(fault), shown(raw)))


def _part(block: Block, file: str, keys: Mapping[str, str], event_name: str) -> Part:
    bad: list[BadRow] = []
    columns: dict[str, list] = {field: [] for field in NAMES}
    for line, row, raw in _objects(block, file, bad):
        try:
            user, item = _id(row.get(keys["user"]), "user"), _id(row.get(keys["item"]), "item")
            event = _id(row[keys["event"]], "event") if keys.get("event") in row else event_name
            value = _value(row.get(keys["value"])) if "value" in keys else math.nan
            time = _time(row.get(keys["time"])) if "time" in keys else NO_TIME
            key = row.get(keys["key"]) if "key" in keys else None
            key = "" if key is None or key == "" else _id(key, "event id")
        except BadCell as fault:
            bad.append(BadRow(file, line, str(fault), shown(raw)))
            continue
        for field, cell in zip(NAMES, (user, item, event, value, time, key), strict=True):
            columns[field].append(cell)
    return part_of(
        columns["user"],
        columns["item"],
        columns["event"] if "event" in keys else event_name,
        columns["value"] if "value" in keys else None,
        columns["time"] if "time" in keys else None,
        columns["key"] if "key" in keys else None,
        sorted(bad, key=lambda row: row.line),
    )


def _id(value: object, noun: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and noun != "event":
        value = str(value)
    if not isinstance(value, str):
        fault = "is missing" if value is None else f"is {_kind(value)}, not a string"
        raise BadCell(f"{noun} {fault}")
    return id_of(value, noun)


def _value(value: object) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadCell(f"value is {_kind(value)}, not a number")
    return float(value)  # orjson takes no NaN and no infinity


def _time(value: object) -> int:
    if value is None:
        return NO_TIME
    if isinstance(value, str):
        return time_of(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadCell(f"time is {_kind(value)}, not a string or a number")
    return in_range(scaled(value), str(value))

"""CSV: a header and delimited rows; commas, tabs, semicolons and bars are told apart by looking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from data.readers import catalogue, delimited
from data.readers.blocks import fields_of, head_of, record_end
from data.readers.cells import NUMBER
from data.readers.columns import Columns, choose, recognised
from data.readers.parts import Part
from data.readers.rowwise import Layout
from data.records import BadRow
from recsys.errors import DataError

FILES = ("interactions.csv", "interactions.tsv", "interactions.csv.gz")
DELIMITERS = (",", "\t", ";", "|")


def recognises(path: Path, head: bytes) -> bool:
    """Any text: the last reader asked. A first line with a NUL in it is no header."""
    return b"\0" not in head.lstrip().split(b"\n", 1)[0]


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    return delimited.parts(path, layout(path, head_of(path), columns))


def layout(path: Path, head: bytes, columns: Mapping[str, str] | None) -> Layout:
    """The layout of an interactions file, from its first bytes. DataError when user or item has no column."""
    delimiter, found = header(path, head)
    numeric = [bool(NUMBER.fullmatch(cell.strip())) for cell in found]
    if columns and any(numeric):
        found, headed = [str(place + 1) for place in range(len(found))], False
        return Layout(delimiter, choose(found, columns, str(path)), len(found), headed)
    if not columns and all(numeric) and 2 <= len(found) <= 4:  # the bare layout of many published data sets
        value, time = (2, 3 if len(found) == 4 else None) if len(found) > 2 else (None, None)
        named = "interaction" if value is None else "rating"
        return Layout(delimiter, Columns(0, 1, value=value, time=time, event_name=named), len(found), header=False)
    return Layout(delimiter, choose(found, columns, str(path)), len(found))


def header(path: Path, head: bytes) -> tuple[str, list[str]]:
    """(delimiter, the cells of the first line that is not blank). DataError for an empty file."""
    start = 0
    while start < len(head):
        newline = head.find(b"\n", start) + 1 or len(head)
        if head[start:newline].strip():
            break
        start = newline
    else:
        raise DataError("the file is empty", where=str(path), do="give a file with a header and at least one row")
    best: tuple[tuple[int, int], str, list[str]] | None = None
    for delimiter in DELIMITERS:
        end = record_end(head, start, delimiter.encode()) or newline
        cells = [
            cell.decode("utf-8", "replace")
            for cell in fields_of(head[start:end].rstrip(b"\r\n"), delimiter.encode()) or []
        ]
        known = sum(recognised(cells, field) is not None for field in ("user", "item"))
        if best is None or (known, len(cells)) > best[0]:
            best = (known, len(cells)), delimiter, cells
    if best is None or not best[2]:
        raise DataError("the header cannot be read: a quote is not closed", where=str(path), do="mend the first line")
    return best[1], best[2]


def rows(path: Path, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, column -> cell) of every row, for items and users: small files, read row by row."""
    delimiter, found = header(path, head_of(path))
    plan = Layout(delimiter, Columns(0, 0), len(found))
    return catalogue.text_rows(path, plan, found, bad)

"""RecBole atomic files: tabs, and a header that types each column (``user_id:token``); .inter, .item and .user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from data.readers import catalogue, delimited
from data.readers.blocks import head_of
from data.readers.columns import Columns, choose
from data.readers.parts import Part
from data.readers.rowwise import Layout
from data.records import BadRow, ItemRecord, UserRecord
from recsys.errors import DataError

FILES = ("*.inter",)
ITEM_FILES = ("*.item",)
USER_FILES = ("*.user",)
_TYPED = re.compile(rb"[^\t\r\n]+:(?:token|float)(?:_seq)?(?:\t[^\t\r\n]+:(?:token|float)(?:_seq)?)*\r?(?:\n|$)")


def recognises(path: Path, head: bytes) -> bool:
    return bool(_TYPED.match(head))


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    found = _header(path)
    return delimited.parts(path, Layout("\t", choose(found, columns, str(path)), len(found), quoted=False))


def items(path: Path, bad: list[BadRow]) -> list[ItemRecord]:
    return catalogue.item_records(path, _rows(path, bad), bad)


def users(path: Path, bad: list[BadRow]) -> list[UserRecord]:
    return catalogue.user_records(path, _rows(path, bad), bad)


def _header(path: Path) -> list[str]:
    line = head_of(path).split(b"\n", 1)[0].rstrip(b"\r")
    if not line:
        raise DataError("the file is empty", where=str(path), do="give a RecBole atomic file with its header")
    return line.decode("utf-8", "replace").split("\t")


def _rows(path: Path, bad: list[BadRow]) -> Iterator[tuple[int, dict[str, object]]]:
    """Sequences (``_seq``) are lists, but for a title, whose words belong together."""
    found = _header(path)
    names = [name.partition(":")[0] for name in found]
    plan = Layout("\t", Columns(0, 0), len(found), quoted=False)
    for line, row in catalogue.text_rows(path, plan, names, bad):
        cells: dict[str, object] = dict(row)
        for name, typed in zip(names, found, strict=True):
            if typed.endswith("_seq") and not catalogue.is_title(name):
                cells[name] = row[name].split()
        yield line, cells

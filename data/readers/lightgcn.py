"""LightGCN lists: a user, then the items of that user, as integers between spaces, a line a user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from data.readers.blocks import Block, blocks
from data.readers.cells import shown
from data.readers.parts import Part, part_of
from data.records import MAX_ID, BadRow
from recsys.errors import DataError

FILES = ("train.txt",)  # not test.txt: what a published split holds out is no history
_LINE = re.compile(rb"\d+(?: +\d+)* *\r?(?:\n|$)")


def recognises(path: Path, head: bytes) -> bool:
    """The first line is integers between spaces (the head may cut it), or one, and such a line next."""
    lines = [line for line in head.split(b"\n", 5)[:5] if line.strip()]
    first = next((line for line in lines if b" " in line), b"")
    return bool(lines) and all(_LINE.fullmatch(line) for line in {lines[0], first})


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    """One row an item. DataError when columns are mapped: a list has none."""
    if columns:
        raise DataError("a LightGCN list has no columns to map", where=str(path), do="leave out --columns")
    for block in blocks(path, None):
        yield _part(block, str(path))


def _part(block: Block, file: str) -> Part:
    users: list[str] = []
    counts: list[int] = []
    items: list[list[str]] = []
    bad: list[BadRow] = []
    for line, raw in enumerate(block.data.split(b"\n"), block.line):
        tokens = raw.split()
        if not tokens:
            continue
        wrong = None
        if block.cut:
            wrong = "the line is longer than 1 MiB"
        elif not b"".join(tokens).isdigit():
            odd = next(token for token in tokens if not token.isdigit())
            wrong = f"{shown(odd[:40])!r} is not a whole number"
        elif max(map(len, tokens)) > MAX_ID:
            wrong = f"a number has more than {MAX_ID} digits"
        if wrong:
            bad.append(BadRow(file, line, wrong, shown(raw)))
            continue
        words = raw.decode("ascii").split()
        users.append(words[0])
        counts.append(len(words) - 1)
        items.append(words[1:])
    everyone = chain.from_iterable([user] * count for user, count in zip(users, counts, strict=True))
    return part_of(list(everyone), list(chain.from_iterable(items)), "interaction", bad=bad)

"""What a command shows: tables for people, one JSON document for machines, progress as a bar or as plain lines."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

if TYPE_CHECKING:
    from rich.console import Console

    from data.records import ItemRecord
    from recsys.recommender import Progress
    from recsys.serving.answer import Recommended

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document for machines.")


def print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS))


def console(stderr: bool = False) -> Console:
    """A rich console; where the output is no terminal, wide enough that nothing is cut."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 160, highlight=False, soft_wrap=False)


def print_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int = 1) -> None:
    """A table; columns from ``numbers_from`` on are numbers, aligned right."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, title_style="bold", pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(escape(name), justify="right" if number >= numbers_from else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    console().print(table)


def print_ranked(rows: Sequence[Recommended], records: Mapping[str, ItemRecord], measure: str) -> None:
    """A ranked list as people read it: titles where the store knows them."""
    table = []
    for row in rows:
        record = records.get(row.item)
        title = (record.title if record else None) or row.item
        categories = ", ".join(record.categories) if record else ""
        table.append((str(row.rank), row.item, title, categories, f"{row.score:.4g}"))
    print_table("", ("rank", "item", "title", "categories", measure), table, numbers_from=4)


def printable(text: str) -> str:
    """Text safe for a terminal: control characters of hostile titles are shown, not obeyed."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def program() -> str:
    """How the reader can call this command line again: ``recsys``, or the path of it when that is not on the PATH."""
    if shutil.which("recsys"):
        return "recsys"
    return "python -m api.cli" if Path(sys.argv[0]).name == "__main__.py" else os.path.relpath(sys.argv[0])


def say(line: str) -> None:
    """One line about what is going on, on standard error: standard output is for the answer."""
    click.echo(line, err=True)


class FitProgress:
    """Shows a fit: one bar on a terminal, elsewhere a plain line at most every few seconds and at the end."""

    def __init__(self, name: str, every: float = 5.0) -> None:
        self.name = name
        self.every = every
        self.last = float("-inf")

    def __call__(self, p: Progress) -> None:
        now = time.monotonic()
        done = p.step >= p.steps
        terminal = sys.stderr.isatty()
        if not done and now - self.last < (0.1 if terminal else self.every):
            return
        self.last = now
        text = f"{self.name}: step {p.step}/{p.steps}"
        if p.loss is not None:
            text += f"  loss {p.loss:.4f}"
        if p.value is not None:
            text += f"  {p.metric} {p.value:.4f}"
        if p.best is not None:
            text += f" (best {p.best:.4f})"
        text += f"  {p.seconds:.0f} s"
        if p.seconds_left is not None and not done:
            text += f", at most {p.seconds_left:.0f} s left"
        if terminal:
            filled = int(24 * p.step / max(p.steps, 1))
            click.echo(f"\r\x1b[2K[{'#' * filled}{'.' * (24 - filled)}] {text}", err=True, nl=False)
        else:
            click.echo(text, err=True)

    def close(self) -> None:
        if sys.stderr.isatty() and self.last != float("-inf"):
            click.echo("", err=True)


def row_counter(noun: str, every: float = 2.0) -> Callable[[int], None]:
    """A callable told how many rows are done so far; it reports now and then."""
    started = last = time.monotonic()

    def count(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= every:
            last = now
            say(f"{done:,} {noun} in {now - started:.0f} s")

    return count

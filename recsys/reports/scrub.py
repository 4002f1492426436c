"""scrub: a person leaves the reports that name them."""

from __future__ import annotations

import fcntl
import html
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from recsys.errors import StoreError

KEY = "user"  # the column of the tables, and the key of what is said of one person, that hold an id
_TEXTS = (".json", ".jsonl", ".html", ".csv", ".tsv", ".txt", ".md")
_TELLING = 4  # characters: shorter ids, and numbers, stand in many texts without meaning anybody


def scrub(folder: Path, user: str) -> list[str]:
    """Take a user out of every report in a folder; where their id still stands afterwards, or may, in words.

    Their rows leave the tables (.parquet), and what names them under "user" leaves report.json, from which report.html
    is made again. Only places known to hold ids are changed: an id such as "12" is a number elsewhere. Each file is
    written beside its place and renamed; those that do not hold the id are not touched. The words do not name the user.
    Raises StoreError where a file cannot be written.
    """
    left: list[str] = []
    if not folder.is_dir():
        return left
    with _alone(folder):
        for report in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
            try:
                for leftover in report.glob(".*.partial"):  # of one that was killed
                    leftover.unlink()
                for table in sorted(report.glob("*.parquet")):
                    _scrub_table(table, user, left)
                _scrub_report(report, user, left)
                left += [f"{file}: it names them in its text" for file in _naming(report, user)]
            except FileNotFoundError:  # it was just being written, and has its name now
                left.append(f"{report}: it was moved while it was read, and may name them")
            except OSError as error:
                raise StoreError(
                    f"a report cannot be written: {error.strerror or error}",
                    where=str(report),
                    do="mend its permissions, or remove it, then forget them again",
                ) from error
    return left


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One at a time: whoever writes a file anew without one person must not bring back another."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _scrub_table(file: Path, user: str, left: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        if KEY not in pq.read_schema(file).names:
            return
        names = pq.read_table(file, columns=[KEY], read_dictionary=[KEY]).column(KEY)
        if not any(user in chunk.dictionary.to_pylist() for chunk in names.chunks):
            return
        table = pq.read_table(file)
    except pa.ArrowInvalid:
        left.append(f"{file}: it cannot be read, and may hold their rows")
        return
    theirs = pc.equal(table.column(KEY).cast(pa.large_string()), user)
    with _replaced(file) as partial:
        pq.write_table(table.filter(pc.invert(pc.fill_null(theirs, False))), partial)


def _scrub_report(report: Path, user: str, left: list[str]) -> None:
    file = report / "report.json"
    try:
        text = file.read_text(encoding="utf-8")
        found = json.loads(text) if any(one in text for one in _spellings(user)) else None
    except FileNotFoundError:
        return
    except (ValueError, RecursionError):
        left.append(f"{file}: it cannot be read, and may name them")
        return
    cleaned = _without(found, user)
    if cleaned == found:
        return
    # The page first: as long as report.json names them, whoever scrubs again after a crash makes the page again.
    page = report / "report.html"
    if page.exists():
        shown = _page(cleaned)
        if shown is None:
            page.unlink()
            left.append(f"{page}: it named them and was removed: this program cannot make a page of so old a report")
        else:
            with _replaced(page) as partial:
                partial.write_text(shown, encoding="utf-8")
    with _replaced(file) as partial:
        partial.write_text(json.dumps(cleaned, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _page(report: Any) -> str | None:
    """None where the report is of a form that this program no longer knows."""
    from jinja2 import TemplateError

    from recsys.reports.page import page  # matplotlib

    try:
        return page(report)
    except (LookupError, TypeError, ValueError, AttributeError, TemplateError):
        return None


def _without(value: Any, user: str) -> Any:
    """Without what lists say of this one person."""
    if isinstance(value, dict):
        return {key: _without(inner, user) for key, inner in value.items()}
    if isinstance(value, list):
        kept = (inner for inner in value if not (isinstance(inner, dict) and inner.get(KEY) == user))
        return [_without(inner, user) for inner in kept]
    return value


def _naming(report: Path, user: str) -> Iterator[Path]:
    """Files of text in which the id still stands as a word of its own, where that can only mean the person."""
    if len(user) < _TELLING or user.isdigit():
        return
    spellings = _spellings(user)
    word = re.compile("|".join(rf"(?<!\w){re.escape(one)}(?!\w)" for one in spellings))
    for file in sorted(report.rglob("*")):
        if file.suffix not in _TEXTS or not file.is_file():
            continue
        held = file.read_bytes()
        if any(one.encode() in held for one in spellings) and word.search(held.decode("utf-8", "replace")):
            yield file


def _spellings(user: str) -> set[str]:
    """As an id may be written: plain, in JSON, in CSV, in HTML."""
    in_json = json.dumps(user)[1:-1], json.dumps(user, ensure_ascii=False)[1:-1]
    in_html = (
        html.escape(user),
        html.escape(user).replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
    )  # as Jinja has it
    return {user, *in_json, *in_html, user.replace('"', '""')}


@contextmanager
def _replaced(file: Path) -> Iterator[Path]:
    """A place beside a file to write it anew, which then takes its place."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.chmod(file.stat().st_mode)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)

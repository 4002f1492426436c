"""recsys import: a file or a folder into the store, in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.output import json_option, print_json, row_counter, say
from api.cli.session import Session
from recsys.errors import DataError
from recsys.interactions import Interactions

if TYPE_CHECKING:
    from data.records import BadRow, Batch

FORMATS = ("auto", "csv", "parquet", "jsonl", "movielens", "lightgcn", "recbole")
FIELDS = ("user", "item", "event", "value", "time", "id")
SHOWN = 5  # bad rows named on the terminal; all of them are in the store


@click.command(
    name="import",
    epilog="Examples: recsys import ratings.csv; recsys import log.csv --columns user=who,item=sku,time=at",
)
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--format", "format_", type=click.Choice(FORMATS), default="auto", show_default=True)
@click.option("--columns", help="Which column holds what: user=..,item=..,event=..,value=..,time=..,id=..")
@click.option("--items", type=click.Path(path_type=Path), help="File of items (id, title, categories, ...).")
@click.option("--users", type=click.Path(path_type=Path), help="File of users (id, attributes).")
@click.option("--on-bad-row", type=click.Choice(("quarantine", "fail")), default="quarantine", show_default=True)
@click.option("--dry-run", is_flag=True, help="Read and count everything, store nothing.")
@json_option
@click.pass_obj
def command(
    session: Session,
    source: Path,
    format_: str,
    columns: str | None,
    items: Path | None,
    users: Path | None,
    on_bad_row: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Read interactions from SOURCE into the store, and the items and users that lie beside them.

    The format is found by looking at the file. A bad row is put aside with its line and reason, and never stops the
    good ones. Importing the same file again changes nothing; an interrupted import leaves nothing behind.
    """
    from data import readers
    from data.records import Batch

    mapping = parse_columns(columns)
    found = readers.detect(source) if format_ == "auto" else format_
    say(f"reading {source} as {found}")
    bad_records: list[BadRow] = []
    item_records = readers.read_items(items, bad_records) if items else readers.items_of(source, bad_records)
    user_records = readers.read_users(users, bad_records) if users else readers.users_of(source, bad_records)
    about_records = [Batch(Interactions.empty(), bad_records)] if bad_records else []
    batches = _watched(chain(about_records, readers.read(source, format_, mapping)), fail=on_bad_row == "fail")
    if dry_run:
        rows = bad = 0
        for batch in batches:
            rows, bad = rows + len(batch.interactions), bad + len(batch.bad)
        counts = {"received": rows, "quarantined": bad, "items": len(item_records), "users": len(user_records)}
        if as_json:
            print_json({"format": found, **counts, "dry_run": True})
        else:
            say(f"{rows:,} rows can be taken, {bad:,} cannot; nothing was stored (--dry-run)")
        return
    file = readers.interactions_file(source)
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    with session.store(create=True) as store:
        done = store.import_batches(str(file), batches, items=item_records, users=user_records, sha256=sha256)
    if as_json:
        print_json({"format": found, **asdict(done)})
        return
    say(
        f"{done.received:,} rows: {done.added:,} added, {done.repeated:,} were there already, "
        f"{done.quarantined:,} put aside ({done.new_quarantined:,} for the first time)"
    )
    say(
        f"{done.new_users:,} new users, {done.new_items:,} new items; "
        f"{done.changed_items:,} items and {done.changed_users:,} users described"
    )


def parse_columns(text: str | None) -> dict[str, str] | None:
    """user=who,item=sku -> {"user": "who", "item": "sku"}."""
    if text is None:
        return None
    mapping: dict[str, str] = {}
    for part in text.split(","):
        name, equals, column = part.partition("=")
        if not equals or not column.strip() or name.strip() not in FIELDS:
            raise click.BadParameter(
                f"{part.strip()!r} is not NAME=COLUMN with NAME one of {', '.join(FIELDS)}", param_hint="--columns"
            )
        mapping[name.strip()] = column.strip()
    return mapping


def _watched(batches: Iterable[Batch], fail: bool) -> Iterator[Batch]:
    """The same batches, with progress told, and stopped at the first bad row where that is asked for."""
    count, rows, shown = row_counter("rows"), 0, 0
    for batch in batches:
        for bad in batch.bad:
            if fail:
                raise DataError(
                    f"bad row: {bad.reason}",
                    where=f"{bad.file}, line {bad.line}: {bad.text[:80]!r}",
                    do="mend the row, or leave out --on-bad-row fail to put such rows aside",
                )
            if shown < SHOWN:
                say(f"put aside: {bad.file}, line {bad.line}: {bad.reason}")
            shown += 1
        rows += len(batch.interactions)
        count(rows)
        yield batch
    if shown > SHOWN:
        say(f"put aside: {shown - SHOWN:,} more rows")

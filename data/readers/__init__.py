"""Readers: a file or folder of any known format into interactions, items and users. The format is found by looking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from data.records import BadRow, Batch, ItemRecord, UserRecord
from recsys.errors import DataError, SettingError
from recsys.interactions import Interactions

# Asked in this order which of them knows a file; the loosest is last.
READERS = {
    "parquet": "data.readers.parquet",
    "jsonl": "data.readers.jsonl",
    "recbole": "data.readers.recbole",
    "movielens": "data.readers.movielens",
    "lightgcn": "data.readers.lightgcn",
    "csv": "data.readers.csv",
}


def detect(path: Path | str) -> str:
    """The name of the format of a file, or of the interactions file in a folder. DataError where there is none."""
    return _detected(interactions_file(path))


def read(path: Path | str, format: str = "auto", columns: Mapping[str, str] | None = None) -> Iterator[Batch]:
    """The interactions in a file or folder, in file order, piece by piece: memory stays bounded at any size.

    columns: field -> column, for user, item, event, value, time and id (the sender's event id). Bad rows come beside
    the good ones, with their line (Parquet: their row). DataError when the file is missing, empty or has no column for
    user or item: raised here, before the first piece. Each piece's labels are exactly those that occur in it.
    """
    from data.readers.parts import batches

    return batches(_parts(path, format, columns))


def read_all(
    path: Path | str, format: str = "auto", columns: Mapping[str, str] | None = None
) -> tuple[Interactions, list[BadRow]]:
    """``read`` as one value: all good rows, all bad rows."""
    from data.readers.parts import joined

    return joined(_parts(path, format, columns))


def items_of(source: Path | str, bad: list[BadRow] | None = None) -> list[ItemRecord]:
    """The items that came with a source: movies.csv, u.item, *.item, items.csv ... beside the interactions; or, when
    ``source`` is itself such a file (it has an item and a title, and no user), the items in it. Rows that cannot be
    taken are appended to ``bad``."""
    return _records(Path(source), "item", bad if bad is not None else [])


def users_of(source: Path | str, bad: list[BadRow] | None = None) -> list[UserRecord]:
    """The users that came with a source, like ``items_of``: users.dat, u.user, *.user, users.csv ..."""
    return _records(Path(source), "user", bad if bad is not None else [])


def read_items(path: Path | str, bad: list[BadRow] | None = None) -> list[ItemRecord]:
    """The items in a file that somebody says holds items. DataError when it has no column for their id."""
    return _catalogue(Path(path), "item")(Path(path), bad if bad is not None else [])


def read_users(path: Path | str, bad: list[BadRow] | None = None) -> list[UserRecord]:
    """The users in a file that somebody says holds users. DataError when it has no column for their id."""
    return _catalogue(Path(path), "user")(Path(path), bad if bad is not None else [])


def interactions_file(source: Path | str) -> Path:
    """The file itself, or the one in a folder with its interactions. DataError where there are none or several."""
    source = Path(source)
    if not source.is_dir():
        return source
    for name in READERS:
        for pattern in reader(name).FILES:
            found = sorted(source.glob(pattern))
            if len(found) > 1:
                names = ", ".join(file.name for file in found[:5])
                raise DataError(f"several files could be meant: {names}", where=str(source), do="name one of them")
            if found:
                return found[0]
    held = ", ".join(sorted(file.name for file in source.iterdir())[:10]) or "nothing"
    raise DataError(
        f"no interactions found in this folder; it holds {held}", where=str(source), do="name the file to read"
    )


def reader(name: str) -> Any:
    """The module that reads a format. SettingError when there is none of that name."""
    if name not in READERS:
        raise SettingError(f"no format is called '{name}'", do=f"use auto or one of: {', '.join(READERS)}")
    return import_module(READERS[name])


def _detected(path: Path) -> str:
    from data.readers.blocks import head_of

    head = head_of(path)
    if not head.strip():
        raise DataError("the file is empty", where=str(path), do="give a file with at least one row")
    name = next((name for name in READERS if reader(name).recognises(path, head)), None)
    if name is None:
        raise DataError(
            "the file is neither text nor Parquet",
            where=str(path),
            do=f"give one of: {', '.join(sorted(READERS))}",
        )
    return name


def _parts(path: Path | str, format: str, columns: Mapping[str, str] | None) -> Iterator[Any]:
    file = interactions_file(path)
    detected = _detected(file)  # also where a format is given: a missing or empty file is the same mistake
    parts = reader(detected if format == "auto" else format).parts(file, columns)
    first = next(parts, None)  # the header is read now, so that what is wrong with it is raised now
    return iter(()) if first is None else _again(first, parts)


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    del first  # or it would be held until the last
    yield from rest


def _records(source: Path, noun: str, bad: list[BadRow]) -> list[Any]:
    if source.is_dir():
        folder = source
        names = ("items",) if noun == "item" else ("users",)
        own = tuple(f"{name}.{ending}" for name in names for ending in ("csv", "tsv", "jsonl", "parquet"))
    else:
        if _is_catalogue(source, noun):
            return _catalogue(source, noun)(source, bad)
        folder, own = source.parent, ()
        if _detected(source) not in ("movielens", "recbole"):
            return []  # what lies beside a file of no fixed layout need not belong to it
    for name in ("movielens", "recbole"):
        for pattern in (*getattr(reader(name), f"{noun.upper()}_FILES"), *own):
            for file in sorted(folder.glob(pattern)):
                if source.is_dir() or name == "movielens" or file.stem == source.stem:
                    return _catalogue(file, noun)(file, bad)
    return []


def _catalogue(path: Path, noun: str) -> Callable[[Path, list[BadRow]], list[Any]]:
    """The function that reads items or users from this very file."""
    from data.readers import catalogue, csv, movielens

    known = movielens.ITEM_FILES if noun == "item" else movielens.USER_FILES
    if path.name in known and not (path.name.endswith(".csv") and "movieId" not in csv.header(path, _head(path))[1]):
        return getattr(movielens, f"{noun}s")
    name = _detected(path)
    if name in ("parquet", "jsonl", "recbole"):
        return getattr(reader(name), f"{noun}s")
    records = catalogue.item_records if noun == "item" else catalogue.user_records
    return lambda file, bad: records(file, csv.rows(file, bad), bad)


def _is_catalogue(path: Path, noun: str) -> bool:
    """Whether a file tells of items (item, title, no user) or of users (user, no item, nothing that happened)."""
    from data.readers import csv, jsonl, movielens, parquet
    from data.readers.catalogue import columns_of
    from data.readers.columns import recognised

    if path.name in movielens.ITEM_FILES + movielens.USER_FILES:
        return path.name in (movielens.ITEM_FILES if noun == "item" else movielens.USER_FILES)
    name = _detected(path)
    if name == "lightgcn":
        return False
    if name == "parquet":
        found = parquet.names_of(path)
    elif name == "jsonl":
        found = jsonl.first_keys(path, _head(path))
    else:
        found = csv.header(path, _head(path))[1]
    fields = columns_of([column.partition(":")[0] for column in found], noun)
    if noun == "item":
        return {"id", "title"} <= set(fields) and recognised(found, "user") is None
    happened = any(recognised(found, field) is not None for field in ("item", "event", "value", "time"))
    return "id" in fields and "title" not in columns_of(found, "item") and not happened


def _head(path: Path) -> bytes:
    from data.readers.blocks import head_of

    return head_of(path)

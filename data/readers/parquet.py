"""Parquet: columns already; ids may be strings or whole numbers, times numbers or timestamps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.readers import catalogue
from data.readers.cells import BadCell, in_range, scaled, scaled_column, shown, time_of
from data.readers.collected import dictionary_array
from data.readers.columns import NAMES, choose
from data.readers.delimited import ids_good
from data.readers.parts import Part
from data.records import EARLIEST, LATEST, MAX_EVENT, MAX_ID, BadRow, ItemRecord, UserRecord, id_fault
from recsys.errors import DataError
from recsys.interactions import NO_TIME

FILES = ("interactions.parquet",)
BATCH = 1 << 18  # rows


def recognises(path: Path, head: bytes) -> bool:
    return head.startswith(b"PAR1")


def parts(path: Path, columns: Mapping[str, str] | None) -> Iterator[Part]:
    """A bad row's line is its row number, counted from 1."""
    schema = _schema(path)
    chosen = choose(schema.names, columns, str(path))
    places = {field: getattr(chosen, field) for field in NAMES}
    names = {field: schema.names[place] for field, place in places.items() if place is not None}
    row = 1
    for batch in _ahead(_batches(path, list(names.values()), few_labels=True)):
        if batch.num_rows:
            columns_here = {field: batch.column(names[field]) for field in names}
            yield _part(columns_here, chosen.event_name, row, str(path))
        row += batch.num_rows


def items(path: Path, bad: list[BadRow]) -> list[ItemRecord]:
    return catalogue.item_records(path, _rows(path), bad)


def users(path: Path, bad: list[BadRow]) -> list[UserRecord]:
    return catalogue.user_records(path, _rows(path), bad)


def names_of(path: Path) -> list[str]:
    return list(_schema(path).names)


def _schema(path: Path) -> pa.Schema:
    try:
        return pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"not a whole Parquet file: {str(error).splitlines()[0][:150]}", where=str(path), do="write the file again"
    )


def _batches(path: Path, names: list[str], few_labels: bool = False) -> Iterator[pa.RecordBatch]:
    """few_labels: columns of strings that lie in the file as short codes come as codes and labels, not as strings."""
    try:
        metadata = pq.read_metadata(path)
        coded = [name for name in names if few_labels and _is_coded(metadata, name)]
        with pq.ParquetFile(path, metadata=metadata, read_dictionary=coded) as file:
            yield from file.iter_batches(BATCH, columns=names)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def _ahead(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same, each read in another thread while the one before it is looked at."""
    with ThreadPoolExecutor(1, "reader") as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


def _is_coded(metadata: pq.FileMetaData, name: str) -> bool:
    """Whether a column takes so few bytes a row that its labels cannot stand there row by row."""
    row_groups = [metadata.row_group(number) for number in range(min(metadata.num_row_groups, 3))]
    chunks = [group.column(place) for group in row_groups for place in range(group.num_columns)]
    own = [chunk for chunk in chunks if chunk.path_in_schema == name and chunk.physical_type == "BYTE_ARRAY"]
    size = sum(chunk.total_uncompressed_size for chunk in own)
    return bool(own) and size < 5 * sum(chunk.num_values for chunk in own)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    row = 1
    for batch in _batches(path, names_of(path)):
        for found in batch.to_pylist():
            yield row, {name: _json_value(value) for name, value in found.items()}
            row += 1


def _json_value(value: object) -> object:
    """Attributes are kept as JSON: what it has no word for is kept as text."""
    if isinstance(value, list):
        return [_json_value(entry) for entry in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _part(column: dict[str, pa.Array], event_name: str, row: int, file: str) -> Part:
    n = len(column["user"])
    faults: dict[int, str] = {}
    user = _ids(column["user"], "user", MAX_ID, faults)
    item = _ids(column["item"], "item", MAX_ID, faults)
    event = _ids(column["event"], "event", MAX_EVENT, faults) if "event" in column else event_name
    value = _values(column["value"], faults) if "value" in column else None
    time = _times(column["time"], faults) if "time" in column else None
    key = None
    if "key" in column:
        key = pc.fill_null(column["key"].cast(pa.string()), "")
        _mark(_label_faults(key, MAX_ID, empty=True), np.arange(n, dtype=np.int32), "event id", faults)
    if not faults:
        return Part(user, item, event, value, time, key)
    bad = [
        BadRow(file, row + at, faults[at], shown(str({field: column[field][at].as_py() for field in column})))
        for at in sorted(faults)
    ]
    good = np.ones(n, dtype=bool)
    good[list(faults)] = False
    kept = np.flatnonzero(good)
    return Part(
        _taken(user, kept),
        _taken(item, kept),
        event if isinstance(event, str) else _taken(event, kept),
        None if value is None else value[kept],
        None if time is None else time[kept],
        None if key is None else key.take(pa.array(kept)),
        bad,
    )


def _taken(column: pa.Array, rows: np.ndarray) -> pa.Array:
    """Rows of a column as strings: a dictionary would keep labels that no row has any more."""
    return column.take(pa.array(rows)).cast(pa.string())


def _ids(column: pa.Array, noun: str, longest: int, faults: dict[int, str]) -> pa.Array:
    """The column as strings or DICTIONARY; rows that cannot be ids go to ``faults`` (row in this batch -> reason)."""
    if pa.types.is_string(column.type) and not column.null_count and ids_good(column, longest):
        return column
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    labels = column.dictionary
    if pa.types.is_floating(labels.type):  # pandas writes whole numbers with gaps so
        whole = labels.to_numpy(zero_copy_only=False)
        if (
            not np.array_equal(whole, np.floor(whole), equal_nan=True)
            or (np.abs(whole[np.isfinite(whole)]) > 2**53).any()
        ):
            raise DataError(f"the {noun} column holds fractions", do="give ids as strings or whole numbers")
        text = [str(int(number)) if np.isfinite(number) else "" for number in whole.tolist()]
        labels = pa.array(text, pa.string())
    elif (
        pa.types.is_integer(labels.type)
        or pa.types.is_large_string(labels.type)
        or pa.types.is_string_view(labels.type)
    ):
        labels = labels.cast(pa.string())
    elif pa.types.is_binary(labels.type) or pa.types.is_large_binary(labels.type):
        labels = pa.array([b.decode("utf-8", "surrogateescape") for b in labels.to_pylist()], pa.string())
    elif not pa.types.is_string(labels.type):
        raise DataError(f"the {noun} column holds {labels.type}", do="give ids as strings or whole numbers")
    codes = column.indices
    if codes.null_count:
        for at in np.flatnonzero(codes.is_null().to_numpy(zero_copy_only=False)).tolist():
            faults.setdefault(at, f"{noun} is missing")
        codes = pc.fill_null(codes, 0)
        if not len(labels):
            labels = pa.array([""], pa.string())
    numbers = codes.to_numpy()
    _mark(_label_faults(labels, longest), numbers, noun, faults)
    return dictionary_array(numbers.astype(np.int32, copy=False), labels)


def _label_faults(labels: pa.Array, longest: int, empty: bool = False) -> dict[int, str]:
    if ids_good(labels, longest):
        return {}
    words = labels.to_pylist()
    faults = ((code, id_fault(word, longest)) for code, word in enumerate(words) if word or not empty)
    return {code: fault for code, fault in faults if fault}


def _mark(labels: dict[int, str], codes: np.ndarray, noun: str, faults: dict[int, str]) -> None:
    for at in np.flatnonzero(np.isin(codes, list(labels))).tolist() if labels else ():
        faults.setdefault(at, f"{noun} {labels[int(codes[at])]}")


def _values(column: pa.Array, faults: dict[int, str]) -> np.ndarray:
    if pa.types.is_string(column.type) or pa.types.is_boolean(column.type) or pa.types.is_dictionary(column.type):
        raise DataError(f"the value column holds {column.type}", do="give values as numbers")
    missing = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    value = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    finite = np.isfinite(value)
    if missing is None and finite.all():
        return value
    wrong = ~finite
    if missing is not None:
        wrong &= ~missing
    for at in np.flatnonzero(wrong).tolist():
        faults.setdefault(at, "value is not a finite number")
    return value


def _times(column: pa.Array, faults: dict[int, str]) -> np.ndarray:
    """Microseconds. What is outside the possible range goes to ``faults``."""
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micro = column.cast(pa.timestamp("us", kind.tz if pa.types.is_timestamp(kind) else None), safe=False)
        numbers = micro.cast(pa.int64())
        times = pc.fill_null(numbers, NO_TIME).to_numpy(zero_copy_only=False)
        wrong = (times != NO_TIME) & ((times < EARLIEST) | (times >= LATEST))
        for at in np.flatnonzero(wrong).tolist():
            faults.setdefault(at, "time is outside 1900-01-01 to 2200-01-01")
        return times
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        target = pa.int64() if pa.types.is_integer(kind) else pa.float64()
        numbers = column.cast(target)
        if not numbers.null_count:
            whole = scaled_column(numbers.to_numpy())
            if whole is not None:
                return whole
    cells = column.cast(pa.string()).to_pylist() if pa.types.is_dictionary(kind) else column.to_pylist()
    times = np.full(len(cells), NO_TIME, dtype=np.int64)
    for at, cell in enumerate(cells):
        try:
            if isinstance(cell, str):
                times[at] = time_of(cell)
            elif isinstance(cell, int | float):
                if not np.isfinite(cell):
                    raise BadCell("time is not a finite number")
                times[at] = in_range(scaled(cell), str(cell))
            elif cell is not None:
                raise DataError(f"the time column holds {kind}", do="give times as numbers, timestamps or ISO 8601")
        except BadCell as fault:
            faults.setdefault(at, str(fault))
    return times

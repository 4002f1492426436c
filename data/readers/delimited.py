"""Rows of delimited text into Parts: whole blocks by Arrow, and row by row only where a block holds a bad row."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from data.readers.blocks import Block, blocks
from data.readers.cells import all_in_range, scaled_column, shown
from data.readers.parts import Part, part_of
from data.readers.rowwise import TIME_KINDS, Layout, record_lines, row_by_row, without_header
from data.records import MAX_EVENT, MAX_ID, BadRow, id_fault
from recsys.interactions import NO_TIME

AT_ONCE = 1 << 20  # bytes Arrow parses at once: they and what comes of them stay in the processor's cache
SMALLEST = 1 << 15  # bytes; a block that Arrow refuses is halved down to this before it is read row by row
STAND_IN = b"\x1f"  # Arrow wants delimiters of one byte: stands for "::" inside a block


class _Refused(Exception):
    """This block is not all good as Arrow reads it: what is wrong, and on which line, takes the exact path to say."""


def parts(path: Path, layout: Layout, block_size: int | None = None) -> Iterator[Part]:
    """The file in order, two blocks at a time in threads (Arrow works without the interpreter lock)."""
    workers = min(2, os.cpu_count() or 1)
    pending: deque = deque()
    header = layout.header
    with ThreadPoolExecutor(workers, "reader") as pool:
        for block in blocks(path, layout.separator if layout.quoted else None, block_size):
            if header:
                body = without_header(block, layout)
                if body is None:
                    continue
                block, header = body, False
            pending.append(pool.submit(lambda b: list(_parse(b, layout, str(path))), block))
            if len(pending) > workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


def _parse(block: Block, layout: Layout, file: str) -> Iterator[Part]:
    if not block.data:
        return
    if block.cut:
        bad = BadRow(file, block.line, "the line is longer than 1 MiB", shown(block.data))
        yield part_of([], [], layout.columns.event_name, bad=[bad])
        return
    try:
        yield _by_arrow(block, layout)
    except (_Refused, pa.ArrowInvalid):
        middle = block.data.find(b"\n", len(block.data) // 2) + 1
        if block.plain and len(block.data) > SMALLEST and 0 < middle < len(block.data):
            first = block.data[:middle]
            yield from _parse(Block(block.line, first), layout, file)
            yield from _parse(Block(block.line + first.count(b"\n"), block.data[middle:]), layout, file)
        else:
            yield row_by_row(block, layout, file)


def _by_arrow(block: Block, layout: Layout) -> Part:
    data, delimiter = block.data, layout.delimiter
    if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
        raise _Refused  # Arrow takes a lone carriage return for the end of a row
    if data.startswith(b"\xef\xbb\xbf"):
        raise _Refused  # the file's mark is gone; Arrow would take this one, in the middle of the file, for another
    if len(delimiter) > 1:
        if STAND_IN in data:
            raise _Refused
        data, delimiter = data.replace(layout.separator, STAND_IN), STAND_IN.decode()
    names = layout.names()
    read = csv.ReadOptions(
        use_threads=False, block_size=AT_ONCE, column_names=[str(place) for place in range(layout.width)]
    )
    parse = csv.ParseOptions(
        delimiter=delimiter, quote_char='"' if layout.quoted else False, newlines_in_values=not block.plain
    )
    kinds = sorted(TIME_KINDS, key=lambda kind: kind != layout.time_kind) if "time" in names else [TIME_KINDS[0]]
    if "time" in names and any(mark in data and b"0" + mark in data for mark in (b"x", b"X")):
        kinds = [kind for kind in kinds if kind != pa.int64()]  # Arrow would take hexadecimal; float64 does not
    for kind in kinds:
        types = {names[field]: type_ for field, type_ in _TYPES.items() if field in names}
        if "time" in names:
            types[names["time"]] = kind
        convert = csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=False, include_columns=list(names.values())
        )
        try:
            table = csv.read_csv(pa.BufferReader(data), read, parse, convert)
        except pa.ArrowInvalid as error:
            if "time" in names and f"column #{names['time']}:" in str(error) and kind != kinds[-1]:
                continue
            raise
        layout.time_kind = kind
        break
    if layout.quoted and b'"' in data and table.num_rows != _records(block, layout):
        raise _Refused  # a quote closed on another line than it should
    return _checked(table, names, layout)


# Ids are read as they stand and encoded later, many at once: a table of labels for each small piece costs more.
_TYPES = {
    "user": pa.string(),
    "item": pa.string(),
    "event": pa.string(),
    "value": pa.float64(),
    "key": pa.string(),
}


def _records(block: Block, layout: Layout) -> int:
    if block.plain:
        return block.data.count(b"\n") + (not block.data.endswith(b"\n"))
    return sum(1 for _ in record_lines(block, layout))


def _checked(table: pa.Table, names: dict[str, str], layout: Layout) -> Part:
    """The columns of a block whose every row is good. _Refused when some row is not."""
    if not table.num_rows:
        raise _Refused
    column = {}
    for field, name in names.items():
        if field in ("value", "time"):
            column[field] = table.column(name).combine_chunks()
            continue
        column[field] = table.column(name)
        present = column[field] if field != "key" else column[field].filter(pc.not_equal(column[field], ""))
        if not ids_good(present, MAX_EVENT if field == "event" else MAX_ID):
            raise _Refused
    value = time = None
    if "value" in column:
        value = _floats(column["value"])
    if "time" in column:
        time = _times(column["time"])
    event = column.get("event", layout.columns.event_name)
    return Part(
        column["user"], column["item"], event, value, time, column["key"].combine_chunks() if "key" in column else None
    )


def ids_good(column: pa.Array | pa.ChunkedArray, longest: int) -> bool:
    """Whether every string can be an id: plain ASCII is seen at a glance, the rest is asked one by one."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    if all(_plain(chunk, longest) for chunk in chunks):
        return True
    return not any(id_fault(text, longest) for text in column.unique().to_pylist())


def _plain(texts: pa.Array, longest: int) -> bool:
    if not len(texts):
        return True
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    lengths = np.diff(offsets)
    text = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)[offsets[0] : offsets[-1]]
    return bool(lengths.min() >= 1 and lengths.max() <= longest and text.min() >= 0x20 and text.max() <= 0x7E)


def _floats(column: pa.Array) -> np.ndarray:
    if column.null_count == 0:
        value = column.to_numpy(zero_copy_only=False)
        if not np.isfinite(value).all():
            raise _Refused
        return value
    present = column.drop_null().to_numpy()
    if not np.isfinite(present).all():
        raise _Refused
    return column.to_numpy(zero_copy_only=False)  # null becomes NaN: no value


def _times(column: pa.Array) -> np.ndarray:
    numbers = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    present = numbers.drop_null().to_numpy(zero_copy_only=False) if numbers.null_count else numbers.to_numpy()
    if pa.types.is_timestamp(column.type):
        times = present if all_in_range(present) else None
    else:
        times = scaled_column(present)
    if times is None:
        raise _Refused
    if not column.null_count:
        return times
    whole = np.full(len(column), NO_TIME, dtype=np.int64)
    whole[column.is_valid().to_numpy(zero_copy_only=False)] = times
    return whole

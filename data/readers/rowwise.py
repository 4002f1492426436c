"""Rows of delimited text one by one: the exact way, which knows which row is bad, on which line, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from data.readers.blocks import LONGEST_RECORD, Block, fields_of, record_end
from data.readers.cells import BadCell, id_of, shown, time_of, value_of
from data.readers.columns import Columns
from data.readers.parts import Part, part_of
from data.records import BadRow

TIME_KINDS = (pa.int64(), pa.timestamp("us", "UTC"), pa.timestamp("us"), pa.float64())


@dataclass(slots=True)
class Layout:
    """How the rows of one file are laid out.

    width: cells in a row. skip: bytes and lines before the first row (the header). quoted: cells may be in quotes.
    encoding: of the rows that are not UTF-8. time_kind: the Arrow type that the last block's times had; tried first.
    """

    delimiter: str
    columns: Columns
    width: int
    header: bool = True
    quoted: bool = True
    encoding: str = "utf-8"
    time_kind: pa.DataType = TIME_KINDS[0]

    @property
    def separator(self) -> bytes:
        return self.delimiter.encode()

    def names(self) -> dict[str, str]:
        """Field -> the name a column has while Arrow reads it: its position, whatever the header says."""
        places = {field: getattr(self.columns, field) for field in ("user", "item", "event", "value", "time", "key")}
        return {field: str(place) for field, place in places.items() if place is not None}


def without_header(block: Block, layout: Layout) -> Block | None:
    """The block after its first line that is not blank; None when it is all blank."""
    start = 0
    while start < len(block.data):
        end = record_end(block.data, start, layout.separator) if layout.quoted else block.data.find(b"\n", start) + 1
        end = end or block.data.find(b"\n", start) + 1 or len(block.data)
        if block.data[start:end].strip():
            return Block(block.line + block.data[:end].count(b"\n"), block.data[end:], block.plain)
        start = end
    return None


def record_lines(block: Block, layout: Layout) -> Iterator[tuple[int, bytes]]:
    """(line, bytes) of every record that is not blank, without its line end."""
    data, line, start = block.data, block.line, 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        if layout.quoted and data.find(b'"', start, end) >= 0:
            end = record_end(data, start, layout.separator) or end
        record = data[start:end]
        text = record.removesuffix(b"\n").removesuffix(b"\r")
        if text.strip(b" \t"):
            yield line, text
        line, start = line + record.count(b"\n"), end


def row_by_row(block: Block, layout: Layout, file: str) -> Part:
    columns = layout.columns
    users: list[str] = []
    items: list[str] = []
    events: list[str] = []
    values: list[float] = []
    times: list[int] = []
    keys: list[str] = []
    bad: list[BadRow] = []
    for line, record in record_lines(block, layout):
        try:
            cells = row_cells(record, layout)
            user, item = id_of(cells[columns.user], "user"), id_of(cells[columns.item], "item")
            event = columns.event_name if columns.event is None else id_of(cells[columns.event], "event")
            value = value_of(cells[columns.value]) if columns.value is not None else 0.0
            time = time_of(cells[columns.time]) if columns.time is not None else 0
            key = cells[columns.key] if columns.key is not None else ""
            if key:
                id_of(key, "event id")
        except BadCell as fault:
            bad.append(BadRow(file, line, str(fault), shown(record)))
            continue
        users.append(user)
        items.append(item)
        events.append(event)
        values.append(value)
        times.append(time)
        keys.append(key)
    return part_of(
        users,
        items,
        columns.event_name if columns.event is None else events,
        None if columns.value is None else values,
        None if columns.time is None else times,
        None if columns.key is None else keys,
        bad,
    )


def row_cells(record: bytes, layout: Layout) -> list[str]:
    """The cells of one row. BadCell for bytes that are no text, an open quote, or another number of cells."""
    if len(record) > LONGEST_RECORD:
        raise BadCell("the line is longer than 1 MiB")
    fields = fields_of(record, layout.separator) if layout.quoted else record.split(layout.separator)
    if fields is None:
        raise BadCell("a quoted field is not closed")
    try:
        cells = [field.decode(layout.encoding) for field in fields]
    except UnicodeDecodeError:
        raise BadCell("bytes that are not UTF-8 text") from None
    if len(cells) != layout.width:
        raise BadCell(f"{len(cells)} fields, expected {layout.width}")
    return cells

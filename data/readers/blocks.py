"""A text file as blocks of whole records: bytes cut where a row ends, each knowing the line it starts on."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from recsys.errors import DataError

BLOCK = 8 << 20  # bytes; a few are parsed at once, so this bounds the memory a file of any size takes
LONGEST_RECORD = 1 << 20  # a longer line, or a quoted field running on for longer, is no row


@dataclass(frozen=True, slots=True)
class Block:
    """line: of its first byte, from 1. plain: every line is one record, so it may be cut at any newline. cut: the
    block is one over-long line of which only the beginning is kept."""

    line: int
    data: bytes
    plain: bool = True
    cut: bool = False


def opened(path: Path) -> BinaryIO:
    """The file's bytes, decompressed where it is gzip. DataError where it cannot be opened."""
    try:
        file = path.open("rb")
        if file.read(2) == b"\x1f\x8b":
            file.close()
            return cast(BinaryIO, gzip.open(path, "rb"))
    except OSError as error:
        raise unreadable(path, error) from error
    file.seek(0)
    return file


def unreadable(path: Path, error: Exception) -> DataError:
    """An operating system's words on a file, as ours."""
    if isinstance(error, FileNotFoundError):
        return DataError("there is no such file", where=str(path), do="check the path")
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DataError(f"cannot read the file: {words}", where=str(path), do="check the file and its permissions")


def head_of(path: Path, size: int = 1 << 16) -> bytes:
    """The first bytes of a file, without a byte order mark. DataError when it cannot be read or is UTF-16."""
    try:
        with opened(path) as file:
            head = file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError("the file is UTF-16", where=str(path), do="save it as UTF-8")
    return head.removeprefix(b"\xef\xbb\xbf")


def blocks(path: Path, delimiter: bytes | None, size: int | None = None) -> Iterator[Block]:
    """The file from its first line to its last. delimiter: given where a quoted field may hold a newline."""
    size = size or BLOCK
    line, rest, dropping = 1, b"", False
    try:
        with opened(path) as file:
            first = True
            while True:
                read = file.read(size)
                if first:
                    read, first = read.removeprefix(b"\xef\xbb\xbf"), False
                if dropping:  # the tail of an over-long line
                    newline = read.find(b"\n")
                    if read and newline < 0:
                        continue
                    read, dropping, line = read[newline + 1 :], False, line + 1
                    if not read:
                        continue
                data = rest + read if rest else read
                end, plain = _cut(data, delimiter, last=not read)
                if end:
                    whole = data[:end] if end < len(data) else data
                    yield Block(line, whole, plain)
                    line += whole.count(b"\n")
                rest = data[end:] if end else data
                if not read:
                    return
                if len(rest) > LONGEST_RECORD and b"\n" not in rest:
                    yield Block(line, rest[:1000], cut=True)
                    rest, dropping = b"", True
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(path, error) from error


def _cut(data: bytes, delimiter: bytes | None, last: bool) -> tuple[int, bool]:
    """(where the last whole record ends, whether every line before it is a record of its own)."""
    end = len(data) if last else data.rfind(b"\n") + 1
    if delimiter is None or b'"' not in data:
        return end, True
    quotes, newlines = _positions(data[:end], b'"'), _positions(data[:end], b"\n")
    in_line = np.bincount(np.searchsorted(newlines, quotes), minlength=1)
    starts = np.r_[0, newlines + 1]
    plain, passed = True, 0
    for start in starts[np.flatnonzero(in_line % 2)].tolist():  # lines where a quoted field may stay open
        if start < passed:
            continue
        passed = record_end(data, start, delimiter)
        if passed > end or (passed == 0 and not last and end - start <= LONGEST_RECORD):
            return start, plain  # it goes on beyond what has been read
        plain = plain and not (passed and b"\n" in data[start : passed - 1])
    return end, plain


def record_end(data: bytes, start: int, delimiter: bytes) -> int:
    """Where the record that starts at ``start`` ends, after its newline; 0 when a quoted field in it never closes."""
    end = start
    while end < len(data) and end - start <= LONGEST_RECORD:
        newline = data.find(b"\n", end)
        piece = data[end : newline + 1] if newline >= 0 else data[end:]
        end += len(piece)
        if piece.count(b'"') % 2 and fields_of(data[start:end].rstrip(b"\r\n"), delimiter) is not None:
            return end
        if end - len(piece) == start and not piece.count(b'"') % 2:
            return end  # an even number of quotes on its first line: the line is the record, well formed or not
    return 0


def fields_of(record: bytes, delimiter: bytes) -> list[bytes] | None:
    """RFC 4180: a field in quotes may hold the delimiter, newlines and doubled quotes; elsewhere a quote is a letter.
    None when a quoted field is not closed."""
    if b'"' not in record:
        return record.split(delimiter)
    fields: list[bytes] = []
    at = 0
    while True:
        field = b""
        if record[at : at + 1] == b'"':
            at += 1
            while True:
                close = record.find(b'"', at)
                if close < 0:
                    return None
                field += record[at:close]
                at = close + 1
                if record[at : at + 1] != b'"':
                    break
                field, at = field + b'"', at + 1
        end = record.find(delimiter, at)
        if end < 0:
            fields.append(field + record[at:])
            return fields
        fields.append(field + record[at:end])
        at = end + len(delimiter)


def _positions(data: bytes, byte: bytes) -> np.ndarray:
    """(k,) int64 offsets of one byte."""
    return np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == byte[0])

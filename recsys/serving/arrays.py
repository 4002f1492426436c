"""Arrays of a safetensors file as read-only views of its bytes: nothing is copied, every bound is checked.

The format is https://github.com/huggingface/safetensors#format; its library gives numpy copies only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from recsys.errors import DamagedBundle
from recsys.recommender import State

_NAMES = {"F": "float", "I": "int", "U": "uint"}
_SIZES = {"F": (16, 32, 64), "I": (8, 16, 32, 64), "U": (8, 16, 32, 64)}
_TYPES = {f"{kind}{bits}": np.dtype(f"{_NAMES[kind]}{bits}") for kind, sizes in _SIZES.items() for bits in sizes}
_TYPES["BOOL"] = np.dtype(bool)
_START = 8  # bytes that hold the length of the header


def view_arrays(data: memoryview, where: str) -> State:
    """Name -> array, each a view of ``data``, read-only where that is.

    Raises DamagedBundle unless the header is sound and its arrays fill the rest of the file without gap or overlap.
    """
    header, first = _header(data, where)
    entries = [_entry(name, entry, where) for name, entry in header.items() if name != "__metadata__"]
    arrays: State = {}
    end = 0
    for name, dtype, shape, start, stop in sorted(entries, key=lambda entry: entry[3:]):
        if start != end or stop - start != math.prod(shape) * dtype.itemsize or first + stop > len(data):
            raise _bad(f"array '{name}' of {shape} does not lie from byte {start} to {stop}", where)
        if (first + start) % dtype.itemsize:
            raise _bad(f"array '{name}' does not begin at a multiple of {dtype.itemsize} bytes", where)
        try:
            arrays[name] = np.frombuffer(data[first + start : first + stop], dtype=dtype).reshape(shape)
        except ValueError as error:  # more dimensions than numpy knows, or longer ones, around nothing
            raise _bad(f"array '{name}': {error}", where) from error
        end = stop
    if first + end != len(data):
        raise _bad(f"{len(data) - first - end:,} bytes belong to no array", where)
    return arrays


def _header(data: memoryview, where: str) -> tuple[dict[str, Any], int]:
    """The header, and where the arrays begin."""
    length = int.from_bytes(data[:_START], "little")
    if len(data) < _START or length > len(data) - _START:
        raise _bad("it ends within its header", where)
    try:
        header = json.loads(bytes(data[_START : _START + length]), object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise _bad(f"its header is not JSON: {error}", where) from error
    if not isinstance(header, dict):
        raise _bad("its header is no JSON object", where)
    return header, _START + length


def _entry(name: str, entry: Any, where: str) -> tuple[str, np.dtype[Any], tuple[int, ...], int, int]:
    """(name, type, shape, first byte, byte after the last) of one array."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise _bad(f"array '{name}' is not described by dtype, shape and data_offsets", where)
    kind, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in _TYPES:
        raise _bad(f"array '{name}' has type {kind!r}, none a model may have", where)
    if not _whole(shape) or not _whole(offsets) or len(offsets) != 2:
        raise _bad(f"array '{name}' has no usable shape or place", where)
    return name, _TYPES[kind], tuple(shape), offsets[0], offsets[1]


def _whole(numbers: Any) -> bool:
    """Whether this is a list of whole numbers of at least 0."""
    return isinstance(numbers, list) and all(type(number) is int and number >= 0 for number in numbers)


def _distinct(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands there twice")
        found[name] = value
    return found


def _bad(cause: str, where: str) -> DamagedBundle:
    return DamagedBundle(f"not a sound safetensors file: {cause}", where=where)

"""Arrays seen in a safetensors file: as the library reads them, in place, and nothing but what is sound."""

import json
import struct

import numpy as np
import pytest
from safetensors.numpy import load, save

from recsys.errors import DamagedBundle
from recsys.serving.arrays import view_arrays

KINDS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
TABLE = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}


def packed(header, body=b"\0" * 24):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    raw += b" " * (-len(raw) % 8)
    return memoryview(struct.pack("<Q", len(raw)) + raw + body)


def test_every_type_and_shape_is_read_as_the_library_reads_it():
    rng = np.random.default_rng(0)
    shapes = [(7, 3), (5,), (), (0, 4), (2, 3, 4)]
    arrays = {f"{kind}{k}": rng.integers(0, 2, shape).astype(kind) for kind in KINDS for k, shape in enumerate(shapes)}
    data = save(arrays, metadata={"of": "no matter"})
    found, theirs = view_arrays(memoryview(data), "here"), load(data)
    assert set(found) == set(theirs) == set(arrays)
    for name, array in found.items():
        assert array.dtype == theirs[name].dtype
        assert array.shape == theirs[name].shape
        np.testing.assert_array_equal(array, arrays[name])


def test_arrays_are_read_only_views():
    data = memoryview(save({"a": np.ones((4, 5), np.float32), "b": np.arange(3)}))
    for array in view_arrays(data, "here").values():
        assert np.shares_memory(array, np.frombuffer(data, dtype=np.uint8))
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_the_control_is_sound():
    assert view_arrays(packed({"a": TABLE}), "here")["a"].shape == (2, 3)


@pytest.mark.parametrize(
    "data",
    [
        memoryview(b""),
        memoryview(b"\0" * 7),
        memoryview(struct.pack("<Q", 2**63) + b"{}"),
        memoryview(struct.pack("<Q", 3) + b"{}"),
        packed(b"[]", b""),
        packed(b"{", b""),
        packed(b"[" * 200_000, b""),
        packed(b'{"a": \xff}', b""),
        packed(b'{"a": %s, "a": %s}' % ((json.dumps(TABLE).encode(),) * 2)),
        packed({}),  # bytes that belong to nothing
        packed({"a": TABLE}, b"\0" * 23),
        packed({"a": TABLE}, b"\0" * 25),
        packed({"a": []}),
        packed({"a": {**TABLE, "more": 1}}),
        packed({"a": {**TABLE, "dtype": "C64"}}),
        packed({"a": {**TABLE, "dtype": "BF16"}}),
        packed({"a": {**TABLE, "dtype": ["F32"]}}),
        packed({"a": {**TABLE, "shape": [3, 3]}}),
        packed({"a": {**TABLE, "shape": [-2, -3]}}),
        packed({"a": {**TABLE, "shape": [2.0, 3]}}),
        packed({"a": {**TABLE, "shape": [True, 6]}}),
        packed({"a": {**TABLE, "shape": 6}}),
        packed({"a": {**TABLE, "shape": [1] * 70 + [6]}}),
        packed({"a": {**TABLE, "shape": [2**62, 2**62, 0], "data_offsets": [0, 0]}}, b""),
        packed({"a": {**TABLE, "shape": [2**70, 0], "data_offsets": [0, 0]}}, b""),
        packed({"a": {**TABLE, "data_offsets": [0]}}),
        packed({"a": {**TABLE, "data_offsets": [24, 0]}}),
        packed({"a": {**TABLE, "data_offsets": [-24, 0]}}),
        packed({"a": {**TABLE, "data_offsets": [4, 28]}}),
        packed({"a": {**TABLE, "data_offsets": [2**70, 2**70 + 24]}}),
        packed({"a": TABLE, "b": TABLE}),  # overlap
        packed({"a": TABLE, "b": {**TABLE, "data_offsets": [12, 36]}}, b"\0" * 36),
        packed({"a": TABLE, "b": {**TABLE, "data_offsets": [28, 52]}}, b"\0" * 52),  # a gap
        packed(
            {"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "b": {**TABLE, "data_offsets": [1, 25]}},
            b"\0" * 25,
        ),
    ],
)
def test_an_unsound_file_is_refused_and_named(data):
    with pytest.raises(DamagedBundle, match="safetensors") as caught:
        view_arrays(data, "here")
    assert caught.value.where == "here"


def test_whatever_the_library_refuses_of_mutated_headers_is_refused_here():
    data = save({"table": np.ones((4, 5), np.float32), "ids": np.arange(6, dtype=np.uint8)})
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(3_000):
        changed = bytearray(data)
        for _ in range(int(rng.integers(1, 4))):
            changed[int(rng.integers(len(data) - 86))] = int(rng.choice(list(b'0123456789-,:[]{}"FIU8 \0\xff')))
        try:
            load(bytes(changed))
        except Exception:  # noqa: BLE001  # whatever its kind
            refused += 1
            with pytest.raises(DamagedBundle):
                view_arrays(memoryview(bytes(changed)), "here")
    assert refused > 1_000

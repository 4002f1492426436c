"""Interactions: what it accepts, what it refuses, and its frame, against pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.errors import DataError
from recsys.interactions import COLUMNS, NO_TIME, Encoded, Interactions


def test_encoding_keeps_the_order_of_first_appearance():
    column = Encoded.of(["b", "a", "b"])
    assert (column.codes.tolist(), column.labels.tolist(), column.decode().tolist()) == (
        [0, 1, 0],
        ["b", "a"],
        ["b", "a", "b"],
    )
    assert column.codes.dtype == np.int32


def test_a_constant_column_takes_no_room_and_cannot_be_written():
    column = Encoded.constant("view", 1_000_000_000)
    assert len(column) == 1_000_000_000
    assert column.codes.base is not None
    assert column.codes.strides == (0,)
    with pytest.raises(ValueError, match="read-only"):
        column.codes[0] = 1


def test_the_frame_has_the_columns_of_the_contract():
    rows = Interactions.from_lists(
        ["u", "v"], ["i", "j"], ["a", "b"], [1.5, np.nan], [1_700_000_000_000_000, NO_TIME], ["k", ""]
    )
    frame = rows.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert frame["user"].astype(str).tolist() == ["u", "v"]
    assert frame["time"].tolist() == [pd.Timestamp(1_700_000_000, unit="s", tz="UTC"), pd.NaT]
    assert frame["key"].tolist() == ["k", ""]
    assert Interactions.from_lists(["u"], ["i"]).to_frame()["event"].tolist() == ["interaction"]


def test_rows_are_taken_by_number_or_mask_and_the_span_skips_unknown_times():
    rows = Interactions.from_lists(
        ["u", "v", "w"], ["i", "j", "k"], values=[1, 2, 3], times=[5, NO_TIME, 3], keys=["a", "", "c"]
    )
    for chosen in (np.array([0, 2]), np.array([True, False, True])):
        taken = rows.take(chosen)
        assert (taken.user.decode().tolist(), taken.value.tolist(), taken.key.tolist()) == (
            ["u", "w"],
            [1, 3],
            ["a", "c"],
        )
    assert rows.span() == (3, 5)
    assert rows.take(np.array([1])).span() is None
    assert Interactions.empty().span() is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"item": Encoded.of(["i"])}, "column 'item' has 1 rows, column 'user' has 2"),
        ({"value": np.zeros(3)}, "column 'value' has 3 rows"),
        ({"value": np.zeros(2, dtype=np.float32)}, "column 'value' must be float64"),
        ({"time": np.zeros(2)}, "column 'time' must be int64 microseconds"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change, words):
    rows = Interactions.from_lists(["u", "v"], ["i", "j"])
    columns = {name: getattr(rows, name) for name in COLUMNS} | change
    with pytest.raises(DataError, match=words):
        Interactions(**columns)


def test_codes_and_labels_of_another_kind_are_refused():
    with pytest.raises(DataError, match="int32"):
        Encoded(np.zeros(2), np.array(["a"], dtype=object))
    with pytest.raises(DataError, match="labels"):
        Encoded(np.zeros(2, dtype=np.int32), np.array(["a"]))

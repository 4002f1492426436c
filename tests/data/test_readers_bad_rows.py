"""Bad rows: each kind is named with its exact line, in every format, and never stops the good rows around it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data import readers
from data.readers import blocks, delimited, rowwise
from recsys.errors import RecsysError

LONG = "x" * 256
TEXT_KINDS = {  # kind: (cells of user, item, event, value, time, id; the reason)
    "no user": (("", "i", "view", "1", "9", "k"), "user is missing"),
    "no item": (("u", "", "view", "1", "9", "k"), "item is missing"),
    "no event": (("u", "i", "", "1", "9", "k"), "event is missing"),
    "NaN": (("u", "i", "view", "NaN", "9", "k"), "value 'NaN' is not a finite number"),
    "infinite": (("u", "i", "view", "-inf", "9", "k"), "value '-inf' is not a finite number"),
    "overflowing": (("u", "i", "view", "1e999", "9", "k"), "value '1e999' is not a finite number"),
    "word as value": (("u", "i", "view", "five", "9", "k"), "value 'five' is not a number"),
    "underscored": (("u", "i", "view", "1_0", "9", "k"), "value '1_0' is not a number"),
    "word as time": (("u", "i", "view", "1", "noon", "k"), "time 'noon' is neither ISO 8601 nor a number of seconds"),
    "no such day": (("u", "i", "view", "1", "2023-02-30", "k"), "time '2023-02-30' is neither ISO 8601"),
    "too late": (("u", "i", "view", "1", "9999999999", "k"), "time is outside 1900-01-01 to 2200-01-01"),
    "2^63 as time": (("u", "i", "view", "1", "9223372036854775808", "k"), "time is outside"),
    "long user": ((LONG, "i", "view", "1", "9", "k"), "user has 256 characters, at most 255 are allowed"),
    "long item": (("u", LONG, "view", "1", "9", "k"), "item has 256 characters"),
    "long event id": (("u", "i", "view", "1", "9", LONG), "event id has 256 characters"),
    "control": (("u\x07", "i", "view", "1", "9", "k"), "user holds a control character"),
    "NUL": (("u", "i\x00", "view", "1", "9", "k"), "item holds a control character"),
    "line separator": (("u", "i\u2028j", "view", "1", "9", "k"), "item holds a control character"),
    "carriage return": (("u\rv", "i", "view", "1", "9", "k"), "user holds a control character"),
    "too few": (("u", "i", "view", "1"), "4 fields, expected 6"),
    "too many": (("u", "i", "view", "1", "9", "k", "more"), "7 fields, expected 6"),
}
HEADER = ("user", "item", "event", "value", "time", "event_id")


def good(number: int) -> list[str]:
    return [f"u{number}", f"i{number}", "view", "1.5", "1700000000", f"k{number}"]


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_every_kind_of_bad_row_in_delimited_text(tmp_path, kind, delimiter):
    cells, reason = TEXT_KINDS[kind]
    rows = [good(1), list(cells), good(2), [], list(cells), good(3)]
    lines = [delimiter.join(HEADER), *(delimiter.join(row) for row in rows)]
    path = tmp_path / "log.csv"
    path.write_bytes("\n".join(lines).encode())
    interactions, bad = readers.read_all(path)
    assert interactions.user.decode().tolist() == ["u1", "u2", "u3"]
    assert [(row.file, row.line) for row in bad] == [(str(path), 3), (str(path), 6)]
    assert all(row.reason.startswith(reason) for row in bad), bad[0].reason
    assert bad[0].text.isprintable()
    assert set(interactions.user.labels) == {"u1", "u2", "u3"}  # a bad row brings no id in


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_undecodable_bytes_open_quotes_and_endless_lines_are_bad_rows(tmp_path, end, monkeypatch):
    for module in (blocks, rowwise):
        monkeypatch.setattr(module, "LONGEST_RECORD", 2_000)
    monkeypatch.setattr(blocks, "BLOCK", 3_000)
    lines = [
        b"user,item,note",
        b"a,i,x",
        b"b\xff,i,x",
        b"c,i,\xed\xa0\x80",
        b'"d,i,x',
        b"e,i,x",
        b"f," + b"y" * 9_000,
        b"g,i,x",
    ]
    path = tmp_path / "log.csv"
    path.write_bytes(end.join(lines) + end)
    interactions, bad = readers.read_all(path)
    assert interactions.user.decode().tolist() == ["a", "e", "g"]
    assert [(row.line, row.reason) for row in bad] == [
        (3, "bytes that are not UTF-8 text"),
        (4, "bytes that are not UTF-8 text"),
        (5, "a quoted field is not closed"),
        (7, "the line is longer than 1 MiB"),
    ]


def test_lines_are_counted_through_quoted_newlines_and_many_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 700)
    monkeypatch.setattr(delimited, "SMALLEST", 100)
    lines, wrong = ["user,item,note,rating"], []
    for number in range(400):
        if number % 37 == 5:
            wrong.append(len(lines) + 1)
            lines.append(f"u{number},i,plain,bad")
        elif number % 11 == 3:
            lines += [f'u{number},i,"one', '""two""', f'three, {number}",4']
        else:
            lines.append(f"u{number},i,plain,4")
    path = tmp_path / "log.csv"
    path.write_text("\n".join(lines))
    interactions, bad = readers.read_all(path)
    assert [row.line for row in bad] == wrong
    assert len(interactions) == 400 - len(wrong)


JSON_KINDS = {
    "no JSON": ("{", "not JSON: "),
    "a list": ('["u","i"]', "not a JSON object but a list"),
    "null": ("null", "not a JSON object but null"),
    "a number": ("12", "not a JSON object but a number"),
    "a key twice": ('{"user":"u","item":"i","user":"v"}', "key 'user' stands there twice"),
    "no user": ('{"item":"i"}', "user is missing"),
    "null item": ('{"user":"u","item":null}', "item is missing"),
    "true as user": ('{"user":true,"item":"i"}', "user is true or false, not a string"),
    "object as user": ('{"user":{},"item":"i"}', "user is an object, not a string"),
    "fraction as item": ('{"user":"u","item":1.5}', "item is a number, not a string"),
    "bool as value": ('{"user":"u","item":"i","value":true}', "value is true or false, not a number"),
    "text as value": ('{"user":"u","item":"i","value":"5"}', "value is a string, not a number"),
    "NaN": ('{"user":"u","item":"i","value":NaN}', "not JSON: "),
    "overflowing": ('{"user":"u","item":"i","value":1e999}', ""),
    "2^63 as time": ('{"user":"u","item":"i","time":9223372036854775808}', "time is outside"),
    "2^200 as time": ('{"user":"u","item":"i","time":' + str(2**200) + "}", "time is outside"),
    "bool as time": ('{"user":"u","item":"i","time":false}', "time is true or false"),
    "word as time": ('{"user":"u","item":"i","time":"noon"}', "time 'noon' is neither"),
    "lone surrogate": ('{"user":"\\ud800","item":"i"}', ""),
    "NUL": ('{"user":"u\\u0000","item":"i"}', "user holds a control character"),
    "long": (json.dumps({"user": LONG, "item": "i"}), "user has 256 characters"),
    "deep": ('{"user":"u","item":"i","x":' + "[" * 100_000 + "]" * 100_000 + "}", "nested more than 32 deep"),
    "empty event": ('{"user":"u","item":"i","event":""}', "event is missing"),
}


@pytest.mark.parametrize("kind", JSON_KINDS)
def test_every_kind_of_bad_line_in_json_lines(tmp_path, kind):
    line, reason = JSON_KINDS[kind]
    first = '{"user":"u1","item":"i1","event":"view","value":1,"time":5}'
    path = tmp_path / "log.jsonl"
    path.write_text(f"{first}\n{line}\n\n{first}\n{line}")
    interactions, bad = readers.read_all(path)
    assert len(interactions) == 2
    assert [row.line for row in bad] == [2, 5]
    assert bad[0].reason.startswith(reason)
    assert bad[0].reason
    assert bad[0].text.isprintable()


def test_2_to_the_63_is_a_value_and_an_id_like_any_other(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"user":9223372036854775808,"item":"i","value":9223372036854775808}\n')
    interactions, bad = readers.read_all(path)
    assert (bad, interactions.user.labels.tolist(), interactions.value.tolist()) == ([], [str(2**63)], [2.0**63])


def test_bad_rows_of_parquet_come_with_their_row_number(tmp_path, monkeypatch):
    table = pa.table({
        "user": ["a", None, "", "d", "e", "f\x07", "g", "h"],
        "item": ["i"] * 7 + [LONG],
        "value": [1.0, 1.0, 1.0, float("nan"), float("inf"), 1.0, None, 1.0],
        "time": [1, 2, 3, 4, 5, 6, 9_999_999_999, 8],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "log.parquet", row_group_size=3)
    interactions, bad = readers.read_all(tmp_path / "log.parquet")
    assert interactions.user.decode().tolist() == ["a"]
    assert interactions.item.labels.tolist() == ["i"]
    assert [(row.line, row.reason.partition(":")[0]) for row in bad] == [
        (2, "user is missing"),
        (3, "user is missing"),
        (4, "value is not a finite number"),
        (5, "value is not a finite number"),
        (6, "user holds a control character"),
        (7, "time is outside 1900-01-01 to 2200-01-01"),
        (8, "item has 256 characters, at most 255 are allowed"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("u.data", "1\t2\t3\t4\n1\t2\t3\n1\t2\tx\t4\n\t2\t3\t4\n5\t6\t1\t7\n", [2, 3, 4]),
        ("ratings.dat", "1::2::3::4\n1::2::3\n1::2::x::4\n::2::3::4\n5::6::1::7\n", [2, 3, 4]),
        ("train.txt", "1 2 3\n1 x 3\n1.5 2\n\n5 -6\n2 6\n", [2, 3, 5]),
        ("x.inter", "user_id:token\titem_id:token\trating:float\n1\t2\t3\n1\t2\n1\t2\tx\n\t2\t3\n5\t6\t1\n", [3, 4, 5]),
    ],
)
def test_bad_rows_of_the_research_formats(tmp_path, name, text, lines):
    path = tmp_path / name
    path.write_text(text)
    interactions, bad = readers.read_all(path)
    assert [row.line for row in bad] == lines
    assert interactions.item.decode().tolist()[-1] == "6"


good_cell = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=5)
anything = st.one_of(st.binary(max_size=60), st.text(alphabet='",\n\r\tai1.é-:{}[] ', max_size=40).map(str.encode))
relaxed = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(noise=st.lists(anything.map(lambda b: b.replace(b"\n", b" ").replace(b'"', b"'")), max_size=6))
def test_good_rows_survive_any_noise_between_them(tmp_path, noise):
    lines = [b"user,item,event,value"]
    for number, junk in enumerate(noise):
        lines += [b"good%d,i,view,%d" % (number, number), junk]
    path = tmp_path / "noise.csv"
    path.write_bytes(b"\n".join([*lines, b"last,i,view,1"]))
    interactions, bad = readers.read_all(path)
    users = interactions.user.decode().tolist()
    assert [user for user in users if user.startswith(("good", "last"))][-1] == "last"
    assert {f"good{number}" for number in range(len(noise))} <= set(users)
    assert all(lines[row.line - 1] == noise[row.line // 2 - 1] for row in bad)
    blank = sum(not junk.strip(b" \t\r") for junk in noise)
    assert len(users) + len(bad) >= 1 + 2 * len(noise) - blank


@relaxed
@given(
    content=st.one_of(anything, st.lists(anything, max_size=8).map(b"\n".join)), size=st.sampled_from([7, 64, 1 << 20])
)
@pytest.mark.parametrize(
    "start", [b"", b"user,item,event,value,time\n", b'{"user":"u","item":"i"}\n', b"1 2 3\n", b"PAR1"]
)
def test_no_bytes_raise_anything_but_our_own_errors(tmp_path, start, content, size):
    path = tmp_path / "any"
    path.write_bytes(start + content)
    for read in (readers.read_all, readers.items_of, readers.users_of, readers.read_items):
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(RecsysError):
            patch.setattr(blocks, "BLOCK", size)
            read(path)


rows = st.lists(
    st.tuples(good_cell, good_cell, st.floats(-1e9, 1e9), st.sampled_from(["", "x", ",", "5,", '"', "é\n", '""']))
)


@relaxed
@given(rows=rows, size=st.sampled_from([40, 200, 1 << 20]), quoting=st.sampled_from([0, 1]))
def test_what_the_csv_module_writes_is_read_back_whatever_the_block(tmp_path, rows, size, quoting):
    import csv  # the standard library's writer is the oracle

    path = tmp_path / "written.csv"
    rows = [(u.strip(" \t") or "u", i, v, note) for u, i, v, note in rows]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=quoting, lineterminator="\n")
        writer.writerows([("user", "item", "value", "note"), *rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        interactions, bad = readers.read_all(path)
    assert bad == []
    assert interactions.user.decode().tolist() == [row[0] for row in rows]
    assert interactions.item.decode().tolist() == [row[1] for row in rows]
    assert np.array_equal(interactions.value, [row[2] for row in rows])


@relaxed
@given(
    lines=st.lists(anything.map(lambda b: b.replace(b"\n", b" ")), max_size=8), small=st.sampled_from([1, 30, 1 << 20])
)
def test_blocks_halving_and_rows_agree(tmp_path, lines, small):
    """Whole blocks by Arrow, and every row on its own: the same rows, good and bad, whatever the file."""
    path: Path = tmp_path / "both.csv"
    path.write_bytes(b"\n".join([b"user,item,event,value", b"u,i,e,1", *lines, b"v,i,e,2"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "SMALLEST", small)
        fast = readers.read_all(path)
        patch.setattr(delimited, "_by_arrow", refuse)
        slow = readers.read_all(path)
    assert fast[0].user.decode().tolist() == slow[0].user.decode().tolist()
    assert fast[0].item.decode().tolist() == slow[0].item.decode().tolist()
    assert fast[1] == slow[1]


def refuse(*_: object) -> None:
    raise delimited._Refused

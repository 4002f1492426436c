"""Good files of every format, against pandas and pyarrow reading the same, and the counts of the published data."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import readers
from data.readers import blocks, parts
from recsys.errors import DataError, SettingError
from recsys.interactions import NO_TIME, Interactions

SHARED = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"


def rows_of(interactions: Interactions) -> list[tuple]:
    """Every row as plain values; NaN and NO_TIME as None."""
    value = [None if np.isnan(v) else v for v in interactions.value.tolist()]
    time = [None if t == NO_TIME else t for t in interactions.time.tolist()]
    columns = (interactions.user.decode(), interactions.item.decode(), interactions.event.decode())
    return list(zip(*(column.tolist() for column in columns), value, time, strict=True))


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data sets are not here (../shared/data)")
@pytest.mark.parametrize(
    ("folder", "format", "counts", "items", "users"),
    [
        ("ml-latest-small", "movielens", (610, 9_724, 100_836), 9_742, 0),
        ("ml-100k", "movielens", (943, 1_682, 100_000), 1_682, 943),
        ("ml-1m", "movielens", (6_040, 3_706, 1_000_209), 3_883, 6_040),
        ("gowalla", "lightgcn", (29_858, 40_981, 810_128), 0, 0),
    ],
)
def test_the_published_data_sets_have_their_published_counts(folder, format, counts, items, users):
    interactions, bad = readers.read_all(SHARED / folder)
    assert (len(interactions.user.labels), len(interactions.item.labels), len(interactions)) == counts
    assert bad == []
    assert readers.detect(SHARED / folder) == format
    films = readers.items_of(SHARED / folder)
    assert len(films) == items
    assert all(film.title for film in films)
    assert len(readers.users_of(SHARED / folder)) == users


@pytest.mark.skipif(not SHARED.is_dir(), reason="the published data sets are not here (../shared/data)")
def test_movielens_times_titles_and_genres_arrive():
    small, _ = readers.read_all(SHARED / "ml-latest-small" / "ratings.csv")
    frame = pd.read_csv(SHARED / "ml-latest-small" / "ratings.csv")
    assert small.user.decode().tolist() == frame["userId"].astype(str).tolist()
    assert small.item.decode().tolist() == frame["movieId"].astype(str).tolist()
    assert np.array_equal(small.value, frame["rating"])
    assert np.array_equal(small.time, frame["timestamp"] * 1_000_000)
    by_rank, _ = readers.read_all(SHARED / "ml-1m")
    assert int((by_rank.time == NO_TIME).sum()) == 598
    latin = {film.id: film for film in readers.items_of(SHARED / "ml-1m")}
    assert latin["73"].title == "Misérables, Les (1995)"
    assert latin["1"].categories == ("Animation", "Children's", "Comedy")
    assert latin["1"].attributes == {"year": 1995}
    hundred = {film.id: film for film in readers.items_of(SHARED / "ml-100k" / "u.data")}
    assert hundred["1"].categories == ("Animation", "Children's", "Comedy")
    person = readers.users_of(SHARED / "ml-100k")[0]
    assert person.attributes == {"gender": "M", "age": 24, "occupation": "technician"}
    assert {film.id for film in readers.items_of(SHARED / "ml-latest-small" / "movies.csv")} >= {"1", "193609"}


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv_in_every_common_dress(tmp_path, delimiter, end, mark):
    header = ["user_id", "item_id", "event_type", "value", "timestamp"]
    rows = [["ann", '"x, y|z;\tw"', "view", "", "1700000000"], [], ["bob", "i2", "buy", "2.5", ""]]
    text = end.join(delimiter.join(row) for row in [header, *rows])  # no newline at the end
    path = written(tmp_path / "log.txt", mark + text.encode())
    interactions, bad = readers.read_all(path)
    assert [(row.line, row.reason) for row in bad] == [(2, "item holds a control character")]  # the tab
    assert rows_of(interactions) == [("bob", "i2", "buy", 2.5, None)]
    path.write_bytes(path.read_bytes().replace(b"\tw", b" w"))
    if delimiter != "\t":
        assert rows_of(readers.read_all(path)[0])[0] == ("ann", "x, y|z; w", "view", None, 1_700_000_000_000_000)


def test_quoted_fields_hold_delimiters_quotes_and_newlines(tmp_path):
    text = (
        'user,review,item,rating\na,"one\ntwo ""three"", four",i1,5\nb,plain,i2,3\nc,"5"" disc",i3,1\nd,5" reel,i4,2\n'
    )
    interactions, bad = readers.read_all(written(tmp_path / "reviews.csv", text))
    expected = pd.read_csv(tmp_path / "reviews.csv")
    assert bad == []
    assert [(u, i, v) for u, i, _, v, _ in rows_of(interactions)] == list(
        zip(expected["user"], expected["item"], expected["rating"], strict=True)
    )
    assert interactions.event.labels.tolist() == ["rating"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000123", 1_700_000_000_123_000),
        ("1700000000123456", 1_700_000_000_123_456),
        ("1700000000123456789", 1_700_000_000_123_456),
        ("1700000000.5", 1_700_000_000_500_000),
        ("-86400", -86_400_000_000),
        ("2024-02-29", pd.Timestamp("2024-02-29").value // 1000),
        ("2024-02-29 12:30:01", pd.Timestamp("2024-02-29 12:30:01").value // 1000),
        ("2024-02-29T12:30:01.25", pd.Timestamp("2024-02-29 12:30:01.25").value // 1000),
        ("2024-02-29T12:30:01Z", pd.Timestamp("2024-02-29 12:30:01").value // 1000),
        ("2024-02-29T12:30:01+05:30", pd.Timestamp("2024-02-29 07:00:01").value // 1000),
    ],
)
def test_times_are_read_alike_by_arrow_row_by_row_and_from_json(tmp_path, text, expected):
    good = written(tmp_path / "a.csv", f"user,item,time\nu,i,{text}\n")
    beside_bad = written(tmp_path / "b.csv", f"user,item,time\nu,i,{text}\n,i,{text}\n")
    cell = text if text.replace(".", "").lstrip("-").isdigit() else f'"{text}"'
    lines = written(tmp_path / "c.jsonl", f'{{"user":"u","item":"i","time":{cell}}}\n')
    for path in (good, beside_bad, lines):
        assert rows_of(readers.read_all(path)[0]) == [("u", "i", "interaction", None, expected)]


def test_parquet_of_any_usual_type_reads_as_pandas_would(tmp_path):
    moments = pd.to_datetime(["2024-01-01 10:00", None, "2025-06-01 12:00:00.25"], format="mixed")
    frame = pd.DataFrame({"customer": [7, 8, 7], "sku": ["a", "b", "ü"], "qty": [1.0, None, 3.0], "at": moments})
    for name, table in {
        "plain": pa.Table.from_pandas(frame),
        "encoded": pa.Table.from_pandas(frame).set_column(1, "sku", pa.array(["a", "b", "ü"]).dictionary_encode()),
        "large": pa.Table.from_pandas(frame).set_column(1, "sku", pa.array(["a", "b", "ü"], pa.large_string())),
        "zoned": pa.Table.from_pandas(frame.assign(at=moments.tz_localize("UTC").tz_convert("Asia/Tokyo"))),
        "floats": pa.Table.from_pandas(frame.assign(customer=frame["customer"].astype(float))),
    }.items():
        pq.write_table(table, tmp_path / f"{name}.parquet", row_group_size=2)
        interactions, bad = readers.read_all(tmp_path / f"{name}.parquet", columns={"value": "qty", "time": "at"})
        assert bad == []
        assert rows_of(interactions) == [
            ("7", "a", "interaction", 1.0, 1_704_103_200_000_000),
            ("8", "b", "interaction", None, None),
            ("7", "ü", "interaction", 3.0, 1_748_779_200_250_000),
        ], name


def test_json_lines_with_fields_that_come_and_go(tmp_path):
    text = '{"user":"u1","item":7,"event":"play","value":3,"id":"e1"}\n\n{"item":"i2","user":12,"x":{":":[1]}}'
    interactions, bad = readers.read_all(written(tmp_path / "log.jsonl", text), columns={"id": "id"})
    assert bad == []
    assert rows_of(interactions) == [("u1", "7", "play", 3.0, None), ("12", "i2", "interaction", None, None)]
    assert interactions.key is not None
    assert interactions.key.tolist() == ["e1", ""]


def test_recbole_files_with_items_and_users(tmp_path):
    written(
        tmp_path / "x.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4.0\t880000000\n"
    )
    written(
        tmp_path / "x.item",
        "item_id:token\tmovie_title:token_seq\tclass:token_seq\tyear:float\n10\tThe Sea\tA B\t1999\n",
    )
    written(tmp_path / "x.user", "user_id:token\tage:float\n1\t33\n")
    assert readers.detect(tmp_path) == "recbole"
    interactions, bad = readers.read_all(tmp_path)
    assert bad == []
    assert rows_of(interactions) == [("1", "10", "rating", 4.0, 880_000_000_000_000)]
    (item,), (user,) = readers.items_of(tmp_path), readers.users_of(tmp_path)
    assert (item.title, tuple(item.categories), item.attributes) == ("The Sea", ("A", "B"), {"year": 1999})
    assert (user.id, user.attributes) == ("1", {"age": 33})


def test_lightgcn_lists_and_two_columns_of_integers(tmp_path):
    lists, bad = readers.read_all(written(tmp_path / "train.txt", "0 5 6\n1\n2 6\r\n"))
    assert bad == []
    assert [(u, i) for u, i, *_ in rows_of(lists)] == [("0", "5"), ("0", "6"), ("2", "6")]
    assert readers.detect(tmp_path / "train.txt") == "lightgcn"
    pairs, bad = readers.read_all(written(tmp_path / "pairs.tsv", "0\t5\n0\t6\n2\t6\n"))
    assert bad == []
    assert rows_of(pairs) == rows_of(lists)


def test_the_first_movielens_layouts_without_their_folders(tmp_path):
    tabs = written(tmp_path / "u.data", "1\t2\t3\t881250949\n4\t5\t5\t881250950\n")
    colons = written(tmp_path / "ratings.dat", "1::2::3::881250949\n4::5::5::881250950\n")
    assert readers.detect(tabs) == readers.detect(colons) == "movielens"
    rows = [("1", "2", "rating", 3.0, 881_250_949_000_000), ("4", "5", "rating", 5.0, 881_250_950_000_000)]
    assert rows_of(readers.read_all(tabs)[0]) == rows_of(readers.read_all(colons)[0]) == rows


def test_columns_are_mapped_by_name_or_number_and_helped_by_common_names(tmp_path):
    headed = written(tmp_path / "a.csv", "who,what,stars,when\nu,i,4,100\n")
    mapping = {"user": "who", "item": "what", "time": "when"}
    assert rows_of(readers.read_all(headed, columns=mapping)[0]) == [("u", "i", "rating", 4.0, 100_000_000)]
    bare = written(tmp_path / "b.csv", "A1,B0001,5.0,1382659200\nA2,B0002,1.0,1382659200\n")
    numbers = {"user": "1", "item": "2", "value": "3", "time": "4"}
    assert [row[:2] for row in rows_of(readers.read_all(bare, columns=numbers)[0])] == [
        ("A1", "B0001"),
        ("A2", "B0002"),
    ]


def test_generic_items_and_users(tmp_path):
    items = written(
        tmp_path / "goods.csv",
        'sku,name,category,price,code\na,"Tea, green",drinks|hot,3.5,007\nb,,,,\na,Tea,drinks,4,1\n',
    )
    tea, nothing = readers.items_of(items)
    assert (tea.id, tea.title, tuple(tea.categories), tea.attributes) == (
        "a",
        "Tea",
        ("drinks",),
        {"price": 4, "code": 1},
    )
    assert (nothing.id, nothing.title, tuple(nothing.categories), nothing.attributes) == ("b", None, (), {})
    users = written(
        tmp_path / "people.jsonl", '{"user":"u1","age":3,"tags":["x"],"created":"2024-01-01"}\n{"user":true}\n'
    )
    bad: list = []
    (person,) = readers.users_of(users, bad)
    assert (person.id, person.attributes, person.created) == ("u1", {"age": 3, "tags": ["x"]}, 1_704_067_200_000_000)
    assert [(row.line, row.reason) for row in bad] == [(2, "user is no string and no whole number")]
    pq.write_table(pa.table({"item": ["x"], "title": ["X"], "genres": [["a", "b"]]}), tmp_path / "items.parquet")
    assert readers.read_items(tmp_path / "items.parquet")[0].categories == ("a", "b")
    log = written(tmp_path / "log.csv", "who,sku,at\nu,a,1\nu,b,2\n")
    assert readers.items_of(log) == readers.users_of(log) == []
    with pytest.raises(DataError, match="no column for the user's id"):
        readers.read_users(items)


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"\n \n", "the file is empty"),
        ("a.csv", b"who,what\nu,i\n", "no column for user and item; the columns are: 'who', 'what'"),
        ("a.jsonl", b'{"who":1,"item":2}\n', "no column for user; the columns are: 'who', 'item'"),
        ("a.parquet", b"PAR1 and then nothing", "not a whole Parquet file"),
        ("a.bin", b"\x00\x01\x02\x03", "the file is neither text nor Parquet"),
        ("a.csv", "user,item\nu,i\n".encode("utf-16"), "the file is UTF-16"),
        ("a.csv.gz", gzip.compress(b"user,item\n" + b"u,i\n" * 40_000)[:-20], "cannot read the file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content, what):
    path = written(tmp_path / name, content)
    with pytest.raises(DataError, match=what) as caught:
        readers.read_all(path)
    assert str(path) in caught.value.where
    assert caught.value.do
    if "no column" in what:
        assert "--columns" in caught.value.do


def test_missing_files_unknown_formats_and_folders_without_data(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        readers.read(tmp_path / "none.csv")  # raised at once, not when the first batch is asked for
    with pytest.raises(DataError, match="no interactions found in this folder; it holds nothing"):
        readers.detect(tmp_path)
    path = written(tmp_path / "interactions.csv", "user,item\nu,i\n")
    with pytest.raises(SettingError, match="no format is called 'xls'"):
        readers.read(path, "xls")
    with pytest.raises(DataError, match="no column is called 'x'; the columns are: 'user', 'item'"):
        readers.read(path, columns={"value": "x"})
    assert readers.detect(tmp_path) == "csv"


def test_every_reader_in_the_registry_detects_what_it_reads(tmp_path):
    pq.write_table(pa.table({"user": ["u"], "item": ["i"]}), tmp_path / "parquet")
    written(tmp_path / "jsonl", '{"user":"u","item":"i"}\n')
    written(tmp_path / "recbole", "user_id:token\titem_id:token\nu\ti\n")
    written(tmp_path / "movielens", "1\t2\t3\t4\n")
    written(tmp_path / "lightgcn", "1 2 3\n")
    written(tmp_path / "csv", "user,item\nu,i\n")
    for name in readers.READERS:
        assert readers.detect(tmp_path / name) == name
        assert len(readers.read_all(tmp_path / name, name)[0]) >= 1


def test_a_large_file_comes_in_pieces_whose_sum_is_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 5_000)
    monkeypatch.setattr(parts, "BATCH", 100)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({
        "user": [f"u{n}" for n in rng.integers(0, 50, 3_000)],
        "item": [f"ï{n}" for n in rng.integers(0, 70, 3_000)],
        "event": rng.choice(["a", "b"], 3_000),
        "value": rng.random(3_000),
        "time": rng.integers(1_600_000_000, 1_700_000_000, 3_000),
    })  # fmt: skip
    frame.to_csv(tmp_path / "big.csv", index=False)
    frame.to_json(tmp_path / "big.jsonl", orient="records", lines=True, double_precision=15)
    frame.to_parquet(tmp_path / "big.parquet", row_group_size=500)
    with gzip.open(tmp_path / "big.csv.gz", "wb") as file:
        file.write((tmp_path / "big.csv").read_bytes())
    for name in ("big.csv", "big.csv.gz", "big.jsonl", "big.parquet"):
        pieces = list(readers.read(tmp_path / name))
        assert len(pieces) > 10 or name == "big.parquet"
        for piece in pieces:  # a piece names only what occurs in it
            for column in (piece.interactions.user, piece.interactions.item, piece.interactions.event):
                assert set(column.codes.tolist()) == set(range(len(column.labels)))
        assert [row for piece in pieces for row in rows_of(piece.interactions)] == rows_of(
            readers.read_all(tmp_path / name)[0]
        )
        whole, bad = readers.read_all(tmp_path / name)
        assert bad == []
        assert whole.user.labels.tolist() == sorted(set(frame["user"]))
        for column in ("user", "item", "event"):
            assert getattr(whole, column).decode().tolist() == frame[column].tolist()
        assert np.allclose(whole.value, frame["value"], rtol=1e-14)
        assert np.array_equal(whole.time, frame["time"] * 1_000_000)

"""Benchmark: a file of string ids to a sparse matrix, ours beside the fastest pipelines written by hand.

    recsys bench matrix            or: python benchmarks/matrix.py [--rows 10000000] [--repeat 3]

The job: rows of (user, item, value, timestamp) with string ids, no pair twice, in order of time, every row a 1 in a CSR
matrix of users by items. By hand, only user and item are read, nothing is checked, ids are numbered as they come.
Ours reads and checks every column, keeps value and time, and numbers ids in sorted order. Every run is a process of
its own; imports and the first touch of the file are not counted; pipelines take turns within a repetition; medians are
shown. The peak is the process's own high-water mark. polars and duckdb take part where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

BAR_SPEED, BAR_PEAK = 0.8, 1.0  # of the fastest hand's speed; GB


def main(rows: int = 10_000_000, repeat: int = 3, only: str = "") -> None:
    """Print time, rows a second, peak memory and the ratio to the fastest by hand, for CSV and Parquet."""
    hands = [name for name in HANDS if name in ("pyarrow", "pandas") or importlib.util.find_spec(name)]
    with tempfile.TemporaryDirectory() as folder:
        _child("generate", folder, str(rows))
        for kind in ("csv", "parquet"):
            if only and kind != only:
                continue
            path = str(Path(folder, f"interactions.{kind}"))
            pipelines = ["ours", *hands]
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in pipelines}
            for number in range(repeat):
                for name in pipelines[number % len(pipelines) :] + pipelines[: number % len(pipelines)]:
                    runs[name].append(_child(name, path))
            _print(kind, Path(path).stat().st_size, rows, runs)


def _print(kind: str, size: int, rows: int, runs: dict[str, list[dict[str, Any]]]) -> None:
    results = {tuple(run[key] for key in ("users", "items", "stored", "sum")) for many in runs.values() for run in many}
    if len(results) > 1:
        raise SystemExit(f"the pipelines disagree on the matrix: {sorted(results)}")
    users, items, stored, _ = next(iter(results))
    print(f"\n{kind}: {rows:,} rows, {size / 1e6:,.0f} MB -> {users:,} x {items:,}, {stored:,} stored")
    print(f"{'pipeline':<12}{'median s':>10}{'rows/s':>14}{'cpu s':>8}{'peak GB':>9}  every run, s")
    seconds = {name: median(run["seconds"] for run in many) for name, many in runs.items()}
    for name, many in runs.items():
        every = " ".join(f"{run['seconds']:.2f}" for run in many)
        peak, cpu = max(run["peak"] for run in many) / 1e9, median(run["cpu"] for run in many)
        print(f"{name:<12}{seconds[name]:>10.2f}{rows / seconds[name]:>14,.0f}{cpu:>8.2f}{peak:>9.2f}  {every}")
    best = min((name for name in runs if name != "ours"), key=seconds.__getitem__)
    ratio, peak = seconds[best] / seconds["ours"], max(run["peak"] for run in runs["ours"]) / 1e9
    print(f"ours runs at {ratio:.2f} of the speed of the fastest by hand ({best}); bar: at least {BAR_SPEED}")
    print(f"ours peaks at {peak:.2f} GB; bar for 10 million rows: at most {BAR_PEAK} GB")


def _child(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def _run(name: str, path: str) -> dict[str, Any]:
    pipeline = PIPELINES[name]
    pipeline(None)  # imports only
    with Path(path).open("rb") as file:  # into the page cache
        while file.read(1 << 24):
            pass
    start, busy = time.perf_counter(), time.process_time()
    matrix = pipeline(path)
    seconds, busy = time.perf_counter() - start, time.process_time() - busy
    users, items = matrix.shape
    return {
        "seconds": seconds, "cpu": busy, "peak": _peak(), "users": users, "items": items, "stored": matrix.nnz,
        "sum": float(matrix.sum(dtype=np.float64)),
    }  # fmt: skip


def _peak() -> int:
    """Bytes. VmHWM where there is one: ru_maxrss also counts what the parent held before this process began."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def ours(path: str | None) -> Any:
    from data import readers
    from data.readers import csv, parquet  # noqa: F401  imports are not counted, for anybody
    from recsys.matrix import InteractionMatrix

    if path is None:
        return None
    interactions, bad = readers.read_all(path)
    if bad:
        raise SystemExit(f"{len(bad)} bad rows in a good file, the first: {bad[0]}")
    return InteractionMatrix.build(interactions).matrix


def by_pyarrow(path: str | None) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    if path is None:
        return None
    word = pa.dictionary(pa.int32(), pa.string())
    columns = ["user", "item"]
    if path.endswith("csv"):
        types = {"user": word, "item": word}
        convert = csv.ConvertOptions(include_columns=columns, column_types=types)
        table = csv.read_csv(path, csv.ReadOptions(block_size=16 << 20), convert_options=convert)
    else:
        table = pq.read_table(path, columns=columns, read_dictionary=["user", "item"])
    table = table.unify_dictionaries()
    codes = [np.concatenate([chunk.indices.to_numpy() for chunk in table[name].chunks]) for name in columns]
    shape = tuple(len(table[name].chunk(0).dictionary) for name in ("user", "item"))
    del table
    return _csr(codes[0], codes[1], shape)


def by_pandas(path: str | None) -> Any:
    import pandas as pd
    import pyarrow  # noqa: F401

    if path is None:
        return None
    columns = ["user", "item"]
    if path.endswith("csv"):
        frame = pd.read_csv(path, engine="pyarrow", usecols=columns, dtype_backend="pyarrow")
    else:
        frame = pd.read_parquet(path, columns=columns, dtype_backend="pyarrow")
    user, users = pd.factorize(frame["user"])
    item, items = pd.factorize(frame["item"])
    return _csr(user, item, (len(users), len(items)))


def by_polars(path: str | None) -> Any:
    import polars as pl

    if path is None:
        return None
    lazy = pl.scan_csv(path) if path.endswith("csv") else pl.scan_parquet(path)
    kinds = {name: pl.Categorical(pl.Categories.random()) for name in ("user", "item")}
    frame = lazy.select(*(pl.col(name).cast(kind).to_physical() for name, kind in kinds.items())).collect()
    user, item = (frame[name].to_numpy().astype(np.int32) for name in ("user", "item"))
    return _csr(user, item, (int(user.max()) + 1, int(item.max()) + 1))


def by_duckdb(path: str | None) -> Any:
    import duckdb
    import pyarrow as pa

    if path is None:
        return None
    read = duckdb.read_csv if path.endswith("csv") else duckdb.read_parquet
    table = read(path).project('"user", item').to_arrow_table()
    codes, sizes = [], []
    for name in ("user", "item"):
        column = table[name].dictionary_encode().unify_dictionaries()
        codes.append(np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks]).astype(np.int32))
        sizes.append(len(column.chunk(0).dictionary))
    del table, pa
    return _csr(codes[0], codes[1], (sizes[0], sizes[1]))


def _csr(user: np.ndarray, item: np.ndarray, shape: tuple[int, ...]) -> Any:
    """What every hand ends with."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.ones(len(user), dtype=np.float32), (user, item)), shape=shape)


def generate(folder: str, rows: str) -> dict[str, Any]:
    """interactions.csv and .parquet: 50 rows a user, popularity as 1/rank, no pair twice, times ascending."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyarrow import csv

    n = int(rows)
    users, items = max(n // 50, 10), max(n // 200, 10)
    rng = np.random.default_rng(0)
    pairs = np.zeros(0, dtype=np.int64)
    while len(pairs) < n:
        user = (users * rng.random(n) ** 1.5).astype(np.int64)  # some heavy, most light
        item = np.minimum(items ** rng.random(n), items - 1).astype(np.int64)
        pairs = np.unique(np.concatenate([pairs, user * items + item]))
    pairs = rng.permutation(pairs)[:n]
    spelled_user = pa.array([f"user{number * 104_729 % 9_999_991:07d}" for number in range(users)])
    spelled_item = pa.array([f"item-{number * 7_919 % 999_983:06d}" for number in range(items)])
    columns = {
        "user": pa.DictionaryArray.from_arrays(pa.array((pairs // items).astype(np.int32)), spelled_user),
        "item": pa.DictionaryArray.from_arrays(pa.array((pairs % items).astype(np.int32)), spelled_item),
        "value": pa.array(rng.choice([1.0, 2.0, 3.0, 3.5, 4.0, 4.5, 5.0], n)),
        "timestamp": pa.array(np.sort(rng.integers(1_500_000_000, 1_700_000_000, n))),
    }
    table = pa.table(
        {name: c.cast(pa.string()) if pa.types.is_dictionary(c.type) else c for name, c in columns.items()}
    )
    csv.write_csv(table, Path(folder, "interactions.csv"), csv.WriteOptions(quoting_style="none"))
    pq.write_table(table, Path(folder, "interactions.parquet"))
    return {"rows": n}


HANDS: dict[str, Callable[[str | None], Any]] = {
    "pyarrow": by_pyarrow,
    "pandas": by_pandas,
    "polars": by_polars,
    "duckdb": by_duckdb,
}
PIPELINES = {"ours": ours, **HANDS}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, path, *more = sys.argv[2:]
        print(json.dumps(generate(path, more[0]) if name == "generate" else _run(name, path)))
    else:
        parser = argparse.ArgumentParser(description="A file of string ids to a sparse matrix.")
        parser.add_argument("--rows", type=int, default=10_000_000)
        parser.add_argument("--repeat", type=int, default=3)
        parser.add_argument("--only", choices=("csv", "parquet"), default="")
        given = parser.parse_args()
        main(given.rows, given.repeat, given.only)

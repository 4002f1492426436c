"""How fast rows come to rest in the store, beside a bare bulk insert of the same rows, in pairs in one run.

    python benchmarks/import_rate.py --rows 10000000 --repeat 3

bare: ADBC's ingest of string rows into a SQLite table without index or constraint, the fastest bare insert there is.
add: `Store.add` of the same rows from memory. batches: `Store.import_batches` of them, spool and all. Each resolves
ids, refuses what is there already, and is durable at its end (WAL, synchronous FULL).
bare csv: a CSV file of them through pyarrow's parser into such a bare table. csv: the file through our reader, which
checks every row, into the store.

The ratio is of rates, to bare and to bare csv; of each the median over the repeats.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import migrations
from data import readers
from data.records import Batch
from data.store import Store
from recsys.interactions import Encoded, Interactions

USERS, ITEMS = 200_000, 50_000
BATCH = 500_000


def made_up(rows: int, seed: int = 0) -> Interactions:
    """Ratings in the order of time, of users alike and items with a long tail."""
    rng = np.random.default_rng(seed)
    user = rng.integers(0, USERS, rows).astype(np.int32)
    item = (rng.zipf(1.3, rows) % ITEMS).astype(np.int32)
    when = np.sort(rng.integers(1_600_000_000, 1_700_000_000, rows)) * 1_000_000
    value = rng.integers(1, 6, rows).astype(np.float64)
    return Interactions(
        Encoded(user, _labels("user-{:07d}", USERS)),
        Encoded(item, _labels("item-{:06d}", ITEMS)),
        Encoded.constant("rating", rows),
        value,
        when,
    )


def _labels(pattern: str, count: int) -> np.ndarray:
    labels = np.empty(count, dtype=object)
    labels[:] = [pattern.format(number) for number in range(count)]
    return labels


def as_strings(interactions: Interactions) -> Any:
    """The same rows as a pyarrow table with ids as strings."""
    import pyarrow as pa

    columns = {
        name: pa.DictionaryArray.from_arrays(pa.array(column.codes), pa.array(column.labels)).cast(pa.string())
        for name, column in (("user", interactions.user), ("item", interactions.item), ("event", interactions.event))
    }
    return pa.table({**columns, "value": interactions.value, "time": interactions.time})


def bare(table: Any, folder: Path) -> float:
    import adbc_driver_sqlite.dbapi as adbc

    start = time.perf_counter()
    with adbc.connect(str(folder / "bare.db")) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest("interactions", table, mode="create")
        connection.commit()
    return time.perf_counter() - start


def bare_csv(csv: Path, folder: Path) -> float:
    import pyarrow.csv

    start = time.perf_counter()
    table = pyarrow.csv.read_csv(csv)
    return time.perf_counter() - start + bare(table, folder)


def stored(folder: Path, put: Callable[[Store], Any], rows: int) -> float:
    with Store.open(f"sqlite:///{folder / 'store.db'}", create=True) as store:
        migrations.upgrade(store.engine)
        start = time.perf_counter()
        put(store)
        seconds = time.perf_counter() - start
        found = store.stats().interactions
    if not 0.99 * rows <= found <= rows:  # a few rows are alike by chance
        raise SystemExit(f"{found:,} of {rows:,} rows are in the store")
    return seconds


def main(rows: int = 10_000_000, repeat: int = 3) -> None:
    import pyarrow.csv

    interactions = made_up(rows)
    table = as_strings(interactions)
    with tempfile.TemporaryDirectory() as name:
        csv = Path(name) / "log.csv"
        pyarrow.csv.write_csv(table, csv)

        def batches(store: Store) -> None:
            pieces = (Batch(interactions.take(np.s_[at : at + BATCH])) for at in range(0, rows, BATCH))
            store.import_batches("memory", pieces)

        def from_csv(store: Store) -> None:
            store.import_batches(str(csv), readers.read(csv, "csv"))

        ways: dict[str, Callable[[Path], float]] = {
            "bare": lambda folder: bare(table, folder),
            "add": lambda folder: stored(folder, lambda store: store.add(interactions), rows),
            "batches": lambda folder: stored(folder, batches, rows),
            "bare csv": lambda folder: bare_csv(csv, folder),
            "csv": lambda folder: stored(folder, from_csv, rows),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeat):
            for way, measure in ways.items():
                folder = Path(name) / "run"
                folder.mkdir()
                seconds[way].append(measure(folder))
                shutil.rmtree(folder)
                print(f"  {way:8} {seconds[way][-1]:6.2f} s", flush=True)
    print(f"{rows:,} rows, median of {repeat}")
    for way, taken in seconds.items():
        ratios = []
        for yardstick in ("bare", "bare csv"):
            ratio = statistics.median(base / own for base, own in zip(seconds[yardstick], taken, strict=True))
            ratios.append(f"{ratio:.2f} of {yardstick}")
        rate = rows / statistics.median(taken) / 1e6
        print(f"{way:8} {statistics.median(taken):6.2f} s {rate:5.2f} M rows/s  {', '.join(ratios)}")
    print(
        f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB, of it the benchmark's own rows"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    main(arguments.rows, arguments.repeat)

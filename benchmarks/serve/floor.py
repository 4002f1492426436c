"""The floor under a fresh answer: one pass over the item table, a process for each worker, all at once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.process import alone

_ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def passes(items: int, width: int, seconds: float, processes: int) -> float:
    """Passes a second of all processes together, one thread each: (width,) @ (width, items), float32, or the same
    table laid out the other way, whichever is faster here."""
    asked = {"items": items, "width": width, "seconds": seconds, "start": time.time() + 2.0}

    def one(_: int) -> dict[str, Any]:
        return alone("benchmarks.serve.floor", asked, environment=_ONE_THREAD)

    with ThreadPoolExecutor(processes) as together:
        found = list(together.map(one, range(processes)))
    return max(float(sum(each[way] for each in found)) for way in ("wide", "tall"))


def measure(items: int, width: int, seconds: float, start: float) -> dict[str, float]:
    """Passes a second in this process, half the seconds for each layout; begins at ``start``, the clock's time."""
    rng = np.random.default_rng(0)
    table = rng.standard_normal((width, items), dtype=np.float32)
    layouts = {"wide": table, "tall": np.ascontiguousarray(table.T).T}
    codes = rng.standard_normal((64, width), dtype=np.float32)
    time.sleep(max(0.0, start - time.time()))
    found = {}
    for way, laid in layouts.items():
        began = time.perf_counter()
        done = 0
        while (spent := time.perf_counter() - began) < seconds / 2:
            codes[done % len(codes)] @ laid
            done += 1
        found[way] = done / spent
    return found

"""Threads in tests: many at once, whose failures are the test's, and waiting for what another one does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def together(work: Callable[[int], object], count: int) -> None:
    """``work(0)`` to ``work(count - 1)``, each in a thread of its own; the first error of any of them is raised."""
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))


def until(condition: Callable[[], object]) -> None:
    for _ in range(2_000):
        if condition():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it did not happen within 10 s")

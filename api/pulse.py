"""Pulse: whether the database answers, without waiting long for one that never does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from recsys.errors import StoreError


@dataclass(frozen=True, slots=True)
class Beat:
    """up: it answered in time. milliseconds: until it did; None when it did not. found: its schema version.

    fault: the name of the error, "Timeout" for none yet.
    """

    up: bool
    milliseconds: float | None = None
    found: str | None = None
    fault: str | None = None


class Pulse:
    """Asks in a thread of its own. A question still open is waited for again, not asked a second time.

    ask: gives the schema version, or raises StoreError. patience: seconds to wait. Safe to share between threads.
    """

    def __init__(self, ask: Callable[[], str | None], patience: float = 0.8) -> None:
        self._ask = ask
        self._patience = patience
        self._lock = threading.Lock()
        self._open: _Question | None = None

    def beat(self) -> Beat:
        """What the database says now."""
        with self._lock:
            question = self._open
            if question is None or question.done.is_set():
                question = self._open = _Question(self._ask)
        question.done.wait(self._patience)
        return question.beat


class _Question:
    def __init__(self, ask: Callable[[], str | None]) -> None:
        self.done = threading.Event()
        self.beat = Beat(False, fault="Timeout")
        self._asked = ask
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def _run(self) -> None:
        started = time.perf_counter()
        try:
            found = self._asked()
            self.beat = Beat(True, round((time.perf_counter() - started) * 1000, 2), found)
        except StoreError as error:
            self.beat = Beat(False, fault=type(error).__name__)
        finally:
            self.done.set()

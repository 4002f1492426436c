"""Work beside the requests: in a thread of its own, for all who may need what comes of it, and none waits for long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from math import inf
from typing import Generic, TypeVar

from recsys.errors import StoreError

T = TypeVar("T")

WAIT_SECONDS = 0.8  # for what changed, while there is something to answer with


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """Work in a thread of its own, for whoever may need what comes of it. until: nobody waits for it any longer."""

    coming: Future[T]
    until: float

    @classmethod
    def begun(cls, work: Callable[[], T], name: str) -> Work[T]:
        """A StoreError comes of it like anything else; any other exception cancels it, and the thread tells of it."""
        coming: Future[T] = Future()

        def run() -> None:
            try:
                coming.set_result(work())
            except StoreError as error:
                coming.set_exception(error)
            finally:
                coming.cancel()  # changes nothing where it has ended

        threading.Thread(target=run, name=name, daemon=True).start()
        return cls(coming, time.monotonic() + WAIT_SECONDS)

    def result(self, end: float = inf) -> T:
        """TimeoutError when it takes longer than until then, or than WAIT_SECONDS since it began."""
        return self.coming.result(max(0.0, min(end, self.until) - time.monotonic()))

"""Patience: a PostgreSQL server that does not answer is given up after a time, and left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import OperationalError

PAUSE_SECONDS = 2.0  # between two attempts to reach a server that did not answer


class Patience:
    """How long questions to one server may stay without an answer, over all connections to it.

    The limit is kept on this side, since a server that is frozen keeps no limit of its own. Once a question was given
    up, every other one fails at once, but for one caller every PAUSE_SECONDS who tries whether the server is back.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._own = threading.local()
        self._deciding = threading.Lock()
        self._retry: float | None = None  # when the next caller may try; None: the server answers

    @contextmanager
    def of(self, seconds: float) -> Iterator[None]:
        """Another limit for what this thread asks inside the block."""
        before = self.limit
        self._own.limit = seconds
        try:
            yield
        finally:
            self._own.limit = before

    @property
    def limit(self) -> float:
        """Seconds, for this thread."""
        return float(getattr(self._own, "limit", self.seconds))

    def enter(self) -> None:
        """OperationalError while the server is left alone; the one who may try whether it is back passes."""
        if self._retry is None:
            return
        with self._deciding:
            if self._retry is not None and time.monotonic() < self._retry:
                raise OperationalError("it did not answer a moment ago")
            self._retry = time.monotonic() + PAUSE_SECONDS

    def answered(self) -> None:
        self._retry = None

    def given_up(self, limit: float) -> OperationalError:
        """What to raise. A question that was given longer than usual says nothing of the server: it may be long."""
        if limit <= self.seconds:
            self._retry = time.monotonic() + PAUSE_SECONDS
        return OperationalError(f"it gave no answer within {limit:g} s")

    def connect(self, *arguments: Any, **parameters: Any) -> PatientConnection:
        """A connection, or OperationalError. Made in a thread of its own: nothing else bounds the look-up of a name."""
        self.enter()
        made: Future[PatientConnection] = Future()

        def make() -> None:
            try:
                connection = PatientConnection.connect(*arguments, **parameters)
            except psycopg.Error as error:
                made.set_exception(error)
                return
            connection.patience = self
            made.set_result(connection)

        threading.Thread(target=make, daemon=True).start()
        limit = self.limit
        try:
            connection = made.result(limit)
        except TimeoutError:
            made.add_done_callback(_close_unused)
            raise self.given_up(limit) from None
        self.answered()
        return connection


def _close_unused(made: Future[PatientConnection]) -> None:
    if made.exception() is None:
        made.result().close()


class PatientConnection(psycopg.Connection[Any]):
    """A connection whose every question has a limit; without an answer it closes, whatever was under way."""

    patience: Patience | None = None
    limit: float | None = None  # of this connection alone

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        if self.patience is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        limit = self.patience.limit if self.limit is None else self.limit
        try:
            self.patience.enter()
        except OperationalError:
            self.close()
            raise
        end = time.monotonic() + limit
        try:
            answer = super().wait(gen, interval, limit)
        except psycopg.Error as error:
            if error.sqlstate is not None:  # a refusal is an answer
                self.patience.answered()
            elif time.monotonic() >= end:
                self.close()
                raise self.patience.given_up(limit) from None
            raise
        self.patience.answered()
        return answer

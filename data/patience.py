"""Patience: a PostgreSQL server that does not answer is given up after a time, and left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.errors import OperationalError

PAUSE_SECONDS = 2.0  # between two attempts to reach a server that did not answer
_ENOUGH = 0.9  # of the usual limit: without an answer in it a server is not there; more than any wait for a lock


@dataclass(frozen=True, slots=True)
class _Whole:
    """Time for several questions together."""

    seconds: float
    end: float


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
        before = self._usual
        self._own.usual = seconds
        try:
            yield
        finally:
            self._own.usual = before

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """No more than so long for all that this thread asks inside the block together; then whatever it asks fails at
        once. Inside another such block the time of that one goes on."""
        if self._whole is not None:
            yield
            return
        self._own.whole = _Whole(seconds, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._own.whole = None

    @property
    def limit(self) -> float:
        """Seconds for the next question of this thread. OperationalError when there are none."""
        whole = self._whole
        if whole is None:
            return self._usual
        left = whole.end - time.monotonic()
        if left <= 0:
            raise _too_slow(whole)
        return min(self._usual, left)

    @property
    def _usual(self) -> float:
        return float(getattr(self._own, "usual", self.seconds))

    @property
    def _whole(self) -> _Whole | None:
        return getattr(self._own, "whole", None)

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
        """What to raise. A question that was given longer than usual says nothing of the server: it may be long. Nor
        does one of several for which the others left little time."""
        whole = self._whole
        if whole is not None and limit < _ENOUGH * self._usual:
            return _too_slow(whole)
        if limit <= self.seconds:
            self._retry = time.monotonic() + PAUSE_SECONDS
        return OperationalError(f"it gave no answer within {round(limit, 1):g} s")

    def connect(self, *arguments: Any, **parameters: Any) -> PatientConnection:
        """A connection, or OperationalError. Made in a thread of its own: nothing else bounds the look-up of a name."""
        limit = self.limit
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
        try:
            connection = made.result(limit)
        except TimeoutError:
            made.add_done_callback(_close_unused)
            raise self.given_up(limit) from None
        self.answered()
        return connection


def _too_slow(whole: _Whole) -> OperationalError:
    return OperationalError(f"it did not answer all that was asked within {whole.seconds:g} s")


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
        try:
            limit = self.patience.limit if self.limit is None else self.limit
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

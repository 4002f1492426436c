"""What the drills share: what they report, and questions to a given worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.serve.load import Connection, Reply, Request
from recsys.errors import RecsysError

_PAUSE = 0.02
_COMES_SECONDS = 20.0  # for a worker to come to a new version
BUSY = (409, 429, 503)  # try again later

Found = dict[str, Any]  # what a drill measured, plain values; "broken": the promises that did not hold, in words


def holds(broken: list[str], promise: bool, words: str) -> None:
    if not promise:
        broken.append(words)


def happened(fault: bool, words: str) -> None:
    """RecsysError when the fault of a drill did not happen, or its control was not caught: the drill shows nothing."""
    if not fault:
        raise RecsysError(f"the drill shows nothing: {words}")


def recommendations(user: str, n: int = 10, more: str = "") -> Request:
    """more: further parameters, from an "&" on."""
    return Request(f"/v1/users/{user}/recommendations?n={n}{more}")


def ranked(answer: Mapping[str, Any]) -> list[tuple[str, float]]:
    """(item, score) of an answer, best first."""
    return [(row["item"], row["score"]) for row in answer["items"]]


async def tried(connection: Connection, request: Request) -> Reply:
    """The answer; one of status 0 and without content when none came."""
    started = time.perf_counter()
    try:
        return await connection.ask(request)
    except (OSError, asyncio.IncompleteReadError):
        return Reply(0, b"{}", time.perf_counter() - started)


async def comes_to(connection: Connection, user: str, version: str) -> float:
    """Wait until the worker of this connection answers from a version; the seconds that took. RecsysError when it does
    not come to it."""
    started = time.perf_counter()
    while time.perf_counter() - started < _COMES_SECONDS:
        reply = await connection.ask(recommendations(user, 1))
        if reply.status == 200 and reply.json()["model"]["version"] == version:
            return time.perf_counter() - started
        await asyncio.sleep(_PAUSE)
    raise RecsysError(f"a worker did not come to the version {version} in {_COMES_SECONDS:.0f} s")


async def insist(connection: Connection, request: Request, tries: int = 1_000) -> tuple[Reply, list[int]]:
    """Ask until the answer is none of BUSY, however often the connection breaks: (answer, statuses before it, 0 for a
    broken connection). RecsysError after too many tries."""
    before: list[int] = []
    while len(before) < tries:
        reply = await tried(connection, request)
        if reply.status not in (0, *BUSY):
            return reply, before
        before.append(reply.status)
        await asyncio.sleep(_PAUSE)
    raise RecsysError(f"no answer to {request.method} {request.path} in {tries} tries", where=f"statuses {before[-3:]}")

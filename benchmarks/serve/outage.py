"""Drill: PostgreSQL freezes, then is gone; lists keep coming and say that they are stale, and all mends by itself. Then
it is slow, and feedback is stored or refused in time.

The server reaches its database through a proxy of the drill's own. Frozen: connections stay open and no byte passes.
Refused: connections are cut and no new one is taken. Slow: whatever the database says comes late.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy.engine import make_url

from benchmarks.serve.drill import Found, happened, holds, recommendations, tried
from benchmarks.serve.home import Home
from benchmarks.serve.load import Connection, Reply, Request
from benchmarks.serve.server import Server, serving
from recsys.errors import RecsysError

Mode = Literal["open", "frozen", "refused", "slow"]
FAILS_SECONDS = 2.0  # for feedback to be refused
LATE_SECONDS = 0.4  # each answer of a slow database; a write asks a dozen questions
_MENDS_SECONDS = 30.0
_EVERY = 0.1


class Proxy:
    """TCP from a port of its own to another, in a thread. ``set`` changes what it does to every connection.

    late: how often it held an answer back.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._slow = False
        self.port = self.late = 0

    def start(self) -> None:
        self._thread.start()
        self._run(self._listen())

    def set(self, mode: Mode) -> None:
        self._run(self._set(mode))

    def stop(self) -> None:
        self._run(self._set("refused"))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._passing = asyncio.Event()
        self._passing.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _set(self, mode: Mode) -> None:
        self._slow = mode == "slow"
        if mode == "frozen":
            self._passing.clear()
        elif mode == "refused":
            if self._server is not None:
                self._server.close()
                self._server = None
            for writer in self._writers:
                writer.transport.abort()
            self._passing.set()
            await asyncio.sleep(_EVERY)  # the pumps end
        elif self._server is None:
            await self._listen()
        else:
            self._passing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passing.wait()
        theirs, to_them = await asyncio.open_connection(*self._target)
        self._writers |= {writer, to_them}
        await asyncio.gather(self._pump(reader, to_them), self._pump(theirs, writer, answers=True))
        self._writers -= {writer, to_them}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: bool = False) -> None:
        try:
            while data := await reader.read(2**16):
                if answers and self._slow:
                    self.late += 1
                    await asyncio.sleep(LATE_SECONDS)
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        except OSError:  # cut
            pass
        finally:
            writer.transport.abort()


@contextmanager
def proxied(home: Home) -> Iterator[tuple[Home, Proxy]]:
    """The same home with its PostgreSQL behind a proxy."""
    url = make_url(home.url)
    proxy = Proxy(url.host or "127.0.0.1", url.port or 5432)
    proxy.start()
    try:
        moved = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        yield replace(home, url=moved), proxy
    finally:
        proxy.stop()


def drill(home: Home, *, seconds: float = 10.0, workers: int = 2) -> Found:
    """home: on PostgreSQL. seconds: how long each outage lasts. Adds to the home.

    By mode: "answers", "stale", "slowest" of lists, "feedback" [(status, seconds)], "ready" what /readyz said, "mended"
    seconds until all was as before. Of "slow" only "feedback", "late" (answers held back) and "mended".
    """
    if not home.url.startswith("postgresql"):
        raise RecsysError("this drill needs a home on PostgreSQL", do="make_home(folder, shape, url)")
    found: Found = {}
    broken: list[str] = []
    with proxied(home) as (moved, proxy), serving(moved, workers) as server:
        for mode in ("frozen", "refused"):
            found[mode] = asyncio.run(_outage(server, proxy, mode, seconds, broken))
        found["slow"] = asyncio.run(_slow(server, proxy, seconds, broken))
    return {**found, "broken": broken}


async def _outage(server: Server, proxy: Proxy, mode: Mode, seconds: float, broken: list[str]) -> Found:
    connections = list((await server.each()).values())
    users = [server.home.user(number) for number in range(5)]
    for connection in connections:  # what is known of them is in everyone's memory
        for user in users:
            reply = await tried(connection, recommendations(user))
            happened(reply.status == 200 and not reply.json().get("stale"), f"{mode}: not well before the outage")
        happened((await _post(connection)).status == 200, f"{mode}: feedback was not taken before the outage")
    await asyncio.to_thread(proxy.set, mode)
    lists: list[Reply] = []
    feedback: list[tuple[int, float]] = []
    ready: set[str | None] = set()
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for connection in connections:
            lists += [await tried(connection, recommendations(user)) for user in users]
            reply = await _post(connection)
            feedback.append((reply.status, reply.seconds))
            ready.add((await tried(connection, Request("/readyz"))).json().get("status"))
    await asyncio.to_thread(proxy.set, "open")
    mended = await _mended(connections, users)
    for connection in connections:
        await connection.close()
    stale = sum(reply.status == 200 and bool(reply.json().get("stale")) for reply in lists)
    slowest = max(took for _, took in feedback)
    happened(any(status != 200 for status, _ in feedback), f"{mode}: feedback was stored, so there was no outage")
    holds(broken, all(reply.status == 200 for reply in lists), f"{mode}: not every list came")
    holds(broken, stale == len(lists), f"{mode}: {len(lists) - stale} of {len(lists)} lists did not say they are stale")
    holds(broken, {status for status, _ in feedback} == {503}, f"{mode}: feedback was answered {feedback[:4]}")
    holds(broken, slowest <= FAILS_SECONDS, f"{mode}: feedback failed after {slowest:.1f} s")
    holds(broken, ready == {"degraded"}, f"{mode}: /readyz said {ready}")
    holds(broken, mended is not None, f"{mode}: not mended {_MENDS_SECONDS:.0f} s after the outage")
    return {
        "answers": len(lists),
        "stale": stale,
        "slowest": max(reply.seconds for reply in lists),
        "feedback": feedback,
        "ready": sorted(map(str, ready)),
        "mended": mended,
    }


async def _slow(server: Server, proxy: Proxy, seconds: float, broken: list[str]) -> Found:
    connections = list((await server.each()).values())
    users = [server.home.user(number) for number in range(5)]
    before = proxy.late
    await asyncio.to_thread(proxy.set, "slow")
    feedback: list[tuple[int, float]] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        replies = [await _post(connection) for connection in connections]
        feedback += [(reply.status, reply.seconds) for reply in replies]
    late = proxy.late - before
    await asyncio.to_thread(proxy.set, "open")
    mended = await _mended(connections, users)
    for connection in connections:
        await connection.close()
    slowest = max(took for _, took in feedback)
    happened(late > len(feedback), f"slow: {late} answers of the database came late for {len(feedback)} requests")
    holds(broken, {status for status, _ in feedback} <= {200, 503}, f"slow: feedback was answered {feedback[:4]}")
    holds(broken, slowest <= FAILS_SECONDS, f"slow: feedback took {slowest:.1f} s")
    holds(broken, mended is not None, f"slow: not mended {_MENDS_SECONDS:.0f} s after it")
    return {"feedback": feedback, "late": late, "mended": mended}


async def _mended(connections: list[Connection], users: list[str]) -> float | None:
    """Seconds until every worker answers as if nothing had been; None if that takes too long."""
    started = time.perf_counter()
    while time.perf_counter() - started < _MENDS_SECONDS:
        well = []
        for connection in connections:
            replies = [await tried(connection, recommendations(user)) for user in users]
            well += [reply.status == 200 and not reply.json().get("stale") for reply in replies]
            well.append((await _post(connection)).status == 200)
            well.append((await tried(connection, Request("/readyz"))).json().get("status") == "ready")
        if all(well):
            return time.perf_counter() - started
        await asyncio.sleep(_EVERY)
    return None


async def _post(connection: Connection) -> Reply:
    event = {"user": "outage", "item": "item-0", "event": "like"}
    return await tried(connection, Request.post("/v1/feedback", {"events": [event]}))

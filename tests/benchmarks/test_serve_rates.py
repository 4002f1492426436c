"""Loads count what they send, and the rates stand beside the empty endpoint and the floor."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.serve import floor, rates
from benchmarks.serve.home import Home, Shape, make_home
from benchmarks.serve.load import TURN, Reply, Request, Result, closed, has_wrk, steady, wrk

needs_wrk = pytest.mark.skipif(not has_wrk(), reason="wrk is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", Shape(users=100, items=500, width=16))


class _Slow:
    """An HTTP server that notes what it is asked, and answers the n-th request after ``stalls[n]`` seconds."""

    def __init__(self, stalls: dict[int, float] | None = None) -> None:
        self.asked: list[bytes] = []
        self._stalls = stalls or {}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            self.asked.append(head.partition(b"\r\n")[0])
            await asyncio.sleep(self._stalls.get(len(self.asked), 0.0))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()


def _against(slow: _Slow, load: Callable[[int], Awaitable[Result]]) -> Result:
    async def run() -> Result:
        server = await asyncio.start_server(slow.answer, "127.0.0.1", 0)
        try:
            return await load(server.sockets[0].getsockname()[1])
        finally:
            server.close()

    return asyncio.run(run())


def test_a_closed_loop_asks_for_everything_once() -> None:
    slow, seen = _Slow(), []

    def look(request: Request, reply: Reply) -> None:
        seen.append((request.path, reply.json()))

    result = _against(slow, lambda port: closed(port, [Request(f"/{n}") for n in range(20)], 4, look))
    assert (result.requests, result.statuses, result.failed) == (20, {"200": 20}, 0)
    assert sorted(seen) == sorted((f"/{n}", {}) for n in range(20))
    assert len(set(slow.asked)) == 20


def test_a_stall_counts_for_every_request_that_was_planned_in_it() -> None:
    def requests() -> Iterator[Request]:
        return itertools.repeat(Request("/"))

    slow = _Slow({3: 0.5})  # at 100 a second on one connection: some 50 requests are planned meanwhile
    result = _against(slow, lambda port: steady(port, requests(), 100.0, lambda: len(slow.asked) < 40, 1))
    assert result.worst >= 500
    assert result.p50 > 100  # a loop that waited would have told of one slow answer only


def test_nobody_there_is_an_error_and_no_answer() -> None:
    result = asyncio.run(closed(1, [Request("/")] * 3, 1))
    assert (result.requests, result.errors, result.failed) == (0, 3, 3)


@needs_wrk
def test_wrk_asks_for_every_path_and_never_twice_for_a_turn() -> None:
    slow = _Slow()
    asked = [Request("/plain"), Request(f"/n/{TURN}"), Request.post("/body", {"a": 1})]
    result = _against(slow, lambda port: asyncio.to_thread(wrk, port, asked, 1, 2, 70))
    assert result.statuses["from 400"] == 0
    assert result.requests == result.statuses["below 400"] > 3
    turns = [line for line in slow.asked if b"/n/" in line]
    assert len(set(turns)) == len(turns)
    assert b"GET /n/71 HTTP/1.1" in turns
    assert {b"GET /plain HTTP/1.1", b"POST /body HTTP/1.1"} < set(slow.asked)


@needs_wrk
def test_rates_stand_beside_the_empty_endpoint_and_the_floor(
    home: Home, here: Callable[..., dict[str, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(floor, "alone", here)
    found = rates.main(home, rounds=1, seconds=1, connections=4)
    assert found["floor"][0] > 0
    kinds = {"cached, n=10", "cached, n=100", "fresh by id, n=10", "fresh posted, n=10"}
    assert set(found["rounds"]) == {"empty", *kinds}
    assert set(found["ratios"]) == kinds | {"fresh by id, n=10 / floor", "fresh posted, n=10 / floor"}
    assert all(len(values) == 1 and not sum(v["failed"] for v in values) for values in found["rounds"].values())
    [(title, header, rows), *_] = rates.tables(found)
    assert "500 items" in title
    assert {len(row) for row in rows} == {len(header)}

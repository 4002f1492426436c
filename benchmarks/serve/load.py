"""A load on the server: wrk for rates, and connections of our own where answers are looked at.

Closed loop: each connection asks again when it has its answer. Open loop: requests leave at planned times, and latency
counts from the planned time, so that a server that stalls cannot hide it by being asked less (coordinated omission).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from recsys.errors import RecsysError

_SCRIPT = Path(__file__).with_name("requests.lua")
PATIENCE_SECONDS = 30.0  # for one answer
TURN = "{turn}"  # in a path: a number that never comes twice


@dataclass(frozen=True, slots=True)
class Request:
    """body: JSON as bytes. headers: beside Host, Content-Type and Content-Length."""

    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def post(cls, path: str, value: Any, **headers: str) -> Self:
        return cls(path, "POST", json.dumps(value).encode(), headers)

    def raw(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in self.headers.items()]
        if self.body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(self.body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + (self.body or b"")


@dataclass(frozen=True, slots=True)
class Reply:
    """seconds: until the whole answer was there, from the planned time in an open loop."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Result:
    """What came of a load. p50, p99, worst: milliseconds. statuses: how many answers of each; errors: no answer."""

    requests: int
    seconds: float
    p50: float
    p99: float
    worst: float
    statuses: Mapping[str, int]
    errors: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def failed(self) -> int:
        """Answers of 5xx, and requests without one."""
        return self.errors + sum(count for status, count in self.statuses.items() if status.startswith("5"))


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


def wrk(port: int, requests: Sequence[Request], seconds: int, connections: int = 32, turn: int = 0) -> Result:
    """A closed loop by wrk over the requests, again and again; statuses: "below 400" and "from 400".

    turn: the number from which TURN counts. Raises RecsysError where wrk is not installed or fails.
    """
    program = shutil.which("wrk")
    if program is None:
        raise RecsysError("wrk is not installed", do="install the package wrk")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "requests")
        lines = [f"{one.method}\t{one.path}\t{(one.body or b'').decode()}\n" for one in requests]
        file.write_text("".join(lines), encoding="utf-8")
        command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(_SCRIPT)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"],
            env={**os.environ, "BENCH_REQUESTS": str(file), "BENCH_TURN": str(turn)},
            capture_output=True,
            text=True,
            check=False,
        )
    line = next((line for line in done.stdout.splitlines() if line.startswith("BENCH ")), None)
    if done.returncode or line is None:
        raise RecsysError("wrk failed", where=(done.stderr or done.stdout)[-500:])
    found = json.loads(line.removeprefix("BENCH "))
    statuses = {"below 400": found["requests"] - found["refused"], "from 400": found["refused"]}
    times = (found["p50"] / 1e3, found["p99"] / 1e3, found["worst"] / 1e3)
    return Result(found["requests"], found["microseconds"] / 1e6, *times, statuses, found["errors"])


class Connection:
    """One kept connection; opened when first used and again when it broke. waits: its port while one is due."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.waits: int | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def open(self) -> int:
        """The client's port of the connection."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        return int(self._streams[1].get_extra_info("sockname")[1])

    async def ask(self, request: Request, planned: float | None = None) -> Reply:
        """The answer. OSError (TimeoutError is one) or asyncio.IncompleteReadError when there is none."""
        started = time.perf_counter() if planned is None else planned
        port = await self.open()
        assert self._streams is not None
        reader, writer = self._streams
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                self.waits = port
                writer.write(request.raw())
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = head.partition("content-length:")[2].partition("\r\n")[0]
                body = await reader.readexactly(int(length)) if length else b""
        except (OSError, asyncio.IncompleteReadError):
            await self.close()
            raise
        finally:
            self.waits = None
        if "connection: close" in head:
            await self.close()
        return Reply(int(head.split(" ", 2)[1]), body, time.perf_counter() - started)

    async def close(self) -> None:
        if self._streams is not None:
            writer = self._streams[1]
            self._streams = None
            writer.transport.abort()  # no waiting for a peer that may be dead
            await asyncio.sleep(0)


Look = Callable[[Request, Reply], None]


class _Tally:
    def __init__(self, look: Look | None) -> None:
        self.statuses: Counter[str] = Counter()
        self.times: list[float] = []
        self.errors = 0
        self._look = look
        self._started = time.perf_counter()

    async def ask(self, connection: Connection, request: Request, planned: float | None = None) -> None:
        try:
            reply = await connection.ask(request, planned)
        except (OSError, asyncio.IncompleteReadError):
            self.errors += 1
            return
        self.statuses[str(reply.status)] += 1
        self.times.append(reply.seconds)
        if self._look is not None:
            self._look(request, reply)

    def result(self) -> Result:
        seconds = time.perf_counter() - self._started
        times = np.array(self.times or [0.0]) * 1e3
        p50, p99 = np.percentile(times, [50, 99]).tolist()
        return Result(len(self.times), seconds, p50, p99, float(times.max()), dict(self.statuses), self.errors)


async def closed(port: int, requests: Iterable[Request], connections: int = 32, look: Look | None = None) -> Result:
    """Every request once, each connection taking the next as soon as it has its answer. look: is shown each answer."""
    tally, coming = _Tally(look), iter(requests)

    async def client() -> None:
        connection = Connection(port)
        for request in coming:
            await tally.ask(connection, request)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return tally.result()


async def steady(
    port: int,
    requests: Iterator[Request],
    rate: float,
    going: Callable[[], bool],
    connections: int = 32,
    look: Look | None = None,
) -> Result:
    """An open loop of ``rate`` requests a second for as long as ``going()``."""
    tally = _Tally(look)
    start, sent = time.perf_counter(), 0

    async def client() -> None:
        nonlocal sent
        connection = Connection(port)
        while going():
            planned = start + sent / rate
            sent += 1
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            await tally.ask(connection, next(requests), planned)
        await connection.close()

    await asyncio.gather(*(client() for _ in range(connections)))
    return tally.result()

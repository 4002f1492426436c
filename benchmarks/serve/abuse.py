"""Drill: requests that ask for too much are refused at once, and cost the workers no memory.

Time counts from the moment the request was sent whole, or, of one that never ends, from when it passed the limit, to
the first byte of the refusal.
"""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Mapping
from statistics import median

from api.limits import MAX_BODY
from benchmarks.serve.drill import Found, happened, holds
from benchmarks.serve.home import Home
from benchmarks.serve.load import Request
from benchmarks.serve.server import Server

MOST_MS = 50.0
ROOM = 16 * 2**20  # bytes a worker may grow by: bodies up to the limit, a few at a time, are allowed
_CHUNK = 64 * 1024
_SECONDS = 20.0


def drill(server: Server, *, repeats: int = 20, chunked: int = 100 * 2**20) -> Found:
    """ "cases": name -> {"statuses", "median", "worst"} in milliseconds; chunked: bytes that the endless bodies offer.
    "grown": bytes by which a worker's peak passed what it held before, the most of all."""
    cases: dict[str, dict[str, object]] = {}
    broken: list[str] = []
    _all(server, chunked, 1)  # code warm, buffers there
    before = server.resident()
    server.forget_peaks()
    for name, taken in _all(server, chunked, repeats).items():
        times = [seconds * 1e3 for _, seconds in taken]
        statuses = sorted({status for status, _ in taken})
        cases[name] = {"statuses": statuses, "median": median(times), "worst": max(times)}
        holds(broken, all(400 <= status < 500 for status in statuses), f"{name}: answered {statuses}")
        holds(broken, max(times) < MOST_MS, f"{name}: refused after {max(times):.0f} ms, allowed are {MOST_MS:.0f}")
    after = server.peaks()
    happened(set(after) == set(before), "a worker did not live through it")
    grown = max(after[worker] - before[worker] for worker in before)
    holds(broken, grown <= ROOM, f"a worker grew by {grown / 2**20:.0f} MB")
    return {"cases": cases, "grown": grown, "broken": broken}


def _all(server: Server, chunked: int, repeats: int) -> dict[str, list[tuple[int, float]]]:
    found = {name: [_sent(server.port, raw) for _ in range(repeats)] for name, raw in _requests(server.home).items()}
    for path in ("/v1/feedback", "/v1/recommendations"):
        name = f"a chunked body without end to {path}"
        found[name] = [_endless(server.port, path, chunked) for _ in range(repeats)]
    return found


def _requests(home: Home) -> Mapping[str, bytes]:
    user = home.user(0)
    path = f"/v1/users/{user}/recommendations"
    event = {"user": "a", "item": "b", "event": "like"}
    deep = b"[" * 100_000 + b"]" * 100_000
    objects = b'{"a":' * 50_000 + b"1" + b"}" * 50_000

    def post(body: bytes, to: str = "/v1/feedback") -> bytes:
        return Request(to, "POST", body).raw()

    return {
        "n of 10^9": Request(f"{path}?n=1000000000").raw(),
        "offset of 10^18": Request(f"{path}?offset={10**18}").raw(),
        "n of 4,000 digits": Request(f"{path}?n={'9' * 4_000}").raw(),
        "5,000 excluded ids": Request(f"{path}?exclude={','.join(['x'] * 5_000)}").raw(),
        "n of 10^9 in a body": Request.post("/v1/recommendations", {"history": [home.item(0)], "n": 10**9}).raw(),
        "100,000 nested brackets": post(deep),
        "100,000 nested brackets for a history": post(b'{"history": ' + deep + b"}", "/v1/recommendations"),
        "50,000 nested objects": post(objects),
        "10,000 events": post(json.dumps({"events": [event] * 10_000}).encode()),
        "a history of 100,000 items": post(json.dumps({"history": ["x"] * 100_000}).encode(), "/v1/recommendations"),
        "a number of 100,000 digits": post(b'{"events": ' + b"9" * 100_000 + b"}"),
        "a body that says it has 100 MB": Request("/v1/feedback", "POST", b"")
        .raw()
        .replace(b"Content-Length: 0", b"Content-Length: 104857600"),
    }


def _sent(port: int, raw: bytes) -> tuple[int, float]:
    """(status, seconds from the last byte sent to the first byte of the answer)."""
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(raw)
        sent = time.perf_counter()
        first = connection.recv(16)
        return int(first.split()[1]) if first else 0, time.perf_counter() - sent


def _endless(port: int, path: str, total: int) -> tuple[int, float]:
    """As ``_sent``, of a body in chunks that goes on after the limit until the server refuses or closes."""
    chunked = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
    head = Request(path, "POST", headers=chunked).raw()
    chunk = f"{_CHUNK:x}\r\n".encode() + b" " * _CHUNK + b"\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
        connection.sendall(head)
        passed = None
        try:
            for sent in range(0, total, _CHUNK):
                if passed is None and sent > MAX_BODY:
                    passed = time.perf_counter()
                if select.select([connection], [], [], 0)[0]:
                    break
                connection.sendall(chunk)
            else:
                connection.sendall(b"0\r\n\r\n")
            first = connection.recv(16)
        except (BrokenPipeError, ConnectionResetError):
            first = _left(connection)
        return int(first.split()[1]) if first else 0, time.perf_counter() - (passed or time.perf_counter())


def _left(connection: socket.socket) -> bytes:
    """What the server said before it closed, b"" if that was lost."""
    try:
        return connection.recv(16)
    except ConnectionResetError:
        return b""

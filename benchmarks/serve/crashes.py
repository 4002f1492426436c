"""Drill: workers are killed (kill -9) while events are posted; what was acknowledged is stored, and nothing twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from benchmarks.serve.drill import Found, happened, holds, insist
from benchmarks.serve.home import Home
from benchmarks.serve.load import Connection, Request
from benchmarks.serve.server import Server, until
from recsys.errors import RecsysError
from recsys.interactions import iso_time

_TIME = 1_700_000_000  # seconds since 1970
_EVERY = 0.01
_GONE_SECONDS = 30.0
_SPARED = 6.0  # seconds: granian gives up when a worker that it has just put in place ends within 5.5


@dataclass
class _Posting:
    """What the clients and the killer tell each other."""

    batches: list[Request]
    kills: int
    acknowledged: set[int] = field(default_factory=set)
    killed: list[int] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    before: Counter[int] = field(default_factory=Counter)
    repeated: int = 0
    aimed: bool = False  # the killer is about to strike: go on posting

    @property
    def due(self) -> bool:
        """Is it time for the next kill? They are spread evenly over the batches."""
        return len(self.acknowledged) * (self.kills + 1) >= len(self.batches) * (len(self.killed) + 1)

    @property
    def waits(self) -> bool:
        """Do the clients wait for the killer, who waits for the launcher?"""
        return self.due and not self.aimed and not self.ended

    @property
    def ended(self) -> bool:
        return len(self.killed) == self.kills


def drill(server: Server, *, events: int = 100_000, kills: int = 20, batch: int = 100, clients: int = 16) -> Found:
    """ "cut": requests that ended without an answer; "repeated": events sent again that had been stored. Adds to the
    home."""
    home = server.home
    batches = [_batch(home, start, min(batch, events - start)) for start in range(0, events, batch)]
    posting = _Posting(batches, kills)
    asyncio.run(_post(server, posting, clients))
    with home.store() as store:
        stored = store.interactions()
    ours = np.array([label.startswith("crash-") for label in stored.user.labels])[stored.user.codes]
    mine = stored.take(ours)
    found = Counter(zip(mine.user.decode().tolist(), mine.time.tolist(), strict=True))
    sent = {(_user(number), (_TIME + number) * 1_000_000) for number in range(events)}
    happened(len(set(posting.killed)) == kills, f"{len(set(posting.killed))} of {kills} workers were killed")
    happened(posting.before[0] > 0, "no kill cut a request off")
    lost = len(sent - set(found))
    doubled = sum(count - 1 for count in found.values())
    broken: list[str] = []
    holds(broken, len(posting.acknowledged) == len(batches), "not every batch was acknowledged in the end")
    holds(broken, not lost, f"{lost} acknowledged events are not in the store")
    holds(broken, not doubled, f"{doubled} events are there more than once")
    holds(broken, not set(found) - sent, "events are there that nobody sent")
    return {
        "events": events,
        "killed": len(posting.killed),
        "cut": posting.before[0],
        "refused": sum(count for status, count in posting.before.items() if status),
        "repeated": posting.repeated,
        "lost": lost,
        "doubled": doubled,
        "broken": broken,
    }


def _user(number: int) -> str:
    return f"crash-{number % 97}"


def _batch(home: Home, start: int, size: int) -> Request:
    events = [
        {
            "user": _user(number),
            "item": home.item(number * 31),
            "event": "like",
            "time": iso_time((_TIME + number) * 1_000_000),
            "id": f"crash-{number}",
        }
        for number in range(start, start + size)
    ]
    return Request.post("/v1/feedback", {"events": events})


async def _post(server: Server, posting: _Posting, clients: int) -> None:
    coming = iter(range(len(posting.batches)))

    async def client() -> None:
        connection = Connection(server.port)
        posting.connections.append(connection)
        for number in coming:
            while posting.waits:
                await asyncio.sleep(_EVERY)
            reply, before = await insist(connection, posting.batches[number])
            posting.before.update(before)
            if reply.status != 200:
                raise RecsysError(f"a batch was refused with {reply.status}", where=reply.body[:300].decode())
            posting.repeated += reply.json()["repeated"]
            posting.acknowledged.add(number)
        await connection.close()

    await asyncio.gather(_kill(server, posting), *(client() for _ in range(clients)))


async def _kill(server: Server, posting: _Posting) -> None:
    """Each time that enough is acknowledged: one worker, at random, in the middle of the posting."""
    choose = random.Random(0)
    born = dict.fromkeys(server.workers(), 0.0)
    while not posting.ended:
        while not (old := _old(server, born)) or not posting.due:
            await asyncio.sleep(_EVERY)
        await server.ask_each(Request("/livez"))  # with the only one that answers killed, nothing would be tested
        posting.aimed = True
        await asyncio.sleep(choose.uniform(0.0, 2 * _EVERY))
        worker = await _strike(server, posting, choose.sample(old, len(old)))
        await asyncio.to_thread(until, partial(_gone, server, worker), _GONE_SECONDS, f"worker {worker} has gone")
        posting.killed.append(worker)
        posting.aimed = False


async def _strike(server: Server, posting: _Posting, old: list[int]) -> int:
    """Kill the first of these workers that is caught at a request; which one that was. The last, when none is: then the
    clients are through. A worker stands still while it is looked at, so its request cannot end before the kill."""
    while True:
        for worker in old:
            os.kill(worker, signal.SIGSTOP)
            if await _at_work(server, posting, worker) or len(posting.acknowledged) == len(posting.batches):
                os.kill(worker, signal.SIGKILL)
                return worker
            os.kill(worker, signal.SIGCONT)
            await asyncio.sleep(0)


async def _at_work(server: Server, posting: _Posting, worker: int) -> bool:
    await asyncio.sleep(_EVERY)  # what it had answered before it stood still is read
    ports = [connection.waits for connection in posting.connections if connection.waits is not None]
    return any(server.worker_of(port) == worker for port in ports)


def _old(server: Server, born: dict[int, float]) -> list[int]:
    """The workers that may be killed; none while one is missing. born: when each was first seen, kept here."""
    now = time.monotonic()
    alive = server.workers()
    for worker in alive:
        born.setdefault(worker, now)
    return [worker for worker in alive if now - born[worker] > _SPARED] if len(alive) >= server.n_workers else []


def _gone(server: Server, worker: int) -> bool:
    return worker not in server.workers()

"""Drill: the release is swapped again and again under a steady load; no request fails, and no answer is a mixture.

An answer is whole when the version that it names gives exactly its items and scores, made again without the server.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.serve.drill import Found, comes_to, happened, holds, ranked, recommendations
from benchmarks.serve.load import Reply, Request, Result, steady
from benchmarks.serve.offline import Offline
from benchmarks.serve.server import Server

MOST_SECONDS = 5.0  # until every worker answers from the new version
_PAUSE = 0.2  # between swaps


def drill(server: Server, *, swaps: int = 50, rate: float = 300.0, sample: int = 300) -> Found:
    """sample: answers made again. "slowest": seconds until the last worker was on the new version."""
    home, kept = server.home, _Kept(sample)
    load, delays = asyncio.run(_swap(server, swaps, rate, kept))
    store = home.store()
    with tempfile.TemporaryDirectory() as folder, store:
        offline = Offline(home, Path(folder))
        wrong = crossed = 0
        for user, answer in kept.answers:
            history, n = store.history(user), len(answer["items"])
            named = answer["model"]["version"]
            wrong += offline.ranked(named, history, n) != ranked(answer)
            other = home.versions[named == home.versions[0]]
            crossed += offline.ranked(other, history, n) != ranked(answer)
    happened(len(delays) == swaps and len(kept.versions) == 2, f"{len(delays)} swaps, answers of {kept.versions}")
    happened(crossed == len(kept.answers) > 0, "answers of the other version were taken for this one's")
    broken: list[str] = []
    answered = sum(load.statuses.values())
    failed = load.errors + answered - load.statuses.get("200", 0)
    holds(broken, not failed, f"{failed} of {answered + load.errors} requests failed: {dict(load.statuses)}")
    holds(broken, not wrong, f"{wrong} of {len(kept.answers)} answers are not those of the version they name")
    slowest = max(max(times) for times in delays)
    holds(broken, slowest <= MOST_SECONDS, f"a worker took {slowest:.1f} s to the new version")
    return {
        "swaps": len(delays),
        "requests": answered,
        "rate": load.rate,
        "p99": load.p99,
        "failed": failed,
        "remade": len(kept.answers),
        "mixed": wrong,
        "slowest": slowest,
        "broken": broken,
    }


class _Kept:
    """A fair sample of all answers (reservoir sampling, Vitter 1985), and the versions seen."""

    def __init__(self, size: int) -> None:
        self.answers: list[tuple[str, Mapping[str, Any]]] = []
        self.versions: set[str] = set()
        self._size, self._seen, self._random = size, 0, random.Random(0)

    def __call__(self, request: Request, reply: Reply) -> None:
        if reply.status != 200:
            return
        self._seen += 1
        answer = reply.json()
        self.versions.add(answer["model"]["version"])
        at = self._seen - 1 if self._seen <= self._size else self._random.randrange(self._seen)
        if at < self._size:
            self.answers[at : at + 1] = [(answer["user"], answer)]


async def _swap(server: Server, swaps: int, rate: float, kept: _Kept) -> tuple[Result, list[list[float]]]:
    """The load's result, and for each swap the seconds until each worker answered from the new version."""
    home = server.home
    requests = (recommendations(home.user(number), more=f"&exclude=none-{number}") for number in itertools.count())
    watched = await server.each()
    going = True
    load = asyncio.create_task(steady(server.port, requests, rate, lambda: going, look=kept))
    delays = []
    try:
        for turn in range(swaps):
            version = home.other()
            await asyncio.to_thread(home.registry.promote, version)
            asked = (comes_to(connection, home.user(turn), version) for connection in watched.values())
            delays.append(list(await asyncio.gather(*asked)))
            await asyncio.sleep(_PAUSE)
    finally:
        going = False
        result = await load
        for connection in watched.values():
            await connection.close()
    return result, delays

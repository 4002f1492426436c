"""Drill: a long mixture of requests while releases are swapped; the workers' memory stays where it was after warm-up.

Memory is the proportional set size (PSS) of all workers, sampled all the time; it is compared by medians of the
stretches between swaps, for a worker holds two releases while it takes a new one. What a worker may keep is bounded;
the people who ask are so few that every history kept has come before the warm-up ends.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.serve.drill import Found, happened, holds, recommendations
from benchmarks.serve.home import Home
from benchmarks.serve.load import Request, Result, closed
from benchmarks.serve.server import Server

MOST = 0.05  # of what was held after warm-up
WARM = 0.25  # of the requests
_EVERY = 0.1  # seconds between samples
_SETTLED = 0.5  # share of a stretch, at its end, in which nothing is being swapped
_CACHED, _FRESH, _FEEDBACK, _EXPLAINED, _WRONG = 0.35, 0.65, 0.72, 0.74, 0.79  # shares, cumulative; the rest by items
_OFTEN = 50  # users who ask again and again
_PEOPLE = 2_000
_MISTAKES = (
    Request("/v1/users/u/recommendations?n=0"),
    Request("/v1/items/nobody-has-this-one"),
    Request("/nowhere"),
    Request("/v1/feedback", "POST", b'{"events": [{"user": "a"}]}'),
    Request("/v1/feedback", "POST", b"[" * 1_000),
)

Sample = tuple[int, float, int]  # the stretch, seconds since the start, bytes


def drill(server: Server, *, requests: int = 200_000, swaps: int = 20, connections: int = 32, seed: int = 0) -> Found:
    """ "series": bytes, the median of each stretch between swaps; "grown": the largest after warm-up over the first of
    them, less 1. Adds to the home."""
    samples: list[Sample] = []
    load, swapped = asyncio.run(_run(server, requests, swaps, connections, seed, samples))
    series = _stretches(samples, swaps + 1)
    warm = series[int(len(series) * WARM) :]
    grown, shrunk = max(warm) / warm[0] - 1, 1 - min(warm) / warm[0]
    statuses = dict(sorted(load.statuses.items()))
    happened(swapped == swaps, f"{swapped} of {swaps} swaps were made")
    happened({"200", "400", "404", "422"} <= set(statuses), f"the mixture was not one: {statuses}")
    broken: list[str] = []
    holds(broken, not load.failed, f"{load.failed} answers of 5xx or none at all: {statuses}, {load.errors} lost")
    holds(broken, sum(statuses.values()) == requests, f"{sum(statuses.values())} of {requests} were answered")
    holds(broken, grown <= MOST, f"memory grew by {grown:.1%} after warm-up")
    return {
        "requests": requests,
        "swaps": swapped,
        "rate": load.rate,
        "p99": load.p99,
        "statuses": statuses,
        "series": series,
        "grown": grown,
        "shrunk": shrunk,
        "broken": broken,
    }


def mixture(home: Home, count: int, seed: int) -> Iterator[Request]:
    """Cached and fresh answers, feedback, explanations, mistakes, items."""
    choose = random.Random(seed)
    for number in range(count):
        draw, user = choose.random(), home.user(choose.randrange(_PEOPLE))
        item = home.item(choose.randrange(home.shape.items))
        if draw < _CACHED:
            yield recommendations(home.user(choose.randrange(_OFTEN)), choose.choice((10, 100)))
        elif draw < _FRESH:
            yield recommendations(user, 10, f"&exclude=none-{number}")
        elif draw < _FEEDBACK:
            yield Request.post("/v1/feedback", {"events": [{"user": user, "item": item, "event": "like"}]})
        elif draw < _EXPLAINED:
            yield recommendations(user, 3, "&explain=true")
        elif draw < _WRONG:
            yield choose.choice(_MISTAKES)
        else:
            yield Request(choose.choice((f"/v1/items/{item}", f"/v1/items/{item}/similar", "/v1/items/popular")))


async def _run(
    server: Server, requests: int, swaps: int, connections: int, seed: int, samples: list[Sample]
) -> tuple[Result, int]:
    """The load's result and how many swaps were made in it; fills the samples."""
    home, taken, swapped, going = server.home, 0, 0, True
    started = time.perf_counter()

    def counted() -> Iterator[Request]:
        nonlocal taken
        for request in mixture(home, requests, seed):
            taken += 1
            yield request

    async def sample() -> None:
        while going:
            held = await asyncio.to_thread(server.memory)
            samples.append((swapped, time.perf_counter() - started, held))
            await asyncio.sleep(_EVERY)

    async def swap() -> None:
        nonlocal swapped
        while going and swapped < swaps:
            if taken * (swaps + 1) >= requests * (swapped + 1):
                await asyncio.to_thread(home.registry.promote, home.other())
                swapped += 1
            await asyncio.sleep(_EVERY / 2)

    beside = [asyncio.create_task(sample()), asyncio.create_task(swap())]
    load = await closed(server.port, counted(), connections)
    going = False
    await asyncio.gather(*beside)
    return load, swapped


def _stretches(samples: Sequence[Sample], count: int) -> list[float]:
    """The median of the end of each stretch that was seen."""
    found = []
    for stretch in range(count):
        times = [(at, held) for number, at, held in samples if number == stretch]
        if times:
            settled = times[0][0] + (times[-1][0] - times[0][0]) * _SETTLED
            found.append(float(median(held for at, held in times if at >= settled)))
    return found

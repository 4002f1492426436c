"""Benchmark: answers at a steady rate while a night is at work on the same cores.

    python -m benchmarks.night.beside --interactions ml-1m/ratings.csv [--rate 100] [--idle 30]

A home with the release of a first night is served by two workers and asked for recommendations in an open loop: first
with nothing beside it, then while a second night on a little more data runs to its end, then idle again. Prints p50,
p99, the worst and failures of each; then rolls back, and prints how soon every worker answers from the release before.
Status 1 where an answer fails, the p99 beside the night is more than twice that of the idle spells, or a worker needs
more than 5 s to come to the rollback.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.night.replay import in_step, read
from benchmarks.night.rig import Rig, make_rig, slice_of
from benchmarks.serve.drill import comes_to, recommendations
from benchmarks.serve.home import Home, Shape
from benchmarks.serve.load import Request, Result, steady
from benchmarks.serve.server import Server, serving

BAR = 2.0  # times the idle p99
BACK_SECONDS = 5.0


def main(interactions: Path, rate: float, idle: float) -> bool:
    with tempfile.TemporaryDirectory() as place:
        events = in_step(read(interactions))
        rig = make_rig(Path(place, "home"), slice_of(events, 0, 0.95))
        status, said = rig.run()
        if status:
            raise SystemExit(said)
        with rig.store() as store:
            store.add(slice_of(events, 0.95, 1))
            users = [str(user) for user in store.interactions().user.labels]
        home = Home(rig.folder, Shape(), ("", ""))
        with serving(home) as server:
            requests = _requests(users)
            _asked(server.port, requests, rate, _for(10))  # warm
            before = _asked(server.port, requests, rate, _for(idle))
            with rig.start() as night:
                beside = _asked(server.port, requests, rate, lambda: night.poll() is None)
                said = night.communicate()[0]
            after = _asked(server.port, requests, rate, _for(idle))
            back = asyncio.run(_rolled_back(rig, server, users[0]))
        print(said)
    quiet = max(before.p99, after.p99)
    for name, found in (("idle", before), ("beside the night", beside), ("idle again", after)):
        told = f"p50 {found.p50:.2f} ms, p99 {found.p99:.2f} ms, worst {found.worst:.1f} ms"
        print(f"{name}: {found.requests:,} answers in {found.seconds:.0f} s, {told}, {found.failed} failed")
    print(f"p99 beside the night is {beside.p99 / quiet:.2f} times the idle one; the bar is {BAR:g}")
    print(f"a rollback reached the workers after {', '.join(f'{one:.2f}' for one in back)} s")
    return not beside.failed and beside.p99 <= BAR * quiet and max(back, default=0) < BACK_SECONDS


async def _rolled_back(rig: Rig, server: Server, user: str) -> list[float]:
    """Seconds after which each worker answered from the release before; RecsysError where nothing was promoted."""
    connections = (await server.each()).values()
    release = rig.registry.rollback()
    version = release.version(release.default)
    return list(await asyncio.gather(*(comes_to(connection, user, version) for connection in connections)))


def _requests(users: list[str]) -> Iterator[Request]:
    chance = random.Random(0)
    return (recommendations(chance.choice(users)) for _ in itertools.count())


def _asked(port: int, requests: Iterator[Request], rate: float, going: Callable[[], bool]) -> Result:
    return asyncio.run(steady(port, requests, rate, going))


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interactions", type=Path, required=True)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--idle", type=float, default=30.0)
    asked = parser.parse_args()
    sys.exit(not main(asked.interactions, asked.rate, asked.idle))

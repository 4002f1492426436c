"""Benchmark: answers at a steady rate while a night is at work on the same cores.

    python -m benchmarks.night.beside --interactions ml-1m/ratings.csv [--rate 100] [--idle 30]

A home with a live release (of a first night with small models) is served by two workers and asked for recommendations
in an open loop: first with nothing beside it, then while `recsys nightly` with its default models runs to its end, then
idle again. Prints p50, p99, the worst and failures of each; status 1 where one fails, or the p99 beside the night is
more than twice that of the idle spells.
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
from benchmarks.night.rig import SMALL, Rig, make_rig, slice_of
from benchmarks.serve.drill import recommendations
from benchmarks.serve.home import Home, Shape
from benchmarks.serve.load import Request, Result, steady
from benchmarks.serve.server import serving

BAR = 2.0  # times the idle p99


def main(interactions: Path, rate: float, idle: float) -> bool:
    with tempfile.TemporaryDirectory() as place:
        events = in_step(read(interactions))
        small = make_rig(Path(place, "home"), slice_of(events, 0, 0.95), **SMALL)
        status, said = small.run()
        if status:
            raise SystemExit(said)
        with small.store() as store:
            store.add(slice_of(events, 0.95, 1))
            users = [str(user) for user in store.interactions().user.labels]
        rig = Rig(small.folder, {})
        home = Home(rig.folder, Shape(), ("", ""))
        with serving(home) as server:
            requests = _requests(users)
            _asked(server.port, requests, rate, _for(10))  # warm
            before = _asked(server.port, requests, rate, _for(idle))
            with rig.start() as night:
                beside = _asked(server.port, requests, rate, lambda: night.poll() is None)
                said = night.communicate()[0]
            after = _asked(server.port, requests, rate, _for(idle))
        print(said[-600:])
    quiet = max(before.p99, after.p99)
    for name, found in (("idle", before), ("beside the night", beside), ("idle again", after)):
        told = f"p50 {found.p50:.2f} ms, p99 {found.p99:.2f} ms, worst {found.worst:.1f} ms"
        print(f"{name}: {found.requests:,} answers in {found.seconds:.0f} s, {told}, {found.failed} failed")
    print(f"p99 beside the night is {beside.p99 / quiet:.2f} times the idle one; the bar is {BAR:g}")
    return not beside.failed and beside.p99 <= BAR * quiet


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

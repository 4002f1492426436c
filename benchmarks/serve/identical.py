"""Drill: a list is the same to the last bit whether its user was scored alone, among others, or without a server."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from benchmarks.serve.drill import Found, happened, holds, ranked, recommendations
from benchmarks.serve.home import Home
from benchmarks.serve.load import Reply, Request, closed
from benchmarks.serve.offline import Offline
from benchmarks.serve.server import Server

Lists = dict[str, list[tuple[str, float]]]


def drill(server: Server, *, users: int = 10_000, n: int = 100, connections: int = 64) -> Found:
    """Every user once on one connection, then all of them over many. An id that is excluded keeps the answers of the
    first time from being given again. users: at most those of the home."""
    home = server.home
    happened(users <= home.shape.users, f"the home holds {home.shape.users} users, not {users}")
    alone = asyncio.run(_lists(server.port, home, users, n, 1))
    together = asyncio.run(_lists(server.port, home, users, n, connections))
    with tempfile.TemporaryDirectory() as folder, home.store() as store:
        offline = Offline(home, Path(folder))
        apart = {user: offline.ranked(home.live(), store.history(user), n) for user in map(home.user, range(users))}
    distinct = len({tuple(rows) for rows in alone.values()})
    happened(len(alone) == len(together) == users, f"{len(alone)} and {len(together)} of {users} users were answered")
    happened(distinct > users * 0.9, f"only {distinct} lists of {users} differ: that they agree says nothing")
    broken: list[str] = []
    counts = {
        "alone and together": sum(alone[user] != together[user] for user in alone),
        "alone and offline": sum(alone[user] != apart[user] for user in alone),
    }
    for name, count in counts.items():
        holds(broken, not count, f"{name}: {count} of {users} lists differ")
    return {"users": users, "n": n, "differ": counts, "broken": broken}


async def _lists(port: int, home: Home, users: int, n: int, connections: int) -> Lists:
    found: Lists = {}

    def look(_: Request, reply: Reply) -> None:
        if reply.status == 200:
            answer = reply.json()
            found[answer["user"]] = ranked(answer)

    more = f"&exclude=none-{connections}"
    await closed(port, (recommendations(home.user(number), n, more) for number in range(users)), connections, look)
    return found

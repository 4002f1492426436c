"""Drill: a list is the same to the last bit whether its user was scored alone, among others, or without a server.

Twice: from the network alone, and from a model with a linear path beside it, as the default one has. The server counts
how many histories each pass has scored: that they were scored alone first, and many of them with others then, is seen.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path

from benchmarks.serve.counted import MODULE, passes
from benchmarks.serve.drill import Found, comes_to, happened, holds, ranked, recommendations
from benchmarks.serve.home import add_linear
from benchmarks.serve.load import Reply, Request, closed
from benchmarks.serve.offline import Offline
from benchmarks.serve.server import Server

TOGETHER = 0.25  # of the users, at least, must have been scored with somebody else
Lists = dict[str, list[tuple[str, float]]]


def drill(server: Server, *, users: int = 10_000, n: int = 100, connections: int = 64) -> Found:
    """Every user once on one connection, then all of them over many. An id that is excluded keeps the answers of the
    first time from being given again. users: at most those of the home. server: one that counts (`counted`).

    "together": how many were scored with others, of both models the fewer. Adds a version to the home.
    """
    home = server.home
    happened(users <= home.shape.users, f"the home holds {home.shape.users} users, not {users}")
    happened(bool(passes(home.folder)), f"the server does not count who was scored together: serve with {MODULE}")
    before = home.live()
    models = {"network": before, "both paths": add_linear(home)}
    broken: list[str] = []
    differ: dict[str, int] = {}
    together = []
    for name, version in models.items():
        home.registry.promote(version)
        beside, counts = _compared(server, version, users, n, connections)
        together.append(beside)
        differ |= {f"{name}: {pair}": count for pair, count in counts.items()}
    home.registry.promote(before)
    for name, count in differ.items():
        holds(broken, not count, f"{name}: {count} of {users} lists differ")
    return {"users": users, "n": n, "together": min(together), "differ": differ, "broken": broken}


def _compared(server: Server, version: str, users: int, n: int, connections: int) -> tuple[int, dict[str, int]]:
    """(how many of the users were scored together, pair of ways -> how many lists differ) of one version."""
    home = server.home
    alone, passed = asyncio.run(_lists(server, version, users, n, 1))
    happened(len(passed) >= users and max(passed) == 1, f"{users} users alone: {len(passed)} passes")
    together, passed = asyncio.run(_lists(server, version, users, n, connections))
    beside = sum(rows for rows in passed if rows > 1)
    happened(
        sum(passed) >= users and beside >= TOGETHER * users, f"only {beside} of {users} users were scored together"
    )
    with tempfile.TemporaryDirectory() as folder, home.store() as store:
        offline = Offline(home, Path(folder))
        apart = {user: offline.ranked(version, store.history(user), n) for user in map(home.user, range(users))}
    distinct = len({tuple(rows) for rows in alone.values()})
    happened(len(alone) == len(together) == users, f"{len(alone)} and {len(together)} of {users} users were answered")
    happened(distinct > users * 0.9, f"only {distinct} lists of {users} differ: that they agree says nothing")
    return beside, {
        "alone and together": sum(alone[user] != together[user] for user in alone),
        "alone and offline": sum(alone[user] != apart[user] for user in alone),
    }


async def _lists(server: Server, version: str, users: int, n: int, connections: int) -> tuple[Lists, bytes]:
    """Every user's list from a version, and how many histories each pass scored on the way."""
    home, found = server.home, Lists()
    for connection in (await server.each()).values():
        await comes_to(connection, home.user(0), version)
        await connection.close()

    def look(_: Request, reply: Reply) -> None:
        answer = reply.json() if reply.status == 200 else None
        if answer and answer["model"]["version"] == version:
            found[answer["user"]] = ranked(answer)

    before = len(passes(home.folder))
    more = f"&exclude=none-{secrets.token_hex(4)}"
    await closed(server.port, (recommendations(home.user(k), n, more) for k in range(users)), connections, look)
    return found, passes(home.folder)[before:]

"""Drill: feedback taken by one worker is in the next answer of another.

The item that is liked is the first of the list that the other worker has just given: an answer that has not heard of
the feedback would show it again.
"""

from __future__ import annotations

import asyncio

from benchmarks.serve.drill import Found, happened, holds, insist, ranked, recommendations
from benchmarks.serve.load import Reply, Request
from benchmarks.serve.server import Server


def drill(server: Server, *, trials: int = 1_000) -> Found:
    """ "misses": answers that still showed what had just been liked; "unseen": histories without it.

    Adds to the home.
    """
    found = asyncio.run(_trials(server, trials))
    happened(found["caught"] == trials, f"an old answer was taken for a new one in {trials - found['caught']} trials")
    broken: list[str] = []
    holds(broken, not found["misses"], f"{found['misses']} of {trials} answers did not know the feedback")
    holds(broken, not found["unseen"], f"{found['unseen']} of {trials} histories did not show it")
    return {"trials": trials, **found, "broken": broken}


async def _trials(server: Server, trials: int) -> dict[str, int]:
    """ "caught": old answers found out as old, the control."""
    home = server.home
    connections = list((await server.each()).values())
    found = {"misses": 0, "unseen": 0, "caught": 0}
    for turn in range(trials):
        told, asked = connections[turn % len(connections)], connections[(turn + 1) % len(connections)]
        user = home.user(turn)
        old = await asked.ask(recommendations(user))
        liked = ranked(old.json())[0][0]
        event = {"user": user, "item": liked, "event": "like"}
        reply, _ = await insist(told, Request.post("/v1/feedback", {"events": [event]}))
        happened(reply.status == 200 and reply.json()["added"] == 1, f"the feedback was answered {reply.status}")
        new = await asked.ask(recommendations(user))
        history = await asked.ask(Request(f"/v1/users/{user}/history?n=100"))
        found["misses"] += _shows(new, liked)
        found["caught"] += _shows(old, liked)
        found["unseen"] += liked not in [event["item"] for event in history.json()["events"]]
    for connection in connections:
        await connection.close()
    return found


def _shows(reply: Reply, item: str) -> bool:
    """Would this answer be a miss?"""
    return reply.status != 200 or item in dict(ranked(reply.json()))

"""Drill: many clients post the same requests under the same Idempotency-Keys, all at once; each has one effect.

The events carry neither id nor time: each effect of its own would store another event, as the control shows.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter

from benchmarks.serve.drill import Found, happened, holds, insist
from benchmarks.serve.home import Home
from benchmarks.serve.load import Connection, Request
from benchmarks.serve.server import Server


def drill(server: Server, *, clients: int = 64, keys: int = 200) -> Found:
    """ "answers": how often each status was given; "effects": events stored. Adds users to the home."""
    home = server.home
    answers: dict[str, set[str]] = {_key(number): set() for number in range(keys)}
    statuses: Counter[int] = Counter()

    async def client(port: int, first: int) -> None:
        connection = Connection(port)
        for turn in range(keys):
            number = (turn + first) % keys if first % 2 else turn  # half of them in step, half each from its own
            reply, before = await insist(connection, _post(home, number, Idempotency_Key=_key(number)))
            statuses.update([*before, reply.status])
            if reply.status == 200:
                answers[_key(number)].add(json.dumps(reply.json(), sort_keys=True))
        await connection.close()

    async def all_clients(port: int) -> None:
        await asyncio.gather(*(client(port, number) for number in range(clients)))

    async def control(port: int) -> None:
        connection = Connection(port)
        for _ in range(2):
            await insist(connection, _post(home, keys))
        await connection.close()

    with home.store() as store:
        before = store.stats().interactions
        asyncio.run(all_clients(server.port))
        effects = store.stats().interactions - before
        asyncio.run(control(server.port))
        twice = store.stats().interactions - before - effects
    happened(twice == 2, f"without a key the same request twice stored {twice} events, not 2")
    broken: list[str] = []
    holds(broken, effects == keys, f"{effects} effects of {keys} keys")
    holds(broken, statuses[200] == clients * keys, f"not every client had its answer: {dict(statuses)}")
    unlike = sum(len(given) != 1 for given in answers.values())
    holds(broken, not unlike, f"{unlike} keys were answered in more than one way")
    return {
        "clients": clients,
        "keys": keys,
        "effects": effects,
        "unlike": unlike,
        "answers": {str(status): count for status, count in sorted(statuses.items())},
        "broken": broken,
    }


def _key(number: int) -> str:
    return f"drill-{number}"


def _post(home: Home, number: int, **headers: str) -> Request:
    event = {"user": f"effect-{number}", "item": home.item(number), "event": "like"}
    return Request.post("/v1/feedback", {"events": [event]}, **headers)

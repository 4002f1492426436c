"""The lists that nights make for users ahead: what each version would show them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Engine, delete, select

from data.changes import now
from data.engine import rows_of, to_json
from data.numbering import find
from data.tables import TopList, User
from data.transactions import lane_of, writing
from recsys.errors import DataError

_ASKED = 500  # users in one question
Ranked = Sequence[tuple[str, float]]


def put_lists(engine: Engine, model: str, version: str, rows: Sequence[tuple[str, Ranked]]) -> int:
    """As Store.put_lists tells."""
    ready = []
    for user, ranked in rows:
        if not all(math.isfinite(score) for _, score in ranked):
            raise DataError("a score is not a finite number", where=f"list of {version}", do="keep such a version out")
        ready.append((user, to_json([[item, float(score)] for item, score in ranked])))
    with writing(engine) as connection:
        lane = lane_of(connection)
        numbers = find(lane, "users", [user for user, _ in ready])
        known = np.flatnonzero(numbers >= 0)
        return lane.each(
            "insert into top_lists (user_id, model, version, made, items)"
            " values (:user, :model, :version, :made, :items) on conflict (user_id, model) do update set"
            " version = excluded.version, made = excluded.made, items = excluded.items",
            user=numbers[known],
            model=[model] * len(known),
            version=[version] * len(known),
            made=[now()] * len(known),
            items=[ready[at][1] for at in known.tolist()],
        )


def lists(engine: Engine, model: str, users: Sequence[str]) -> dict[str, tuple[str, list[tuple[str, float]]]]:
    """As Store.lists tells."""
    found = {}
    asked = select(User.external_id, TopList.version, TopList.items).join(User, User.id == TopList.user_id)
    for start in range(0, len(users), _ASKED):
        these = (TopList.model == model) & User.external_id.in_(users[start : start + _ASKED])
        for user, version, items in rows_of(engine, asked.where(these)):
            found[user] = (version, [(item, float(score)) for item, score in items])
    return found


def drop_lists(engine: Engine, model: str, keep_version: str) -> int:
    """As Store.drop_lists tells."""
    older = (TopList.model == model) & (TopList.version != keep_version)
    users = [row.user_id for row in rows_of(engine, select(TopList.user_id).where(older), long=True)]
    dropped = 0
    for start in range(0, len(users), _ASKED):
        with writing(engine) as connection:
            these = older & TopList.user_id.in_(users[start : start + _ASKED])
            dropped += connection.execute(delete(TopList).where(these)).rowcount
    return dropped

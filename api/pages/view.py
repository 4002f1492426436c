"""What the pages show, as plain values ready for a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.context import assortment, context
from api.resources.fields import iso
from api.resources.users import newest_first
from data.records import ItemRecord
from recsys.errors import UnknownId
from recsys.interactions import NO_TIME, Interactions
from recsys.serving.answer import Answer
from recsys.serving.ask import Ask

SHOWN = 12  # items a list
HISTORY = 30  # items of a history
SAMPLES, FROM = 8, 400  # users offered, picked evenly from so many
NAMES = {"autoencoder": "Autoencoder", "als": "ALS", "popularity": "Popularity", "ease": "EASE", "svd": "SVD"}
WORDS = {
    "personal": "from this history",
    "popular": "what most people liked: nothing to go by yet",
    "similar": "liked by the same people",
    "content": "by categories: no model knows it yet",
    "trending": "what most happens with lately",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list. bar: 0..100, the score against the best and worst of its list."""

    item: str
    title: str
    categories: str
    rank: int
    score: str
    bar: int


def footer() -> list[dict[str, Any]]:
    """The live models in words."""
    health = context().service.health()
    rows = [
        {"name": NAMES.get(name, name), "version": facts["version"], "age": _age(facts["age_seconds"])}
        for name, facts in sorted(health["models"].items())
    ]
    return [*rows, {"fault": health["fault"]}] if health["fault"] and rows else rows


def sample_users() -> list[str]:
    users = context().store.list_users(limit=FROM)
    return [user.id for user in users[:: max(1, len(users) // SAMPLES)][:SAMPLES]]


def model_names() -> list[str]:
    """The live models that answer people differently, the default first; popularity only when it is alone."""
    release = context().service.live.snapshot().release
    names = sorted(release.models, key=lambda name: (name != release.default, name))
    return [name for name in names if name != "popularity"][:3] or names


def lists_for(user: str) -> list[dict[str, Any]]:
    """What each live model recommends; one list where all of them can only say what is popular."""
    here = context()
    history = here.store.history(user) if user else Interactions.empty()
    known = assortment()
    answers = [here.service.recommend(history, Ask(SHOWN, model=name), known, user) for name in model_names()]
    if all(answer.strategy == "popular" for answer in answers):
        return [{**_lists(answers[:1])[0], "model": "For everyone"}]
    return _lists(answers)


def similar_to(item: str) -> dict[str, Any]:
    """An item and what each model thinks is like it; no lists when no live model knows it."""
    here = context()
    answers: list[Answer] = []
    for name in model_names():
        try:
            answer = here.service.similar(item, Ask(SHOWN, model=name), assortment())
        except UnknownId:
            continue  # nobody knows it
        # What goes by categories alone is the same whichever model is asked, and nothing for an item without any.
        if answer.strategy == "similar" or (answer.items and not answers):
            answers.append(answer)
    record = here.store.item(item)
    return {
        "item": item,
        "title": _title(item, {item: record} if record else {}),
        "categories": ", ".join(record.categories) if record else "",
        "known": record is not None or bool(answers),
        "lists": _lists(answers),
    }


def person(user: str) -> dict[str, Any]:
    """A user's history, newest first, beside the lists."""
    store = context().store
    history = store.history(user)
    return {
        "known": bool(len(history)) or store.user(user) is not None,
        "total": len(history),
        "events": _events(history),
        "lists": lists_for(user),
    }


def _events(history: Interactions) -> list[dict[str, Any]]:
    """One line an item: what was done with it, the latest first."""
    latest = history.take(newest_first(history))
    preferences = context().settings.weights.preferences(history)
    disliked = set(history.item.labels[preferences.item[preferences.disliked]].tolist())
    done: dict[str, list[str]] = {}
    dates: dict[str, str] = {}
    for item, event, value, time in zip(
        latest.item.decode(), latest.event.decode(), latest.value.tolist(), latest.time.tolist(), strict=True
    ):
        if len(done) == HISTORY and item not in done:
            continue
        done.setdefault(item, []).append(event if np.isnan(value) else f"{event} {value:g}")
        dates.setdefault(item, "" if time == NO_TIME else str(iso(time))[:10])
    records = context().store.items(done)
    return [
        {
            "item": item,
            "title": _title(item, records),
            "categories": _categories(item, records),
            "event": ", ".join(dict.fromkeys(words[:4])),
            "date": dates[item],
            "disliked": item in disliked,
        }
        for item, words in done.items()
    ]


def _lists(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    records = context().store.items(sorted({row.item for answer in answers for row in answer.items}))
    return [
        {
            "model": NAMES.get(answer.model_name, answer.model_name),
            "strategy": answer.strategy,
            "words": WORDS[answer.strategy],
            "rows": _rows(answer, records),
        }
        for answer in answers
    ]


def _rows(answer: Answer, records: Mapping[str, ItemRecord]) -> list[Row]:
    scores = [row.score for row in answer.items]
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    span = high - low or 1.0
    return [
        Row(
            row.item,
            _title(row.item, records),
            _categories(row.item, records),
            row.rank,
            f"{row.score:#.3g}".rstrip("."),
            round(15 + 85 * (row.score - low) / span) if high > low else 100,
        )
        for row in answer.items
    ]


def _title(item: str, records: Mapping[str, ItemRecord]) -> str:
    return (records[item].title if item in records else None) or item


def _categories(item: str, records: Mapping[str, ItemRecord]) -> str:
    return ", ".join(records[item].categories) if item in records else ""


def _age(seconds: int) -> str:
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {noun}{'s' if number != 1 else ''} old"
    return "new"

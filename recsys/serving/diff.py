"""How one person's list changes between two versions of a model, and why.

Both lists are made now, by the rules that serve: of the person's present history and the present assortment. So what
differs comes from the versions alone, and no item of either list is hidden, disliked or seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.serving.answer import Answer
from recsys.serving.ask import Ask
from recsys.serving.assortment import NOTHING_KNOWN, Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.content import content_reasons
from recsys.serving.explain import NAMED, explained
from recsys.serving.profile import Profile
from recsys.serving.service import RecommendationService

DEEP = 200  # how far down a list an item is looked for that is not among its first

Pair = tuple[Any, Any]
Change = Literal["entered", "left", "up", "down", "same"]


@dataclass(frozen=True, slots=True)
class Reason:
    """An item of the history that speaks for another. before, after: its share of all that speaks for it in each
    version, 0 to 1; None where that version does not know one of the two."""

    item: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """An item that is in one of the lists. before, after: its rank, looked for down to ``DEEP``; None: further down, or
    not there. known: does each version know it? people: how many liked it in what each learnt from, None: not known.
    reasons: the strongest of either version, strongest first."""

    item: str
    change: Change
    before: int | None
    after: int | None
    known: tuple[bool, bool]
    people: tuple[int | None, int | None]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """versions, strategies: of the two. rows: the items of either list, as the second ranks them, then those that left.
    stayed: how many are in both. cards: what differs between the versions themselves, name -> (before, after), None for
    what a card does not say. items: how many each knows; new, gone: how many only the second knows, or the first."""

    versions: tuple[str, str]
    strategies: tuple[str, str]
    n: int
    rows: tuple[Row, ...]
    stayed: int
    cards: Mapping[str, Pair]
    items: tuple[int, int]
    new: int
    gone: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def difference(
    service: RecommendationService,
    weights: FeedbackWeights,
    versions: tuple[str, str],
    bundles: tuple[ModelBundle, ModelBundle],
    history: Interactions,
    n: int = 10,
    assortment: Assortment | None = None,
) -> Difference:
    """Compare the first n places of the two lists. service: for its rules; the versions need not be live."""
    pairs = list(zip(versions, bundles, strict=True))
    answers = [service.replayed(*pair, history, Ask(max(n, DEEP)), assortment) for pair in pairs]
    before, after = ({row.item: row.rank for row in answer.items} for answer in answers)
    items = [item for item, rank in after.items() if rank <= n]
    items += [item for item, rank in before.items() if rank <= n and after.get(item, n + 1) > n]
    sides = [
        _Side(bundle, weights, history, answer, assortment) for bundle, answer in zip(bundles, answers, strict=True)
    ]
    shares = [side.shares(items) for side in sides]
    rows = [
        Row(
            item,
            _change(before.get(item, n + 1), after.get(item, n + 1), n),
            before.get(item),
            after.get(item),
            (item in bundles[0].items, item in bundles[1].items),
            (sides[0].people(item), sides[1].people(item)),
            _reasons(shares[0].get(item), shares[1].get(item)),
        )
        for item in items
    ]
    ids = [set(bundle.items.by_id) for bundle in bundles]
    return Difference(
        versions,
        (answers[0].strategy, answers[1].strategy),
        n,
        tuple(rows),
        sum(row.change not in ("entered", "left") for row in rows),
        _differing(bundles[0].card, bundles[1].card),
        (len(ids[0]), len(ids[1])),
        len(ids[1] - ids[0]),
        len(ids[0] - ids[1]),
    )


class _Side:
    """One version and one person."""

    def __init__(
        self,
        bundle: ModelBundle,
        weights: FeedbackWeights,
        history: Interactions,
        answer: Answer,
        assortment: Assortment | None,
    ) -> None:
        self.bundle, self.assortment = bundle, assortment or NOTHING_KNOWN
        self.profile = Profile.of(bundle.items, history, weights)
        self.by_content = {row.item for row in answer.items if row.source == "content"}

    def people(self, item: str) -> int | None:
        column = self.bundle.items.by_id.get(item)
        return None if column is None else round(float(self.bundle.popularity[column]))

    def shares(self, items: Sequence[str]) -> dict[str, dict[str, float]]:
        """item -> item of the history -> its share, 0 of those that this version knows and that say nothing. Only of
        items that this version knows, or that it lists for their categories."""
        held = self.bundle.items.ids[self.profile.row.indices].tolist()
        known = [item for item in items if item in self.bundle.items]
        columns = self.bundle.items.numbers(known)
        nothing = np.zeros(len(self.bundle.items), dtype=bool)
        told = explained(self.bundle, self.profile, columns, nothing, depth=0, most=len(held))  # 0: no sets are sought
        found = {
            item: dict.fromkeys(held, 0.0) | {one.item: one.share for one in reasons.because}
            for item, reasons in zip(known, told, strict=True)
        }
        for item in self.by_content.intersection(items):
            found[item] = dict(content_reasons(self.assortment, self.profile.liked, item))
        return found


def _change(before: int, after: int, n: int) -> Change:
    if before > n or after > n:
        return "entered" if before > n else "left"
    return "same" if before == after else "up" if after < before else "down"


def _reasons(before: Mapping[str, float] | None, after: Mapping[str, float] | None) -> tuple[Reason, ...]:
    """The ``NAMED`` strongest of each version."""
    named: set[str] = set()
    for shares in (before or {}, after or {}):
        speaking = sorted((item for item, share in shares.items() if share > 0), key=lambda i: (-shares[i], i))
        named.update(speaking[:NAMED])
    found = [Reason(item, (before or {}).get(item), (after or {}).get(item)) for item in named]
    return tuple(sorted(found, key=lambda one: (-max(one.before or 0.0, one.after or 0.0), one.item)))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Pair]:
    """What two cards say differently, of the model, its data, its seed, and of two of one kind their settings."""
    groups = ("data", "config", "versions") if before["model"] == after["model"] else ("data", "versions")
    told = [_flat(card, groups) for card in (before, after)]
    return {
        name: (told[0].get(name), told[1].get(name))
        for name in dict.fromkeys((*told[0], *told[1]))
        if told[0].get(name) != told[1].get(name)
    }


def _flat(card: Mapping[str, Any], groups: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {name: card[name] for name in ("model", "seed", "panel") if name in card}
    for group in groups:
        inner = card.get(group)
        found |= {f"{group}.{name}": value for name, value in inner.items()} if isinstance(inner, Mapping) else {}
    found.pop("data.sha256", None)
    return found

"""RecommendationService: the live models meet a history, and an answer comes out that says how it was made."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import vstack

from recsys.errors import UnknownId
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.linear.products import AT_ONCE
from recsys.matrix import history_row
from recsys.serving.answer import Answer, Recommended, Strategy
from recsys.serving.ask import PLAIN, Ask
from recsys.serving.assortment import NOTHING_KNOWN, Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.explain import alike
from recsys.serving.listing import Listing
from recsys.serving.live import LiveModels, Snapshot
from recsys.serving.people import cosines
from recsys.serving.profile import Profile
from recsys.serving.registry import ModelRegistry
from recsys.serving.rules import Preset
from recsys.serving.scoring import BatchedScorer
from recsys.serving.slots import Entry

_IMPERSONAL = frozenset({"popularity"})  # models that answer everyone alike must not be called personal


@dataclass(frozen=True, eq=False)
class _Person:
    """One history against one model of one release."""

    version: str
    bundle: ModelBundle
    profile: Profile

    @property
    def personal(self) -> bool:
        return self.profile.known and self.bundle.name not in _IMPERSONAL


class RecommendationService:
    """Scores histories with the live models; knows no database.

    default: the model that answers when none is named, if it is live. presets: rules by name. fresh_share: of a list's
    places, for items that the model does not know yet and that are like the history. Safe to share between threads: an
    answer is made from one release throughout, and the same history gives the same answer whoever asks beside it.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        weights: FeedbackWeights | None = None,
        default: str | None = None,
        presets: Mapping[str, Preset] | None = None,
        fresh_share: float = 0.1,
        on_fold_in: Callable[[float], None] | None = None,
    ) -> None:
        self.live = LiveModels(registry)
        self.scorer = BatchedScorer()
        self._weights = weights if weights is not None else FeedbackWeights()
        self._default = default
        self._presets = presets or {}
        self._fresh_share = fresh_share
        self._on_fold_in = on_fold_in

    def recommend(
        self, history: Interactions, ask: Ask = PLAIN, assortment: Assortment | None = None, user: str | None = None
    ) -> Answer:
        """The best items for one history. Whether training knew the person makes no difference.

        Never among them: hidden items, items the person dislikes, and, unless asked for, items of the history. Without
        one liked item that the model knows the strategy is "content" where categories say something, else "popular".
        Raises NoModel when nothing is live or no live model is called ``ask.model``, UnknownId for a preset that there
        is none of.
        """
        person = self._person(history, ask)
        if not person.profile.known:
            return self._answer(person, None, ask, assortment, user)
        model, started = person.bundle.model, time.perf_counter()

        def answered(scores: np.ndarray) -> Answer:
            if self._on_fold_in is not None:
                self._on_fold_in(time.perf_counter() - started)
            return self._answer(person, scores, ask, assortment, user)

        row = person.profile.asked(model)
        if _quick(ask):
            return self.scorer.scored(model, row, answered)
        return answered(self.scorer.score(model, row))

    def recommend_many(
        self, histories: Sequence[tuple[str, Interactions]], ask: Ask = PLAIN, assortment: Assortment | None = None
    ) -> list[Answer]:
        """`recommend` for many users at once, of one release, in their order."""
        snapshot = self.live.snapshot()
        people = [self._person(history, ask, snapshot) for _, history in histories]
        scores: dict[int, np.ndarray] = {}
        known = [number for number, person in enumerate(people) if person.profile.known]
        for start in range(0, len(known), AT_ONCE):
            some = known[start : start + AT_ONCE]
            model = people[some[0]].bundle.model
            rows = vstack([people[number].profile.asked(model) for number in some], format="csr")
            scores |= zip(some, model.score(rows), strict=True)
        return [
            self._answer(person, scores.get(number), ask, assortment, user)
            for number, (person, (user, _)) in enumerate(zip(people, histories, strict=True))
        ]

    def replayed(
        self,
        version: str,
        bundle: ModelBundle,
        history: Interactions,
        ask: Ask = PLAIN,
        assortment: Assortment | None = None,
    ) -> Answer:
        """What `recommend` would answer if this version were live."""
        person = _Person(version, bundle, Profile.of(bundle.items, history, self._weights))
        model, profile = bundle.model, person.profile
        scores = self.scorer.score(model, profile.asked(model)) if profile.known else None
        return self._answer(person, scores, ask, assortment, None)

    def popular(self, ask: Ask = PLAIN, assortment: Assortment | None = None) -> Answer:
        """What most people of the training data preferred."""
        return self.recommend(Interactions.empty(), ask, assortment)

    def ranked(self, rows: Sequence[tuple[str, float]], ask: Ask, assortment: Assortment | None = None) -> Answer:
        """A list made elsewhere, (item, score) best first, under the same filters; the strategy is "trending"."""
        person = self._person(Interactions.empty(), ask)
        listing = self._listing(person, ask, assortment)
        entries = listing.permitted([Entry(item, score, "trending") for item, score in rows])
        return _answer_of(person, None, "trending", _rows(entries, ask))

    def similar(self, item: str, ask: Ask = PLAIN, assortment: Assortment | None = None) -> Answer:
        """The items most like one item, best first; score: the cosine of their vectors, where the model has some.

        A model without vectors scores a history of that one item, and what gets no more than 0 is not alike. For an
        item that the model does not know items of the same categories come, and the strategy is "content"; from a model
        that answers everyone alike what is popular, and so is the strategy. UnknownId for an item that nobody knows.
        """
        assortment = assortment or NOTHING_KNOWN
        person = self._person(Interactions.from_lists([""], [item]), ask)
        listing = self._listing(person, ask, assortment)
        bundle = person.bundle
        column = bundle.items.by_id.get(item)
        strategy: Strategy = "similar"
        if column is None:
            if assortment.find(item) is None:
                raise UnknownId(f"unknown item: {item!r}", where="the live model and the store")
            strategy, entries = "content", listing.by_content({item: 1.0})
        elif not person.personal:
            strategy, entries = listing.made(bundle.popularity.copy(), personal=False)
        else:
            scores = bundle.cosines(column)
            if scores is None:
                scores = self.scorer.score(bundle.model, history_row(bundle.items, [item]))
                scores[scores <= 0] = -np.inf  # not alike
            entries = listing.by_score(scores, "model")
        rows = _rows(entries, ask)
        if ask.explain and strategy != "popular":
            rows = tuple(replace(row, categories=alike(assortment, item, row.item)) for row in rows)
        return _answer_of(person, None, strategy, rows)

    def alike(
        self, history: Interactions, others: Sequence[tuple[str, Interactions]], ask: Ask = PLAIN
    ) -> tuple[str, str, list[tuple[str, float]]]:
        """(model, version, (user, cosine) of the others, the most alike first).

        Without one liked item that the model knows nobody is alike.
        """
        person = self._person(history, ask)
        model, items = person.bundle.model, person.bundle.items
        profiles = [Profile.of(items, other, self._weights) for _, other in others]
        found: list[tuple[str, float]] = []
        if person.profile.known and profiles:
            rows = [profile.asked(model) for profile in (person.profile, *profiles)]
            likeness = cosines(model, vstack(rows, format="csr")).tolist()
            pairs = zip((user for user, _ in others), likeness, strict=True)
            found = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
        return person.bundle.name, person.version, found

    def health(self) -> dict[str, Any]:
        """What is live and since when, and what is wrong with the newest release if it could not be taken."""
        return self.live.health()

    def _answer(
        self,
        person: _Person,
        scores: np.ndarray | None,
        ask: Ask,
        assortment: Assortment | None,
        user: str | None,
    ) -> Answer:
        listing = self._listing(person, ask, assortment)
        strategy, entries = listing.made(scores, person.personal)
        rows = _rows(entries, ask)
        if ask.explain:
            rows = listing.explained(rows, entries, person.personal)
        return _answer_of(person, user, strategy, rows)

    def _person(self, history: Interactions, ask: Ask, snapshot: Snapshot | None = None) -> _Person:
        snapshot = snapshot or self.live.snapshot()
        release = snapshot.release
        name = ask.model
        if name is None:
            name = self._default if self._default in release.models else release.default
        version = release.version(str(name))
        bundle = snapshot.bundles[version]
        return _Person(version, bundle, Profile.of(bundle.items, history, self._weights))

    def _listing(self, person: _Person, ask: Ask, assortment: Assortment | None) -> Listing:
        preset = None
        if ask.preset is not None:
            if ask.preset not in self._presets:
                there = ", ".join(sorted(self._presets)) or "none is set: see [presets.NAME] in recsys.toml"
                raise UnknownId(f"no preset is called {ask.preset!r}", do=f"ask for one of: {there}")
            preset = self._presets[ask.preset]
        return Listing.of(person.bundle, person.profile, assortment or NOTHING_KNOWN, ask, preset, self._fresh_share)


def _quick(ask: Ask) -> bool:
    """Is a list of this kind made in a fraction of the time of a matrix product?"""
    return ask.depth <= 100 and not (ask.explain or ask.diversity or ask.calibration or ask.preset)


def _rows(entries: Sequence[Entry], ask: Ask) -> tuple[Recommended, ...]:
    page = entries[ask.offset : ask.depth]
    return tuple(Recommended(e.item, e.score, rank, e.source) for rank, e in enumerate(page, ask.offset + 1))


def _answer_of(person: _Person, user: str | None, strategy: Strategy, rows: tuple[Recommended, ...]) -> Answer:
    return Answer(user, person.bundle.name, person.version, strategy, rows)

"""Listing: one answer's list in the making: what may stand in it, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from recsys.recommender import top_n
from recsys.serving.answer import Recommended
from recsys.serving.ask import Ask
from recsys.serving.assortment import Assortment, View
from recsys.serving.bundle import ModelBundle
from recsys.serving.content import by_content, content_reasons, wanted
from recsys.serving.explain import Because, explained
from recsys.serving.filters import allowed_articles, blocked_columns
from recsys.serving.profile import Profile
from recsys.serving.rerank import WINDOW, reranked
from recsys.serving.rules import Preset, boosts
from recsys.serving.slots import Entry, Quota, Source, slotted


@dataclass(frozen=True, eq=False)
class Listing:
    """One person's list from one model. ask: with the preset's wishes filled in. Lists are ``ask.depth`` long, fewer
    where there is no more, and a longer one begins as the shorter one does."""

    bundle: ModelBundle
    profile: Profile
    view: View
    ask: Ask
    preset: Preset
    fresh_share: float

    @classmethod
    def of(
        cls,
        bundle: ModelBundle,
        profile: Profile,
        assortment: Assortment,
        ask: Ask,
        preset: Preset | None,
        fresh_share: float,
    ) -> Self:
        preset = preset or Preset()
        wish = replace(
            ask,
            diversity=preset.diversity if ask.diversity is None else ask.diversity,
            calibration=preset.calibration if ask.calibration is None else ask.calibration,
            categories=ask.categories or preset.categories,
            without=ask.without | preset.without,
        )
        return cls(bundle, profile, assortment.view(bundle.items), wish, preset, fresh_share)

    @cached_property
    def blocked(self) -> np.ndarray:
        """(n_items,) bool: columns that may not come."""
        return blocked_columns(self.view, self.bundle.items, self.ask, self.profile)

    @cached_property
    def allowed(self) -> np.ndarray:
        """(n_articles,) bool."""
        return allowed_articles(self.view.assortment, self.ask, self.profile)

    @cached_property
    def raised(self) -> np.ndarray | None:
        """(n_items,) what the preset's boosts add to scores, in standard deviations of them; None: nothing."""
        return boosts(self.view, self.bundle.items, self.preset)

    def by_score(self, scores: np.ndarray, source: Source) -> list[Entry]:
        """Entries by (n_items,) scores, which are changed here, under every rule asked for."""
        if self.raised is not None:
            scores += self.raised * scores.std()
        scores[self.blocked] = -np.inf
        pins = self._pins()
        main = self._best(scores, self.ask.depth + len(pins), source)
        quotas = self._quotas(scores, source)
        return slotted(main, quotas, pins, self.ask.depth) if quotas or pins else main

    def by_content(self, liked: Mapping[str, float]) -> list[Entry]:
        """Entries of everything there is, by the categories it shares with these items."""
        return self._content(liked, self.allowed)

    def permitted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of a list made elsewhere that may come."""
        place = self.view.assortment.by_id
        return [entry for entry in entries if entry.item in place and self.allowed[place[entry.item]]]

    def joined(self, first: Sequence[Entry], then: Sequence[Entry]) -> list[Entry]:
        """One list after the other, nothing twice."""
        there = {entry.item for entry in first}
        return [*first, *(entry for entry in then if entry.item not in there)][: self.ask.depth]

    def explained(self, rows: Sequence[Recommended]) -> tuple[Recommended, ...]:
        """Rows with the items of the history that carry them, exact for the model's (`recsys.serving.explain`)."""
        told: dict[str, Recommended] = {}
        ranked = [row for row in rows if row.source == "model"]
        if ranked and self.profile.known:
            columns = self.bundle.items.numbers(row.item for row in ranked)
            found = explained(self.bundle, self.profile, columns, self.blocked, self.ask.depth, self.raised)
            for row, one in zip(ranked, found, strict=True):
                told[row.item] = replace(row, because=one.because, needed=one.needed)
        for row in rows:
            if row.source == "content":
                reasons = content_reasons(self.view.assortment, self.profile.liked, row.item)
                told[row.item] = replace(row, because=tuple(Because(item, share) for item, share in reasons))
        return tuple(told.get(row.item, row) for row in rows)

    def _best(self, scores: np.ndarray, depth: int, source: Source) -> list[Entry]:
        """The best by score, in the order that diversity and calibration want."""
        ask, bundle = self.ask, self.bundle
        moved = bool(ask.diversity or ask.calibration)
        columns, best = top_n(scores[None, :], None, max(depth, WINDOW) if moved else depth)
        order, values = columns[0], best[0]
        if moved:
            found = order >= 0
            order, values = reranked(
                order[found],
                values[found],
                depth,
                diversity=ask.diversity or 0.0,
                calibration=ask.calibration or 0.0,
                vectors=bundle.model.item_vectors(),
                lengths=bundle.lengths,
                categories=self.view.categories,
                wanted=wanted(self.view.assortment, self.profile.liked) if ask.calibration else None,
            )
        return self._entries(order, values, source)

    def _quotas(self, scores: np.ndarray, source: Source) -> list[Quota]:
        """Items that no model knows yet, and the categories that the preset promises places."""
        quotas = []
        for category, share in self.preset.share.items():
            of_category = np.where(self.view.on_columns(self.view.assortment.in_any([category])), scores, -np.inf)
            # As many as a list may be made of, so that every one of them in it is known to belong.
            columns, best = top_n(of_category[None, :], None, max(self.ask.depth, WINDOW))
            quotas.append(Quota(share, self._entries(columns[0], best[0], source)))
        if self.fresh_share and len(self.view.fresh) and self.profile.liked:
            fresh = np.zeros(len(self.allowed), dtype=bool)
            fresh[self.view.fresh] = True
            quotas.append(Quota(self.fresh_share, self._content(self.profile.liked, self.allowed & fresh)))
        return quotas

    def _content(self, liked: Mapping[str, float], allowed: np.ndarray) -> list[Entry]:
        assortment = self.view.assortment
        numbers, scores = by_content(assortment, liked, allowed)
        most = self.ask.depth
        pairs = zip(numbers[:most].tolist(), scores[:most].tolist(), strict=True)
        return [Entry(assortment.articles[number].id, score, "content") for number, score in pairs]

    def _entries(self, columns: np.ndarray, scores: np.ndarray, source: Source) -> list[Entry]:
        ids, pairs = self.bundle.items.ids, zip(columns.tolist(), scores.tolist(), strict=True)
        return [Entry(ids[column], score, source) for column, score in pairs if column >= 0]

    def _pins(self) -> list[Entry]:
        return self.permitted(Entry(item, 0.0, "pinned") for item in self.preset.pin)

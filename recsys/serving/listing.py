"""Listing: one answer's list in the making: what may stand in it, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np

from recsys.recommender import top_n
from recsys.serving.answer import Recommended, Strategy
from recsys.serving.ask import Ask
from recsys.serving.assortment import Assortment, View
from recsys.serving.bundle import ModelBundle
from recsys.serving.content import by_content, content_reasons, wanted
from recsys.serving.explain import NAMED, Because, Explanation, explained
from recsys.serving.filters import allowed_articles, blocked_columns
from recsys.serving.left_out import LeftOut
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

    def made(self, scores: np.ndarray | None, personal: bool = True) -> tuple[Strategy, list[Entry]]:
        """How the list comes about, and the list, under every rule asked for.

        scores: (n_items,) of the model, changed here; None where it knows nothing that was liked: then what shares
        categories with the history comes first, and what most people like after it.
        """
        if scores is not None:
            source: Source = "model" if personal else "popular"
            return "personal" if personal else "popular", self.by_score(scores, source)
        liked = self.by_content(self.profile.liked)
        return "content" if liked else "popular", self._placed(liked, self.bundle.popularity.copy(), "popular")

    def by_score(self, scores: np.ndarray, source: Source) -> list[Entry]:
        """Entries by (n_items,) scores, which are changed here, under every rule asked for."""
        return self._placed([], scores, source)

    def by_content(self, liked: Mapping[str, float]) -> list[Entry]:
        """Entries of everything there is, by the categories it shares with these items."""
        return self._content(liked, self.allowed)

    def permitted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those of a list made elsewhere that may come."""
        place = self.view.assortment.by_id
        return [entry for entry in entries if entry.item in place and self.allowed[place[entry.item]]]

    def explained(
        self, rows: Sequence[Recommended], entries: Sequence[Entry], personal: bool = True
    ) -> tuple[Recommended, ...]:
        """Rows with the items of the history that carry them, exact for the model's (`recsys.serving.explain`).

        entries: the whole list. Whatever else shapes it, "needed" is true: the list is made again without each set.
        It is a smallest set as far as the list is by score.
        """
        told: dict[str, Recommended] = {}
        ranked = [row for row in rows if row.source == "model"]
        if ranked and self.profile.known:
            found = self._reasons([row.item for row in ranked], entries, personal)
            for row, one in zip(ranked, found, strict=True):
                told[row.item] = replace(row, because=one.because, needed=one.needed)
        for row in rows:
            if row.source == "content":
                reasons = content_reasons(self.view.assortment, self.profile.liked, row.item)[:NAMED]
                told[row.item] = replace(row, because=tuple(Because(item, share) for item, share in reasons))
        return tuple(told.get(row.item, row) for row in rows)

    def _reasons(self, ranked: Sequence[str], entries: Sequence[Entry], personal: bool) -> list[Explanation]:
        """Of items that the model put there. What other sources take of the places is none of the model's."""
        depth = self.ask.depth
        others = sum(entry.source != "model" for entry in entries[:depth])
        columns = self.bundle.items.numbers(ranked)
        found: list[Explanation] = []
        open_ = np.arange(len(columns))
        for places in dict.fromkeys((max(depth - others, 1), depth)):  # without a set the others may take fewer
            told = explained(self.bundle, self.profile, columns[open_], self.blocked, places, self.raised)
            gone = self._leave([(ranked[k], one.needed) for k, one in zip(open_.tolist(), told, strict=True)], personal)
            told = [one if out else replace(one, needed=None) for one, out in zip(told, gone, strict=True)]
            found = found or told
            for k, one in zip(open_, told, strict=True):
                found[k] = one
            open_ = open_[[one.needed is None for one in told]]
        return found

    def _leave(self, pairs: Sequence[tuple[str, tuple[str, ...] | None]], personal: bool) -> list[bool]:
        """For each (item, ids of the history): is the item not in the list of a history without these? The list is made
        again; what is left out may not come itself. False for None."""
        ids, row = self.bundle.items.ids[self.profile.row.indices].tolist(), self.profile.row
        place = {id_: number for number, id_ in enumerate(ids)}
        asked = [number for number, (_, some) in enumerate(pairs) if some is not None]
        removed = np.zeros((len(asked), row.nnz), dtype=bool)
        for k, number in enumerate(asked):
            removed[k, [place[id_] for id_ in pairs[number][1] or ()]] = True
        gone = [False] * len(pairs)
        for some, scores in LeftOut(self.bundle.model, self.profile).batches(removed):
            for number, out, of_row in zip(asked[some], removed[some], scores, strict=True):
                item, without = pairs[number][0], frozenset(pairs[number][1] or ())
                ask = replace(self.ask, exclude=self.ask.exclude | without - {item})
                listing = replace(self, profile=self.profile.without(out, without), ask=ask)
                _, entries = listing.made(None if out.all() else np.array(of_row, dtype=np.float32), personal)
                gone[number] = item not in {entry.item for entry in entries[: ask.depth]}
        return gone

    def _placed(self, first: Sequence[Entry], scores: np.ndarray, source: Source) -> list[Entry]:
        """What was found otherwise, then the best by (n_items,) scores, which are changed here, under every rule."""
        if self.raised is not None:
            scores += self.raised * scores.std()
        scores[self.blocked] = -np.inf
        pins = self._pins()
        main = [*first, *self._best(scores, self.ask.depth + len(pins), source)]
        quotas = self._quotas(first, scores, source)
        return slotted(main, quotas, pins, self.ask.depth) if first or quotas or pins else main

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
                vectors=bundle.vectors,
                lengths=bundle.lengths,
                categories=self.view.categories,
                wanted=wanted(self.view.assortment, self.profile.liked) if ask.calibration else None,
            )
        return self._entries(order, values, source)

    def _quotas(self, first: Sequence[Entry], scores: np.ndarray, source: Source) -> list[Quota]:
        """The categories that the preset promises places, and items that no model knows yet."""
        quotas, assortment = [], self.view.assortment
        fresh = np.zeros(len(assortment.articles), dtype=bool)
        fresh[self.view.fresh] = True
        for category, share in self.preset.share.items():
            articles = assortment.in_any([category])
            own = [entry for entry in first if articles[assortment.by_id[entry.item]]]
            of_category = np.where(self.view.on_columns(articles), scores, -np.inf)
            # As many as a list may be made of, so that every one of them in it is known to belong.
            columns, best = top_n(of_category[None, :], None, max(self.ask.depth, WINDOW))
            known = self._entries(columns[0], best[0], source)
            quotas.append(Quota(share, [*own, *known, *self._unknown(self.allowed & fresh & articles)]))
        if self.fresh_share and len(self.view.fresh) and self.profile.liked:
            quotas.append(Quota(self.fresh_share, self._content(self.profile.liked, self.allowed & fresh)))
        return quotas

    def _unknown(self, allowed: np.ndarray) -> list[Entry]:
        """Articles that no model knows: those alike the history, then the others, new ones first."""
        assortment = self.view.assortment
        alike = self._content(self.profile.liked, allowed)
        there = {entry.item for entry in alike}
        newest = assortment.newest_first
        rest = (assortment.articles[number].id for number in newest[allowed[newest]][: self.ask.depth].tolist())
        return [*alike, *(Entry(id_, 0.0, "content") for id_ in rest if id_ not in there)]

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

"""RecommendationService: the live models meet a history, and an answer comes out that says how it was made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import Index, history_row
from recsys.preferences import Preferences
from recsys.recency import faded, moments, recency_of
from recsys.recommender import top_n
from recsys.serving.bundle import ModelBundle
from recsys.serving.live import LiveModels
from recsys.serving.registry import ModelRegistry

Strategy = Literal["personal", "popular", "similar"]
_IMPERSONAL = frozenset({"popularity"})  # models that answer everyone alike must not be called personal


@dataclass(frozen=True, slots=True)
class Recommended:
    """One ranked item. score: comparable within one answer only. rank: from 1, counted over all pages."""

    item: str
    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked for, and how it was made. user: None for an anonymous history. id: distinct for every answer."""

    user: str | None
    model_name: str
    model_version: str
    strategy: Strategy
    id: str
    items: tuple[Recommended, ...]


class RecommendationService:
    """Scores histories with the live models.

    history: everything one user did, by user id. hidden: ids that are never shown; give the same frozenset object as
    long as it does not change, its columns are kept. default: the model that answers when none is named, if it is live.
    Safe to share between threads: an answer is made from one release throughout.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        history: Callable[[str], Interactions],
        weights: FeedbackWeights | None = None,
        hidden: Callable[[], frozenset[str]] = frozenset,
        default: str | None = None,
    ) -> None:
        self.live = LiveModels(registry)
        self._history = history
        self._weights = weights if weights is not None else FeedbackWeights()
        self._hidden = hidden
        self._default = default
        self._hidden_columns: tuple[frozenset[str], str, np.ndarray] = (frozenset(), "", np.empty(0, np.int32))

    def recommend(
        self,
        user: str,
        n: int = 10,
        offset: int = 0,
        model: str | None = None,
        exclude: Iterable[str] = (),
        include_seen: bool = False,
        allowed: Collection[str] | None = None,
    ) -> Answer:
        """The n best items for a user after the first ``offset``. Whether training knew the user makes no difference.

        Never among them: hidden items, items the user dislikes, ``exclude``, and, unless include_seen, items of the
        user's history. allowed: only these ids. Without one liked item that the model knows, the strategy is "popular".
        Raises NoModel when nothing is live or no live model is called ``model``.
        """
        return self._answer(user, self._history(user), n, offset, model, exclude, include_seen, allowed)

    def recommend_history(
        self,
        history: Interactions,
        n: int = 10,
        offset: int = 0,
        model: str | None = None,
        exclude: Iterable[str] = (),
        include_seen: bool = False,
        allowed: Collection[str] | None = None,
    ) -> Answer:
        """As ``recommend``, for one person's interactions given directly; nothing is looked up or stored."""
        return self._answer(None, history, n, offset, model, exclude, include_seen, allowed)

    def popular(
        self, n: int = 10, offset: int = 0, model: str | None = None, allowed: Collection[str] | None = None
    ) -> Answer:
        """What most people of the training data preferred, hidden items left out."""
        return self._answer(None, Interactions.empty(), n, offset, model, (), False, allowed)

    def similar(
        self, item: str, n: int = 10, offset: int = 0, model: str | None = None, allowed: Collection[str] | None = None
    ) -> Answer:
        """The items most like one item, best first; score: the cosine of their vectors, where the model has some.

        A model without vectors scores a history of that one item. UnknownId when the model does not know the item.
        """
        version, bundle = self._live(model)
        column = bundle.items.number(item)
        vectors = bundle.unit_vectors
        if vectors is None:
            scores = np.array(bundle.model.score(history_row(bundle.items, [item]))[0], dtype=np.float32)
        else:
            scores = vectors @ vectors[column]
        blocked = np.r_[np.int32(column), self._blocked(version, bundle)]
        return _ranked(None, version, bundle, "similar", scores, blocked, allowed, n, offset)

    def similar_items(self, item: str, n: int = 10, model: str | None = None) -> list[Recommended]:
        """The items of ``similar``."""
        return list(self.similar(item, n, model=model).items)

    def health(self) -> dict[str, Any]:
        """What is live and since when, and what is wrong with the newest release if it could not be taken."""
        return self.live.health()

    def _answer(
        self,
        user: str | None,
        history: Interactions,
        n: int,
        offset: int,
        model: str | None,
        exclude: Iterable[str],
        include_seen: bool,
        allowed: Collection[str] | None,
    ) -> Answer:
        version, bundle = self._live(model)
        items = bundle.items
        preferences = self._weights.preferences(history)
        ids = history.item.labels[preferences.item]
        row = history_row(items, ids.tolist(), preferences.strength)
        if recency_of(bundle.model):  # what a model does not ask for is not worked out
            row = faded(row, _order(items, history, preferences), recency_of(bundle.model))
        blocked = [self._blocked(version, bundle), items.find(exclude)]
        blocked.append(items.find(ids[preferences.disliked] if include_seen else ids))
        known = bool(row.nnz)
        scores = np.array(bundle.model.score(row)[0] if known else bundle.popularity, dtype=np.float32)
        personal = known and bundle.name not in _IMPERSONAL
        strategy: Strategy = "personal" if personal else "popular"
        return _ranked(user, version, bundle, strategy, scores, np.concatenate(blocked), allowed, n, offset)

    def _live(self, model: str | None) -> tuple[str, ModelBundle]:
        snapshot = self.live.snapshot()
        release = snapshot.release
        name = model
        if name is None:
            name = self._default if self._default in release.models else release.default
        version = release.version(str(name))
        return version, snapshot.bundles[version]

    def _blocked(self, version: str, bundle: ModelBundle) -> np.ndarray:
        """Columns of hidden items, -1 for those the model does not know."""
        hidden = self._hidden()
        kept = self._hidden_columns  # read once: another thread may put a new one there
        if kept[0] is hidden and kept[1] == version:
            return kept[2]
        columns = bundle.items.find(hidden)
        self._hidden_columns = (hidden, version, columns)
        return columns


def _order(items: Index, history: Interactions, preferences: Preferences) -> np.ndarray | None:
    """(nnz,) when each entry of the history's row last occurred, larger is later; None where nothing says it."""
    places = moments(history)
    if places is None:
        return None
    latest = np.zeros(len(history.item.labels))
    np.maximum.at(latest, history.item.codes, places + 1)  # no entry of a row may be 0
    liked = preferences.item[preferences.strength > 0]
    return np.asarray(history_row(items, history.item.labels[liked].tolist(), latest[liked]).data)


def _ranked(
    user: str | None,
    version: str,
    bundle: ModelBundle,
    strategy: Strategy,
    scores: np.ndarray,
    blocked: np.ndarray,
    allowed: Collection[str] | None,
    n: int,
    offset: int,
) -> Answer:
    """Rank (n_items,) scores, which may be changed here, without the blocked columns (-1: nobody)."""
    scores[blocked[blocked >= 0]] = -np.inf
    if allowed is not None:
        columns = bundle.items.find(allowed)
        kept = np.zeros(len(scores), dtype=bool)
        kept[columns[columns >= 0]] = True
        scores[~kept] = -np.inf
    columns, best = top_n(scores[None, :], None, offset + n)
    found = columns[0] >= 0
    page = zip(columns[0][found][offset:].tolist(), best[0][found][offset:].tolist(), strict=True)
    rows = tuple(
        Recommended(bundle.items.ids[column], score, rank) for rank, (column, score) in enumerate(page, offset + 1)
    )
    return Answer(user, bundle.name, version, strategy, secrets.token_hex(8), rows)

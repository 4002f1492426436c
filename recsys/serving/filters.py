"""Filters: which items may stand in a list, as masks over a model's columns and over the assortment's articles."""

from __future__ import annotations

import numpy as np

from recsys.matrix import Index
from recsys.serving.ask import Ask
from recsys.serving.assortment import Assortment, View
from recsys.serving.profile import Profile


def blocked_columns(view: View, items: Index, ask: Ask, profile: Profile) -> np.ndarray:
    """(n_items,) bool: True for a column that may not come. Disliked items never come, seen ones when asked for."""
    blocked = ~view.shown
    for columns in (profile.seen[profile.refused] if ask.include_seen else profile.seen, items.find(ask.exclude)):
        blocked[columns[columns >= 0]] = True
    if ask.only is not None:
        columns = items.find(ask.only)
        others = np.ones(len(blocked), dtype=bool)
        others[columns[columns >= 0]] = False
        blocked |= others
    if ask.categories or ask.without or ask.since is not None:
        blocked |= ~view.on_columns(_of_their_kind(view.assortment, ask))
    return blocked


def allowed_articles(assortment: Assortment, ask: Ask, profile: Profile) -> np.ndarray:
    """(n_articles,) bool: the same question about everything there is."""
    allowed = assortment.shown.copy()
    if ask.only is not None:
        allowed &= assortment.marked(ask.only)
    touched = profile.ids[profile.refused] if ask.include_seen else profile.ids
    allowed &= ~assortment.marked((*ask.exclude, *touched))
    if ask.categories or ask.without or ask.since is not None:
        allowed &= _of_their_kind(assortment, ask)
    return allowed


def _of_their_kind(assortment: Assortment, ask: Ask) -> np.ndarray:
    """(n_articles,) bool: by category and date."""
    kept = np.ones(len(assortment.articles), dtype=bool)
    if ask.categories:
        kept &= assortment.in_any(ask.categories)
    if ask.without:
        kept &= ~assortment.in_any(ask.without)
    if ask.since is not None:
        kept &= assortment.created >= ask.since
    return kept

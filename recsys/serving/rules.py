"""Preset: a named set of business rules for lists, as a section of the settings holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np

from recsys.errors import SettingError
from recsys.matrix import Index
from recsys.models.checks import in_range
from recsys.serving.assortment import View

MOST = 100.0  # standard deviations: above and below everything else


@dataclass(frozen=True, slots=True)
class Preset:
    """pin: ids of items that come first, in this order. boost: "category:NAME" or "item:ID" -> how many standard
    deviations of the list's scores to add, -MOST to MOST; negative lowers. share: category -> its least share of the
    places; together at most 1. diversity, calibration, categories, without: as in `Ask`, where the request has none.
    """

    pin: tuple[str, ...] = ()
    boost: Mapping[str, float] = field(default_factory=dict)
    share: Mapping[str, float] = field(default_factory=dict)
    diversity: float | None = None
    calibration: float | None = None
    categories: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()

    @classmethod
    def of(cls, given: Mapping[str, Any], name: str = "preset") -> Self:
        """From values as TOML has them. name: of the section, for the errors.

        Raises SettingError that names the key and what it may be: an unknown one, another type, NaN, a number out of
        its range, a boost of neither a category nor an item, a name given twice, a category both wanted and not.
        """
        if not isinstance(given, Mapping):
            raise SettingError(
                f"{name} must be a table of rules, not {given!r}", do=f"write [{name}] and rules below it"
            )
        known = [one.name for one in fields(cls)]
        for key in given:
            if key not in known:
                raise SettingError(f"{name} has no rule called {key!r}", do=f"use {', '.join(known)}")
        lists = {key: _names(f"{name}.{key}", given.get(key, ())) for key in ("pin", "categories", "without")}
        both = sorted({*lists["categories"]} & {*lists["without"]})
        if both:
            raise SettingError(f"{name} both wants and leaves out the category {both[0]!r}", do="take it out of one")
        boost = _numbers(f"{name}.boost", given.get("boost", {}), -MOST, MOST)
        for key in boost:
            kind, _, rest = key.partition(":")
            if kind not in ("category", "item") or not rest:
                raise SettingError(
                    f"{name}.boost: {key!r} names neither a category nor an item",
                    do='write "category:NAME" or "item:ID"',
                )
        share = _numbers(f"{name}.share", given.get("share", {}), 0, 1)
        if sum(share.values()) > 1 + 1e-9:
            raise SettingError(
                f"{name}.share: the shares sum to {sum(share.values()):g}", do="give at most 1 to all of them together"
            )
        for key in ("diversity", "calibration"):
            if key in given:
                in_range(f"{name}.{key}", given[key], 0, 1)
        return cls(
            lists["pin"],
            boost,
            share,
            given.get("diversity"),
            given.get("calibration"),
            frozenset(lists["categories"]),
            frozenset(lists["without"]),
        )


def boosts(view: View, items: Index, preset: Preset) -> np.ndarray | None:
    """(n_items,) float32 standard deviations to add to the scores of a model's columns, None where all are 0.

    An item gets its own and those of all its categories. Names that nothing has count nowhere.
    """
    if not preset.boost:
        return None
    index = {"category": view.assortment.category_index, "item": items}
    added = {kind: np.zeros(len(names), dtype=np.float32) for kind, names in index.items()}
    for key, value in preset.boost.items():
        kind, _, name = key.partition(":")
        if name in index[kind]:
            added[kind][index[kind].number(name)] = value
    found = added["item"] + view.categories @ added["category"]
    return found if found.any() else None


def _names(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise SettingError(f"{key} must be a list of texts, not {value!r}", do='write ["one", "another"]')
    if len(set(value)) < len(value):
        twice = next(name for name in value if value.count(name) > 1)
        raise SettingError(f"{key} names {twice!r} more than once", do="take one out")
    return tuple(value)


def _numbers(key: str, value: object, low: float, high: float) -> dict[str, float]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise SettingError(f"{key} must be a table of names and numbers, not {value!r}", do='write {"NAME" = 0.5}')
    for name, number in value.items():
        in_range(f"{key}, {name!r},", number, low, high)
    return {name: float(number) for name, number in value.items()}

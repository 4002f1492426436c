"""Groupings by what is known of users and items: attributes asked for by name, and the items' categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.grouping import Cohort, Group, cut
from recsys.evaluation.results import persons
from recsys.evaluation.split import Split

CATEGORY = "category"
FEWEST = 20  # people in a group of its own
MOST = 24  # groups of one attribute
_OTHER, _UNKNOWN = "other", "unknown"


def known(catalogue: Catalogue) -> tuple[list[str], list[str]]:
    """(attributes of users, attributes of items), sorted; `CATEGORY` is one of items where any item has a category."""
    of_users, of_items = (
        {name for one in attributes.values() for name in one} for attributes in (catalogue.users, catalogue.items)
    )
    if any(catalogue.categories.values()):
        of_items.add(CATEGORY)
    return sorted(of_users), sorted(of_items)


def by_attribute(splits: Sequence[Split], catalogue: Catalogue, name: str) -> list[Cohort]:
    """People by the value of an attribute of theirs; items by theirs; both where both have one of that name.

    Values of fewer than `FEWEST` people (who are it, or have a hidden item of it) and those beyond the `MOST` commonest
    are put together as other. An attribute of more than `MOST` values that are all numbers is cut in four equal parts.
    """
    of_users, of_items = known(catalogue)
    found = []
    if name in of_users:
        values = _in_ranges({id_: one[name] for id_, one in catalogue.users.items() if one.get(name)})
        labels = [[[values.get(user, _UNKNOWN)] for user in split.users] for split in splits]
        groups = _groups(splits, labels, on_items=False)
        found.append(Cohort(name, f"By {name} of the person.", "users", groups))
    if name in of_items:
        many = _many(catalogue, name)
        labels = [[many.get(item, [_UNKNOWN]) for item in split.items.ids.tolist()] for split in splits]
        about = f"Only hidden items of the {name} count as relevant, and lists are judged whole."
        if name == CATEGORY:
            about += " An item may be in several."
        about += " People without a hidden item of the group are left out."
        found.append(Cohort(name, about, "items", _groups(splits, labels, on_items=True)))
    if len(found) == 2:
        found = [Cohort(f"{name} of {one.of}", one.about, one.of, one.groups) for one in found]
    return found


def _many(catalogue: Catalogue, name: str) -> dict[str, list[str]]:
    """item -> its values."""
    if name == CATEGORY and any(catalogue.categories.values()):
        return {item: sorted(set(some)) for item, some in catalogue.categories.items() if some}
    one_each = _in_ranges({id_: one[name] for id_, one in catalogue.items.items() if one.get(name)})
    return {item: [value] for item, value in one_each.items()}


def _in_ranges(values: Mapping[str, str]) -> dict[str, str]:
    """Too many numbers become four ranges of them; other values stay."""
    distinct = sorted(set(values.values()))
    numbers = {text: _number(text) for text in distinct}
    if len(distinct) <= MOST or np.isnan(list(numbers.values())).any():
        return dict(values)
    every = np.array([numbers[text] for text in values.values()])
    part = np.searchsorted(cut(every, (0.25, 0.5, 0.75)), every, side="right")
    ends = {int(k): (every[part == k].min(), every[part == k].max()) for k in np.unique(part)}
    words = {k: f"{low:g}" if low == high else f"{low:g} to {high:g}" for k, (low, high) in ends.items()}
    return {id_: words[int(k)] for id_, k in zip(values, part, strict=True)}


def _number(text: str) -> float:
    """The number a text is, or begins with before " to "; NaN where it is none."""
    try:
        return float(text.split(" to ")[0])
    except ValueError:
        return float("nan")


def _groups(splits: Sequence[Split], labels: Sequence[Sequence[Sequence[str]]], on_items: bool) -> tuple[Group, ...]:
    """labels: for each split the values of each user or each item."""
    names = sorted({value for part in labels for one in part for value in one})
    number = {name: k for k, name in enumerate(names)}
    members = [_membership(part, number) for part in labels]
    rows = [split.hidden @ one if on_items else one for split, one in zip(splits, members, strict=True)]
    users = _people_of_each(csr_matrix(vstack(rows)), persons(splits))
    large = [k for k in np.argsort(-users, kind="stable") if users[k] >= FEWEST and names[k] not in (_OTHER, _UNKNOWN)]
    own = _in_order([names[k] for k in large[:MOST]])
    rest = [name for name in names if name not in own and name != _UNKNOWN]
    groups = [(name, name, [name]) for name in own]
    groups.append((_OTHER, _OTHER if len(rest) == 1 else f"{_OTHER}: {len(rest)} with few people each", rest))
    groups.append((_UNKNOWN, _UNKNOWN, [name for name in names if name == _UNKNOWN]))
    return tuple(
        Group(name, label, tuple(one[:, [number[value] for value in values]].getnnz(axis=1) > 0 for one in members))
        for name, label, values in groups
        if values
    )


def _people_of_each(rows: csr_matrix, people: np.ndarray | None) -> np.ndarray:
    """(values,) how many people have an entry. rows: (n, values); people: (n,) whose row it is, None: all differ."""
    if people is not None:
        rows = csr_matrix((np.ones(len(people)), (people, np.arange(len(people))))) @ rows
    return rows.getnnz(axis=0)


def _in_order(names: Sequence[str]) -> list[str]:
    """Numbers by size, other names as they come: the commonest first."""
    numbers = np.array([_number(name) for name in names])
    return list(names) if np.isnan(numbers).any() else [names[k] for k in np.argsort(numbers, kind="stable")]


def _membership(labels: Sequence[Sequence[str]], number: Mapping[str, int]) -> csr_matrix:
    """(members, values) 1 where it has the value."""
    indices = np.array([number[value] for one in labels for value in one], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in labels])])
    return csr_matrix((np.ones(len(indices)), indices, indptr), shape=(len(labels), len(number)))

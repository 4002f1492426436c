"""cohorts: every metric by who people are, and by what there was to find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.evaluation.attributes import by_attribute, known
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.evaluate import PerUser, hits_of
from recsys.evaluation.grouping import Cohort, Group, by_history_length, by_item_popularity, by_recency
from recsys.evaluation.metrics import metric
from recsys.evaluation.results import persons
from recsys.evaluation.split import Split
from recsys.evaluation.statistics import intervals

_COLUMNS = 256  # resampled at once


def check_asked(asked: Sequence[str], catalogue: Catalogue) -> None:
    """Raises SettingError, with the attributes there are, for one that neither users nor items have."""
    of_users, of_items = known(catalogue)
    for name in asked:
        if name not in of_users and name not in of_items:
            names = [
                f"{whose}: {', '.join(some)}" for whose, some in (("users", of_users), ("items", of_items)) if some
            ]
            raise SettingError(
                f"no attribute is called '{name}'",
                do=f"ask for one of {'; '.join(names)}" if names else "give a file of users or items with attributes",
            )


def cohorts(splits: Sequence[Split], catalogue: Catalogue, asked: Sequence[str] = ()) -> list[Cohort]:
    """By history length, item popularity, recency where times are known, and every attribute asked for.

    splits: of one evaluation; the bounds of a group are the same in all of them. Groups of nobody are left out. Raises
    SettingError for an attribute that the catalogue does not have.
    """
    check_asked(asked, catalogue)
    found = [by_history_length(splits), by_item_popularity(splits)]
    recency = by_recency(splits)
    if len(recency.groups) > 1:  # where all are of one day nothing is told
        found.append(recency)
    for name in dict.fromkeys(asked):
        found += by_attribute(splits, catalogue, name)
    return [cohort for cohort in found if cohort.groups]


def cohort_values(
    mask: np.ndarray,
    of: str,
    values: Mapping[str, np.ndarray],
    lists: np.ndarray,
    split: Split,
    metrics: Sequence[str],
    hits: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """metric -> (n,) float64 of one group of one split, NaN for those who do not belong to it.

    of "users": mask is (n,), and the values (metric -> (n,), as in PerUser) are as they were. of "items": mask is
    (n_items,), only its items count as relevant, and the lists ((n, k) columns, -1 at their ends) are judged whole;
    users without a relevant item of the group do not belong. Of items only accuracy has a meaning, and only as deep as
    the lists that were kept; of users only what has a value a user. Other metrics are left out.
    hits: (n, k) what `hits_of` says of the lists, where it is known already.
    """
    if of == "users":
        return {name: np.where(mask, values[name], np.nan) for name in metrics if name in values}
    relevant = relevant_of(mask, split.hidden)
    deepest = lists.shape[1] if lists.shape[1] < split.hidden.shape[1] else np.inf  # a list of everything is whole
    wanted = [one for one in map(metric, metrics) if one.accuracy and one.k <= deepest]
    hits = (hits_of(lists, split.hidden) if hits is None else hits) & mask[lists]
    return {one.name: np.where(relevant > 0, one(hits, relevant), np.nan) for one in wanted}


def relevant_of(mask: np.ndarray, hidden: csr_matrix) -> np.ndarray:
    """(n,) int: how many of each user's hidden items are in the mask (n_items,)."""
    within = np.concatenate([[0], np.cumsum(mask[hidden.indices])])
    return np.diff(within[hidden.indptr])


def as_cohorts(
    splits: Sequence[Split],
    results: Mapping[str, Sequence[PerUser]],
    metrics: Sequence[str],
    catalogue: Catalogue,
    asked: Sequence[str] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """The report's ``cohorts``: name -> about, of, and groups with every model's metrics and their 95% intervals.

    results: model -> one a split. One person's rows of several splits stay together in every interval. A metric nobody
    of a group has a value in is left out. Raises SettingError as `cohorts`.
    """
    people = persons(splits)
    hits = {
        name: [hits_of(part.lists, split.hidden) for part, split in zip(parts, splits, strict=True)]
        for name, parts in results.items()
    }
    found: dict[str, Any] = {}
    for cohort in cohorts(splits, catalogue, asked):
        columns = [
            column for group in cohort.groups for column in _columns(group, cohort.of, splits, results, hits, metrics)
        ]
        groups: dict[str, dict[str, Any]] = {
            group.name: {"name": group.name, "label": group.label, "users": _users(group, cohort.of, splits)}
            | {"models": {model: {} for model in results}}
            for group in cohort.groups
        }
        for start in range(0, len(columns), _COLUMNS):
            some = columns[start : start + _COLUMNS]
            sure = intervals(np.column_stack([values for *_, values in some]), seed, groups=people)
            for (group_name, model, name, _), interval in zip(some, sure, strict=True):
                if interval.users:
                    groups[group_name]["models"][model][name] = asdict(interval)
        told = [group for group in groups.values() if any(group["models"].values())]
        if told:
            found[cohort.name] = {"about": cohort.about, "of": cohort.of, "groups": told}
    return found


def _columns(
    group: Group,
    of: str,
    splits: Sequence[Split],
    results: Mapping[str, Sequence[PerUser]],
    hits: Mapping[str, Sequence[np.ndarray]],
    metrics: Sequence[str],
) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """(group, model, metric, (rows of all splits,) values)."""
    for model, parts in results.items():
        each = [
            cohort_values(mask, of, part.values, part.lists, split, metrics, hit)
            for mask, part, split, hit in zip(group.masks, parts, splits, hits[model], strict=True)
        ]
        for name in each[0]:
            if all(name in one for one in each):
                yield group.name, model, name, np.concatenate([one[name] for one in each])


def _users(group: Group, of: str, splits: Sequence[Split]) -> int:
    """How many different people the group is about."""
    found: set[str] = set()
    for mask, split in zip(group.masks, splits, strict=True):
        belongs = mask if of == "users" else relevant_of(mask, split.hidden) > 0
        found.update(np.array(split.users, dtype=object)[belongs])
    return len(found)

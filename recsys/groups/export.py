"""Groups for others: as plain values for the report, as a table with one row a person for a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.groups import Groups
from recsys.groups.clusters import PAIRS
from recsys.groups.distinct import PEOPLE, Feature
from recsys.groups.words import LOOSE

if TYPE_CHECKING:
    import pandas as pd


def as_groups(groups: Groups) -> dict[str, Any]:
    """What the report's key "groups" holds. share: of the people who have a history."""
    clusters = groups.clusters
    return {
        "about": about(groups),
        "groups": [
            {
                "name": group.name,
                "users": group.profile.users,
                "share": group.profile.share,
                "words": group.words,
                "categories": [{"category": f.name, **_numbers(f)} for f in group.profile.categories],
                "items": [{"item": f.name, "title": f.of, **_numbers(f)} for f in group.profile.items],
                "attributes": [{"attribute": f.of, "value": f.name, **_numbers(f)} for f in group.profile.attributes],
                "quantities": [
                    {"attribute": q.name, "mean": q.mean, "overall": q.overall} for q in group.profile.quantities
                ],
                "history": {"median": group.profile.length, "overall": group.profile.overall_length},
            }
            for group in groups.groups
        ],
        "stability": clusters.stability,
        "silhouette": clusters.silhouette,
        "again": groups.again,
        "left_out": clusters.left_out,
        "tried": [{"groups": one.groups, "stability": one.stability} for one in clusters.tried],
    }


def groups_frame(groups: Groups) -> pd.DataFrame:
    """user, group (from 1 by size), name, similarity (cosine to the group's centre), runner_up (the next best's name).

    One row a user with a history, in the order of ``groups.users``; runner_up is missing where there is but one group.
    """
    import pandas as pd

    clusters = groups.clusters
    inside = np.flatnonzero(clusters.group >= 0)
    names = np.array([group.name for group in groups.groups] + [None], dtype=object)
    return pd.DataFrame(
        {
            "user": pd.Series([groups.users[row] for row in inside.tolist()], dtype="str"),
            "group": clusters.group[inside] + 1,
            "name": pd.Series(names[clusters.group[inside]], dtype="str"),
            "similarity": clusters.similarity[inside],
            "runner_up": pd.Series(names[clusters.runner_up[inside]], dtype="str"),
        }
    )


def about(groups: Groups) -> str:
    """How the groups were made, how sure they are, and who was left out."""
    clusters = groups.clusters
    k = len(groups.groups)
    said = [
        f"{clusters.sizes.sum():,} people in {k} group{'s' * (k != 1)} of like interest, by the codes a model gives"
        " their histories."
    ]
    if clusters.stability is not None:
        if clusters.asked is None:
            counts = [one.groups for one in clusters.tried]
            said.append(
                f"Of {counts[0]} to {counts[-1]} groups this number was chosen because it comes out most alike when"
                f" learnt from one half of the people and from the other ({PAIRS} times); near ties go to the groups"
                " that are further apart (silhouette)."
            )
        elif clusters.asked != k:
            said.append(f"{clusters.asked} groups were asked for; those with too few people were dissolved.")
        said.append(
            f"The halves agree on who belongs together to {clusters.stability:.2f} (adjusted Rand index; 1: the same"
            f" groups, 0: chance): {_judged(clusters.stability)}."
        )
    if groups.again is not None and k > 1:
        said.append(f"From half of their history alone {groups.again:.0%} of people come into the same group.")
    said.append(
        "A group is said to have more of something only where people grouped by one half of their history show it in"
        f" the other half too (5% level, corrected for all that was asked) and at least {PEOPLE} people have it; how"
        " much more is counted over whole histories, each person alike."
    )
    if clusters.left_out:
        were = "person has no history and is" if clusters.left_out == 1 else "people have no history and are"
        said.append(f"{clusters.left_out:,} {were} left out.")
    return " ".join(said)


def _judged(stability: float) -> str:
    if stability >= 0.8:
        return "these groups are stable"
    if stability >= LOOSE:
        return "their cores are stable, their borders are soft"
    return "tastes here pass into each other, and this is one of many ways to divide them"


def _numbers(feature: Feature) -> dict[str, float]:
    return {"share": feature.share, "overall": feature.overall, "lift": feature.lift}

"""A group in words: its name and one plain sentence, from what distinguishes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recsys.groups.distinct import Feature
from recsys.groups.quantities import Quantity

STRONG = 1.2  # lift from which a category gives a group its name, with a Pearson residual of at least RESIDUAL
RESIDUAL = 0.1
LOOSE = 0.5  # stability under which groups are said not to come out again
_LONG = 1.3  # times the median history from which lengths are told
_TITLE = 60  # characters of a title in a sentence


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of one group. length, overall_length: the median history, in items, of the group and of everybody.

    lengths_differ: whether that is more than chance.
    """

    users: int
    share: float
    categories: Sequence[Feature]
    items: Sequence[Feature]
    attributes: Sequence[Feature]
    quantities: Sequence[Quantity]
    length: float
    overall_length: float
    lengths_differ: bool

    @property
    def strong(self) -> list[Feature]:
        """The categories that stand out."""
        return [feature for feature in self.categories if feature.lift >= STRONG and feature.residual >= RESIDUAL]

    @property
    def histories(self) -> str:
        """ "shorter histories", "longer histories" or "", where they are much like everybody's."""
        if not self.lengths_differ or self.overall_length <= 0:
            return ""
        times = self.length / self.overall_length
        return "shorter histories" if times <= 1 / _LONG else "longer histories" if times >= _LONG else ""


def names(profiles: Sequence[Profile]) -> list[str]:
    """A name a group, no two alike: its two foremost categories, else its two foremost items, else that it has none.

    Two groups of the same two categories, in either order, are told apart by a third, by an item, or by a number.
    """
    taken: set[frozenset[str]] = set()
    answer = []
    for profile in profiles:
        choices = [parts for parts in _choices(profile, len(profiles)) if parts]
        parts = next((parts for parts in choices if frozenset(parts) not in taken), None)
        number = 2
        while parts is None:
            numbered = [f"{joined(choices[0])} ({number})"]
            parts = None if frozenset(numbered) in taken else numbered
            number += 1
        taken.add(frozenset(parts))
        answer.append(joined(parts))
    return answer


def sentence(profile: Profile, stability: float | None, only: bool) -> str:
    """How many people, what they take more of, what is typical, who they are; plain text. only: there is one group."""
    said = []
    if only:
        said.append("everybody, in one group: there is nobody to compare with")
    elif profile.strong:
        more = [f"{feature.lift:.1f} times as much {plain(feature.name)}" for feature in profile.strong[:3]]
        said.append(f"{joined(more)} as everybody")
    else:
        said.append("close to the average taste")
        if profile.categories:
            said.append(f"a little more {joined([plain(feature.name) for feature in profile.categories[:3]])}")
    for quantity in profile.quantities[:2]:
        said.append(f"{plain(quantity.name)} {quantity.mean:.4g} on average against {quantity.overall:.4g}")
    if profile.histories:
        said.append(
            f"{profile.histories} ({profile.length:.0f} items at the median against {profile.overall_length:.0f})"
        )
    if profile.items:
        said.append("typical: " + ", ".join(plain(feature.of) for feature in profile.items[:3]))
    who = [feature for feature in profile.attributes if feature.lift >= STRONG][:2]
    if who:
        told = [f"{plain(f.of)} {plain(f.name)} ({f.share:.0%} against {f.overall:.0%})" for f in who]
        said.append("more often " + joined(told))
    if stability is not None and stability < LOOSE and not only:
        said.append("a loose group: among other people it would be drawn otherwise")
    count = "1 person" if profile.users == 1 else f"{profile.users:,} people"
    return f"{count} ({profile.share:.0%}): {'; '.join(said)}."


def joined(parts: Sequence[str]) -> str:
    """a; a and b; a, b and c."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else parts[0]


def plain(text: str) -> str:
    """A title or category within a sentence: on one line, shortened where long, its characters left as they are."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _TITLE else line[: _TITLE - 1].rstrip() + "…"


def _choices(profile: Profile, groups: int) -> list[list[str]]:
    """What a group could be called, best first."""
    if groups == 1:
        return [["Everybody"]]
    strong = [plain(feature.name) for feature in profile.strong]
    titles = [plain(feature.of) for feature in profile.items]
    choices = []
    if strong:
        choices = [strong[:2], strong[:3], *[[f"{joined(strong[:2])}: {title}"] for title in titles[:1]]]
    choices += [titles[:2], titles[:3]]
    if not strong and not titles:
        choices.append(["Average taste" + (f", {profile.histories}" if profile.histories else "")])
    return choices

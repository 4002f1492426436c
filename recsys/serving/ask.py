"""Ask: everything one request may want of a list, as one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """n items after the first ``offset``. model: a live one by name, None: the default.

    categories: only items of at least one of these. without: no item of any of these. only: no other ids than these,
    None for no such limit. exclude: never these ids. since: only items created then or later, microseconds.
    include_seen: items of the history too. diversity: 0 (by score) to 1 (as unlike each other as can be). calibration:
    0 to 1, how far the categories of the list follow those of the history. None: as the preset says, or not at all.
    preset: a named set of rules of the settings. explain: say which items of the history carry each row.
    """

    n: int = 10
    offset: int = 0
    model: str | None = None
    categories: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    since: int | None = None
    include_seen: bool = False
    diversity: float | None = None
    calibration: float | None = None
    preset: str | None = None
    explain: bool = False

    @property
    def depth(self) -> int:
        """How deep the list must be known."""
        return self.offset + self.n


PLAIN = Ask()

"""Marks: the versions that may have learnt from somebody who has been forgotten since.

Nothing in them names anybody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from recsys.errors import DamagedBundle, Forgotten
from recsys.serving.files import replace_file
from recsys.serving.versions import parts_of

NAME = "marks.json"


@dataclass(frozen=True, slots=True)
class Marks:
    """forgettings: how often somebody was forgotten so far. at: when last, ISO 8601. since: version -> since when it is
    marked. Frozen: every change makes another value, which is swapped in whole."""

    forgettings: int = 0
    at: str = ""
    since: Mapping[str, str] = field(default_factory=dict)

    def forgotten(self, at: str, versions: Collection[str]) -> Self:
        """Somebody was, and these may have learnt from them. A mark keeps the time it has."""
        return replace(
            self, forgettings=self.forgettings + 1, at=at, since={**dict.fromkeys(versions, at), **self.since}
        )

    def born(self, version: str) -> Self:
        """A new version that was made of data read before somebody was forgotten."""
        return replace(self, since={**self.since, version: self.at})

    def without(self, versions: Collection[str]) -> Self:
        return replace(self, since={version: at for version, at in self.since.items() if version not in versions})

    def write(self, folder: Path) -> None:
        text = json.dumps({"forgettings": self.forgettings, "at": self.at, "versions": dict(self.since)}, indent=1)
        replace_file(folder / NAME, text.encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """None yet: nobody was forgotten. DamagedBundle when it cannot be told: then nothing may go live."""
        try:
            found = json.loads((folder / NAME).read_bytes())
            since = {str(version): str(at) for version, at in found["versions"].items()}
            return cls(int(found["forgettings"]), str(found["at"]), since)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DamagedBundle(
                "the marks of forgotten people cannot be read: nothing goes live without them",
                where=str(folder / NAME),
                do="put the file back, or remove it with every version older than the last forgetting",
            ) from error


def newest_free(
    versions: Sequence[str],
    marked: str,
    marks: Collection[str],
    live: Collection[str],
    rolled_back: Collection[str],
) -> str | None:
    """The newest other version of the same model that may go live. versions: oldest first."""
    same = [one for one in versions if parts_of(one)[1] == parts_of(marked)[1] and one not in live and one not in marks]
    free = [one for one in same if parts_of(one)[2] not in rolled_back]
    return free[-1] if free else None


def forgotten(version: str, since: str, folder: Path, free: str | None) -> Forgotten:
    """Why a version does not go live, and what can instead."""
    return Forgotten(
        f"{version} may have learnt from somebody who was forgotten at {since}",
        where=str(folder),
        do="the next night makes one without them" + (f"; or promote {free}" if free else ""),
    )


def held(refusal: Forgotten) -> Forgotten:
    """The same of a rollback, after which nights promote nothing all the same."""
    instead = refusal.do.partition("; or ")[2]
    return Forgotten(
        refusal.what, where=refusal.where, do="nights promote nothing now" + (f"; {instead}" if instead else "")
    )

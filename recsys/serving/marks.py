"""Marks: the versions that may have learnt from somebody who has been forgotten since.

Nothing in them names anybody.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from recsys.errors import DamagedBundle
from recsys.serving.files import replace_file

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

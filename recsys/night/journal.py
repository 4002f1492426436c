"""Journal: how far a night came, in one small file, so that one that was cut off goes on and not over again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from recsys.serving.files import replace_file

MOST_BEGINNINGS = 5  # of one step without an end: whatever cut it off would do so again
_FILE = "journal.json"


class Journal:
    """Steps and what came of them. The file is replaced whole at every change; a damaged one is begun anew.

    identity: whatever a night must have in common with the one that was cut off, as JSON values, to go on from it.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = Path(folder)
        self._identity: dict[str, Any] = json.loads(json.dumps(identity))
        found = self._read()
        self.resumed = found is not None
        self._state: dict[str, Any] = found or {"identity": self._identity, "steps": {}, "facts": {}}

    @property
    def facts(self) -> dict[str, Any]:
        """What the night noted beside its steps; kept by `note`."""
        return dict(self._state["facts"])

    def note(self, **facts: Any) -> None:
        self._state["facts"] |= facts
        self._write()

    def began(self, step: str) -> int:
        """Note that a step begins; how often it has by now, without an end."""
        entry = self._state["steps"].setdefault(step, {"began": 0})
        entry["began"] += 1
        self._write()
        return int(entry["began"])

    def ended(self, step: str, seconds: float, detail: str, result: Any) -> None:
        self._state["steps"][step] |= {"seconds": round(seconds, 3), "detail": detail, "result": result, "began": 0}
        self._write()

    def failed(self, step: str) -> None:
        """It ended, by an error that has a name: that is no interruption."""
        self._state["steps"][step]["began"] = 0
        self._write()

    def undo(self, step: str) -> None:
        """It has to be done again."""
        self._state["steps"].pop(step, None)
        self._write()

    def result(self, step: str) -> Any:
        """What came of a step that is done; KeyError for one that is not."""
        return self._state["steps"][step]["result"]

    def done(self, step: str) -> bool:
        return "result" in self._state["steps"].get(step, {})

    def steps(self) -> dict[str, dict[str, Any]]:
        """seconds, detail and result of every step that is done, in the order in which they began."""
        return {name: dict(entry) for name, entry in self._state["steps"].items() if "result" in entry}

    def clear(self) -> None:
        """The night is over, or has to begin anew: nothing is left to go on from, wherever this is cut off."""
        (self.folder / _FILE).unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.resumed = False
        self._state = {"identity": self._identity, "steps": {}, "facts": {}}

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_file(self.folder / _FILE, json.dumps(self._state, indent=1).encode())

    def _read(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.folder / _FILE).read_bytes())
            sound = found["identity"] == self._identity and isinstance(found["steps"], dict)
            return dict(found) if sound else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

"""Going live: what the verdicts come to, in one step, unless anything moved since they were given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recsys.errors import BeginAnew, Forgotten
from recsys.night.steps import Done

if TYPE_CHECKING:
    from recsys.night.line import Line


def publish(line: Line, verdicts: dict[str, dict[str, Any]]) -> Done:
    """Put the promoted versions live together; remove what this night made and refused, and what has had its time.

    Moved where something else is live than what a promoted version was judged beside: then it has to be judged again.
    BeginAnew when somebody was forgotten since the data were read.
    """
    promoted = {name: one for name, one in verdicts.items() if one["decision"] == "promote"}
    versions = {name: one["challenger"] for name, one in promoted.items()}
    if line.plan.dry_run:
        return Done({"live": line.live(), "promoted": versions}, "a dry run: nothing was changed")
    live = line.live()
    todo = {name: one for name, one in promoted.items() if live.get(name) != one["challenger"]}
    if todo:
        if line.somebody_left():
            raise BeginAnew("somebody was forgotten before the models were published")
        line.steps.beat(force=True)
        try:
            line.registry.go_live(
                [one["challenger"] for one in todo.values()],
                fence=line.token,
                instead_of={name: one["champion"] for name, one in todo.items()},
            )
        except Forgotten as error:
            raise BeginAnew("somebody was forgotten before the models were published") from error
    for name, one in verdicts.items():
        if one["decision"] == "refused":
            discard(line, name)
    removed = line.registry.prune(line.plan.keep)
    unchanged = "what was live stays" if live else "nothing is live yet: `recsys models promote` is a person's to give"
    said = ", ".join(versions.values()) + " now live" if versions else unchanged
    return Done({"live": line.live(), "promoted": versions, "removed": removed}, said)


def discard(line: Line, name: str) -> None:
    """Remove a candidate that this night made. One that was there before, of the same bytes, is not its to remove."""
    if not line.journal.done(f"train {name}"):
        return
    trained = line.journal.result(f"train {name}")
    rows = {row["version"]: row for row in line.candidates.describe()}
    row = rows.get(trained["version"])
    if row is not None and trained["made"] and not row["live"] and not row["previous"]:
        line.candidates.remove(trained["version"])

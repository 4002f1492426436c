"""run_night: one night from its lock to its last word, whatever happens on the way."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import AlreadyRunning, BeginAnew, Fenced, RecsysError, StoreError
from recsys.night.journal import Journal
from recsys.night.leftovers import DRY, WORK
from recsys.night.line import Line
from recsys.night.lock import Holder, NightLock
from recsys.night.plan import Plan, Tell, World
from recsys.night.steps import Steps
from recsys.serving.registry import ModelRegistry

MOST_STARTS = 3  # of one night, when people are forgotten while it is at work
_ORDER = ("promote", "refused", "keep", "inconclusive")


@dataclass(frozen=True, slots=True)
class Outcome:
    """decision: of all models together, the first of promote, refused, keep and inconclusive that any of them has.

    reason: each model's, in words. facts: everything, as the report has it. said: what became of the notification.
    """

    decision: str
    reason: str
    facts: Mapping[str, Any]
    said: str

    @property
    def exit_status(self) -> int:
        """0: the night did its work, whatever it decided; 1: a model was refused, and somebody should look into it."""
        return int(any(one["decision"] == "refused" for one in self.facts["verdicts"].values()))


def run_night(plan: Plan, world: World, registry: ModelRegistry, folder: Path, tell: Tell, lock: NightLock) -> Outcome:
    """One night, whole: see `recsys.night.line`. folder: for its lock and what it keeps while it is at work.

    AlreadyRunning at once where another is at work; one that was silent for too long is taken for dead, and cannot
    publish any more. Whatever fails leaves the live models as they were, is named in the ledger, and is raised.
    """
    with lock.held(take_over=not plan.dry_run):
        if lock.taken_from is not None:
            _alarm(world, tell, lock.taken_from)
        try:
            line, journal = _begun(plan, world, registry, folder, tell, lock)
        except RecsysError as error:  # the database, or the disk: then there is no line to end
            error = _in_words(error)
            if not plan.dry_run:
                tell(world.notify({"status": "failed", "decision": None, "reason": error.what, "verdicts": {}}))
            raise error from None
        return _ended(line, world, journal, tell)


def _begun(
    plan: Plan, world: World, registry: ModelRegistry, folder: Path, tell: Tell, lock: NightLock
) -> tuple[Line, Journal]:
    """A line with its journal: that of a night which was cut off, where it can be gone on with."""
    lock.beat()  # Fenced here, and not after asking for a token that would fence off who took over
    token = 0 if plan.dry_run else registry.next_fence()
    lock.beat(token=token)
    if not plan.dry_run:
        shutil.rmtree(folder / DRY, ignore_errors=True)  # of a dry run that was killed
    work = folder / (DRY if plan.dry_run else WORK)
    journal = Journal(work, plan.identity())
    begun = journal.facts.get("begun", 0.0)
    fresh = time.time() - begun < plan.fresh_hours * 3600
    if journal.resumed and not (fresh and _same_people(journal, world.forgotten())):
        tell("what an interrupted night left is out of date: beginning anew")
        journal.clear()
    if not journal.resumed:
        journal.clear()
        journal.note(begun=time.time())
    night = None
    if not plan.dry_run:
        night = world.ledger.begin(token, resume=journal.facts.get("night"))
        journal.note(night=night)
    if journal.resumed:
        tell("going on with a night that was cut off")
    steps = Steps(journal, lock, world.ledger, night, tell)
    return Line(plan, world, registry, work, steps, tell, token, night), journal


def _ended(line: Line, world: World, journal: Journal, tell: Tell) -> Outcome:
    """Run the line to its end, and write down how it ended."""
    over = False
    try:
        facts = _run(line, journal, tell)
        verdicts = facts["verdicts"]
        decision = min((one["decision"] for one in verdicts.values()), key=_ORDER.index)
        reason = "; ".join(f"{name}: {one['decision']}: {one['reason']}" for name, one in verdicts.items())
        facts |= {"decision": decision, "reason": reason, "status": "done"}
        _write(line, world, tell, "done", decision, reason, facts)
        over = True
        journal.clear()
        said = "" if line.plan.dry_run else world.notify(facts)
        return Outcome(decision, reason, facts, said)
    except Fenced:
        over = True  # what is there belongs to the night that took over
        raise
    except (RecsysError, MemoryError, OSError, ArithmeticError) as error:
        over = True
        found = _in_words(error)
        reason = f"{line.steps.now}: {found.what}"
        facts = {**line.facts(), "status": "failed", "decision": None, "reason": reason}
        _write(line, world, tell, "failed", None, reason, facts)
        if not line.plan.dry_run:
            tell(world.notify(facts))
        if not isinstance(found, StoreError):
            journal.clear()  # the same data would fail the same way; behind a full disk the work is worth keeping
        raise found from error
    finally:
        if not over:  # a signal, or a bug
            _write(line, world, tell, "failed", None, f"{line.steps.now}: interrupted", line.facts())


def _in_words(error: Exception) -> RecsysError:
    """An error of a night as one of ours. That others write to the registry all the time is no second night."""
    if isinstance(error, AlreadyRunning):
        return StoreError(
            f"the models are in use: {error.what}", where=error.where, do="the next night goes on from here"
        )
    if isinstance(error, RecsysError):
        return error
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return StoreError(what, where=str(error.filename or ""), do="free space, or mend permissions")
    what = "not enough memory" if isinstance(error, MemoryError) else f"{type(error).__name__}: {error}"
    return RecsysError(what, do="use a smaller model, or a machine with more memory")


def _run(line: Line, journal: Journal, tell: Tell) -> dict[str, Any]:
    for start in range(1, MOST_STARTS + 1):
        try:
            return line.run()
        except BeginAnew as left:
            line.discard()
            kept = journal.facts
            journal.clear()
            journal.note(**kept)
            if start == MOST_STARTS:
                raise
            tell(f"{left.what}: beginning anew")
    raise AssertionError("the last start returns or raises")


def _write(
    line: Line, world: World, tell: Tell, status: str, decision: str | None, reason: str, facts: Mapping[str, Any]
) -> None:
    if line.night is None:
        return
    try:
        world.ledger.end(line.night, status, decision, reason, facts)
    except StoreError as error:
        tell(f"the ledger cannot be written: {error.what}")


def _same_people(journal: Journal, forgotten: int) -> bool:
    return not journal.done("snapshot") or journal.result("snapshot")["forgotten"] == forgotten


def _alarm(world: World, tell: Tell, dead: Holder) -> None:
    reason = f"a night was stuck and is taken for dead: {dead.words()}"
    tell(f"alarm: {reason}")
    tell(world.notify({"status": "stuck", "decision": None, "reason": reason, "verdicts": {}}))

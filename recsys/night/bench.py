"""The bench: one candidate called before the judge, with whatever else decides beside its figures."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from recsys.errors import DamagedBundle, NoModel
from recsys.gate.judge import judge
from recsys.gate.trial import Trial
from recsys.gate.verdict import Verdict, refused

if TYPE_CHECKING:
    from recsys.night.line import Line
    from recsys.night.material import Material

SAME = "It is, byte for byte, what is live: there was nothing new to learn from."
_CANNOT = "{} cannot be compared with: {}. Nothing goes live by itself without that: `recsys models promote` can."
_FLATTERED = (
    "The live version learnt from the people it is judged by, which flatters it; one made by `recsys train --publish`"
    " did not."
)


def judged(
    line: Line, version: str, champion: str | None, material: Material, level: float
) -> tuple[Verdict, str | None]:
    """The verdict on a version, and the anchor that holds from now on (see `recsys.gate.judge`)."""
    anchor = _anchor(line, champion)
    judgement = _verdict(line, version, champion, anchor, material, level)
    verdict = _held(line, _unknowing(line, champion, judgement))
    if verdict.decision == "promote" and (judgement.decision != "promote" or verdict.better_than_anchor):
        anchor = version  # a new run of "not worse" begins
    return verdict, version if champion is None and verdict.decision == "promote" else anchor


def _verdict(
    line: Line, version: str, champion: str | None, anchor: str | None, material: Material, level: float
) -> Verdict:
    if version == champion:
        return Verdict("keep", SAME, level=0.0)
    if version[-12:] in line.registry.rolled_back():
        return refused("a person rolled back from this very model")
    try:
        challenger = line.candidates.load(version)
    except DamagedBundle as error:
        return refused(f"it cannot be loaded: {error.what}")
    try:
        live = None if champion is None else line.registry.load(champion)
    except (DamagedBundle, NoModel) as error:
        return Verdict("inconclusive", _CANNOT.format(champion, error.what), level=0.0)
    beside = None if anchor is None or anchor == champion else line.registry.load(anchor)
    shares = [float(one.card.get("panel", 0.0)) for one in (live, beside) if one is not None]
    fair = material.judges(min([material.share, *shares]))
    panel = fair or material.panel
    if panel is None:
        return refused("there are too few people to keep some apart and judge by them")
    verdict = judge(
        challenger,
        live,
        Trial.of(material.learnt, panel, line.plan.seed),
        line.plan.rules,
        level=level,
        seed=line.plan.seed,
        anchor=beside,
        expected={"sha256": material.sha256, "until": material.until},
    )
    if fair is None:
        return replace(verdict, reason=f"{verdict.reason} {_FLATTERED}")
    return verdict


def _held(line: Line, verdict: Verdict) -> Verdict:
    """What a person's rollback makes of a promotion."""
    hold = line.registry.hold()
    if hold is None or verdict.decision != "promote":
        return verdict
    why = f"A person rolled back on {hold.since}: nothing goes live by itself until `recsys models resume`."
    return replace(verdict, decision="keep", reason=f"{why} On its own merits: promote. {verdict.reason}")


def _anchor(line: Line, champion: str | None) -> str | None:
    """The version from which the present run of "not worse" started. The champion itself where a person put it live,
    or what it started from may have learnt from somebody forgotten since, or cannot be loaded any more."""
    if champion is None:
        return None
    verdict = line.registry.verdict(champion) or {}
    told = verdict.get("anchor")
    if verdict.get("decision") != "promote" or not isinstance(told, str) or told in line.registry.marks():
        return champion
    try:
        line.registry.load(told)
    except (DamagedBundle, NoModel) as error:
        line.tell(f"warning: the anchor {told} cannot be loaded, so the live version is measured alone: {error.what}")
        return champion
    return told


def _unknowing(line: Line, champion: str | None, verdict: Verdict) -> Verdict:
    """Where the live version may have learnt from somebody who was forgotten, one that did not takes its place unless
    it is shown to be worse."""
    since = line.registry.marks().get(champion or "")
    if since is None or verdict.decision == "promote":
        return verdict
    why = f"The live version may have learnt from somebody who was forgotten at {since}"
    if verdict.decision == "inconclusive" and _compared(verdict, line.plan.rules.metric):
        reason = f"{why}, and this one is not shown to be worse. Otherwise: {verdict.reason}"
        return replace(verdict, decision="promote", reason=reason)
    return replace(verdict, reason=f"{verdict.reason} {why}: a person may promote this one all the same.")


def _compared(verdict: Verdict, metric: str) -> bool:
    """Was it scored beside the live one, and shown to be sane and better than popularity?"""
    states = {figure.name: figure.state for figure in verdict.figures}
    return metric in states and not any(
        state == "unclear" for name, state in states.items() if name in ("likeness", f"{metric} above popularity")
    )

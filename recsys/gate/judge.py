"""judge: a challenger and a champion before the same people, and what follows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from recsys.errors import DamagedBundle
from recsys.gate.figures import Figure, among
from recsys.gate.guards import guards
from recsys.gate.leaks import leak
from recsys.gate.measured import Measured, values_of
from recsys.gate.provenance import strange
from recsys.gate.rules import Rules
from recsys.gate.sanity import broken, sanity
from recsys.gate.stock import misshapen, stock
from recsys.gate.trial import Trial
from recsys.gate.verdict import Decision, Verdict, sentence
from recsys.gate.weighing import weigh
from recsys.serving.bundle import ModelBundle

_OPENING: Mapping[Decision, str] = {
    "promote": "Promoted",
    "keep": "The champion stays, for this one is shown to be worse than is allowed",
    "inconclusive": "The champion stays, for neither is shown to be the better choice",
    "refused": "Refused",
}
_ALONE = "There is no champion, and it is not shown to be good enough"


def judge(
    challenger: ModelBundle,
    champion: ModelBundle | None,
    trial: Trial,
    rules: Rules,
    *,
    level: float,
    seed: int = 0,
    anchor: ModelBundle | None = None,
    expected: Mapping[str, Any] | None = None,
) -> Verdict:
    """What to do with a challenger. The champion stays unless the decision is "promote".

    "refused": it did not learn from ``expected`` (`recsys.gate.provenance`), has other items (`recsys.gate.stock`), is
    not sane or does not beat popularity (`recsys.gate.sanity`), has learnt the answers (`recsys.gate.leaks`), or is
    shown to break a guard (`recsys.gate.guards`). "keep": its main metric is shown to be lower by more than the margin.
    "promote": that is ruled out, and so is a loss beyond its margin in every guard (`recsys.gate.weighing`).
    "inconclusive": all else; also where too few people decide a guard. Without a champion it is promoted if it is sane
    and shown to beat popularity.

    level: of the main test, from `recsys.gate.spending`. anchor: the version that the present chain of promotions
    began with, None where that is the champion: without it every night might lose another margin. Raises DamagedBundle
    where one of these two cannot score.
    """

    def said(
        decision: Decision, causes: Iterable[str], figures: Iterable[Figure] = (), better: bool = False
    ) -> Verdict:
        opening = _ALONE if champion is None and decision == "inconclusive" else _OPENING[decision]
        return Verdict(decision, sentence(opening, causes), tuple(figures), trial.people, level, better)

    if causes := strange(challenger.card, expected) or misshapen(challenger):
        return said("refused", causes)
    figures = stock(challenger, trial)
    if causes := among(figures, "failed"):
        return said("refused", causes, figures)
    if trial.people < 2:
        return said("inconclusive", [f"{trial.people} people have a history long enough to judge by"], figures)
    try:
        mine = Measured.of(challenger, trial, rules.metric)
        if causes := broken(mine):
            return said("refused", causes, figures)
        figures += sanity(mine, trial, rules)
    except DamagedBundle as error:
        return said("refused", [error.what])
    if causes := among(figures, "failed"):
        return said("refused", causes, figures)
    theirs = None if champion is None else Measured.of(champion, trial, rules.metric)
    figures.append(leak(mine, theirs, trial, rules))
    if theirs is not None:
        figures += guards(mine, theirs, trial, rules, seed)
    if causes := among(figures, "failed"):
        return said("refused", causes, figures)
    unclear = among(figures, "unclear")
    if theirs is None:
        if unclear:
            return said("inconclusive", unclear, figures)
        first = f"there is no champion; it is sane and beats popularity over {trial.people:,} people"
        return said("promote", [first], figures, better=True)
    origin = None if anchor is None else values_of(anchor, trial, trial.judged, rules.metric)
    weighed = weigh(mine.values[rules.metric], theirs.values[rules.metric], origin, rules, level)
    figures = [*weighed.figures, *figures]
    if weighed.decision == "keep":
        return said("keep", weighed.said, figures)
    if unclear or weighed.decision == "inconclusive":
        doubts = weighed.said if weighed.decision == "inconclusive" else ()
        return said("inconclusive", [*doubts, *unclear], figures)
    return said("promote", weighed.said, figures, weighed.better_than_anchor)

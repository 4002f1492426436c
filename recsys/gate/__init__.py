"""The gate: champion and challenger judged by the same people, from whom neither has learnt."""

from recsys.gate.figures import Figure
from recsys.gate.judge import judge
from recsys.gate.rules import Rules
from recsys.gate.spending import level_tonight
from recsys.gate.trial import Trial
from recsys.gate.verdict import Verdict, refused

__all__ = ["Figure", "Rules", "Trial", "Verdict", "judge", "level_tonight", "refused"]

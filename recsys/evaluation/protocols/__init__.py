"""The protocols, each a way to make a Split: who is trained on, who is asked, what they give and what is hidden."""

from recsys.evaluation.protocols.fixed import fixed
from recsys.evaluation.protocols.leave_last_out import leave_last_out
from recsys.evaluation.protocols.rolling import rolling
from recsys.evaluation.protocols.strong import strong
from recsys.evaluation.protocols.temporal import temporal

__all__ = ["fixed", "leave_last_out", "rolling", "strong", "temporal"]

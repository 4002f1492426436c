"""The protocols, each a way to make a Split: who is trained on, who is asked, what they give and what is hidden."""

from recsys.evaluation.protocols.fixed import fixed
from recsys.evaluation.protocols.leave_last_out import leave_last_out
from recsys.evaluation.protocols.rolling import rolling
from recsys.evaluation.protocols.strong import strong
from recsys.evaluation.protocols.temporal import temporal
from recsys.evaluation.split import Split

__all__ = ["Split", "fixed", "leave_last_out", "rolling", "strong", "temporal"]

"""Checks of an evaluation: leaks, weak yardsticks and odd data, each found or ruled out in one line."""

from recsys.evaluation.checks.check import Check, Status
from recsys.evaluation.checks.metrics import check_metrics
from recsys.evaluation.checks.pooled import check_pooled
from recsys.evaluation.checks.results import check_results
from recsys.evaluation.checks.split import check_split

__all__ = ["Check", "Status", "check_metrics", "check_pooled", "check_results", "check_split"]

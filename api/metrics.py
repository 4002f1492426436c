"""Metrics: what this server did, counted for Prometheus over all of its worker processes together.

prometheus-client keeps the counts of several processes in files of one folder, PROMETHEUS_MULTIPROC_DIR, which must be
set before this module is imported (`api.server` does); without it, the counts are those of this process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from api.observing import Seen, seen

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_REASONS = {401: "no valid key", 403: "not granted", 429: "rate limit"}
_HERE = CollectorRegistry()

_requests = Histogram(
    "recsys_request_seconds",
    "Time to make an answer, by route.",
    ["route", "method", "status"],
    registry=_HERE,
    buckets=_SECONDS,
)
_answers = Histogram(
    "recsys_answer_seconds",
    "Time to make a list of recommendations, by how it was made.",
    ["strategy", "model"],
    registry=_HERE,
    buckets=_SECONDS,
)
_fold_ins = Histogram(
    "recsys_fold_in_seconds",
    "Time to score one history with a model, waiting for others included.",
    registry=_HERE,
    buckets=_SECONDS,
)
_cache = Counter("recsys_answer_cache", "Answers looked up in memory.", ["result"], registry=_HERE)
_events = Counter("recsys_feedback_events", "Events that came, and those that were new.", ["outcome"], registry=_HERE)
_refused = Counter("recsys_refused_requests", "Requests refused at the door.", ["reason"], registry=_HERE)


def requested(found: Seen) -> None:
    """Count a request: a listener for `api.observing.observe`."""
    _request(found.route, found.method, found.status // 100).observe(found.seconds)
    if found.status in _REASONS:
        _refused.labels(_REASONS[found.status]).inc()


def answered(model: str, strategy: str, cached: bool | None = None) -> None:
    """Count a list of recommendations of the current request. cached: found in memory or not, None: not looked for."""
    found = seen()
    found.strategy = strategy
    _answer(strategy, model).observe(time.perf_counter() - found.started)
    if cached is not None:
        _looked_up(cached).inc()


def folded_in(seconds: float) -> None:
    """Count the scoring of one history."""
    _fold_ins.observe(seconds)


def fed(received: int, added: int) -> None:
    """Count the events of one POST."""
    _events.labels("received").inc(received)
    _events.labels("added").inc(added)


def exposition(models: Mapping[str, Mapping[str, Any]], database_up: bool) -> bytes:
    """Everything in Prometheus' text format. models: name -> version, age_seconds, as `LiveModels.health` says."""
    registry = CollectorRegistry()
    registry.register(_Now(models, database_up))
    shared = os.environ.get(FOLDER)
    if shared is None:
        return generate_latest(_HERE) + generate_latest(registry)
    MultiProcessCollector(registry, shared)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _Now:
    """What holds at this moment, as seen by the worker that is asked: gauges that no dead worker can leave behind."""

    def __init__(self, models: Mapping[str, Mapping[str, Any]], database_up: bool) -> None:
        self._models = models
        self._database_up = database_up

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("recsys_database_up", "1 while the database answers.", value=float(self._database_up))
        info = GaugeMetricFamily("recsys_model_info", "The live version of a model.", labels=["model", "version"])
        age = GaugeMetricFamily("recsys_model_age_seconds", "Since the live version was made.", labels=["model"])
        for name, facts in self._models.items():
            info.add_metric([name, facts["version"]], 1.0)
            age.add_metric([name], facts["age_seconds"])
        yield from (info, age)


# Looking up a labelled child takes as long as counting with it.


@cache
def _request(route: str, method: str, status_class: int) -> Histogram:
    return _requests.labels(route, method, f"{status_class}xx")


@cache
def _answer(strategy: str, model: str) -> Histogram:
    return _answers.labels(strategy, model)


@cache
def _looked_up(found: bool) -> Counter:
    return _cache.labels("hit" if found else "miss")

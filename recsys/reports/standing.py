"""What a report's page says first: the metric that decides, the model the others are held against, by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.evaluation.metrics import METRICS

SURE = 0.05  # a difference counts as one from this adjusted p down
_SIGNS = {"higher": 1, "lower": -1, None: 0}
# What is better, for the metrics of which one can say so; of novelty one cannot: what nobody takes is the most novel.
_BEST = {name: _SIGNS[known.better] for name, known in METRICS.items() if name != "novelty"}
_PLAIN = {  # what a number says to somebody who never met the metric; {k}: the length of the list
    "ndcg": "1: the hidden items stand at the top of every list of {k}; 0: none is in it",
    "recall": "share of a user's hidden items among the first {k}",
    "recall_capped": "1: as many of the first {k} are hidden items as can be; 0: none is",
    "precision": "share of the first {k} that are hidden items",
    "hit_rate": "share of users with a hidden item among the first {k}",
}
_BEYOND = frozenset(name for name, known in METRICS.items() if known.kind != "hits")


def kind(metric: str) -> str:
    """ndcg of ndcg@100."""
    return metric.split("@")[0]


def plainly(metric: str) -> str:
    """What its values say, in a few words; "" where there are none for it."""
    return _PLAIN.get(kind(metric), "").format(k=metric.partition("@")[2])


def metrics_of(report: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """(metrics of finding what was hidden, the deciding one first; metrics of the lists beyond that)."""
    every = list(dict.fromkeys(name for model in report["models"].values() for name in model["metrics"]))
    main = deciding(report)
    found = [name for name in every if kind(name) not in _BEYOND]
    return sorted(found, key=lambda name: name != main), [name for name in every if kind(name) in _BEYOND]


def deciding(report: Mapping[str, Any]) -> str:
    """The verdict's metric; else the last that every report of old compared by."""
    named = (report.get("verdict") or {}).get("metric")
    every = [name for model in report["models"].values() for name in model["metrics"]]
    return str(named) if named in every else every[-1]


def leader(report: Mapping[str, Any]) -> str:
    """The verdict's winner; where it names none, the model with the best mean of the deciding metric."""
    named = (report.get("verdict") or {}).get("winner")
    if named is not None and named in report["models"]:
        return str(named)
    main = deciding(report)
    means = {
        name: model["metrics"][main]["mean"] for name, model in report["models"].items() if main in model["metrics"]
    }
    return max(means, key=lambda name: means[name])


def against(comparisons: Sequence[Mapping[str, Any]], model: str, metric: str) -> list[dict[str, Any]]:
    """Every comparison with this model turned round to `other minus model`, the closest first."""
    turned = []
    for one in comparisons:
        if one["metric"] != metric or model not in (one["a"], one["b"]):
            continue
        if one["b"] == model:
            turned.append({**one, "model": one["a"]})
        else:
            low, high = -one["high"], -one["low"]
            turned.append({**one, "model": one["b"], "difference": -one["difference"], "low": low, "high": high})
    return sorted(turned, key=lambda one: -one["difference"])


def popularity_of(models: Mapping[str, Any]) -> str | None:
    """The model that recommends what most people took, by its name."""
    return next((name for name in models if name.split(":")[0] == "popularity"), None)


def cells(report: Mapping[str, Any], metric: str) -> dict[str, dict[str, Any]]:
    """A table's column: model -> {mean, low, high, best, close, below}.

    best: of all; close: not told apart from the best by an adjusted p under SURE; below: less than popularity has.
    """
    models = {name: model["metrics"][metric] for name, model in report["models"].items() if metric in model["metrics"]}
    sign = _BEST.get(kind(metric), 0)
    best = max(models, key=lambda name: sign * models[name]["mean"]) if sign and len(models) > 1 else None
    compared = {one["model"]: one for one in against(report["comparisons"], best, metric)} if best else {}
    popular = popularity_of(models)
    floor = models[popular]["mean"] if popular and kind(metric) not in _BEYOND else None
    return {
        name: {
            **value,
            "best": name == best,
            "close": name in compared and (compared[name].get("p_adjusted") or 0.0) >= SURE,
            "below": floor is not None and name != popular and value["mean"] < floor,
        }
        for name, value in models.items()
    }

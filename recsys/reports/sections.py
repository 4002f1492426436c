"""The sections of a report's page, in their order: what each template is given, or None where there is nothing."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from recsys.reports.plots import cohort, curve, popularity
from recsys.reports.plots.bottlenecks import bottlenecks
from recsys.reports.plots.cost import memory, times
from recsys.reports.plots.coverage import coverage
from recsys.reports.plots.cutoffs import cutoffs
from recsys.reports.plots.differences import differences
from recsys.reports.plots.loss import loss
from recsys.reports.plots.roster import Mark, roster
from recsys.reports.plots.rounds import rounds
from recsys.reports.plots.space import space
from recsys.reports.standing import against, deciding, kind, leader, metrics_of

Given = dict[str, Any]
_COLUMNS = 7  # metrics with their intervals that a page of 1400 pixels has room for


@dataclass(frozen=True)
class View:
    """What every section is made from. main: the deciding metric; first: the model the others are held against."""

    report: Mapping[str, Any]
    marks: Mapping[str, Mark]
    main: str
    first: str

    @property
    def models(self) -> Mapping[str, Any]:
        return self.report["models"]


def view(report: Mapping[str, Any]) -> View:
    return View(report, roster(report["models"]), deciding(report), leader(report))


def _models(seen: View) -> Given:
    found, beyond = metrics_of(seen.report)
    parts = -(-len(found) // _COLUMNS) or 1
    wide = -(-len(found) // parts)
    tables = [("Finding what was hidden", found[at : at + wide]) for at in range(0, len(found), wide or 1)]
    return {"tables": [*tables, ("Beyond that: the lists", beyond)] if beyond else tables}


def _comparisons(seen: View) -> Given | None:
    every = seen.report.get("comparisons") or []
    if not every:
        return None
    rows = against(every, seen.first, seen.main)
    plot = differences(rows, seen.marks, seen.main, seen.first) if rows else None
    return {"rows": rows, "plot": plot, "all": every}


def _cutoffs(seen: View) -> Given | None:
    kinds = list(dict.fromkeys(name for model in seen.models.values() for name in model.get("cutoffs") or {}))
    return {"plots": [(one, cutoffs(seen.models, seen.marks, one)) for one in kinds]} if kinds else None


def _cohorts(seen: View) -> Given | None:
    shown = []
    for number, (name, found) in enumerate((seen.report.get("cohorts") or {}).items()):
        groups = [group for group in found["groups"] if group["models"]]
        metrics = list(
            dict.fromkeys(metric for group in groups for values in group["models"].values() for metric in values)
        )
        if not metrics:
            continue
        metric = seen.main if seen.main in metrics else metrics[-1]
        drawn = cohort.drawn(groups)
        plot = cohort.cohort(drawn, seen.marks, metric, name, number)
        shown.append({"name": name, "found": found, "groups": groups, "metrics": metrics, "plot": plot, "drawn": drawn})
    return {"cohorts": shown} if shown else None


def _rounds(seen: View) -> Given | None:
    found = seen.report.get("rounds") or []
    if len(found) < 2 or not any(seen.main in values for one in found for values in one["models"].values()):
        return None
    return {"rounds": found, "plot": rounds(found, seen.marks, seen.main)}


def _curve(seen: View) -> Given | None:
    told = {name: model["curve"] for name, model in seen.models.items() if model.get("curve")}
    metrics = list(dict.fromkeys(one["metric"] for one in told.values() if one["metric"] and curve.values(one)))
    lost = [name for name, one in told.items() if sum(step.get("loss") is not None for step in one["steps"]) > 1]
    if not metrics and not lost:
        return None
    metric = seen.main if seen.main in metrics else (metrics[0] if metrics else None)
    return {
        "plot": curve.curve(seen.models, seen.marks, metric) if metric else None,
        "losses": [(name, loss(told[name], seen.marks[name])) for name in lost],
        "without": [name for name in seen.models if name not in told],
        "curves": told,
    }


def _popularity(seen: View) -> Given | None:
    x = popularity.axis({name: None for model in seen.models.values() for name in model["metrics"]})
    if x is None:
        return None
    names = [name for name in metrics_of(seen.report)[1] if kind(name) in ("popularity_lift", "novelty")]
    return {"plot": popularity.popularity(seen.models, seen.marks, x, seen.main), "names": [seen.main, *names]}


def _coverage(seen: View) -> Given | None:
    names = [name for name in metrics_of(seen.report)[1] if kind(name) in ("coverage", "gini")]
    return {"plot": coverage(seen.models, seen.marks, names), "names": names} if names else None


def _cost(seen: View) -> Given:
    told = any(model.get(key) for model in seen.models.values() for key in ("bytes", "peak_memory"))
    return {"times": times(seen.models, seen.marks), "memory": memory(seen.models, seen.marks) if told else None}


def _examples(seen: View) -> Given | None:
    found = seen.report.get("examples") or []
    return {"examples": found} if found else None


def _maps(seen: View) -> Given | None:
    found = seen.report.get("maps")
    if not found:
        return None
    of = [item["category"] for item in found["items"]]
    plots = []
    for method, words in (("pca", "PCA"), ("tsne", "t-SNE")):
        for number, (name, one) in enumerate(found["spaces"].items()):
            if one.get(method):
                part = (
                    [f" ({100 * share:.0f}% of variance)" for share in one["explained"]]
                    if method == "pca"
                    else ["", ""]
                )
                titles = (f"{words} 1{part[0]}", f"{words} 2{part[1]}")
                title = f"The items of {name} on a plane by {words}, coloured by category"
                svg = space(one[method], of, found["categories"], titles, f"plot-map-{method}-{number}", title)
                plots.append((name, words, svg))
    return {"maps": found, "plots": plots}


def _bottlenecks(seen: View) -> Given | None:
    found = seen.report.get("bottlenecks")
    if not found or not any(found["models"].values()):
        return None
    marks = roster([*seen.marks, *(name for name in found["models"] if name not in seen.marks)])
    widths = sorted({one["width"] for some in found["models"].values() for one in some})
    by_width = {name: {one["width"]: one for one in some} for name, some in found["models"].items()}
    hidden = any(one.get("hidden_error") is not None for some in found["models"].values() for one in some)
    plots = [bottlenecks(found["models"], marks, "error in what was shown" if hidden else "error")]
    if hidden:
        plots.append(bottlenecks(found["models"], marks, "error in what was hidden", "hidden_"))
    return {"found": found, "plots": plots, "marks": marks, "by_width": by_width, "widths": widths, "hidden": hidden}


def _groups(seen: View) -> Given | None:
    found = seen.report.get("groups")
    return {"found": found} if found and found["groups"] else None


def _recipe(seen: View) -> Given:
    return {"recipe": seen.report.get("recipe") or {}, "command": shlex.join(map(str, seen.report["command"]))}


SECTIONS: Mapping[str, tuple[str, Callable[[View], Given | None]]] = {
    "models": ("Models", _models),
    "comparisons": ("Differences", _comparisons),
    "cutoffs": ("List length", _cutoffs),
    "cohorts": ("Cohorts", _cohorts),
    "rounds": ("Repeated rounds", _rounds),
    "curve": ("Learning", _curve),
    "popularity": ("Popularity", _popularity),
    "coverage": ("Coverage", _coverage),
    "cost": ("Time and memory", _cost),
    "examples": ("Example users", _examples),
    "maps": ("Map of items", _maps),
    "bottlenecks": ("Bottleneck", _bottlenecks),
    "groups": ("Similar people", _groups),
    "recipe": ("Recipe", _recipe),
}

"""The attack drill: profiles injected, models fitted with them, hit rates of the targets, and what the detector finds.

    recsys bench attacks --interactions ml-1m/ratings.csv --min-value 4 [--out attacks.svg]

Every attack is a campaign: all its profiles hold all targets and filler of their own, as many items as a genuine person
has in the median. The model under attack and the detector's are fitted with the profiles among the people, as they
would be. A target's hit rate is the share of genuine people without it who are offered it among the first 20; its place
is where it stands in the list of the median of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, vstack
from scipy.stats import norm, rankdata

from benchmarks.attacks.profiles import KINDS, profiles, unpopular
from recsys.anomalies import Anomalies, find_anomalies
from recsys.evaluation.catalogue import Catalogue
from recsys.evaluation.statistics import intervals
from recsys.matrix import InteractionMatrix
from recsys.models import create
from recsys.recommender import FitOptions, Recommender, top_n

SIZES = (0.005, 0.01, 0.03)
CUTOFF = 20
# Both paths of the autoencoder as the default fit on MovieLens 1M has them, less the choice between settings and with a
# fifth of the epochs: a sixth of the time.
QUICK: Mapping[str, Any] = {
    "linear": [{"kind": "closed-form", "weight": 1.0, "user_exponent": 0.25, "l2": 300.0, "dropout": 0.5}],
    "blend": {"share": 0.5, "temperature": 4.0},
    "weight_decay": 2.0,
    "recency": 0.0,
    "epochs": 10,
}
_BATCH = 500
_CURVE = np.concatenate([[0.0], np.logspace(-3.5, 0, 71)])  # false-alarm rates at which the curve is kept


def main(
    data: InteractionMatrix,
    *,
    seed: int = 0,
    device: str = "auto",
    kinds: Sequence[str] = tuple(KINDS),
    sizes: Sequence[float] = SIZES,
    targets: int = 5,
    people: int = 1000,
    false_alarms: float = 0.01,
    autoencoder: Mapping[str, Any] = QUICK,
    als: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    out: Path | None = None,
) -> dict[str, Any]:
    """ "before": hit rates and false alarms without an attack; "attacks": one entry a kind and size.

    sizes: profiles as a share of the genuine people. people: how many of these, at random, the hit rates are of.
    out: a file for the plot (.svg or .png). Strengths are taken as 1.
    """
    rows = csr_matrix(data.matrix, copy=True)
    rows.data[:] = 1
    rng = np.random.default_rng(seed)
    pushed = unpopular(rows, targets, rng)
    asked = np.sort(rng.choice(rows.shape[0], min(people, rows.shape[0]), replace=False))
    size = int(np.median(np.diff(rows.indptr)))
    models = {"autoencoder": autoencoder, "als": als or {}}
    drill = _Drill(data, rows, pushed, asked, models, seed, device, false_alarms)
    started = time.perf_counter()
    tell(f"{rows.shape[0]:,} people, {rows.shape[1]:,} items; profiles of {size} items push {targets}")
    before = drill.measure(rows[:0])
    attacks = []
    for kind in kinds:
        for share in sizes:
            count = max(2, round(share * rows.shape[0]))
            made = profiles(kind, rows, count, size, pushed, rng)
            attacks.append({"kind": kind, "share": share, "profiles": count, **drill.measure(made)})
            tell(f"{kind}, {share:.1%}: {time.perf_counter() - started:.0f} s so far")
    result = {
        "data": {"users": rows.shape[0], "items": rows.shape[1], "interactions": rows.nnz},
        "size": size,
        "targets": [{"item": str(data.items.ids[t]), "users": int((rows.indices == t).sum())} for t in pushed],
        "people": len(asked),
        "false_alarms": false_alarms,
        "models": {name: dict(settings) for name, settings in models.items()},
        "seed": seed,
        "before": before,
        "attacks": attacks,
        "seconds": time.perf_counter() - started,
    }
    if out is not None:
        from benchmarks.attacks.plot import draw

        draw(result, out)
    return result


class _Drill:
    """What stays the same from attack to attack."""

    def __init__(
        self,
        data: InteractionMatrix,
        rows: csr_matrix,
        targets: np.ndarray,
        asked: np.ndarray,
        models: Mapping[str, Mapping[str, Any]],
        seed: int,
        device: str,
        false_alarms: float,
    ) -> None:
        self.data, self.rows, self.targets, self.asked, self.models = data, rows, targets, asked, models
        self.seed, self.device, self.false_alarms = seed, device, false_alarms

    def measure(self, made: csr_matrix) -> dict[str, Any]:
        """Everything fitted with these profiles among the people: "hits" by model, "detectors" by way of judging."""
        together = csr_matrix(vstack([self.rows, made]))
        fitted = {name: self._fit(name, together) for name in self.models}
        hits = {name: self._hits(model) for name, model in fitted.items()}
        users = [*self.data.users.ids.tolist(), *(f"made up {number}" for number in range(made.shape[0]))]
        detectors = {}
        for name, refit in (("crossed", lambda half: self._fit("autoencoder", half)), ("as trained", None)):
            found = find_anomalies(
                fitted["autoencoder"],
                together,
                users,
                self.data.items,
                Catalogue(),
                false_alarms=self.false_alarms,
                seed=self.seed,
                refit=refit,
            )
            detectors[name] = self._detected(found, np.arange(len(users)) >= self.rows.shape[0])
        return {"hits": hits, "detectors": detectors}

    def _fit(self, name: str, rows: csr_matrix) -> Recommender:
        return create(name, **self.models[name]).fit(rows, FitOptions(device=self.device, seed=self.seed))

    def _hits(self, model: Recommender) -> dict[str, float]:
        """Mean over people of the share of targets, of those they lack, that are in their list, with its interval; and
        "place", the median over people and targets, from 1."""
        lacking = self.rows[self.asked][:, self.targets].toarray() == 0
        shown, places = [], []
        for start in range(0, len(self.asked), _BATCH):
            rows = self.rows[self.asked[start : start + _BATCH]]
            scores = model.score(rows)
            lists, _ = top_n(scores, rows, CUTOFF)
            shown.append((lists[:, :, None] == self.targets).any(axis=1))
            scores[np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.indices] = -np.inf
            places.append(np.column_stack([1 + (scores > scores[:, [t]]).sum(axis=1) for t in self.targets]))
        number = lacking.sum(axis=1)
        share = (np.concatenate(shown) & lacking).sum(axis=1) / np.maximum(number, 1)
        interval = intervals(np.where(number > 0, share, np.nan)[:, None], self.seed)[0]
        place = float(np.median(np.concatenate(places)[lacking]))
        return {"mean": interval.mean, "low": interval.low, "high": interval.high, "place": place}

    def _detected(self, found: Anomalies, made: np.ndarray) -> dict[str, Any]:
        """recall: of the made-up profiles, how many are flagged; alarms: of the genuine people; copies: made-up ones
        flagged as twins; copied: genuine ones.

        A genuine person whose history was copied is no less a twin than the copy."""
        named = [one.item for one in found.shared]
        result: dict[str, Any] = {
            "copied": int(found.twin[~made].sum()),
            "alarms": rate(int(found.flagged[~made].sum()), int((~made).sum())),
            "targets_named": len(set(named[: len(self.targets)]) & set(self.data.items.ids[self.targets].tolist())),
        }
        if made.any():
            result["recall"] = rate(int(found.flagged[made].sum()), int(made.sum()))
            result["copies"] = int(found.twin[made].sum())
            result["auc"] = auc(found.score, made)
            limits = np.quantile(found.score[~made], 1 - _CURVE)
            caught = (found.score[made][:, None] > limits).mean(axis=0)
            result["curve"] = {"false_alarms": _CURVE.tolist(), "recall": caught.tolist()}
        return result


def rate(count: int, of: int) -> dict[str, float]:
    """A share with its 95% interval (Wilson 1927)."""
    z = float(norm.isf(0.025))
    p = count / of
    centre, half = p + z * z / (2 * of), z * float(np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)))
    return {
        "mean": p,
        "low": max(0.0, (centre - half) / (1 + z * z / of)),
        "high": min(1.0, (centre + half) / (1 + z * z / of)),
    }


def auc(score: np.ndarray, positive: np.ndarray) -> dict[str, float]:
    """How often a positive scores above another, ties half, with its 95% interval (Hanley and McNeil 1982)."""
    n, m = int(positive.sum()), int((~positive).sum())
    a = (float(rankdata(score)[positive].sum()) - n * (n + 1) / 2) / (n * m)
    two, three = a / (2 - a), 2 * a * a / (1 + a)
    variance = (a * (1 - a) + (n - 1) * (two - a * a) + (m - 1) * (three - a * a)) / (n * m)
    half = float(norm.isf(0.025)) * float(np.sqrt(max(variance, 0.0)))
    return {"mean": a, "low": max(0.0, a - half), "high": min(1.0, a + half)}


def tables(result: Mapping[str, Any]) -> list[tuple[str, Sequence[str], Sequence[Sequence[str]]]]:
    """What a person reads: (title, header, rows) a table."""
    before, data = result["before"], result["data"]
    quiet = ["no attack", "", ""]
    hits = [[*quiet, *(cell for name in result["models"] for cell in _hit(before["hits"][name]))]]
    found = [[*quiet, "", "", _share(before["detectors"]["crossed"]["alarms"]), "", "", "", ""]]
    for one in result["attacks"]:
        named = [one["kind"], f"{one['share']:.1%}", str(one["profiles"])]
        hits.append([*named, *(cell for name in result["models"] for cell in _hit(one["hits"][name]))])
        crossed, trained = one["detectors"]["crossed"], one["detectors"]["as trained"]
        found.append(
            [
                *named,
                f"{crossed['auc']['mean']:.3f} [{crossed['auc']['low']:.3f}, {crossed['auc']['high']:.3f}]",
                _share(crossed["recall"]),
                _share(crossed["alarms"]),
                str(crossed["copies"]),
                f"{crossed['targets_named']} of {len(result['targets'])}",
                f"{trained['auc']['mean']:.3f}",
                f"{trained['recall']['mean']:.1%}",
            ]
        )
    title = (
        f"{data['users']:,} people x {data['items']:,} items; profiles of {result['size']} items push "
        f"{len(result['targets'])} items that {', '.join(str(t['users']) for t in result['targets'])} people have; "
        f"{result['seconds']:.0f} s\nhit rate@{CUTOFF} of the targets among {result['people']:,} genuine people, 95%"
    )
    said = f"detector, told to flag {result['false_alarms']:.1%} of genuine people; judged by a model of the other half"
    columns = ("AUC", "found", "false alarms", "as copies", "targets named", "AUC as trained", "found as trained")
    return [
        (title, ("attack", "share", "profiles", *(c for name in result["models"] for c in (name, "place"))), hits),
        (said, ("attack", "share", "profiles", *columns), found),
        *((f"{kind}: {what}", (), ()) for kind, what in KINDS.items()),
    ]


def _share(one: Mapping[str, float]) -> str:
    return f"{one['mean']:.1%} [{one['low']:.1%}, {one['high']:.1%}]"


def _hit(one: Mapping[str, float]) -> tuple[str, str]:
    return f"{one['mean']:.4f} [{one['low']:.4f}, {one['high']:.4f}]", f"{one['place']:,.0f}"

"""Benchmark: is our ruler the field's ruler? Published models at their papers' settings, on the split they had.

    recsys bench ruler --train gowalla/train.txt --test gowalla/test.txt

Everything is trained on the whole training file, as the papers did; nothing is chosen. What has to come out at the
published figures is the split, the ranking and the metrics. Sources: GF-CF, Shen et al., "How Powerful is Graph
Convolution for Recommendation?", CIKM 2021 (256 directions, their weight .3); EASE, Steck 2019, at the l2 of the open
benchmark that published it on this split (80).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

from recsys.evaluation.evaluate import evaluate
from recsys.evaluation.protocols import fixed
from recsys.interactions import Interactions
from recsys.linear.filters import LowPass, degrees, normalised
from recsys.models import create
from recsys.recommender import FitOptions, State

METRICS = ("recall@20", "ndcg@20")
PUBLISHED = {"gf-cf": (0.1849, 0.1518), "ease": (0.1765, 0.1467)}
TOLERANCE = 0.001


@dataclass(frozen=True)
class GFCFConfig:
    """rank: directions of the low-pass filter; weight: how much it counts."""

    rank: int = 256
    weight: float = 0.3


class GFCF:
    """score = x R'R + w x D^-1/2 V V' D^1/2, R = D_u^-1/2 X D_i^-1/2, V its leading right singular vectors."""

    def __init__(self, config: GFCFConfig | None = None) -> None:
        self.config = config or GFCFConfig()

    def fit(self, matrix: csr_matrix, options: FitOptions) -> Self:
        self._rows = normalised(matrix, 0.5, 0.5)
        self._columns = csr_matrix(self._rows.T)
        # To the last digit, as the authors have them: `LowPass.fit` stops earlier, which scores a little higher here.
        _, _, vectors = svds(self._rows.astype(np.float64), k=self.config.rank, random_state=options.seed)
        scale = degrees(matrix)[1] ** np.float32(0.5)
        self._low = LowPass(np.ascontiguousarray(vectors.T, dtype=np.float32), scale)
        return self

    def score(self, rows: csr_matrix) -> np.ndarray:
        near = np.asarray((rows.astype(np.float32) @ self._columns @ self._rows).toarray())
        return near + np.float32(self.config.weight) * self._low.score(rows)

    def item_vectors(self) -> np.ndarray | None:
        return None

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> Self:
        raise NotImplementedError("a benchmark keeps no models")


def main(train: Path, test: Path, models: Sequence[str] = tuple(PUBLISHED)) -> dict[str, Any]:
    """model -> {"recall@20", "ndcg@20", "published", "off" (the larger distance), "seconds"}."""
    from data import readers

    learnt, asked = (_read(readers, path) for path in (train, test))
    split = fixed(learnt, asked, seed=0, validation=0.0)
    found: dict[str, Any] = {"users": len(split.users), "items": len(split.items), "models": {}}
    for name in models:
        started = time.perf_counter()
        model = GFCF() if name == "gf-cf" else create("ease", l2=80.0, dropout=0.0, user_exponent=0.0)
        model.fit(split.train, FitOptions(device="cpu"))
        values = evaluate(model, split, METRICS).values
        means = [float(values[one].mean()) for one in METRICS]
        off = max(abs(mean - published) for mean, published in zip(means, PUBLISHED[name], strict=True))
        found["models"][name] = {
            **dict(zip(METRICS, means, strict=True)),
            "published": list(PUBLISHED[name]),
            "off": off,
            "seconds": time.perf_counter() - started,
        }
        del model
    return found


def tables(result: dict[str, Any]) -> list[tuple[str, list[str], list[list[str]]]]:
    rows = []
    for name, one in result["models"].items():
        cells = [
            f"{one[metric]:.4f} ({published:.4f})" for metric, published in zip(METRICS, one["published"], strict=True)
        ]
        verdict = "agrees" if one["off"] <= TOLERANCE else "DISAGREES"
        rows.append([name, *cells, f"{one['off']:.4f}", verdict, f"{one['seconds']:.0f}"])
    title = f"{result['users']:,} users, {result['items']:,} items; ours (published), allowed {TOLERANCE}"
    return [(title, ["model", *METRICS, "off by", "", "s"], rows)]


def _read(readers: Any, path: Path) -> Interactions:
    interactions, _ = readers.read_all(path)
    return interactions

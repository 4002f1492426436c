"""Time to quality of one of our models: the whole fit on the clock, its own validation between epochs included."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from typing import Any

from api.cli.output import FitProgress
from benchmarks.train.split import METRIC, Parts, judged
from recsys.models import create
from recsys.recommender import FitOptions, Progress

# What a model's fit imports when first called: not counted, as the peers' imports are not.
_IMPORTS = {"autoencoder": "recsys.training.loop", "als": "implicit.cpu.als"}


def measure(folder: str, label: str, name: str, settings: Mapping[str, Any], device: str, seed: int) -> dict[str, Any]:
    """Curve of (seconds since the fit began, ndcg@100 on the validation users), and the finished model's quality.

    The curve is of the best that the fit has in hand, of the autoencoder at first its linear path alone.
    """
    parts = Parts.load(folder)
    importlib.import_module(_IMPORTS[name])
    bar, curve = FitProgress(label), list[tuple[float, float]]()
    model = create(name, **settings)
    started, busy = time.perf_counter(), time.process_time()

    def watch(progress: Progress) -> None:
        if progress.best is not None and progress.metric == METRIC:
            curve.append((time.perf_counter() - started, progress.best))
        bar(progress)

    model.fit(parts.train, FitOptions(device=device, seed=seed, validation=parts.validation, on_progress=watch))
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    bar.close()
    return {
        "curve": curve,
        "seconds": seconds,
        "cpu_seconds": busy,
        "validation": judged(model, parts.validation),
        "test": judged(model, parts.test),
    }

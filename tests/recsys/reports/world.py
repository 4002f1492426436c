"""A full report dictionary without an evaluation: five models, every section."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.recsys.reports.shown import HOSTILE, MODELS, examples, groups, interval, maps

CUTS = (1, 5, 10, 20, 50, 100)
SHARES = {
    "recall@20": 0.87,
    "recall_capped@20": 0.95,
    "ndcg@20": 0.9,
    "ndcg@100": 1.0,
    "precision@20": 0.6,
    "map@20": 0.4,
}


def world(items: int = 600) -> dict[str, Any]:
    """items: how many are on the map."""
    rng = np.random.default_rng(0)
    return {
        "schema": 1,
        "created": "2026-02-03T04:05:06+00:00",
        "command": [
            "recsys",
            "evaluate",
            "--input",
            "ratings.csv",
            "--protocol",
            "strong",
            "--models",
            ",".join(MODELS),
        ],
        "versions": {"python": "3.11.9", "recsys": "0.1.0", "numpy": "2.4.0", "torch": "2.9.1"},
        "device": "cpu",
        "seed": 0,
        "machine": {"system": "Linux", "processor": "x86_64", "cpus": 2, "threads": 2},
        "verdict": {
            "status": "warn",
            "text": "autoencoder is the best of five in ndcg@100 (0.412), but not provably better than ease: their "
            "difference of 0.003 is within what chance gives. One check warns.",
            "metric": "ndcg@100",
            "winner": "autoencoder",
            "valid": True,
        },
        "data": {
            "sha256": "9f2c" * 16,
            "users": 6040,
            "items": 3706,
            "interactions": 1000209,
            "span": ["2000-04-25T23:05:32Z", "2003-02-28T17:49:50Z"],
            "source": "ratings.csv",
        },
        "protocol": {
            "name": "strong",
            "users": 600,
            "description": "Test users are held out whole; 80% of each history is given, the rest is to be found.",
            "hidden": 18204,
            "validation_users": 600,
            "left_out": [
                {"count": 12, "what": "users", "why": "fewer than 5 interactions"},
                {"count": 31, "what": "items", "why": "nobody in the training part took them"},
            ],
        },
        "checks": [
            {
                "name": "users apart",
                "status": "ok",
                "detail": "0 of 600 test users have a history in the training part",
            },
            {"name": "hidden stays hidden", "status": "ok", "detail": "0 of 18,204 hidden interactions are also given"},
            {"name": "beats popularity", "status": "ok", "detail": "every model beats popularity in ndcg@100"},
            {"name": "ties", "status": "ok", "detail": "0.00% of the listed items tie with the first left out"},
            {
                "name": "yardstick",
                "status": "warn",
                "detail": "als runs with default settings while autoencoder was tuned: tune both with the same budget",
            },
            {"name": "duplicates", "status": "ok", "detail": "no interaction stands in two parts"},
        ],
        "models": {name: _model(number, name, level, rng) for number, (name, level) in enumerate(MODELS.items())},
        "comparisons": _comparisons(),
        "rounds": [
            {
                "label": f"seed {seed}",
                "users": 600,
                "models": {
                    name: {"ndcg@100": level + rng.normal(0, 0.004), "recall@20": level * 0.87 + rng.normal(0, 0.004)}
                    for name, level in MODELS.items()
                },
            }
            for seed in range(1, 5)
        ],
        "cohorts": _cohorts(rng),
        "examples": examples(rng),
        "maps": maps(items, rng),
        "bottlenecks": {
            "about": "Histories of the test users through the bottleneck and back, against the same histories.",
            "measure": "share of a history missed among as many best items",
            "models": {
                name: [{"width": width, **_error(base / width**0.25, 0.01)} for width in (8, 16, 32, 64, 128, 256)]
                for name, base in (("autoencoder", 1.0), ("svd", 1.25))
            },
        },
        "groups": groups(),
        "recipe": {
            "command": ["recsys", "evaluate", "--input", "ratings.csv"],
            "sha256": "9f2c" * 16,
            "protocol": {"name": "strong", "seed": 0, "share": 0.2},
            "metrics": ["recall@20", "ndcg@100"],
            "models": {name: {"seed": 0, "factors": 64} for name in MODELS},
        },
    }


def _model(number: int, name: str, level: float, rng: np.random.Generator) -> dict[str, Any]:
    metrics = {one: interval(level * share, 0.011, 600) for one, share in SHARES.items()}
    metrics |= {
        "coverage@20": interval(0.62 - 0.14 * number, 0.0, 600),
        "gini@20": interval(0.7 + 0.07 * number, 0.01, 600),
        "novelty@20": interval(10.4 - 0.5 * number, 0.08, 600),
        "diversity@20": interval(0.61 - 0.02 * number, 0.005, 600),
        "popularity_lift@20": interval(0.15 + 0.3 * number, 0.03, 600),
        "calibration@20": interval(0.21 + 0.05 * number, 0.01, 600),
    }
    steps = [
        {
            "step": step,
            "seconds": 2.0 * (number + 0.2) * step,
            "loss": 4.0 / step + 1.0,
            "value": level * (1 - 0.8 / step),
            "best": level * (1 - 0.8 / step),
        }
        for step in range(1, 26)
    ]
    return {
        "config": {"layers": [600, 200, 600], "lr": 0.001, "dropout": 0.5, "likelihood": "multinomial", "seed": None},
        "seconds": {"fit": [182.4, 240.1, 3.92, 12.1, 0.012][number], "score": [0.9, 0.84, 0.31, 0.42, 0.05][number]},
        "parameters": [4451200, 4451200, 13734436, 623744, 3706][number],
        "bytes": [17804800, 17804800, 54937744, 2494976, 14824][number],
        "peak_memory": [912_000_000, 930_000_000, 410_000_000, 350_000_000, None][number],
        "metrics": metrics,
        "curve": {"metric": "ndcg@100", "steps": steps} if name.startswith(("auto", "als")) else None,
        "cutoffs": {
            kind: {str(k): interval(level * (k / 100) ** power * scale, 0.01) for k in CUTS}
            for kind, power, scale in (("recall", 0.45, 1.6), ("ndcg", 0.08, 1.0))
        },
    }


def _comparisons() -> list[dict[str, Any]]:
    names = list(MODELS)
    return [
        {
            "a": a,
            "b": b,
            "metric": metric,
            "difference": (MODELS[a] - MODELS[b]) * share,
            "low": (MODELS[a] - MODELS[b]) * share - 0.0061,
            "high": (MODELS[a] - MODELS[b]) * share + 0.006,
            "p": 0.0001 if abs(MODELS[a] - MODELS[b]) > 0.01 else 0.31,
            "p_adjusted": 0.0024 if abs(MODELS[a] - MODELS[b]) > 0.01 else 0.93,
            "detectable": 0.0087,
            "users": 600,
        }
        for i, a in enumerate(names)
        for b in names[i + 1 :]
        for metric, share in SHARES.items()
    ]


def _cohorts(rng: np.random.Generator) -> dict[str, Any]:
    def groups(*named: tuple[str, str, int], slope: float) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "label": label,
                "users": users,
                "models": {
                    model: {
                        metric: interval(level * share * (1 + slope * i) + rng.normal(0, 0.003), 0.4 / users**0.5)
                        for metric, share in (("ndcg@100", 1.0), ("recall@20", 0.87))
                    }
                    for model, level in MODELS.items()
                },
            }
            for i, (name, label, users) in enumerate(named)
        ]

    jobs = [
        (f"job {i}: {word}", word, 20 + 7 * i)
        for i, word in enumerate(["artist", "clerical / admin", HOSTILE, "farmer", "K-12 student", "lawyer", "retired"])
    ]
    return {
        "history length": {
            "about": "How many items of the user were given.",
            "of": "users",
            "groups": groups(
                ("cold", "cold: 4 to 19 items", 150),
                ("warm", "warm: 20 to 80", 300),
                ("heavy", "heavy: 81 and more", 150),
                slope=0.12,
            ),
        },
        "item popularity": {
            "about": "Items by how many people took them: each third of all interactions.",
            "of": "items",
            "groups": groups(
                ("head", "head: 120 items", 120),
                ("middle", "middle: 500 items", 500),
                ("tail", "tail: the rest", 3086),
                slope=-0.3,
            ),
        },
        "recency": {
            "about": "How long ago the user's last given item was taken.",
            "of": "users",
            "groups": groups(
                ("this month", "this month", 210), ("this year", "this year", 260), ("older", "older", 130), slope=-0.05
            ),
        },
        "gender": {
            "about": "As users.csv says.",
            "of": "users",
            "groups": groups(("F", "F", 180), ("M", "M", 420), slope=0.02),
        },
        HOSTILE: {"about": "As users.csv says.", "of": "users", "groups": groups(*jobs, slope=0.01)},
    }


def _error(mean: float, half: float) -> dict[str, float]:
    shown = {"error": mean, "low": mean - half, "high": mean + half}
    return shown | {f"hidden_{name}": 0.6 + value / 3 for name, value in shown.items()}

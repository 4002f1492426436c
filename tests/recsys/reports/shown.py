"""What a report shows beside its numbers: example users, maps, groups of people; with titles that mean harm."""

from __future__ import annotations

from typing import Any

import numpy as np

HOSTILE = '<script>alert("x")</script> \'"&amp; $\\frac{1}{0}$'
RTL = "\u202eמלך האריות \u0627\u0644\u0623\u0633\u062f"
LONG = "Dr. Strangelove or: How I Learned to Stop Worrying" + "andLoveTheBomb" * 40
MODELS = {"autoencoder": 0.412, "autoencoder:plain-600-200-600": 0.403, "ease": 0.409, "als": 0.371, "popularity": 0.19}
GENRES = ("Drama", "Comedy", "Action", "Thriller", "Romance", "Horror", "Science Fiction", "Children's", "other")


def interval(mean: float, half: float, users: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"mean": mean, "low": mean - half, "high": mean + half * 1.05}
    return found if users is None else {**found, "users": users}


def examples(rng: np.random.Generator) -> list[dict[str, Any]]:
    titles = [
        "Alien (1979)",
        "Toy Story (1995)",
        "Heat (1995)",
        "Amélie (2001)",
        "七人の侍 (1954)",
        "Fargo (1996)",
        "Se7en (1995)",
        "Big (1988)",
    ]

    def title(number: int) -> str:
        return {3: HOSTILE, 7: RTL, 11: LONG}.get(number, titles[number % len(titles)])

    return [
        {
            "user": HOSTILE if user == 2 else str(1000 + user),
            "why": "typical: the median of autoencoder's ndcg@100" if user else "best: autoencoder's highest ndcg@100",
            "given": [
                {"item": f"i{n}", "title": title(n), "categories": [GENRES[n % 8], GENRES[(n + 3) % 8]]}
                for n in range(12)
            ],
            "given_total": 57,
            "hidden": [{"item": f"h{n}", "title": title(n + 4)} for n in range(9)],
            "lists": {
                name: [
                    {"item": f"r{n}", "title": title(n + user), "hit": bool(rng.random() < level)} for n in range(10)
                ]
                for name, level in MODELS.items()
            },
            "values": {name: level * rng.random() for name, level in MODELS.items()},
        }
        for user in range(10)
    ]


def maps(items: int, rng: np.random.Generator) -> dict[str, Any]:
    category = rng.integers(0, len(GENRES), items)
    centres = rng.normal(0, 2.2, (len(GENRES), 2))

    def cloud(noise: float) -> list[list[float]]:
        return (centres[category] + rng.normal(0, noise, (items, 2))).tolist()

    return {
        "about": f"The {items:,} items most taken, as the models see them.",
        "items": [{"item": f"i{n}", "title": f"title {n}", "category": GENRES[one]} for n, one in enumerate(category)],
        "categories": list(GENRES),
        "spaces": {
            "autoencoder": {
                "pca": cloud(1.0),
                "explained": [0.21, 0.12],
                "tsne": cloud(0.6),
                "agreement": interval(0.52, 0.01),
            },
            "svd": {"pca": cloud(1.8), "explained": [0.3, 0.08], "tsne": cloud(1.2), "agreement": interval(0.41, 0.01)},
        },
        "chance": 0.19,
    }


def groups() -> dict[str, Any]:
    return {
        "about": "Users grouped by their place in the autoencoder's bottleneck.",
        "stability": 0.81,
        "silhouette": 0.22,
        "groups": [
            {
                "name": f"{GENRES[i]} and {GENRES[i + 1]}",
                "users": 512 * (6 - i),
                "share": 0.08 * (6 - i) / 2,
                "words": f"Takes {GENRES[i]} 2.1 times as often as everybody.",
                "categories": [
                    {"category": GENRES[j], "share": 0.4 / (k + 1), "overall": 0.19 / (k + 1), "lift": 2.1 - 0.2 * k}
                    for k, j in enumerate((i, i + 1, i + 2))
                ],
                "items": [
                    {"item": "1", "title": "Alien (1979)", "share": 0.31, "overall": 0.1, "lift": 3.1},
                    {"item": "2", "title": LONG if i == 1 else HOSTILE, "share": 0.22, "overall": 0.1, "lift": 2.2},
                ],
            }
            for i in range(5)
        ],
    }

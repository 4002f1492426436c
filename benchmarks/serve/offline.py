"""Answers made again without a server, from the version that an answer names."""

from __future__ import annotations

from pathlib import Path

from benchmarks.serve.home import Home
from recsys.interactions import Interactions
from recsys.linear.threads import one_blas_thread
from recsys.serving.ask import Ask
from recsys.serving.registry import ModelRegistry
from recsys.serving.service import RecommendationService


class Offline:
    """A RecommendationService for each version of the autoencoder, over a registry of its own in which that is live.

    folder: an empty one, kept for as long as this is used.
    """

    def __init__(self, home: Home, folder: Path) -> None:
        self._home, self._folder = home, folder
        self._services: dict[str, RecommendationService] = {}

    def ranked(self, version: str, history: Interactions, n: int) -> list[tuple[str, float]]:
        """(item, score), best first; with one thread of BLAS, as a worker has: two may round in another way."""
        ask = Ask(n=n, model="autoencoder")
        with one_blas_thread():
            return [(row.item, row.score) for row in self._service(version).recommend(history, ask).items]

    def _service(self, version: str) -> RecommendationService:
        if version not in self._services:
            own = self._folder / version
            own.mkdir(parents=True)
            (own / "versions").symlink_to(self._home.registry.folder.resolve() / "versions")
            registry = ModelRegistry(own)
            registry.promote(version)
            self._services[version] = RecommendationService(registry, weights=self._home.settings.weights)
        return self._services[version]

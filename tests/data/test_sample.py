"""The sample cinema: the generator makes the packaged files byte for byte, and its tastes can be learnt."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import numpy as np

from data import readers, sample
from recsys.matrix import InteractionMatrix


def test_the_generator_makes_the_packaged_files_byte_for_byte(tmp_path):
    subprocess.run([sys.executable, "-m", "data.sample.generate", str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(made) == {"interactions.csv", "items.jsonl", "users.csv"}
    for name, content in made.items():
        assert (sample.folder() / name).read_bytes() == content, name


def test_our_readers_take_the_sample_whole():
    interactions, bad = readers.read_all(sample.folder())
    assert bad == []
    assert 50_000 < len(interactions) < 80_000
    films, people = readers.items_of(sample.folder()), readers.users_of(sample.folder())
    assert len({film.title for film in films}) == len({film.id for film in films}) == 600
    assert {film.id for film in films} >= set(interactions.item.labels)
    assert {person.id for person in people} == set(interactions.user.labels)
    assert all(1 <= len(film.categories) <= 3 and 1950 <= film.attributes["year"] <= 2025 for film in films)
    kinds = Counter(interactions.event.decode().tolist())
    assert set(kinds) == {"watch", "rating", "like", "dislike"}
    assert set(interactions.value[interactions.event.decode() == "rating"]) == {1, 2, 3, 4, 5}
    start, end = interactions.span()
    assert 700 < (end - start) / 86_400e6 < 740  # two years


def test_popularity_has_a_long_tail_and_tastes_say_far_more_than_popularity():
    interactions, _ = readers.read_all(sample.folder())
    seen = (InteractionMatrix.build(interactions).matrix > 0).toarray().astype(np.float64)
    popularity = np.sort(seen.sum(axis=0))[::-1]
    assert popularity[:60].sum() > 0.28 * popularity.sum()
    assert popularity[300:].sum() > 0.15 * popularity.sum()
    rng = np.random.default_rng(0)
    train, test = seen[:1200], seen[1200:]
    hidden = test * (rng.random(test.shape) < 0.2)
    given = test - hidden
    inverse = np.linalg.inv(train.T @ train + 200 * np.eye(seen.shape[1]))  # EASE (Steck 2019, equation 8)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    learned = recall(given @ weights, given, hidden)
    popular = recall(np.tile(train.sum(axis=0), (len(test), 1)), given, hidden)
    assert learned > 1.5 * popular


def recall(scores: np.ndarray, given: np.ndarray, hidden: np.ndarray, k: int = 20) -> float:
    best = np.argsort(np.where(given > 0, -np.inf, scores), axis=1)[:, ::-1][:, :k]
    found = np.take_along_axis(hidden, best, axis=1).sum(axis=1)
    asked = hidden.sum(axis=1)
    return float((found[asked > 0] / np.minimum(asked[asked > 0], k)).mean())

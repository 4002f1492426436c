"""Benchmark: do the report's intervals and p values hold what they promise, in worlds where the truth is known?

    recsys bench statistics        or: python -m benchmarks.statistics_check [--repeat 1000] [--interactions FILE]

A/A: a model against itself, another sample each time. The paired test at 5% must fire about 5 times in 100, and after
Holm's correction a whole table of tests once in 20. Intervals must hold the true mean 95 times in 100. The smallest
detectable difference must be detected 4 times in 5. Beside each stands what chance alone moves such a rate by, one
binomial standard error. Controls must fail: they show that a fault would be seen. Worlds: statistics_worlds.py; the
real one is a model's own lists (ALS, half of the people held out), each user's hidden items parted anew each time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.bootstraps import OTHERS
from benchmarks.statistics_worlds import CLUSTERED, LEVELS, PAIRS, World, people
from recsys.evaluation.evaluate import hits_of
from recsys.evaluation.metrics import metric
from recsys.evaluation.statistics import RESAMPLES, detectable, holm, intervals, sign_flip

FIRES, COVERS, DETECTS = (0.035, 0.065), (0.93, 0.97), (0.76, 0.84)
FEW, USERS = (50, 200), (600, 5000)  # without a bar, and with
TABLE = (5, 10)  # models and metrics in the table that Holm corrects
_AT_ONCE = 100  # comparisons that share their draws


@dataclass(frozen=True)
class Rate:
    """How often something happened in so many repeats. bar: where it must be, or, of a control, must not be.

    Bars are for 1,000 repeats; of fewer, chance moves a rate further, and the bar is that much wider.
    """

    what: str
    users: int
    rate: float
    repeats: int
    bar: tuple[float, float] | None = None
    control: bool = False

    @property
    def error(self) -> float:
        return float(np.sqrt(self.rate * (1 - self.rate) / self.repeats))

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        middle, half = (self.bar[0] + self.bar[1]) / 2, (self.bar[1] - self.bar[0]) / 2
        inside = abs(self.rate - middle) <= half * max(1.0, 1000 / self.repeats) ** 0.5 + 1e-12
        if self.control:
            return "fails, as it must" if not inside else "NOT SEEN"
        return "ok" if inside else "FAILS"


def main(repeat: int = 1000, interactions: Path | None = None, min_value: float | None = None, seed: int = 0) -> bool:
    """Print every rate beside its bar. interactions: for the real lists, by default the sample that comes with us.

    True when every bar is met and every control fails.
    """
    rates = [*false_alarms(repeat, seed), *real_lists(repeat, interactions, min_value, seed)]
    _print(f"The paired test at 5% between equal models (bar {FIRES[0]:.1%} to {FIRES[1]:.1%})", rates)
    family = [*families(max(repeat // 4, 1), seed)]
    _print("Any of 100 tests of a table at 5%: ten pairs of five equal models in ten metrics", family)
    power = [*detections(repeat, seed)]
    _print(
        f"The paired test finds the smallest detectable difference (bar {DETECTS[0]:.0%} to {DETECTS[1]:.0%})", power
    )
    covered = [*coverage(repeat, seed)]
    _print(f"95% intervals hold the true mean (bar {COVERS[0]:.0%} to {COVERS[1]:.0%}, from {USERS[0]} users)", covered)
    others = [*beside_others(repeat, seed)]
    _print("Of few users, beside other intervals from the same resamples (no bar)", others)
    return not any(one.verdict in ("FAILS", "NOT SEEN") for one in [*rates, *family, *power, *covered])


def _print(title: str, rates: list[Rate]) -> None:
    print(f"\n{title}\n{'world':<52}{'users':>7}{'repeats':>9}{'rate':>8}{'error':>8}")
    for one in rates:
        print(
            f"{one.what:<52}{one.users:>7,}{one.repeats:>9,}{one.rate:>8.1%}{one.error:>8.1%}  {one.verdict}",
            flush=True,
        )


def _samples(world: World, n: int, repeat: int, seed: int) -> Iterator[tuple[int, np.ndarray]]:
    """(a seed for the draws, (rows, at most 100) samples)."""
    rng = np.random.default_rng([seed, n])
    for start in range(0, repeat, _AT_ONCE):
        yield seed + start, world.draw(rng, n, min(_AT_ONCE, repeat - start))


def false_alarms(repeat: int, seed: int, users: tuple[int, ...] = USERS) -> Iterator[Rate]:
    """The share of A/A comparisons in which the paired test says there is a difference."""
    for world in PAIRS:
        for n in users:
            p = [sign_flip(sample, draws) for draws, sample in _samples(world, n, repeat, seed)]
            yield Rate(world.name, n, float(np.mean(np.concatenate(p) < 0.05)), repeat, FIRES)
    for n in users:
        for what, groups in ((CLUSTERED.name, people(n)), ("control: the same, rows taken for people", None)):
            p = [sign_flip(sample, draws, groups=groups) for draws, sample in _samples(CLUSTERED, n, repeat, seed)]
            rate = float(np.mean(np.concatenate(p) < 0.05))
            yield Rate(what, n, rate, repeat, FIRES, control=groups is None)


def families(repeat: int, seed: int, n: int = USERS[0]) -> Iterator[Rate]:
    """How often a table of equal models holds any difference at all, with Holm's correction and without."""
    rng, (models, metrics) = np.random.default_rng(seed), TABLE
    a, b = np.triu_indices(models, 1)
    corrected, plain = 0, 0
    for k in range(repeat):
        quality = np.where(rng.random((n, 1, 1)) < 0.45, 0.0, rng.beta(1.2, 4, (n, 1, 1)))
        noise = rng.normal(0, 1, (n, models, 1)) + rng.normal(0, 1, (n, models, metrics))  # metrics agree in part
        values = quality * (1 + 0.5 * noise)
        p = sign_flip((values[:, a] - values[:, b]).reshape(n, -1), seed + k)
        corrected, plain = corrected + (min(holm(p.tolist())) < 0.05), plain + (p.min() < 0.05)
    bar = (0.0, 0.05 + 3 * float(np.sqrt(0.05 * 0.95 / max(repeat, 1000))))
    yield Rate("Holm's correction (at most 5% and 3 errors)", n, corrected / repeat, repeat, bar)
    yield Rate("control: no correction", n, plain / repeat, repeat, bar, control=True)


def detections(repeat: int, seed: int, users: tuple[int, ...] = USERS) -> Iterator[Rate]:
    """How often a true difference of the size called detectable is found; the size is worked out on other samples."""
    for world, groups_of in ((PAIRS[0], None), (CLUSTERED, people)):
        for n in users:
            groups = None if groups_of is None else groups_of(n)
            other = world.draw(np.random.default_rng([seed, n, 1]), n, _AT_ONCE)
            size = float(detectable(other, groups).mean())
            samples = _samples(world, n, repeat, seed)
            p = np.concatenate([sign_flip(sample + size, draws, groups=groups) for draws, sample in samples])
            yield Rate(f"{world.name}, {size:.4f} apart", n, float(np.mean(p < 0.05)), repeat, DETECTS)


def coverage(repeat: int, seed: int, users: tuple[int, ...] = USERS) -> Iterator[Rate]:
    """How often the 95% interval holds the true mean."""
    for world in (*LEVELS, *PAIRS):
        for n in users:
            yield Rate(world.name, n, _covered(world, n, repeat, seed, None), repeat, COVERS)
    for n in users:
        yield Rate(CLUSTERED.name, n, _covered(CLUSTERED, n, repeat, seed, people(n)), repeat, COVERS)
        control = _covered(CLUSTERED, n, repeat, seed, None)
        yield Rate("control: the same, rows taken for people", n, control, repeat, COVERS, control=True)


def beside_others(repeat: int, seed: int, users: tuple[int, ...] = FEW) -> Iterator[Rate]:
    """Ours and others where people are few: none is best everywhere."""
    for world in (*LEVELS, PAIRS[0], PAIRS[3]):
        for n in users:
            yield Rate(f"{world.name}: ours", n, _covered(world, n, repeat, seed, None), repeat)
            for name, interval in OTHERS.items():
                held = 0
                for draws, sample in _samples(world, n, repeat, seed):
                    low, high = interval(sample, draws, RESAMPLES)
                    held += int(((low <= world.truth) & (world.truth <= high)).sum())
                yield Rate(f"{world.name}: {name}", n, held / repeat, repeat)


def _covered(world: World, n: int, repeat: int, seed: int, groups: np.ndarray | None) -> float:
    held = 0
    for draws, sample in _samples(world, n, repeat, seed):
        held += sum(one.low <= world.truth <= one.high for one in intervals(sample, draws, groups=groups))
    return held / repeat


def real_lists(repeat: int, interactions: Path | None, min_value: float | None, seed: int) -> Iterator[Rate]:
    """ALS against itself: its lists judged by one random half of everybody's hidden items, and by the other half."""
    lists, hidden = _lists(interactions, min_value, seed)
    rng, names = np.random.default_rng(seed), ("recall@20", "ndcg@100")
    differences = np.empty((len(names), lists.shape[0], repeat))
    for k in range(repeat):
        parts = [(hits_of(lists, half), np.diff(half.indptr)) for half in _halves(hidden, rng)]
        for row, name in enumerate(names):
            differences[row, :, k] = metric(name)(*parts[0]) - metric(name)(*parts[1])
    for name, many in zip(names, differences, strict=True):
        fired = [(sign_flip(many[:, k : k + _AT_ONCE], seed + k) < 0.05).sum() for k in range(0, repeat, _AT_ONCE)]
        yield Rate(f"real lists of als, {name}", len(lists), float(sum(fired)) / repeat, repeat, FIRES)


def _halves(hidden: csr_matrix, rng: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """Each row's entries parted at random in two halves, the odd one to either."""
    rows = np.repeat(np.arange(hidden.shape[0]), np.diff(hidden.indptr))
    order = np.lexsort((rng.random(hidden.nnz), rows))
    place = np.arange(hidden.nnz) - hidden.indptr[rows] + rng.integers(0, 2, hidden.shape[0])[rows]
    first = np.empty(hidden.nnz, dtype=bool)
    first[order] = place % 2 == 0
    both = [csr_matrix((np.ones(m.sum()), (rows[m], hidden.indices[m])), shape=hidden.shape) for m in (first, ~first)]
    return both[0], both[1]


def _lists(interactions: Path | None, min_value: float | None, seed: int) -> tuple[np.ndarray, csr_matrix]:
    """((n, 100) columns, hidden) of those with at least two hidden items, who can be parted."""
    from benchmarks.liked import liked
    from recsys.evaluation.evaluate import evaluate
    from recsys.evaluation.protocols import strong
    from recsys.models import create
    from recsys.recommender import FitOptions

    split = strong(liked(interactions, min_value)[1], seed, test=0.5)
    model = create("als").fit(split.train, FitOptions("cpu", seed, split.validation))
    able = np.diff(split.hidden.indptr) >= 2
    return evaluate(model, split, ["ndcg@100"]).lists[able], split.hidden[able]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Do intervals and p values hold what they promise?")
    parser.add_argument("--repeat", type=int, default=1000)
    parser.add_argument("--interactions", type=Path)
    parser.add_argument("--min-value", type=float)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    raise SystemExit(0 if main(asked.repeat, asked.interactions, asked.min_value, asked.seed) else 1)

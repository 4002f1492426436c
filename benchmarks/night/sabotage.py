"""Benchmark: what the judge does with broken candidates, with honest ones, and with chance alone.

    python -m benchmarks.night.sabotage [--interactions FILE] [--min-value 4] [--model als] [--honest 20] [--aa 500]

Candidates broken in one way each are judged as the night would judge them, beside a champion of another seed; then as
many honest retrains with other seeds; then nights of chance: values of real people, champion's and challenger's swapped
at random for each, so that neither is better (mode better), or then lowered by exactly the margin (mode not worse).
Status 1 when something broken is promoted or its cause is not named, fewer than 19 of 20 honest ones are not refused,
or chance is promoted oftener than stated. ALS wants OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import binom

from benchmarks.night.candidates import facts, sabotaged
from benchmarks.night.people import parted
from recsys.candidate import train_candidate
from recsys.errors import DamagedBundle
from recsys.gate import Rules, Trial, Verdict, judge, level_tonight, refused
from recsys.gate.measured import values_of
from recsys.gate.spending import DAYS
from recsys.gate.weighing import weigh
from recsys.matrix import InteractionMatrix
from recsys.recommender import FitOptions
from recsys.serving.bundle import ModelBundle

RULES = Rules()
ENOUGH = 0.95  # of the honest are not refused
CALIBRATED = 0.05  # a level at which an error that is too frequent is seen soon
RUNS, FEWER = 100, 4  # times the nights: at the levels spent, and at the other, where errors are seen oftener


def main(interactions: Path | None, min_value: float | None, model: str, honest: int, nights: int, device: str) -> bool:
    """Print three tables; whether all is as it should be."""
    train, panel = parted(interactions, min_value)
    trial, expected = Trial.of(train, panel, 0), facts(train)

    def fit(data: InteractionMatrix, seed: int = 0) -> ModelBundle:
        bundle = train_candidate(model, {}, data, FitOptions(seed=seed, device=device))
        return replace(bundle, card={**bundle.card, "data": facts(data), "created": ""})

    champion, level = fit(train, 1000), level_tonight(0.0, RULES)

    def judged(candidate: ModelBundle | Path) -> Verdict:
        try:
            bundle = ModelBundle.load(candidate) if isinstance(candidate, Path) else candidate
        except DamagedBundle as error:
            return refused(error.what)
        return judge(bundle, champion, trial, RULES, level=level, expected=expected)

    print(f"{model}: {len(train.users):,} people learnt from, {trial.people:,} judged, {len(trial.items):,} items")
    print(f"\n{'sabotaged candidate':<26}{'decision':<14}reason")
    well = True
    with tempfile.TemporaryDirectory() as folder:
        for one in sabotaged(fit(train, 1001), train, panel, fit, Path(folder)):
            verdict = judged(one.candidate)
            named = re.search(one.cause, verdict.reason) is not None
            well &= verdict.decision == "refused" and named
            print(
                f"{one.name:<26}{verdict.decision:<14}{verdict.reason}{'' if named else '  (CAUSE NOT NAMED)'}",
                flush=True,
            )

    print(f"\n{'honest retrain':<26}{'decision':<14}reason")
    decisions: Counter[str] = Counter()
    retrained = champion
    for seed in range(honest):
        retrained = fit(train, seed)
        verdict = judged(retrained)
        decisions[verdict.decision] += 1
        print(f"{f'seed {seed}':<26}{verdict.decision:<14}{verdict.reason}", flush=True)
    passed = honest - decisions["refused"]
    well &= passed >= ENOUGH * honest
    print(f"not refused: {passed} of {honest}; {dict(decisions)}")

    values = [values_of(one, trial, trial.judged, RULES.metric) for one in (champion, retrained)]
    return well & chance(values[0], values[1], nights)


def chance(champion: np.ndarray, challenger: np.ndarray, nights: int) -> bool:
    """Nights whose truth is known, one a day: what is promoted at the levels they would spend and at a fixed one, many
    times over, beside what a rule that looks at the mean alone would promote."""
    print(f"\n{'nights of chance':<60}{'promoted':>9}{'stated':>9}{'by the mean':>13}{'of':>9}")
    well = True
    for name, rules, factor in (
        ("better, when neither is", replace(RULES, better=True), 1.0),
        ("not worse, when worse by the margin", RULES, 1 - RULES.margin),
    ):
        rng = np.random.default_rng(0)
        levels: list[float] = []
        for _ in range(nights):
            levels.append(level_tonight(sum(levels[1 - DAYS :]), rules))
        asked = {"the levels of nights": levels * RUNS, f"level {CALIBRATED}": [CALIBRATED] * nights * FEWER}
        for how, spent in asked.items():
            promoted = by_mean = 0
            for level in spent:
                mine, theirs = _swapped(champion, challenger, rng)
                promoted += weigh(factor * mine, theirs, None, rules, level).decision == "promote"
                by_mean += bool(mine.mean() > theirs.mean())
            print(f"{f'{name}; {how}':<60}{promoted:>9,}{sum(spent):>9,.1f}{by_mean:>13,}{len(spent):>9,}", flush=True)
            well &= promoted <= binom.ppf(0.99, len(spent), np.mean(spent))
    return well


def _swapped(one: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """As many people, drawn again; each one's two values dealt to the two versions by chance."""
    who = rng.integers(0, len(one), len(one))
    turned = rng.random(len(one)) < 0.5
    return np.where(turned, one[who], other[who]), np.where(turned, other[who], one[who])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the judge does with broken, honest and random candidates.")
    parser.add_argument("--interactions", type=Path, help="a file; by default the sample")
    parser.add_argument("--min-value", type=float)
    parser.add_argument("--model", default="als")
    parser.add_argument("--honest", type=int, default=20)
    parser.add_argument("--aa", type=int, default=500)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    fine = main(asked.interactions, asked.min_value, asked.model, asked.honest, asked.aa, asked.device)
    print("\nall as it should be" if fine else "\nNOT as it should be")
    sys.exit(0 if fine else 1)

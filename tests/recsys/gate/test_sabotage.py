"""The candidates that the benchmark breaks are refused by name in a small world too, and its chance is fair."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.night.candidates import facts, sabotaged
from benchmarks.night.sabotage import chance
from recsys.errors import DamagedBundle
from recsys.gate import Rules, Trial, judge, refused
from recsys.serving.bundle import ModelBundle
from tests.recsys.gate.worlds import fitted, histories

TRAIN, PANEL = histories(400, 0, "t"), histories(160, 1, "p")


def fit(data, **config):
    bundle = fitted(data, **config)
    return replace(bundle, card={**bundle.card, "data": facts(data)})


def test_every_sabotaged_candidate_is_refused_for_its_cause_and_the_good_one_is_not(tmp_path):
    champion, good = fit(TRAIN, l2=160.0), fit(TRAIN)
    trial, expected = Trial.of(TRAIN, PANEL, 0), facts(TRAIN)

    def judged(candidate):
        try:
            bundle = ModelBundle.load(candidate) if isinstance(candidate, Path) else candidate
        except DamagedBundle as error:
            return refused(error.what)
        return judge(bundle, champion, trial, Rules(), level=5e-4, expected=expected)

    assert judged(good).decision == "promote"
    names = set()
    for one in sabotaged(good, TRAIN, PANEL, fit, tmp_path):
        verdict = judged(one.candidate)
        assert verdict.decision == "refused", one.name
        assert re.search(one.cause, verdict.reason), one.name
        names.add(one.name)
    assert len(names) == 17


def test_chance_is_promoted_as_often_as_stated_by_the_rules_and_every_other_time_by_the_mean(capsys):
    rng = np.random.default_rng(0)
    person = rng.beta(1.2, 2.8, 150)
    assert chance(person + rng.normal(0, 0.05, 150), person + rng.normal(0, 0.05, 150), nights=10)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "the levels of nights" in line]
    assert [line[-1] for line in lines] == ["1,000", "1,000"]
    assert all(400 < int(line[-2]) < 600 for line in lines)

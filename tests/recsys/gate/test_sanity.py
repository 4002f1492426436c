"""What is broken is refused under its own name, with no champion to compare it with."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, hstack

from recsys.gate import Rules, Trial, judge
from recsys.matrix import Index
from tests.recsys.gate.worlds import ITEMS, altered, fitted, of_matrix, shuffled, world

TRAIN, TRIAL = world()
GOOD = fitted(TRAIN)
SOME = np.arange(0, ITEMS, 2)


def part_of(kept):
    return fitted(of_matrix(csr_matrix(TRAIN.matrix[:, kept]), Index.of(TRAIN.items.ids[kept].tolist(), "item")))


def mixed(bundle):
    return np.random.default_rng(0).permutation(len(bundle.items))


def one_person():
    first = TRAIN.matrix[:1]
    return fitted(of_matrix(csr_matrix(first[:, first.indices]), Index.of(TRAIN.items.ids[first.indices].tolist())))


def with_holes(scores):
    scores = scores.copy()
    scores[3, 5] = np.nan
    return scores


def twice_over():
    """Every item once more, under another id."""
    ids = [*TRAIN.items.ids.tolist(), *(f"{id_} again" for id_ in TRAIN.items.ids)]
    return fitted(of_matrix(csr_matrix(hstack([TRAIN.matrix, TRAIN.matrix])), Index.of(ids, "item")))


def duplicated():
    ids = GOOD.items.ids.copy()
    ids[7] = ids[8]
    return replace(GOOD, items=Index(ids, "item"))


CASES = {
    "NaN or infinite for 1 of 160 people": lambda: altered(GOOD, with_holes),
    "same score, to 160 of 160": lambda: altered(GOOD, np.zeros_like),
    "popularity collapse": lambda: fitted(TRAIN, "popularity"),
    "everybody gets the same list": lambda: altered(GOOD, lambda scores: np.tile(-GOOD.popularity, (len(scores), 1))),
    "labels were shuffled": lambda: fitted(shuffled(TRAIN)),
    "item index is permuted": lambda: replace(GOOD, items=Index(GOOD.items.ids[mixed(GOOD)], "item")),
    "or its item index permuted": lambda: replace(
        GOOD, items=Index(GOOD.items.ids[mixed(GOOD)], "item"), popularity=GOOD.popularity[mixed(GOOD)]
    ),
    "does not beat popularity": lambda: altered(GOOD, lambda scores: -scores),
    "covers too few items: it knows 50.0%": lambda: part_of(SOME),
    "holds items there are not: tonight's data has 50.0% of its 480 items": twice_over,
    "learnt from too little": one_person,
    "holds no items": lambda: replace(GOOD, items=Index.of([], "item"), popularity=GOOD.popularity[:0]),
    "1 of its 240 item ids are duplicates": duplicated,
    "sizes do not fit": lambda: replace(GOOD, popularity=GOOD.popularity[:9]),
    "SettingError: rows of 239 items were given to a model of 240": lambda: replace(
        GOOD, items=Index(GOOD.items.ids[1:], "item"), popularity=GOOD.popularity[1:]
    ),
}


@pytest.mark.parametrize("cause", CASES)
def test_it_is_refused_by_name_with_a_champion_and_without(cause):
    challenger = CASES[cause]()
    for champion in (None, GOOD):
        verdict = judge(challenger, champion, TRIAL, Rules(), level=1e-3)
        assert verdict.decision == "refused"
        assert cause in verdict.reason


def test_what_is_sound_is_the_first_champion():
    for name in ("ease", "als", "svd"):
        verdict = judge(fitted(TRAIN, name), None, TRIAL, Rules(), level=1e-3)
        assert (verdict.decision, verdict.better_than_anchor) == ("promote", True)
        assert "no champion" in verdict.reason


def test_a_catalogue_of_a_dozen_items_is_judged_too():
    two_tastes = np.kron(np.eye(2, dtype=np.float32), np.ones((30, 6), dtype=np.float32))
    two_tastes[:, 0] = 1  # everybody takes it
    data = of_matrix(csr_matrix(two_tastes), Index.of([f"i{k:02d}" for k in range(12)], "item"))
    trial = Trial.of(data, data, 0)
    assert judge(fitted(data), None, trial, Rules(), level=1e-3).decision == "promote"

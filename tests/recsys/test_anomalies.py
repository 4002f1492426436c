"""Anomalies: made-up people among people of known tastes are flagged, the others at the rate that was stated."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack
from scipy.stats import binom

from recsys.anomalies import Anomalies, find_anomalies
from recsys.anomalies.peers import compared
from recsys.anomalies.table import as_table
from recsys.errors import DataError, SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index
from recsys.models import create
from recsys.recommender import FitOptions, Recommender

BLOCKS, WIDTH, PEOPLE = 8, 40, 800
ITEMS = Index.of([f"i{number:03d}" for number in range(BLOCKS * WIDTH)], "item")
CATALOGUE = Catalogue(titles={item: f"Title {item}" for item in ITEMS.ids.tolist()})


def people(rng: np.random.Generator, count: int = PEOPLE) -> csr_matrix:
    """Two tastes a person, four fifths of 8 to 60 items from these, the rest from anywhere; popularity falls."""
    rows = np.zeros((count, BLOCKS * WIDTH), dtype=np.float32)
    popularity = np.tile(1 / (np.arange(WIDTH) + 8.0), BLOCKS)
    for row in rows:
        taste = np.repeat(np.isin(np.arange(BLOCKS), rng.choice(BLOCKS, 2, replace=False)), WIDTH)
        odds = popularity * np.where(taste, 4 * (BLOCKS - 2) / 2, 1.0)
        row[rng.choice(len(odds), rng.integers(8, 60), replace=False, p=odds / odds.sum())] = 1
    return csr_matrix(rows)


def random_profiles(rng: np.random.Generator, count: int, size: int) -> csr_matrix:
    rows = np.zeros((count, BLOCKS * WIDTH), dtype=np.float32)
    for row in rows:
        row[rng.choice(rows.shape[1], size, replace=False)] = 1
    return csr_matrix(rows)


def fitted(rows: csr_matrix) -> Recommender:
    return create("svd", factors=8).fit(rows, FitOptions())


def judged(rows: csr_matrix, **settings: object) -> Anomalies:
    names = [f"u{number}" for number in range(rows.shape[0])]
    settings = {"refit": fitted, **settings}
    return find_anomalies(fitted(rows), rows, names, ITEMS, CATALOGUE, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def planted() -> tuple[csr_matrix, Anomalies]:
    """People, and behind them 24 random profiles of 30 items."""
    rng = np.random.default_rng(0)
    rows = csr_matrix(vstack([people(rng), random_profiles(rng, 24, 30)]))
    return rows, judged(rows)


def test_people_of_random_taste_are_flagged(planted: tuple[csr_matrix, Anomalies]) -> None:
    _, found = planted
    assert found.flagged[PEOPLE:].mean() > 0.9
    assert found.flagged[:PEOPLE].mean() < 0.03
    assert sum(row >= PEOPLE for row in found.order[:15].tolist()) >= 13


@pytest.mark.parametrize("rate", [0.01, 0.05])
def test_where_all_are_genuine_about_the_stated_share_is_flagged(rate: float) -> None:
    flagged = 0
    for seed in range(4):
        flagged += int(judged(people(np.random.default_rng(10 + seed)), false_alarms=rate).flagged.sum())
    # The tail is continued from quantiles of the same people: half as much or twice as much besides the luck of a draw.
    assert binom.ppf(0.001, 4 * PEOPLE, rate / 2) <= flagged <= binom.ppf(0.999, 4 * PEOPLE, rate * 2)


def test_long_histories_are_not_flagged_for_their_length() -> None:
    rng = np.random.default_rng(1)
    lengths = np.concatenate([rng.integers(5, 50, 900), rng.integers(400, 900, 100)])
    worse_when_long = np.log(lengths) + rng.normal(0, 0.3, 1000)
    p = compared([worse_when_long], lengths).p
    assert (p[900:] < 0.01).mean() <= 0.05
    unlike = np.where(np.arange(1000) < 5, np.log(lengths) + 3, worse_when_long)
    assert (compared([unlike], lengths).p[:5] < 0.001).all()


def test_many_alike_at_one_length_do_not_pass_for_usual() -> None:
    """Of the peers of 40 made-up histories every sixth is one of them."""
    rng = np.random.default_rng(2)
    lengths = np.concatenate([rng.integers(5, 200, 1000), np.full(40, 50)])
    strange = np.concatenate([rng.normal(0, 1, 1000), rng.normal(4.5, 0.3, 40)])
    p = compared([strange], lengths).p
    assert (p[1000:] < 0.01).mean() > 0.9
    assert (p[:1000] < 0.01).mean() < 0.03


def test_the_probabilities_of_a_normal_feature_are_those_of_the_normal_distribution() -> None:
    rng = np.random.default_rng(3)
    found = compared([rng.normal(5, 2, 20_000)], rng.integers(5, 100, 20_000))
    for rate in (0.1, 0.05, 0.01):
        assert (found.p < rate).mean() == pytest.approx(rate, rel=0.25)


def test_reasons_name_items_nobody_expected_and_what_is_typical(planted: tuple[csr_matrix, Anomalies]) -> None:
    rows, found = planted
    row = int(found.order[0])
    said = "; ".join(found.reasons[row])
    assert "of 30 items are not in the first tenth" in said
    assert "usual with about 30 items" in said
    entries = slice(rows.indptr[row], rows.indptr[row + 1])
    worst = rows.indices[entries][np.argmax(found.places[entries])]
    assert f"least of all “Title {ITEMS.ids[worst]}”" in said
    assert set(found.reasons) == set(np.flatnonzero(found.flagged).tolist())


def test_what_a_reason_counts_is_on_the_strange_side_of_what_is_typical(planted: tuple[csr_matrix, Anomalies]) -> None:
    said = [one for reasons in planted[1].reasons.values() for one in reasons]
    number = r"([\d.]+)"
    downs = [re.match(rf"{number} of \d+ items are not .* items: {number}\)", one) for one in said]
    ups = [re.search(rf"{number} times as high \(usual: {number} times\)", one) for one in said]
    assert sum(map(bool, downs)) >= 20
    assert sum(map(bool, ups)) >= 10
    assert all(float(found[1]) > float(found[2]) for found in downs if found)
    assert all(float(found[1]) <= float(found[2]) for found in ups if found)


def test_an_item_that_all_made_up_profiles_push_is_named() -> None:
    rng = np.random.default_rng(4)
    made = random_profiles(rng, 24, 30).tolil()
    made[:, 319] = 1
    found = judged(csr_matrix(vstack([people(rng), made])))
    assert found.shared[0].item == "i319"
    assert found.shared[0].flagged >= 20
    assert any("has Title i319, like" in said for said in found.reasons[PEOPLE])


def test_nothing_is_shared_where_all_are_genuine() -> None:
    assert judged(people(np.random.default_rng(5))).shared == ()


def test_a_model_that_learnt_them_by_heart_finds_intruders_usual_until_it_is_crossed() -> None:
    rng = np.random.default_rng(6)
    rows = csr_matrix(vstack([people(rng), random_profiles(rng, 24, 30)]))

    def by_heart(half: csr_matrix) -> Recommender:
        return create("ease", l2=30.0, dropout=0.0, user_exponent=0.0).fit(half, FitOptions())

    names = [str(number) for number in range(rows.shape[0])]
    trained = find_anomalies(by_heart(rows), rows, names, ITEMS, CATALOGUE)
    crossed = find_anomalies(by_heart(rows), rows, names, ITEMS, CATALOGUE, refit=by_heart)
    assert not trained.crossed
    assert crossed.crossed
    assert trained.score[PEOPLE:].mean() < 0 < 1 < crossed.score[PEOPLE:].mean()


def test_the_same_seed_finds_the_same(planted: tuple[csr_matrix, Anomalies]) -> None:
    rows, found = planted
    again = judged(rows)
    np.testing.assert_array_equal(found.score, again.score)
    assert found.reasons == again.reasons


def test_rows_are_left_as_they_were(planted: tuple[csr_matrix, Anomalies]) -> None:
    rows = planted[0].copy()
    before = rows.copy()
    judged(rows)
    np.testing.assert_array_equal(rows.toarray(), before.toarray())
    np.testing.assert_array_equal(rows.indptr, before.indptr)


def test_who_has_too_few_items_is_not_judged() -> None:
    rng = np.random.default_rng(7)
    short = random_profiles(rng, 3, 4)
    found = judged(csr_matrix(vstack([people(rng), short, csr_matrix((1, short.shape[1]), dtype=np.float32)])))
    assert not found.judged[-4:].any()
    assert not found.flagged[-4:].any()
    table = as_table(found).set_index("user")
    assert table.loc["u800", "score"] != table.loc["u800", "score"]  # NaN: nothing was measured


def test_the_table_has_everybody_the_flagged_first(planted: tuple[csr_matrix, Anomalies]) -> None:
    _, found = planted
    table = as_table(found)
    assert len(table) == PEOPLE + 24
    flagged = int(found.flagged.sum())
    assert table["flagged"].tolist() == [True] * flagged + [False] * (len(table) - flagged)
    assert table["reasons"][:flagged].str.len().min() > 0
    assert table["reasons"][flagged:].eq("").all()


@pytest.mark.parametrize("rate", [0.0, 0.5, -1.0])
def test_a_rate_that_cannot_be_kept_is_refused(rate: float) -> None:
    with pytest.raises(SettingError, match=r"between 0\.0001 and 0\.2"):
        judged(people(np.random.default_rng(8), 100), false_alarms=rate)


def test_too_few_people_have_no_peers() -> None:
    with pytest.raises(DataError, match="too few to say what is usual"):
        judged(people(np.random.default_rng(9), 99))

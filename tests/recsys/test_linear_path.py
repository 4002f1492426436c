"""LinearPath: a weighted sum of parts; Judge: values user by user; choose_path: which parts, on held-out rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.linear import choice, judge, path
from recsys.linear.choice import choose_path
from recsys.linear.filters import Neighbours, normalised
from recsys.linear.judge import Judge, clearly_better
from recsys.linear.path import LinearPath, fit_part, spread
from recsys.recommender import Holdout, top_n

PARTS = [
    {"kind": "closed-form", "weight": 1.0, "l2": 5.0, "dropout": 0.3},
    {"kind": "neighbours", "weight": 0.4, "user_exponent": 0.5, "item_exponent": 0.5, "most": 12},
    {"kind": "low-pass", "weight": 0.7, "user_exponent": 0.25, "item_exponent": 0.4, "rank": 5},
]


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    """150 people of four tastes among 40 items: each has about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((150, 40))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((150, 40)) < 0.5)).astype(np.float32))


@pytest.fixture(scope="module")
def partners() -> csr_matrix:
    """Each person has two items that are partners, of the six or so an item has at random: no taste is shared."""
    rng = np.random.default_rng(1)
    user = np.arange(900)
    pairs = np.stack([(rng.permutation(60), rng.permutation(60)) for _ in range(3)]).transpose(0, 2, 1).reshape(180, 2)
    found = np.zeros((900, 60), dtype=np.float32)
    found[user[:, None], pairs[user % 180]] = 1
    return csr_matrix(found)


def judged(matrix, n=60, seed=0):
    """The matrix without n of its rows, and a judge that asks for a part of each of these."""
    rng = np.random.default_rng(seed)
    asked = rng.permutation(matrix.shape[0]) < n
    return matrix[~asked], Judge(Holdout.of(matrix[asked], 0.8, rng), "ndcg@10", seed)


def chosen(matrix, seed=0, told=None):
    train, by = judged(matrix)
    return choose_path(train, by, seed, (lambda value: None) if told is None else told.append)


def kinds(parts):
    return [part["kind"] for part in parts]


def test_the_score_is_the_sum_of_the_parts_in_units_of_their_spreads(tastes):
    parts = [fit_part(tastes, settings, seed=0) for settings in PARTS]
    expected = sum(
        settings["weight"] * part.score(tastes) / part.score(tastes).std(axis=1).mean()
        for settings, part in zip(PARTS, parts, strict=True)
    )
    found = LinearPath.fit(tastes, PARTS, seed=0).score(tastes)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_spread_is_measured_on_so_many_rows(tastes, monkeypatch):
    part = fit_part(tastes, PARTS[0], seed=0)
    monkeypatch.setattr(path, "_SAMPLE", 20)
    assert spread(part, tastes) == pytest.approx(part.score(tastes[:20]).std(axis=1).mean())


def test_weights_mean_the_same_on_data_of_another_size(tastes):
    one, tenfold = (LinearPath.fit(rows, PARTS[1:2], seed=0).score(rows) for rows in (tastes, 10 * tastes))
    np.testing.assert_allclose(one, tenfold, rtol=1e-4, atol=1e-5)


def test_a_restored_path_scores_the_same_bit_by_bit(tastes):
    fitted = LinearPath.fit(tastes, PARTS, seed=0)
    again = LinearPath.restore({name: value.copy() for name, value in fitted.state().items()})
    assert list(again.kinds) == kinds(PARTS)
    np.testing.assert_array_equal(again.score(tastes), fitted.score(tastes))


def test_an_empty_history_scores_zeros(tastes):
    assert not LinearPath.fit(tastes, PARTS, seed=0).score(csr_matrix((3, 40), dtype=np.float32)).any()


def test_a_path_of_no_parts_scores_zeros_and_is_restored(tastes):
    again = LinearPath.restore(LinearPath.fit(tastes, [], seed=0).state())
    assert again.score(tastes).shape == tastes.shape
    assert not again.score(tastes).any()


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"kind": "oracle", "weight": 1.0}, "'oracle'"),
        ({**PARTS[0], "warp_factor": 9}, "warp_factor"),
        ({**PARTS[1], "warp_factor": 9}, "warp_factor"),
        ({"kind": "low-pass", "weight": 1.0, "user_exponent": 0.5, "item_exponent": 0.5}, "rank"),
    ],
)
def test_an_unknown_kind_and_settings_that_do_not_fit_are_refused_by_name(tastes, settings, named):
    with pytest.raises(SettingError, match=named):
        LinearPath.fit(tastes, [settings], seed=0)


def test_a_judge_values_each_row_that_hides_something(tastes):
    holdout = Holdout.of(tastes[:30], 0.8, np.random.default_rng(0))
    asking = csr_matrix(holdout.hidden.toarray() * (np.arange(30)[:, None] % 3 > 0))
    by = Judge(
        Holdout(holdout.given[:20], asking[:20]),
        "recall@5",
        seed=0,
    )
    np.testing.assert_array_equal(by.rows, [k for k in range(20) if k % 3 and holdout.hidden[k].nnz])
    scores = np.random.default_rng(1).normal(size=(len(by), 40)).astype(np.float32)
    items, _ = top_n(scores, holdout.given[by.rows], 5)
    hidden = [set(holdout.hidden[k].indices) for k in by.rows]
    expected = [len(h & set(i)) / min(5, len(h)) for h, i in zip(hidden, items.tolist(), strict=True)]
    np.testing.assert_allclose(by(scores), expected)


def test_a_judge_of_a_large_catalogue_asks_a_fixed_sample_of_the_rows(tastes, monkeypatch):
    holdout = Holdout.of(tastes, 0.8, np.random.default_rng(0))
    monkeypatch.setattr(judge, "_MOST_SCORES", 40 * 25)
    one, same, other = (Judge(holdout, "ndcg@10", seed) for seed in (0, 0, 1))
    assert len(one) == 25
    np.testing.assert_array_equal(one.rows, same.rows)
    assert set(one.rows) != set(other.rows)
    assert (one.given != holdout.given[one.rows]).nnz == 0


def test_better_is_clear_beyond_the_standard_error_of_the_paired_difference():
    rng = np.random.default_rng(0)
    base = rng.random(400)  # people differ far more among each other than a and b do
    assert clearly_better(base + 0.01 + rng.normal(scale=0.05, size=400), base)
    assert not clearly_better(base, base)
    assert not clearly_better(base - 0.01, base)
    noise = rng.normal(scale=0.05, size=400)
    assert not clearly_better(base + noise - noise.mean() + 0.5 * 0.05 / 20, base)


def test_one_seed_gives_one_choice_from_as_many_trials(tastes):
    told: list[float] = []
    again: list[float] = []
    assert chosen(tastes, told=told) == chosen(tastes, told=again)
    assert told == again
    # 4 to 9 closed forms, 7 low-pass filters or more, 6 neighbourhoods; two kinds tried beside the first.
    assert 7 + 4 + 6 + 2 <= len(told) <= 12 + 9 + 6 + 2
    assert told[:-2] == sorted(told[:-2])  # the best so far


def test_where_there_are_more_directions_than_ranks_to_try_neighbours_are_chosen(partners, monkeypatch):
    monkeypatch.setattr(choice, "_MOST_RANK", 8)
    monkeypatch.setattr(choice, "MOST_DENSE", 10)
    assert kinds(chosen(partners))[0] == "neighbours"


def test_where_there_are_few_tastes_and_little_of_each_a_low_pass_filter_is_chosen(monkeypatch):
    monkeypatch.setattr(choice, "MOST_DENSE", 10)
    rng = np.random.default_rng(0)
    user, item = np.indices((220, 160))
    sparse = csr_matrix(((user % 4 == item % 4) & (rng.random((220, 160)) < 0.06)).astype(np.float32))
    assert kinds(chosen(sparse))[0] == "low-pass"


def test_a_neighbourhood_is_tried_as_it_is_fitted(tastes):
    rows = normalised(tastes, 0.35, 0.5)
    tried = choice._Spreading(rows, rows.T.tocsr())
    fitted = Neighbours.fit(tastes, 0.35, 0.5, most=40)
    np.testing.assert_allclose(tried.score(tastes), fitted.score(tastes), atol=1e-4)
    assert spread(tried, tastes) == pytest.approx(spread(fitted, tastes), rel=1e-4)


def test_closed_forms_are_for_catalogues_that_have_room_for_them(tastes, monkeypatch):
    asked = []
    fit = choice.fit_part
    monkeypatch.setattr(choice, "fit_part", lambda *given: asked.append(given[1]["kind"]) or fit(*given))
    chosen(tastes)
    assert "closed-form" in asked
    asked.clear()
    monkeypatch.setattr(choice, "MOST_DENSE", 39)
    chosen(tastes)
    assert "closed-form" not in asked


class Stub:
    """A judge whose values are made up, and which sees what it is asked."""

    def __init__(self, given, values):
        self.given, self.values, self.asked = given, values, []

    def __len__(self):
        return self.given.shape[0]

    def __call__(self, scores):
        self.asked.append(scores)
        return self.values(len(self.asked))


def test_a_part_that_does_not_help_is_not_kept_and_one_that_does_is(tastes):
    same = Stub(tastes[:30], lambda k: np.full(30, 0.5))
    assert len(choose_path(tastes[30:], same, 0, lambda value: None)) == 1
    rising = Stub(tastes[:30], lambda k: np.full(30, 1e-3 * k))
    found = choose_path(tastes[30:], rising, 0, lambda value: None)
    assert sorted(kinds(found)) == ["closed-form", "low-pass", "neighbours"]
    assert found[0]["weight"] == 1.0
    assert [part["weight"] for part in found[1:]] == [choice._WEIGHTS[-1]] * 2  # the last one tried was the best


def test_the_choice_is_made_on_the_judges_rows_alone(tastes):
    """Only scores of the rows that the judge gives are valued, and the chosen settings are all a fit needs."""
    by = Stub(tastes[:30], lambda k: np.random.default_rng(k).random(30))
    found = choose_path(tastes[30:], by, 0, lambda value: None)
    assert {scores.shape for scores in by.asked} == {(30, 40)}
    first = {key: value for key, value in found[0].items() if key != "weight"}
    part = fit_part(tastes[30:], first, 0)
    expected = part.score(by.given) / spread(part, tastes[30:])
    assert any(np.allclose(scores, expected, atol=1e-3) for scores in by.asked)
    LinearPath.fit(tastes, found, seed=0)

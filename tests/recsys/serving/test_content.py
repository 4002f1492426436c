"""The content prior against scikit-learn's TF-IDF and against sums by hand."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from recsys.serving.assortment import Article, Assortment
from recsys.serving.content import by_content, content_reasons, wanted

ARTICLES = [
    Article("drama", categories=("Drama",), created=1),
    Article("both", categories=("War", "Drama"), created=2),
    Article("bare", created=3),
    Article("comedy", categories=("Comedy",), created=4),
    Article("mixed", categories=("Comedy", "Drama", "Drama"), created=5),
    Article("again", categories=("Drama", "War"), created=2),
    Article("later", categories=("Drama", "War"), created=9),
    Article("undated", categories=("Drama", "War")),
]
LIKED = {"drama": 2.0, "both": 1.0, "bare": 5.0, "unheard of": 9.0}


@pytest.fixture
def assortment():
    return Assortment(ARTICLES)


def ranked(assortment, liked, allowed=None):
    allowed = np.ones(len(assortment.articles), dtype=bool) if allowed is None else allowed
    numbers, scores = by_content(assortment, liked, allowed)
    assert (numbers.dtype, scores.dtype) == (np.int32, np.float32)
    return [assortment.articles[number].id for number in numbers], scores


def big(n=3000, c=40):
    random = np.random.default_rng(1)
    names = [f"c{k}" for k in range(c)]
    return Assortment(
        [
            Article(
                f"i{k}", categories=tuple(random.choice(names, random.integers(0, 5), replace=False)), created=k % 7
            )
            for k in random.permutation(n)
        ]
    )


def test_scores_are_cosines_of_tf_idf_profiles():
    assortment = big()
    sets = assortment.categories.toarray()
    # scikit-learn's idf is ln(N / n) + 1; ours, ln(1 + N / n), is put in its place; the rest is its own
    oracle = TfidfTransformer().fit(sets)
    oracle.idf_ = np.log1p(len(sets) / sets.sum(axis=0))
    unit = oracle.transform(sets)
    liked = {"i5": 1.0, "i77": 3.0, "i900": 0.5}
    profile = sum(strength * unit[assortment.by_id[item]].toarray()[0] for item, strength in liked.items())
    expected = unit @ profile / np.linalg.norm(profile)
    numbers, scores = by_content(assortment, liked, np.ones(len(sets), dtype=bool))
    assert set(numbers) == set(np.flatnonzero(expected > 0))
    np.testing.assert_allclose(scores, expected[numbers], rtol=1e-6)
    assert (np.diff(scores) <= 0).all()
    assert scores.max() <= 1


def test_a_rare_category_says_more_than_a_common_one(assortment):
    order, scores = ranked(assortment, {"mixed": 1.0})
    assert order.index("comedy") < order.index("drama")
    assert scores[0] == pytest.approx(1)


def test_among_equals_the_newer_comes_first_then_the_order_of_ids(assortment):
    order, scores = ranked(assortment, {"both": 1.0})
    assert order[:4] == ["later", "again", "both", "undated"]
    assert len(set(scores[:4].tolist())) == 1  # whatever the order in which the categories are named


def test_only_the_allowed_that_share_a_category_are_listed(assortment):
    assert set(ranked(assortment, LIKED)[0]) == {"drama", "both", "mixed", "again", "later", "undated"}
    allowed = np.zeros(len(ARTICLES), dtype=bool)
    allowed[[2, 3, 4]] = True
    assert ranked(assortment, LIKED, allowed)[0] == ["mixed"]
    assert ranked(assortment, LIKED, np.zeros(len(ARTICLES), dtype=bool))[0] == []


@pytest.mark.parametrize("share", [0.01, 0.2, 0.3, 0.9])
def test_how_many_are_allowed_changes_no_score(share):
    assortment = big()
    everything = np.ones(len(assortment.articles), dtype=bool)
    allowed = np.random.default_rng(0).random(len(everything)) < share
    numbers, scores = by_content(assortment, {"i5": 1.0, "i77": 3.0}, everything)
    some, of_some = by_content(assortment, {"i5": 1.0, "i77": 3.0}, allowed)
    np.testing.assert_array_equal(some, numbers[allowed[numbers]])
    np.testing.assert_array_equal(of_some, scores[allowed[numbers]])


@pytest.mark.parametrize("liked", [{}, {"bare": 1.0}, {"unheard of": 1.0}])
def test_a_history_without_categories_lists_nothing_and_wants_nothing(assortment, liked):
    assert ranked(assortment, liked)[0] == []
    assert content_reasons(assortment, liked, "drama") == []
    assert wanted(assortment, liked).tolist() == [0, 0, 0]


def test_an_empty_assortment_lists_nothing():
    numbers, _ = by_content(Assortment(), {"a": 1.0}, np.empty(0, dtype=bool))
    assert len(numbers) == 0
    assert content_reasons(Assortment(), {"a": 1.0}, "a") == []
    assert wanted(Assortment(), {"a": 1.0}).shape == (0,)


def test_reasons_are_what_the_score_loses_without_each_item():
    assortment = big()
    liked = {f"i{k}": 1.0 + k % 3 for k in range(30)}
    everything = np.ones(len(assortment.articles), dtype=bool)

    def product(history):  # the score before the profile's length is divided out
        unit_scores = dict(zip(*map(np.ndarray.tolist, by_content(assortment, history, everything)), strict=True))
        return unit_scores.get(assortment.by_id["i200"], 0.0)

    reasons = content_reasons(assortment, liked, "i200")
    alone = {item: strength * product({item: 1.0}) for item, strength in liked.items()}
    expected = {item: value / sum(alone.values()) for item, value in alone.items() if value}
    assert dict(reasons) == pytest.approx(expected, rel=1e-5)
    assert sum(share for _, share in reasons) == pytest.approx(1)
    assert [share for _, share in reasons] == sorted((share for _, share in reasons), reverse=True)


def test_reasons_name_only_items_with_a_category_in_common(assortment):
    assert [item for item, _ in content_reasons(assortment, LIKED, "mixed")] == ["drama", "both"]
    assert content_reasons(assortment, LIKED, "comedy") == []
    assert content_reasons(assortment, LIKED, "bare") == []
    assert content_reasons(assortment, LIKED, "unheard of") == []


def test_an_item_spreads_its_strength_evenly_over_its_categories(assortment):
    assert assortment.category_index.ids.tolist() == ["Comedy", "Drama", "War"]
    assert wanted(assortment, LIKED) == pytest.approx([0, 2.5 / 3, 0.5 / 3])  # what has no category counts nowhere
    assert wanted(assortment, {"mixed": 4.0}) == pytest.approx([0.5, 0.5, 0])


def test_a_changed_assortment_is_read_anew(assortment):
    assert "bare" not in ranked(assortment, LIKED)[0]
    changed = assortment.changed([Article("bare", categories=("War",)), Article("new", categories=("Drama",))], 1)
    assert {"bare", "new"} <= set(ranked(changed, LIKED)[0])
    assert "bare" not in ranked(assortment, LIKED)[0]

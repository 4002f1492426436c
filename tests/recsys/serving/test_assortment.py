"""The assortment: every item in memory, changed a piece at a time, seen from a model's columns."""

import numpy as np
import pytest

from recsys.feedback import FeedbackWeights
from recsys.interactions import NO_TIME, Interactions
from recsys.matrix import Index
from recsys.serving.ask import Ask
from recsys.serving.assortment import NOTHING_KNOWN, Article, Assortment
from recsys.serving.filters import allowed_articles, blocked_columns
from recsys.serving.profile import Profile

MODEL = Index.of(["a", "b", "c", "unknown to the store"], "item")


@pytest.fixture
def assortment():
    return Assortment(
        [
            Article("a", "The first", ("Drama",), 100),
            Article("b", "A second one", ("Drama", "War"), 200),
            Article("c", None, (), 300, shown=False),
            Article("new", "The newest", ("War",), 400),
            Article("gone", None, (), 50, shown=False),
        ],
        stamp=7,
    )


def profile(*rows):
    history = Interactions.from_lists(["u"] * len(rows), [r[0] for r in rows], [r[1] for r in rows])
    return Profile.of(MODEL, history, FeedbackWeights())


def test_a_view_knows_what_is_shown_and_what_the_model_never_saw(assortment):
    view = assortment.view(MODEL)
    assert view.rows.tolist() == [0, 1, 2, -1]
    assert view.shown.tolist() == [True, True, False, True]
    assert [assortment.articles[number].id for number in view.fresh] == ["new"]
    assert view.categories.toarray().tolist() == [[1, 0], [1, 1], [0, 0], [0, 0]]
    assert assortment.view(MODEL) is view


def test_a_change_is_another_assortment_and_leaves_the_old_one_be(assortment):
    before = assortment.view(MODEL)
    after = assortment.changed([Article("a", "Renamed", ("War",), 100, shown=False), Article("newer", created=500)], 8)
    assert (after.stamp, len(after.articles)) == (8, 6)
    assert after.title("a") == "Renamed"
    assert after.view(MODEL).shown.tolist() == [False, True, False, True]
    assert {after.articles[number].id for number in after.view(MODEL).fresh} == {"new", "newer"}
    assert assortment.title("a") == "The first"
    assert assortment.view(MODEL) is before
    assert "newer" not in assortment.by_id


def test_views_of_models_that_are_gone_do_not_pile_up(assortment):
    for _ in range(50):
        assortment.view(Index.of(["a"], "item"))
    assert len(assortment._views) < 12


@pytest.mark.parametrize(
    ("words", "categories", "found"),
    [
        (None, set(), ["new", "b", "a"]),
        ("THE", set(), ["new", "a"]),
        ("first the", set(), ["a"]),
        ("new", set(), ["new"]),
        ("gone", set(), []),
        (None, {"War"}, ["new", "b"]),
        ("second", {"Drama"}, ["b"]),
        (None, {"none has this"}, []),
        ("  ", set(), ["new", "b", "a"]),
    ],
)
def test_search_finds_every_word_in_titles_and_ids_and_nothing_hidden(assortment, words, categories, found):
    assert [article.id for article in assortment.search(words, frozenset(categories))] == found


@pytest.mark.parametrize(
    ("wishes", "columns", "articles"),
    [
        ({}, "ab?", ["a", "b", "new"]),
        ({"exclude": frozenset({"a", "nobody"})}, "b?", ["b", "new"]),
        ({"only": frozenset({"a", "new", "c"})}, "a", ["a", "new"]),
        ({"only": frozenset()}, "", []),
        ({"categories": frozenset({"War"})}, "b", ["b", "new"]),
        ({"categories": frozenset({"War", "Drama"})}, "ab", ["a", "b", "new"]),
        ({"categories": frozenset({"none has this"})}, "", []),
        ({"without": frozenset({"War"})}, "a", ["a"]),
        ({"since": 200}, "b", ["b", "new"]),
        ({"since": NO_TIME}, "ab", ["a", "b", "new"]),
    ],
)
def test_filters_agree_over_columns_and_articles(assortment, wishes, columns, articles):
    """What the store does not know passes only where nothing is asked of an item's kind."""
    nobody = profile()
    blocked = blocked_columns(assortment.view(MODEL), MODEL, Ask(**wishes), nobody)
    assert "".join(np.array(list("abc?"))[~blocked]) == columns
    allowed = allowed_articles(assortment, Ask(**wishes), nobody)
    assert [article.id for article, yes in zip(assortment.articles, allowed, strict=True) if yes] == articles


@pytest.mark.parametrize("include_seen", [False, True])
def test_seen_items_come_on_request_and_disliked_ones_never(assortment, include_seen):
    person = profile(("a", "like"), ("b", "dislike"), ("new", "like"))
    ask = Ask(include_seen=include_seen)
    assert blocked_columns(assortment.view(MODEL), MODEL, ask, person).tolist() == [not include_seen, True, True, False]
    assert allowed_articles(assortment, ask, person).tolist() == [include_seen, False, False, include_seen, False]


def test_where_nothing_is_known_everything_the_model_knows_is_shown():
    assert not blocked_columns(NOTHING_KNOWN.view(MODEL), MODEL, Ask(), profile()).any()
    assert NOTHING_KNOWN.search("a") == []


def test_changes_taken_over_are_as_if_everything_had_been_read_anew():
    """Whatever was worked out before a change, and however it came: added, replaced, with categories new and old."""
    rng = np.random.default_rng(1)
    held: dict[str, Article] = {}
    now = Assortment()
    for step in range(60):
        news = [
            Article(
                f"i{rng.integers(30)}",
                f"title {step}",
                tuple(f"c{k}" for k in rng.choice(3 + step // 10, size=rng.integers(4))),
                int(rng.integers(1000)),
                bool(rng.integers(2)),
            )
            for _ in range(rng.integers(1, 5))
        ]
        if rng.integers(2):
            _ = (now.categories, now.shown, now.created, now.view(MODEL))
        now = now.changed(news, step)
        held |= {article.id: article for article in news}
        anew = Assortment(list(held.values()), step)
        assert list(now.articles) == list(anew.articles)
        assert now.by_id == anew.by_id
        assert now.shown.tolist() == anew.shown.tolist()
        assert now.created.tolist() == anew.created.tolist()
        names, expected = now.category_index.ids.tolist(), anew.categories.toarray()
        columns = [names.index(name) for name in anew.category_index.ids]
        assert (now.categories.toarray()[:, columns] == expected).all()

"""What is said of a list that changed, on two versions whose lists are known."""

from __future__ import annotations

import json

import pytest

from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.matrix import Index
from recsys.serving.ask import Ask
from recsys.serving.assortment import Article, Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.diff import difference
from recsys.serving.service import RecommendationService

HISTORY = Interactions.from_lists([""] * 3, ["a0", "a1", "b3"], ["like"] * 3)


@pytest.fixture
def compare(registry, make_als):
    """compare(second, ...): from the usual bundle to this one, for a person who likes a0, a1 and b3."""
    registry.publish([make_als()])
    service = RecommendationService(registry)

    def compare(second, n=4, history=HISTORY, assortment=None, first=None):
        bundles = (first or make_als(), second)
        return difference(service, FeedbackWeights(), ("v1", "v2"), bundles, history, n, assortment)

    return compare


def changed(bundle, items=None, popularity=None, **card):
    return ModelBundle(
        bundle.model,
        bundle.items if items is None else Index.of(items, "item"),
        bundle.popularity if popularity is None else popularity,
        {**bundle.card, **card},
    )


def by_item(found):
    return {row.item: row for row in found.rows}


def test_versions_that_answer_alike_differ_in_nothing(compare, make_als):
    found = compare(make_als())
    assert [(row.item, row.change) for row in found.rows] == [
        ("a2", "same"),
        ("a3", "same"),
        ("b0", "same"),
        ("b1", "same"),
    ]
    assert (found.stayed, found.cards, found.new, found.gone) == (4, {}, 0, 0)


def test_the_lists_are_those_the_service_gives(compare, registry, make_als):
    other = changed(make_als(), items=["a0", "a1", "b0", "b1", "a2", "a3", "b2", "b3"])
    found = compare(other)
    served = []
    for bundle in (make_als(), other):
        (version,) = registry.publish([bundle])
        answer = RecommendationService(registry).recommend(HISTORY, Ask(200))
        assert answer.model_version == version
        served.append({row.item: row.rank for row in answer.items})
    assert {row.item: row.before for row in found.rows} == {row.item: served[0].get(row.item) for row in found.rows}
    assert {row.item: row.after for row in found.rows} == {row.item: served[1].get(row.item) for row in found.rows}
    assert {item for ranks in served for item, rank in ranks.items() if rank <= 4} == set(by_item(found))


def test_what_moved_came_and_left_is_told_with_its_ranks(compare, make_als):
    # In the second version a2 and a3 have changed places with b0 and b1.
    found = compare(changed(make_als(), items=["a0", "a1", "b0", "b1", "a2", "a3", "b2", "b3"]), n=2)
    rows = by_item(found)
    assert [(row.item, row.change, row.before, row.after) for row in found.rows] == [
        ("b0", "entered", 3, 1),
        ("b1", "entered", 4, 2),
        ("a2", "left", 1, 3),
        ("a3", "left", 2, 4),
    ]
    assert found.stayed == 0
    reasons = {one.item: one for one in rows["b0"].reasons}
    assert {item: one.before for item, one in reasons.items()} == {"a0": 0.0, "a1": 0.0, "b3": 1.0}
    assert reasons["b3"].after == 0.0
    assert reasons["a0"].after > reasons["a1"].after > 0.4
    deep = by_item(compare(changed(make_als(), items=["a0", "a1", "a3", "a2", "b0", "b1", "b2", "b3"])))
    assert (deep["a3"].change, deep["a2"].change, deep["b0"].change) == ("up", "down", "same")


def test_reasons_are_the_shares_of_the_history_in_each_version(compare, make_als):
    rows = by_item(compare(make_als()))
    reasons = {one.item: one for one in rows["a2"].reasons}
    assert set(reasons) == {"a0", "a1"}
    assert sum(one.before for one in reasons.values()) == pytest.approx(1)
    assert all(one.before == one.after for one in reasons.values())
    assert reasons["a0"].after > reasons["a1"].after


def test_an_item_of_the_history_that_one_version_does_not_know_has_no_share_there(compare, make_als):
    known = changed(make_als(), items=["a0", "new", "a2", "a3", "b0", "b1", "b2", "b3"])
    reasons = {one.item: one for one in by_item(compare(known))["a2"].reasons}
    assert reasons["a1"].after is None
    assert reasons["a0"].after == pytest.approx(1)
    assert reasons["a0"].before < 1


def test_an_item_that_is_new_or_gone_is_told_from_one_that_fell(compare, make_als):
    found = compare(changed(make_als(), items=["a0", "a1", "new", "a3", "b0", "b1", "b2", "b3"]))
    rows = by_item(found)
    assert (rows["new"].change, rows["new"].before, rows["new"].known) == ("entered", None, (False, True))
    assert (rows["a2"].change, rows["a2"].after, rows["a2"].known) == ("left", None, (True, False))
    assert (rows["new"].people[0], rows["a2"].people[1]) == (None, None)
    assert (found.items, found.new, found.gone) == ((8, 8), 1, 1)
    assert all(one.before is None for one in rows["new"].reasons)
    assert rows["new"].reasons


def test_popularity_is_told_in_people(compare, make_als):
    found = compare(changed(make_als(), popularity=make_als().popularity * 2))
    assert by_item(found)["a2"].people == (30, 60)


def test_what_the_versions_say_of_themselves_is_told_where_it_differs(compare, make_als):
    first = changed(make_als(), seed=1, data={"users": 10, "until": 5, "sha256": "x"})
    second = changed(make_als(), seed=1, data={"users": 12, "until": 9, "sha256": "y"}, panel=0.1)
    found = compare(second, first=first)
    assert found.cards == {"panel": (None, 0.1), "data.users": (10, 12), "data.until": (5, 9)}
    old = changed(make_als(), data="nothing", config={"factors": 2, "alpha": 4.0})
    assert compare(second, first=old).cards["data.until"] == (None, 9)


def test_hidden_and_seen_items_are_in_neither_list(compare, make_als):
    hidden = Assortment([Article(item, item.upper(), shown=item != "a2") for item in make_als().items.ids.tolist()])
    assert {"a0", "a1", "a2"}.isdisjoint(by_item(compare(make_als(), assortment=hidden)))
    assert "a2" in by_item(compare(make_als()))  # the control


def test_an_item_that_no_model_knows_is_explained_by_its_categories(compare, make_als):
    articles = [Article(item, categories=("first",)) for item in (*make_als().items.ids.tolist(), "fresh")]
    history = Interactions.from_lists(["", ""], ["a0", "fresh0"], ["like", "like"])
    found = compare(make_als(), n=3, history=history, assortment=Assortment(articles))
    assert "fresh" not in by_item(found)  # one place in ten
    lists = compare(make_als(), n=12, history=history, assortment=Assortment(articles))
    row = by_item(lists)["fresh"]
    assert row.known == (False, False)
    assert [(one.item, one.before, one.after) for one in row.reasons] == [("a0", 1.0, 1.0)]


def test_of_somebody_without_a_history_what_is_popular_is_compared(compare, make_als):
    found = compare(make_als(), history=Interactions.empty())
    assert found.strategies == ("popular", "popular")
    assert [row.reasons for row in found.rows] == [()] * 4


def test_two_kinds_of_model_can_be_compared(compare, make_popularity):
    found = compare(make_popularity())
    assert found.cards == {"model": ("als", "popularity")}, "settings of two kinds are not compared"
    assert found.strategies == ("personal", "popular")
    assert json.loads(json.dumps(found.as_dict()))["rows"]

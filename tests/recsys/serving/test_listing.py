"""Lists under every wish: content beside the model, presets, diversity, reasons; pages of each put together."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import UnknownId
from recsys.interactions import Interactions
from recsys.matrix import Index
from recsys.models import config_of, create
from recsys.recommender import FitOptions
from recsys.serving.ask import Ask
from recsys.serving.assortment import Article, Assortment
from recsys.serving.bundle import ModelBundle
from recsys.serving.rules import Preset
from recsys.serving.service import RecommendationService

N = 60
CATEGORIES = ("Drama", "War", "Comedy")


def history(*items, event="like"):
    return Interactions.from_lists(["u"] * len(items), list(items), event, times=range(len(items)))


def ids(answer):
    return [row.item for row in answer.items]


@pytest.fixture(scope="module")
def bundle():
    """ALS on three tastes, a category each: item k is of category k % 3."""
    rng = np.random.default_rng(0)
    odds = np.where(np.arange(300)[:, None] % 3 == np.arange(N) % 3, 0.4, 0.03)
    matrix = (rng.random((300, N)) < odds).astype(np.float32)
    rows = csr_matrix(matrix)
    model = create("als", factors=8).fit(rows, FitOptions(seed=0))
    card = {"model": "als", "config": {"factors": 8}}
    return ModelBundle(model, Index.of([f"i{k}" for k in range(N)], "item"), matrix.sum(axis=0), card)


@pytest.fixture
def assortment():
    known = [Article(f"i{k}", f"Item {k}", (CATEGORIES[k % 3],), k) for k in range(N)]
    return Assortment([*known, *(Article(f"new{k}", f"New {k}", (CATEGORIES[k % 3],), N + k) for k in range(6))])


@pytest.fixture
def service(registry, bundle):
    registry.publish([bundle])
    presets = {
        "home": Preset.of({"pin": ["i59", "nobody"], "share": {"Comedy": 0.5}}),
        "boosted": Preset.of({"boost": {"category:War": 50.0}}),
        "even": Preset.of({"diversity": 0.8, "calibration": 0.5, "without": ["War"]}),
        "shared": Preset.of({"share": {"Comedy": 0.3}}),
        "new": Preset.of({"share": {"New": 0.5}}),
    }
    return RecommendationService(registry, presets=presets)


DRAMA = ("i0", "i3", "i6")


def test_new_items_get_their_share_of_places_marked_as_content(service, assortment):
    answer = service.recommend(history(*DRAMA), Ask(40), assortment)
    placed = [row for row in answer.items if row.source == "content"]
    assert answer.strategy == "personal"
    assert {row.item for row in placed} == {"new0", "new3"}  # those that share a category with the history
    assert [row.rank for row in placed] == [10, 20]
    assert not {"new1", "new2"} & set(ids(answer))


def test_no_share_no_new_items(registry, bundle, assortment):
    registry.publish([bundle])
    service = RecommendationService(registry, fresh_share=0.0)
    assert all(row.source == "model" for row in service.recommend(history(*DRAMA), Ask(60), assortment).items)


def test_a_history_the_model_knows_nothing_of_goes_by_categories(service, assortment):
    answer = service.recommend(history("new1"), Ask(70), assortment)
    assert answer.strategy == "content"
    by_content = [row.item for row in answer.items if row.source == "content"]
    assert set(by_content) == {"new4", *(f"i{k}" for k in range(1, N, 3))}
    assert by_content[0] == "new4"  # as like as the others, and newer
    assert {row.source for row in answer.items[len(by_content) :]} == {"popular"}
    assert len(set(ids(answer))) == N + 1  # nothing twice; what is popular fills the rest


def test_a_history_nobody_knows_anything_of_is_popular(service, assortment):
    answer = service.recommend(history("never heard of"), Ask(3), assortment)
    assert answer.strategy == "popular"
    assert {row.source for row in answer.items} == {"popular"}


def test_hidden_new_items_are_gone_at_once(service, assortment):
    gone = assortment.changed([Article("new0", shown=False), Article("i9", shown=False)], 1)
    before, after = (ids(service.recommend(history(*DRAMA), Ask(60), one)) for one in (assortment, gone))
    assert {"new0", "i9"} <= set(before)
    assert not {"new0", "i9"} & set(after)


def test_a_preset_pins_and_promises_places(service, assortment):
    answer = service.recommend(history(*DRAMA), Ask(20, preset="home"), assortment)
    assert (answer.items[0].item, answer.items[0].source) == ("i59", "pinned")
    comedy = [int(item.removeprefix("new").removeprefix("i")) % 3 == 2 for item in ids(answer)]
    for depth in range(1, 21):
        assert sum(comedy[:depth]) >= depth // 2
    plain = service.recommend(history(*DRAMA), Ask(20), assortment)
    assert sum(int(item.removeprefix("new").removeprefix("i")) % 3 == 2 for item in ids(plain)) < 10


def test_a_boost_raises_a_category_and_a_refused_one_never_comes(service, assortment):
    boosted = ids(service.recommend(history(*DRAMA), Ask(9, preset="boosted"), assortment))
    assert all(int(item[1:]) % 3 == 1 for item in boosted)
    even = ids(service.recommend(history(*DRAMA), Ask(60, preset="even"), assortment))
    assert not any(int(item.removeprefix("new").removeprefix("i")) % 3 == 1 for item in even)


def test_a_preset_that_there_is_none_of_is_refused_with_those_there_are(service):
    with pytest.raises(UnknownId, match="'nonsense'") as refused:
        service.recommend(history("i0"), Ask(preset="nonsense"))
    assert "boosted, even, home" in refused.value.do


WISHES = {
    "plain": {},
    "diverse": {"diversity": 0.7},
    "calibrated": {"calibration": 0.9},
    "both": {"diversity": 0.4, "calibration": 0.4},
    "preset": {"preset": "home"},
    "filtered": {"categories": frozenset({"Comedy"})},
    "seen": {"include_seen": True},
    "even": {"preset": "even"},
}


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES.keys())
@pytest.mark.parametrize("liked", [DRAMA, ("i0", "i1", "new2"), ("new1",), ()])
def test_pages_neither_repeat_nor_skip(service, assortment, liked, wishes):
    person = history(*liked)
    whole = service.recommend(person, Ask(80, **wishes), assortment).items
    pages = [service.recommend(person, Ask(7, offset, **wishes), assortment).items for offset in range(0, 84, 7)]
    assert tuple(itertools.chain.from_iterable(pages)) == whole
    assert len({row.item for row in whole}) == len(whole)
    assert [row.rank for row in whole] == list(range(1, len(whole) + 1))


def test_dials_move_lists_the_way_they_say(service, assortment):
    plain = ids(service.recommend(history(*DRAMA), Ask(10), assortment))
    assert ids(service.recommend(history(*DRAMA), Ask(10, diversity=0.0), assortment)) == plain
    mixed = history("i0", "i3", "i6", "i9", "i1")

    def dramas(**wishes):
        return sum(
            int(item.removeprefix("new").removeprefix("i")) % 3 == 0
            for item in ids(service.recommend(mixed, Ask(10, **wishes), assortment))
        )

    assert dramas(diversity=0.9) < dramas()
    assert abs(dramas(calibration=1.0) - 8) <= abs(dramas() - 8)  # four of five were dramas


def test_reasons_name_items_of_the_history_and_shares_that_sum_to_one(service, assortment):
    person = history("i0", "i3", "i6", "i1")
    answer = service.recommend(person, Ask(12, explain=True), assortment)
    assert any(row.source == "content" for row in answer.items)
    for row in answer.items:
        assert {one.item for one in row.because} <= {"i0", "i3", "i6", "i1"}
        assert sum(one.share for one in row.because) <= 1 + 1e-6
    assert all(row.because[0].item in DRAMA for row in answer.items[:5])
    plain = service.recommend(person, Ask(12), assortment)
    assert ids(plain) == ids(answer)
    assert all(row.because == () and row.needed is None for row in plain.items)


def test_without_the_needed_items_it_would_not_be_in_the_list(service, assortment):
    person = ("i0", "i3", "i6", "i1", "i5")
    answer = service.recommend(history(*person), Ask(5, explain=True), assortment)
    tried = [row for row in answer.items if row.needed]
    assert tried
    for row in tried:
        rest = history(*(item for item in person if item not in row.needed))
        without = service.recommend(rest, Ask(5, exclude=frozenset(row.needed)), assortment)
        assert row.item not in ids(without)


SHAPED = {
    "plain": {},
    "deep": {"n": 12},
    "diverse": {"diversity": 0.4},
    "calibrated": {"calibration": 0.5},
    "pinned": {"preset": "home"},
    "shared": {"preset": "shared"},
    "seen": {"include_seen": True},
    "page": {"offset": 4, "n": 6},
}


@pytest.mark.parametrize("wishes", SHAPED.values(), ids=SHAPED.keys())
def test_needed_is_true_of_the_list_that_is_served_whatever_shapes_it(service, assortment, wishes):
    ask = Ask(**{"n": 10, **wishes, "explain": True})
    rng = np.random.default_rng(4)
    tried = 0
    for _ in range(12):
        person = [f"i{k}" for k in rng.choice(N, 5, replace=False)]
        for row in service.recommend(history(*person), ask, assortment).items:
            if row.needed is None:
                continue
            rest = history(*(item for item in person if item not in row.needed))
            gone = frozenset(row.needed) - {row.item}
            whole = replace(ask, n=ask.depth, offset=0, explain=False, exclude=gone)
            assert row.item not in ids(service.recommend(rest, whole, assortment))
            tried += 1
    assert tried > 20


def test_needed_counts_the_places_that_new_items_take(registry, bundle, assortment):
    """Where new items take places, an item is out of the list sooner, and fewer items of the history keep it there."""
    registry.publish([bundle])
    sizes = {}
    for share in (0.0, 0.3):
        service = RecommendationService(registry, fresh_share=share)
        rows = service.recommend(history("i0", "i3", "i6", "i9", "i12"), Ask(10, explain=True), assortment).items
        sizes[share] = {row.item: len(row.needed) for row in rows if row.needed}
    both = sizes[0.0].keys() & sizes[0.3].keys()
    assert both
    assert all(sizes[0.3][item] <= sizes[0.0][item] for item in both)
    assert any(sizes[0.3][item] < sizes[0.0][item] for item in both)


def test_reasons_are_few_for_content_too(service, assortment):
    person = history(*(f"i{k}" for k in range(0, 45, 3)))
    (row,) = [
        row for row in service.recommend(person, Ask(10, explain=True), assortment).items if row.source == "content"
    ]
    assert len(row.because) == 3
    assert sum(one.share for one in row.because) == pytest.approx(3 / 15)


def test_a_preset_holds_for_a_history_that_no_model_knows(service, assortment):
    answer = service.recommend(history("new1"), Ask(20, preset="home"), assortment)
    assert answer.strategy == "content"
    assert (answer.items[0].item, answer.items[0].source) == ("i59", "pinned")
    comedy = [int(item.removeprefix("new").removeprefix("i")) % 3 == 2 for item in ids(answer)]
    for depth in range(1, 21):
        assert sum(comedy[:depth]) >= depth // 2


def test_a_share_is_for_items_that_no_model_knows_too(service, assortment):
    more = assortment.changed([Article(f"x{k}", categories=("New",), created=100 + k) for k in range(9)], 1)
    answer = service.recommend(history(*DRAMA), Ask(10, preset="new"), more)
    placed = [row for row in answer.items if row.item.startswith("x")]
    assert [row.item for row in placed] == ["x8", "x7", "x6", "x5", "x4"]  # nothing alike the history: newest first
    assert {row.source for row in placed} == {"content"}
    hidden = more.changed([Article("x8", categories=("New",), shown=False)], 2)
    assert "x8" not in ids(service.recommend(history(*DRAMA), Ask(10, preset="new"), hidden))


def test_many_users_are_answered_as_one_at_a_time(service, assortment):
    people = [(f"u{k}", history(*(f"i{(k * 7 + j) % N}" for j in range(k % 5)))) for k in range(40)]
    many = service.recommend_many(people, Ask(9), assortment)
    for (user, one), answer in zip(people, many, strict=True):
        alone = service.recommend(one, Ask(9), assortment, user)
        assert (answer.user, answer.strategy, answer.items) == (user, alone.strategy, alone.items)
    assert service.recommend_many([], Ask(9), assortment) == []


def test_similar_to_a_new_item_are_those_of_its_categories(service, assortment):
    answer = service.similar("new2", Ask(5), assortment)
    assert answer.strategy == "content"
    assert answer.items[0].item == "new5"
    assert "new2" not in ids(answer)
    with pytest.raises(UnknownId, match="zebra"):
        service.similar("zebra", Ask(5), assortment)


def test_similar_items_say_which_categories_both_have(service, assortment):
    answer = service.similar("i0", Ask(5, explain=True), assortment)
    assert answer.strategy == "similar"
    assert all(row.categories == (("Drama",) if int(row.item[1:]) % 3 == 0 else ()) for row in answer.items)


def test_similar_items_that_no_model_knows_say_which_categories_both_have(service, assortment):
    answer = service.similar("i0", Ask(40, explain=True), assortment)
    placed = [row for row in answer.items if row.source == "content"]
    assert placed
    assert all(row.categories == ("Drama",) for row in placed)
    of_new = service.similar("new0", Ask(5, explain=True), assortment)
    assert of_new.strategy == "content"
    assert all(row.categories == ("Drama",) for row in of_new.items)


def test_what_is_popular_is_not_called_similar(registry, bundle, assortment):
    rows = csr_matrix(np.eye(N, dtype=np.float32) + np.eye(N, k=1, dtype=np.float32))
    others = [create(name).fit(rows, FitOptions(seed=0)) for name in ("popularity", "ease")]
    cards = [
        {"model": name, "config": config_of(model)} for name, model in zip(("popularity", "ease"), others, strict=True)
    ]
    popularity = np.ones(N, dtype=np.float32)
    made = [ModelBundle(model, bundle.items, popularity, card) for model, card in zip(others, cards, strict=True)]
    registry.publish([bundle, *made])
    service = RecommendationService(registry, fresh_share=0.0)
    popular = service.similar("i7", Ask(5, model="popularity", explain=True), assortment)
    assert (popular.strategy, {row.source for row in popular.items}) == ("popular", {"popular"})
    alike = service.similar("i7", Ask(40, model="ease"), assortment)
    assert alike.strategy == "similar"
    assert 0 < len(alike.items) < 40
    assert all(row.score > 0 for row in alike.items)


def test_a_list_made_elsewhere_passes_the_same_filters(service, assortment):
    rows = [("i1", 9.0), ("new0", 5.0), ("nobody", 4.0), ("i2", 3.0), ("i0", 1.0)]
    answer = service.ranked(rows, Ask(3, without=frozenset({"War"})), assortment)
    assert answer.strategy == "trending"
    assert [(row.item, row.score, row.rank) for row in answer.items] == [
        ("new0", 5.0, 1),
        ("i2", 3.0, 2),
        ("i0", 1.0, 3),
    ]


def test_people_of_the_same_taste_are_most_alike(service):
    others = [("drama", history("i9", "i12", "i15")), ("war", history("i1", "i4")), ("nobody", history("unknown"))]
    model, _, found = service.alike(history(*DRAMA), others)
    assert model == "als"
    assert found[0][0] == "drama"
    assert found[0][1] > max(0.5, dict(found)["war"])
    assert dict(found)["nobody"] == 0.0
    assert service.alike(history("unknown"), others)[2] == []

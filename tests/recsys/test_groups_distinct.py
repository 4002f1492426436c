"""What is said of a group: never of fewer than five people, never by chance, never but plain text."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.evaluation.catalogue import Catalogue
from recsys.groups import distinct
from recsys.groups.distinct import Feature, People
from recsys.groups.quantities import Quantity, quantities
from recsys.groups.words import Profile, names, plain, sentence
from recsys.matrix import Index


def profile(categories=(), titles=(), length=50.0, attributes=(), quantities=()) -> Profile:
    made = [Feature(name, "", lift * 0.1, 0.1) for name, lift in categories]
    items = [Feature(f"id of {title}", title, 0.5, 0.2) for title in titles]
    return Profile(512, 0.1, made, items, attributes, quantities, length, 50.0, lengths_differ=length != 50.0)


def halves(taken: np.ndarray, group: np.ndarray, k: int = 2) -> People:
    """Everybody took the same in both halves."""
    rows = csr_matrix(taken.astype(np.float32))
    return People(group, rows, group, rows, k)


def test_the_sentence_reads_as_a_person_would_say_it():
    one = profile([("Horror", 2.3), ("Thriller", 1.8)], ["Alien (1979)", "Thing, The (1982)"])
    assert sentence(one, 0.9, only=False) == (
        "512 people (10%): 2.3 times as much Horror and 1.8 times as much Thriller as everybody; "
        "typical: Alien (1979), Thing, The (1982)."
    )


def test_a_group_that_differs_in_nothing_much_says_so():
    assert sentence(profile(length=20.0), 0.9, only=False) == (
        "512 people (10%): close to the average taste; shorter histories (20 items at the median against 50)."
    )
    weak = sentence(profile([("Drama", 1.15)]), 0.9, only=False)
    assert weak == "512 people (10%): close to the average taste; a little more Drama."
    assert "longer histories" in sentence(profile(length=90.0), 0.9, only=False)
    assert "histories" not in sentence(profile(length=55.0), 0.9, only=False)


def test_who_they_are_is_said_beside_what_they_like():
    women = Feature("F", "gender", 0.45, 0.28)
    assert "; more often gender F (45% against 28%)." in sentence(profile(attributes=[women]), 0.9, only=False)


def test_names_are_distinct_also_where_two_groups_like_the_same():
    pair, turned = [("Action", 2.0), ("Sci-Fi", 1.8)], [("Sci-Fi", 2.0), ("Action", 1.8)]
    same = [profile(pair), profile(turned), profile([*pair, ("War", 1.5)]), profile(pair, ["Alien"]), profile(pair)]
    assert names([*same, profile(), profile(length=20.0), profile()]) == [
        "Action and Sci-Fi",
        "Sci-Fi and Action (2)",
        "Action, Sci-Fi and War",
        "Action and Sci-Fi: Alien",
        "Action and Sci-Fi (2)",
        "Average taste",
        "Average taste, shorter histories",
        "Average taste (2)",
    ]


def test_a_category_names_a_group_only_where_it_stands_out():
    assert names([profile([("Drama", 1.15)], ["Alien", "Heat"]), profile([("Drama", 1.6)])]) == [
        "Alien and Heat",
        "Drama",
    ]


def test_hostile_titles_stay_plain_text_on_one_line():
    title = "<script>alert('x')</script>\n=1+1 {{ 7 }}"
    told = sentence(profile(titles=[title]), 0.9, only=False)
    assert "<script>alert('x')</script> =1+1 {{ 7 }}" in told
    assert "\n" not in told
    assert plain("a\u2028b\x00c") == "a b c"
    assert plain("x" * 500) == "x" * 59 + "…"


def test_nothing_is_told_of_fewer_than_five_people():
    group = np.repeat([0, 1], 60)
    taken = np.zeros((120, 3))
    taken[:, 0] = 1
    index, catalogue = Index.of(["a", "b", "c"], "item"), Catalogue(categories={"b": ("B",), "c": ("C",)})
    taken[:30, 1], taken[:4, 2] = 1, 1
    four = halves(taken, group)
    assert [f.name for f in distinct.items(four, index, catalogue)[0]] == ["b"]
    assert [f.name for f in distinct.categories(four, index, catalogue)[0]] == ["B"]
    users = [f"u{n}" for n in range(120)]
    few = Catalogue(users={user: {"city": "Elm" if n < 4 else "Arden"} for n, user in enumerate(users)})
    many = Catalogue(users={user: {"city": "Elm" if n < 30 else "Arden"} for n, user in enumerate(users)})
    all_but_four = Catalogue(users={user: {"city": "Elm" if n < 56 else "Arden"} for n, user in enumerate(users)})
    assert distinct.attributes(group, 2, users, few) == [[], []]
    assert [f.name for f in distinct.attributes(group, 2, users, many)[0]] == ["Elm"]
    assert distinct.attributes(group, 2, users, all_but_four)[0] == []


def test_the_share_of_an_attribute_is_of_those_of_whom_it_is_known():
    group = np.repeat([0, 1], 100)
    users = [f"u{n}" for n in range(200)]
    known = {
        user: {"gender": "F" if n % 100 < (60 if n < 100 else 20) else "M"} for n, user in enumerate(users) if n % 2
    }
    feature = distinct.attributes(group, 2, users, Catalogue(users=known))[0][0]
    assert (feature.of, feature.name, feature.share, feature.overall) == ("gender", "F", 0.6, 0.4)


def test_chance_is_told_of_as_rarely_as_the_level_says():
    rng = np.random.default_rng(1)
    index = Index.of([f"i{n}" for n in range(40)], "item")
    catalogue = Catalogue(categories={f"i{n}": (f"c{n % 8}",) for n in range(40)})
    told = {"categories": 0, "items": 0, "attributes": 0}
    users = [f"u{n}" for n in range(300)]
    for _ in range(60):
        group = rng.integers(0, 3, 300)
        chance = halves(rng.random((300, 40)) < 0.25, group, 3)
        known = Catalogue(users={user: {"city": f"town {rng.integers(5)}"} for user in users})
        told["categories"] += any(distinct.categories(chance, index, catalogue))
        told["items"] += any(distinct.items(chance, index, catalogue))
        told["attributes"] += any(distinct.attributes(group, 3, users, known))
    assert max(told.values()) <= 8  # 60 worlds at 5%: more than 8 in less than one of a hundred


def test_what_only_the_seen_half_shows_is_not_told():
    group = np.repeat([0, 1], 60)
    taken = np.zeros((120, 4), dtype=np.float32)
    taken[:60, 0], taken[60:, 1] = 1, 1
    hidden = np.zeros((120, 4), dtype=np.float32)
    hidden[:, 2:] = 1
    people = People(group, csr_matrix(taken + hidden), group, csr_matrix(hidden), 2)
    index, catalogue = Index.of(list("abcd"), "item"), Catalogue(categories={c: (c.upper(),) for c in "abcd"})
    assert distinct.items(people, index, catalogue) == [[], []]
    assert distinct.categories(people, index, catalogue) == [[], []]


def test_a_category_is_a_share_of_each_history_whoever_it_belongs_to():
    taken = np.zeros((80, 8))
    taken[:40, 0], taken[:20, 1:4] = 1, 1  # forty people of category A: half of them with three other items
    taken[40:, 5:] = 1
    catalogue = Catalogue(categories={"0": ("A", "Both"), "1": ("Both",)})
    group = np.repeat([0, 1], 40)
    found = {
        f.name: f for f in distinct.categories(halves(taken, group), Index.of(list("01234567"), "item"), catalogue)[0]
    }
    assert found["A"].share == pytest.approx((20 * 0.25 + 20) / 40)
    assert found["A"].overall == pytest.approx((20 * 0.25 + 20) / 80)
    assert found["Both"].share == pytest.approx((20 * 0.5 + 20) / 40)


def test_items_are_held_to_a_rate_of_false_discoveries_as_scipy_counts_it():
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(200) ** 4
    expected = false_discovery_control(p) <= 0.05
    assert 20 < expected.sum() < 180
    assert (distinct._mostly_true(p) == expected).all()
    assert not distinct._mostly_true(np.ones(6)).any()


def test_log_odds_are_those_of_the_paper():
    counts = np.array([[10.0, 5.0, 0.0, 0.0], [20.0, 60.0, 5.0, 0.0]])
    prior = counts.sum(axis=0) / 20
    here, there = counts[0] + prior, counts[1] + prior
    n_here, n_there = 15 + 5, 85 + 5
    for word in range(3):
        difference = np.log(here[word] / (n_here - here[word])) - np.log(there[word] / (n_there - there[word]))
        expected = difference / np.sqrt(1 / here[word] + 1 / there[word])
        assert distinct.log_odds(counts)[0, word] == pytest.approx(expected, abs=1e-12)
    assert distinct.log_odds(counts)[0, 3] == 0
    np.testing.assert_allclose(distinct.log_odds(counts)[0], -distinct.log_odds(counts)[1], atol=1e-12)


def test_means_differ_as_welchs_test_says_and_by_chance_as_rarely_as_the_level_says():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(5)
    group = np.repeat([0, 1, 2], 400)
    years = rng.normal(1990, 5, 1200) + np.array([0.0, 0.5, -0.5])[group]
    theirs = [ttest_ind(years[group == g], years[group != g], equal_var=False).pvalue for g in range(3)]
    np.testing.assert_allclose(distinct.mean_differs(years, group, 3), theirs, atol=0.004)  # normal for Student
    unknown = np.append(years, [np.nan] * 9)
    padded = np.append(group, [0] * 9)
    np.testing.assert_allclose(distinct.mean_differs(unknown, padded, 3), distinct.mean_differs(years, group, 3))
    chance = [distinct.mean_differs(rng.normal(0, 1, 1200), group, 3) for _ in range(200)]
    assert sum(distinct.significant(p).any() for p in chance) <= 20


def test_the_age_of_items_is_told_where_it_is_what_differs():
    index = Index.of([f"i{n}" for n in range(40)], "item")
    facts = {f"i{n}": {"year": str(1950 + n), "studio": "7 Arts", "imdbId": str(n)} for n in range(40)}
    group = np.repeat([0, 1], 50)
    rng = np.random.default_rng(0)
    taken = np.zeros((100, 40))
    taken[:50, :20], taken[50:, 20:] = rng.random((50, 20)) < 0.5, rng.random((50, 20)) < 0.5
    found = quantities(halves(taken, group), index, Catalogue(items=facts))
    assert [[q.name for q in one] for one in found] == [["year"], ["year"]]
    years = np.arange(1950, 1990)
    each = taken @ years / taken.sum(axis=1)
    assert found[0][0].mean == pytest.approx(each[:50].mean())
    assert found[0][0].overall == pytest.approx(each.mean())
    told = sentence(profile(quantities=[Quantity("year", 1959.4, 1969.6)]), 0.9, only=False)
    assert told == "512 people (10%): close to the average taste; year 1959 on average against 1970."


def test_the_age_of_items_is_not_told_where_it_is_much_the_same_or_hardly_known():
    index = Index.of([f"i{n}" for n in range(40)], "item")
    group = np.repeat([0, 1], 50)
    taken = np.random.default_rng(0).random((100, 40)) < 0.5
    alike = Catalogue(items={f"i{n}": {"year": str(1950 + n)} for n in range(40)})
    assert quantities(halves(taken, group), index, alike) == [[], []]
    taken = np.zeros((100, 40))
    taken[:50, :20], taken[50:, 20:] = 1, 1
    rare = Catalogue(items={f"i{n}": {"year": str(1950 + n)} for n in range(0, 40, 3)})
    assert quantities(halves(taken, group), index, rare) == [[], []]


def test_a_category_that_is_all_a_group_takes_is_told_though_nobody_in_it_differs():
    taken = np.kron(np.eye(2), np.ones((30, 12)))  # thirty people of each taste, each with all of theirs and no other
    catalogue = Catalogue(categories={f"i{k}": ("Horror" if k < 12 else "Comedy",) for k in range(24)})
    index = Index.of([f"i{k}" for k in range(24)])
    found = distinct.categories(halves(taken, np.repeat([0, 1], 30)), index, catalogue)
    assert [[feature.name for feature in group] for group in found] == [["Horror"], ["Comedy"]]
    assert found[0][0].lift == pytest.approx(2)


def test_of_a_handful_of_people_even_that_is_not_told():
    taken = np.kron(np.eye(2), np.ones((2, 12)))
    catalogue = Catalogue(categories={f"i{k}": ("Horror" if k < 12 else "Comedy",) for k in range(24)})
    index = Index.of([f"i{k}" for k in range(24)])
    assert distinct.categories(halves(taken, np.repeat([0, 1], 2)), index, catalogue) == [[], []]

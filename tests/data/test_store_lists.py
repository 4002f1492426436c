"""Lists made ahead for users, and who of them is active."""

from __future__ import annotations

from itertools import pairwise

import pytest
from sqlalchemy import text

from data.people import active
from data.records import UserRecord
from data.store import Store
from recsys.errors import DataError
from recsys.interactions import NO_TIME, Interactions

NOON = 1_700_000_000_000_000


@pytest.fixture
def people(store: Store) -> Store:
    store.put_users([UserRecord(f"u{number:03d}") for number in range(600)])
    return store


def test_lists_come_back_as_they_were_put(people: Store) -> None:
    rows = {f"u{number:03d}": [("b", 1 / 3), ("a", 1e-300), ("ü", -0.1 * number)] for number in range(600)}
    assert people.put_lists("als", "v1", list(rows.items())) == 600
    found = people.lists("als", [*rows, "nobody"])
    assert found == {user: ("v1", ranked) for user, ranked in rows.items()}
    assert people.lists("deep", list(rows)) == {}
    assert people.lists("als", []) == {}


def test_a_later_list_takes_the_place_of_an_earlier_one_of_the_same_model(people: Store) -> None:
    people.put_lists("als", "v1", [("u001", [("a", 1.0)]), ("u002", [("a", 1.0)])])
    people.put_lists("deep", "w1", [("u001", [("c", 1.0)])])
    assert people.put_lists("als", "v2", [("u001", [("b", 2.0)])]) == 1
    assert people.lists("als", ["u001", "u002"]) == {"u001": ("v2", [("b", 2.0)]), "u002": ("v1", [("a", 1.0)])}
    assert people.lists("deep", ["u001"]) == {"u001": ("w1", [("c", 1.0)])}


def test_users_who_are_gone_meanwhile_are_passed_over(people: Store) -> None:
    people.forget("u001")
    assert people.put_lists("als", "v1", [("u001", [("a", 1.0)]), ("u002", []), ("nobody", [])]) == 1
    assert people.lists("als", ["u001", "u002"]) == {"u002": ("v1", [])}
    assert people.user("u001") is None
    assert people.put_lists("als", "v1", []) == 0


def test_lists_of_other_versions_are_dropped(people: Store) -> None:
    users = [f"u{number:03d}" for number in range(600)]
    people.put_lists("als", "v1", [(user, [("a", 1.0)]) for user in users])
    people.put_lists("deep", "w1", [("u001", [("a", 1.0)])])
    people.put_lists("als", "v2", [(user, [("a", 1.0)]) for user in users[:25]])
    assert people.drop_lists("als", "v2") == 575
    assert sorted(people.lists("als", users)) == users[:25]
    assert people.lists("deep", ["u001"]) != {}
    assert people.drop_lists("als", "v2") == 0


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_list_with_a_score_that_is_no_number_is_refused_and_none_is_kept(people: Store, score: float) -> None:
    with pytest.raises(DataError, match="finite"):
        people.put_lists("als", "v1", [("u001", [("a", 1.0)]), ("u002", [("a", score)])])
    assert people.lists("als", ["u001", "u002"]) == {}


def paged(store: Store, since: int | None, limit: int) -> list[list[str]]:
    pages: list[list[str]] = [store.active_users(since, None, limit)]
    while len(pages[-1]) == limit:
        pages.append(store.active_users(since, pages[-1][-1], limit))
    return pages


def test_active_users_are_those_with_an_event_since_then_each_once(store: Store) -> None:
    users = [f"person {number * 7 % 40}" for number in range(40)]
    times = [NOON + number for number in range(40)]
    store.add(Interactions.from_lists(users, ["x"] * 40, times=times))
    store.add(Interactions.from_lists([*users[:20], "undated"], ["y"] * 21, times=[*times[:20], NO_TIME]))
    store.put_users([UserRecord("idle")])
    for limit in (1, 7, 100):
        pages = paged(store, NOON + 10, limit)
        found = [user for page in pages for user in page]
        assert len(found) == len(set(found))
        assert set(found) == set(users[10:])
        assert all(len(page) == limit for page in pages[:-1])
    assert {user for page in paged(store, None, 9) for user in page} == {*users, "undated"}
    assert store.active_users(NOON + 40, None, 10) == []


def test_a_page_asks_about_the_events_of_its_users_only(store: Store) -> None:
    """The plan, and not the clock, says so: no pass over all events, and no sorting of all users."""
    users = [f"u{number:04d}" for number in range(3000) for _ in range(10)]
    store.add(Interactions.from_lists(users, [f"i{n % 10}" for n in range(30_000)], times=[NOON] * 30_000))
    sqlite = store.engine.dialect.name == "sqlite"
    asked = active(NOON, "u0100", 50).compile(store.engine, compile_kwargs={"literal_binds": True})
    with store.engine.execution_options(writes=True).begin() as connection:
        if not sqlite:
            connection.execute(text("analyze users, interactions"))
        rows = connection.exec_driver_sql(f"{'explain query plan' if sqlite else 'explain'} {asked}")
        plan = "\n".join(str(row) for row in rows)
    assert ("SEARCH interactions USING PRIMARY KEY (user_id=?)" if sqlite else "using pk_interactions") in plan
    assert not any(word in plan for word in ("SCAN", "Seq Scan", "Sort", "TEMP B-TREE")), plan


def test_pages_do_not_depend_on_what_is_added_behind_them(store: Store) -> None:
    store.add(Interactions.from_lists(["b", "d", "f"], ["x"] * 3))
    first = store.active_users(None, None, 2)
    store.add(Interactions.from_lists(["a", "e"], ["x"] * 2))
    assert [*first, *store.active_users(None, first[-1], 9)] == ["b", "d", "e", "f"]
    assert all(one < other for one, other in pairwise(store.active_users(None, None, 9)))

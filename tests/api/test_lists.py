"""The lists of active people: as an answer over HTTP has them, and of nobody who left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api import lists
from api.app import recommendation_service
from api.lists import make_lists
from api.settings import Settings
from data.store import Store
from recsys.interactions import Interactions
from recsys.serving.ask import Ask
from recsys.serving.registry import ModelRegistry
from recsys.serving.service import RecommendationService
from tests.api.conftest import known_bundle, seed

DAY = 86_400_000_000


class Place:
    """A store with a live ALS. u1 is long gone; u2 and u3 did something of late."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder, default_model="als")
        seed(self.settings.url)
        self.registry = ModelRegistry(self.settings.registry_folder)
        self.registry.publish([known_bundle()])
        self.store = Store.open(self.settings.url)
        self.until = 10**15 + 200 * DAY
        events = Interactions.from_lists(["u2", "u3"], ["a0", "b1"], "like", times=[self.until, self.until - DAY])
        self.store.add(events)

    @property
    def service(self) -> RecommendationService:
        return recommendation_service(self.settings)

    def make(self, n: int = 3, days: float = 90) -> dict[str, Any]:
        return make_lists(self.store, self.service, n, self.until, days, lambda: None)

    def items(self, user: str) -> list[str]:
        return [item for item, _ in self.store.lists("als", [user])[user][1]]


@pytest.fixture
def place(tmp_path: Path) -> Any:
    found = Place(tmp_path)
    yield found
    found.store.close()


def test_active_people_have_the_list_that_an_answer_would_hold(place: Place):
    found = place.make()
    assert (found["people"], found["model"], found["churn"]["text"]) == (2, "als", "nobody had a list before")
    for user in ("u2", "u3"):
        answer = place.service.recommend(place.store.history(user), Ask(3), None, user)
        assert place.items(user) == [row.item for row in answer.items]
    assert "u1" not in place.store.lists("als", ["u1"])


def test_who_is_no_longer_active_loses_theirs(place: Place):
    place.make(days=1_000)
    assert "u1" in place.store.lists("als", ["u1"])
    place.registry.publish([known_bundle(scale=2.0)])
    place.make()
    assert "u1" not in place.store.lists("als", ["u1"])


def test_it_says_how_far_the_lists_moved(place: Place):
    place.make()
    place.store.add(Interactions.from_lists(["u2"], ["a1"], "like", times=[place.until]))
    found = place.make()["churn"]
    assert found["users"] == 2
    assert found["unchanged"] == 0.5
    assert "of 2 people's lists before" in found["text"]


def test_who_left_while_the_lists_were_made_has_none_of_what_they_did(place: Place, monkeypatch: pytest.MonkeyPatch):
    put, calls = place.store.put_lists, []

    def leave_first(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 1:
            place.store.forget("u2")
            place.store.add(Interactions.from_lists(["u2"], ["b2"], "like", times=[place.until]))
        return put(*arguments)

    monkeypatch.setattr(place.store, "put_lists", leave_first)
    place.make()
    assert len(calls) == 2
    assert "b2" not in place.items("u2")  # it is their history now, and nothing else is
    assert place.items("u2") == [
        row.item for row in place.service.recommend(place.store.history("u2"), Ask(3), None, "u2").items
    ]


def test_pages_of_people_are_joined(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "AT_ONCE", 1)
    assert place.make(days=1_000)["people"] == 3


def test_when_another_release_goes_live_meanwhile_all_lists_are_of_one(place: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "AT_ONCE", 1)
    place.store.add(Interactions.from_lists(["u4"], ["a2"], "like", times=[place.until]))
    put, calls = place.store.put_lists, []

    def then_swap(*arguments: Any) -> int:
        calls.append(arguments[1])
        written = put(*arguments)
        if len(calls) == 1:
            place.registry.publish([known_bundle(scale=2.0)])
        return written

    monkeypatch.setattr(place.store, "put_lists", then_swap)
    found = place.make()
    assert len(set(calls)) == 2
    assert found["people"] == 3
    kept = place.store.lists("als", ["u2", "u3", "u4"])
    assert {version for version, _ in kept.values()} == {found["version"]}
    assert len(kept) == 3

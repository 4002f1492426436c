"""The service: what is answered, from which model, and what is never shown."""

import threading
import time

import numpy as np
import pytest

from recsys.errors import DamagedBundle, NoModel, UnknownId
from recsys.interactions import Interactions
from recsys.serving import live
from recsys.serving.ask import Ask
from recsys.serving.assortment import Article, Assortment
from recsys.serving.service import RecommendationService

ITEMS = ["a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"]


class Histories(dict):
    """user -> [(item, event, value)]; stands in for a store."""

    timed = True

    def __call__(self, user):
        rows = self.get(user, [])
        return Interactions.from_lists(
            [user] * len(rows),
            [row[0] for row in rows],
            [row[1] for row in rows],
            [row[2] for row in rows],
            list(range(len(rows))) if self.timed else None,
        )


@pytest.fixture
def histories():
    return Histories()


@pytest.fixture
def hidden():
    return {"ids": frozenset()}


class Desk:
    """A service that is asked by user id, with every item but the hidden ones shown."""

    def __init__(self, service, histories, hidden=None):
        self.service, self.histories, self.hidden = service, histories, hidden or {"ids": frozenset()}
        self.live, self.health = service.live, service.health

    @property
    def assortment(self):
        return Assortment([Article(item, shown=item not in self.hidden["ids"]) for item in ITEMS])

    def recommend(self, user, **wishes):
        return self.service.recommend(self.histories(user), Ask(**wishes), self.assortment, user)

    def similar(self, item, **wishes):
        return self.service.similar(item, Ask(**wishes), self.assortment)


@pytest.fixture
def service(registry, histories, hidden, make_als, make_popularity):
    registry.publish([make_als(), make_popularity()])
    return Desk(RecommendationService(registry, default="als"), histories, hidden)


def ids(answer):
    return [row.item for row in answer.items]


def test_a_history_of_one_taste_ranks_the_rest_of_that_taste_first(service, histories):
    histories["u"] = [("a1", "rating", 5.0)]
    answer = service.recommend("u", n=3)
    assert ids(answer) == ["a0", "a2", "a3"]
    assert answer.strategy == "personal"
    assert answer.model_name == "als"
    assert [row.rank for row in answer.items] == [1, 2, 3]
    assert sorted((row.score for row in answer.items), reverse=True) == [row.score for row in answer.items]


def test_a_history_fades_by_its_times_as_the_model_was_fitted_to(registry, histories, make_als):
    bundle = make_als()
    bundle.card["config"]["recency"] = 1.0
    registry.publish([bundle])
    asked = []
    service = Desk(RecommendationService(registry, default="als"), histories)
    model = service.live.snapshot().bundles[service.live.snapshot().release.version("als")].model
    score = model.score
    model.score = lambda rows: asked.append(rows) or score(rows)

    def weights():
        service.recommend("u", n=3)
        return {bundle.items.ids[column]: asked[-1].data[k] for k, column in enumerate(asked[-1].indices)}

    histories["u"] = [(item, "rating", 5.0) for item in ("a1", "b1", "unknown", "b2", "a1")]
    assert weights() == pytest.approx({"a1": 1.0, "b2": 1 / 2, "b1": 1 / 3})
    histories.timed = False
    assert weights() == {"a1": 1.0, "b2": 1.0, "b1": 1.0}


def test_somebody_without_events_gets_what_is_popular_and_is_told_so(service):
    answer = service.recommend("nobody", n=3)
    assert ids(answer) == ["b0", "a0", "a1"]
    assert answer.strategy == "popular"


@pytest.mark.parametrize(
    "history",
    [
        [("never heard of", "click", np.nan)],
        [("a0", "rating", 1.0)],
        [("a0", "impression", np.nan)],
    ],
)
def test_a_history_without_one_known_liked_item_is_popular(service, histories, history):
    histories["u"] = history
    answer = service.recommend("u")
    assert answer.strategy == "popular"
    assert ("a0" in ids(answer)) == (history[0][0] != "a0")


def test_a_model_that_answers_everyone_alike_is_not_called_personal(service, histories):
    histories["u"] = [("a1", "rating", 5.0)]
    assert service.recommend("u", model="popularity").strategy == "popular"


def test_unknown_items_beside_known_ones_do_no_harm(service, histories):
    histories["u"] = [("x1", "click", np.nan), ("a1", "click", np.nan), ("x2", "dislike", np.nan)]
    assert ids(service.recommend("u", n=2)) == ["a0", "a2"]


def test_seen_items_come_back_only_on_request(service, histories):
    histories["u"] = [("a1", "rating", 5.0), ("a0", "rating", 3.0)]
    assert not {"a0", "a1"} & set(ids(service.recommend("u", n=8)))
    assert {"a0", "a1"} <= set(ids(service.recommend("u", n=8, include_seen=True)))


@pytest.mark.parametrize("include_seen", [False, True])
def test_disliked_hidden_and_excluded_items_never_come(service, histories, hidden, include_seen):
    histories["u"] = [("a1", "rating", 5.0), ("a0", "dislike", np.nan), ("b1", "rating", 1.0)]
    hidden["ids"] = frozenset({"a2", "unknown to the model"})
    found = ids(service.recommend("u", n=8, include_seen=include_seen, exclude=frozenset(["a3", "also unknown"])))
    assert not {"a0", "b1", "a2", "a3"} & set(found)
    assert {"b0", "b2", "b3"} <= set(found)
    popular = ids(service.recommend("nobody", n=8, exclude=frozenset(["a3"])))
    assert "a2" not in popular
    assert "a3" not in popular


def test_what_is_hidden_now_is_gone_from_the_next_answer(service, hidden):
    assert "b0" in ids(service.recommend("nobody"))
    hidden["ids"] = frozenset({"b0"})
    assert "b0" not in ids(service.recommend("nobody"))
    assert "b0" not in ids(service.recommend("nobody", model="popularity"))
    hidden["ids"] = frozenset()
    assert "b0" in ids(service.recommend("nobody"))


def test_a_change_of_mind_is_heard(service, histories):
    histories["u"] = [("a1", "like", np.nan), ("a1", "dislike", np.nan)]
    assert service.recommend("u").strategy == "popular"
    histories["u"].append(("a1", "like", np.nan))
    assert service.recommend("u").strategy == "personal"


def test_only_allowed_items_come(service, histories):
    histories["u"] = [("a1", "rating", 5.0)]
    assert ids(service.recommend("u", only=frozenset({"b3", "b1", "a1", "unknown"}))) == ["b1", "b3"]
    assert ids(service.recommend("u", only=frozenset())) == []


def test_pages_put_together_are_the_whole_list(service, histories):
    histories["u"] = [("a1", "rating", 5.0)]
    whole = service.recommend("u", n=8).items
    pages = [row for offset in range(0, 9, 3) for row in service.recommend("u", n=3, offset=offset).items]
    assert tuple(pages) == whole
    assert len(whole) == 7
    assert service.recommend("u", n=3, offset=10_000).items == ()


def test_an_anonymous_history_is_answered_like_a_stored_one(service, histories):
    histories["u"] = [("a1", "rating", 5.0), ("b2", "click", np.nan)]
    anonymous = service.service.recommend(histories("u"), Ask(5))
    assert anonymous.items == service.recommend("u", n=5).items
    assert anonymous.user is None
    assert anonymous.strategy == "personal"


def test_every_answer_has_its_own_id(service):
    assert service.recommend("u").id != service.recommend("u").id


def test_similar_items_share_the_taste_and_leave_out_the_item_and_the_hidden(service, hidden):
    assert [row.item for row in service.similar("a2", n=3).items] == ["a0", "a1", "a3"]
    assert service.similar("a2").items[0].score == pytest.approx(1.0)
    hidden["ids"] = frozenset({"a0"})
    assert [row.item for row in service.similar("a2", n=2).items] == ["a1", "a3"]
    assert len(service.similar("a2", model="popularity").items) == 6


def test_similar_to_an_unknown_item_is_refused_by_name(service):
    with pytest.raises(UnknownId, match="zebra"):
        service.similar("zebra")


def test_an_unknown_model_is_refused_with_the_names_there_are(service):
    with pytest.raises(NoModel, match="nonsense") as caught:
        service.recommend("u", model="nonsense")
    assert "als" in caught.value.do
    assert "popularity" in caught.value.do


def test_without_a_published_model_every_call_says_so(registry, histories):
    service = Desk(RecommendationService(registry), histories)
    with pytest.raises(NoModel, match="published"):
        service.recommend("u")
    assert service.health()["ready"] is False


def test_a_default_that_is_not_live_gives_way_to_the_release_s_own(registry, histories, make_popularity):
    registry.publish([make_popularity()])
    assert Desk(RecommendationService(registry, default="als"), histories).recommend("u").model_name == "popularity"


def test_a_published_release_answers_the_next_request(service, registry, make_als):
    before = service.recommend("u").model_version
    (version,) = registry.publish([make_als(scale=2.0)])
    assert service.recommend("u").model_version == version
    registry.rollback()
    assert service.recommend("u").model_version == before


def test_a_damaged_release_leaves_the_old_one_serving_and_health_says_so(service, registry, make_als, monkeypatch):
    before = service.recommend("u").model_version
    (version,) = registry.publish([make_als(scale=2.0)])
    path = registry.folder / "versions" / version / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(DamagedBundle):  # the fault is there
        registry.load(version)
    assert service.recommend("u").model_version == before
    health = service.health()
    assert health["ready"] is True
    assert "refused" in health["fault"]
    assert health["models"]["als"]["version"] == before
    monkeypatch.setattr(live, "RETRY_SECONDS", 0.0)
    path.write_bytes(whole)
    service.live._refused = None  # what RETRY_SECONDS of waiting does
    assert service.recommend("u").model_version == version
    assert service.health()["fault"] is None


def test_a_lost_pointer_leaves_the_old_release_serving(service, registry):
    before = service.recommend("u").model_version
    registry.pointer.unlink()
    assert service.recommend("u").model_version == before
    assert "refused" in service.health()["fault"]


def test_answers_during_swaps_are_each_of_one_version(registry, histories, make_als):
    """Two releases whose scores differ tenfold, so that each answer's scores tell which model made it."""
    histories["u"] = [("a1", "rating", 5.0)]
    (small,) = registry.publish([make_als(scale=0.1)])
    service = Desk(RecommendationService(registry), histories)
    expected = {small: service.recommend("u").items}
    (large,) = registry.publish([make_als(scale=1.0)])
    expected[large] = service.recommend("u").items
    assert expected[small] != expected[large]
    seen, wrong, stop = set(), [], threading.Event()

    def ask():
        while not stop.is_set():
            answer = service.recommend("u")
            seen.add(answer.model_version)
            if answer.items != expected[answer.model_version]:
                wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(50):
        registry.promote((small, large)[turn % 2])
        time.sleep(0.002)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert seen == {small, large}

"""Who may put what live: people as they please, a night with a token and while nobody holds it."""

from __future__ import annotations

import pytest

from recsys.errors import DamagedBundle, Fenced, NoModel, RecsysError
from recsys.serving.registry import ModelRegistry
from tests.threads import together


@pytest.fixture
def three(registry, make_als):
    """Three versions, each put live after the other."""
    return [registry.publish([make_als(scale=scale)])[0] for scale in (1.0, 2.0, 3.0)]


def test_several_versions_go_live_in_one_step(registry, make_als, make_popularity):
    als, popularity = registry.add([make_als(), make_popularity()])
    release = registry.go_live([als, popularity], fence=registry.next_fence(), default="popularity")
    assert release.models == {"als": als, "popularity": popularity}
    assert (release.sequence, release.default) == (1, "popularity")
    assert registry.live() == release


def test_of_several_versions_a_damaged_one_keeps_all_back(registry, make_als, make_popularity):
    (live,) = registry.publish([make_als()])
    als, popularity = registry.add([make_als(scale=2.0), make_popularity()])
    (registry.folder / "versions" / popularity / "card.json").write_text("{}")
    with pytest.raises(DamagedBundle):
        registry.go_live([als, popularity], fence=registry.next_fence())
    assert registry.live().models == {"als": live}


def test_tokens_only_rise_whoever_asks(registry):
    other = ModelRegistry(registry.folder)
    assert [registry.next_fence(), other.next_fence(), registry.next_fence()] == [1, 2, 3]


def test_threads_that_ask_at_once_get_a_token_each(registry):
    tokens = []
    together(lambda _: tokens.append(ModelRegistry(registry.folder).next_fence()), 8)
    assert sorted(tokens) == list(range(1, 9))


def test_a_fence_that_cannot_be_read_lets_nobody_through(registry, make_als):
    (version,) = registry.add([make_als()])
    token = registry.next_fence()
    (registry.folder / "fence").write_text("soon")
    for act in (registry.next_fence, lambda: registry.go_live([version], fence=token)):
        with pytest.raises(DamagedBundle, match="fence"):
            act()
    registry.promote(version)  # a person needs none


@pytest.mark.parametrize("token", [1, 3])
def test_a_night_that_was_overtaken_publishes_nothing(registry, make_als, token):
    first, second = registry.add([make_als(), make_als(scale=2.0)])
    assert [registry.next_fence(), registry.next_fence()] == [1, 2]
    registry.go_live([first], fence=2)  # the control: the youngest may
    with pytest.raises(Fenced):
        registry.go_live([second], fence=token)
    assert registry.live().models == {"als": first}


def test_going_back_holds_the_nights_and_names_what_was_left(registry, three):
    assert (registry.hold(), registry.rolled_back()) == (None, frozenset())
    registry.rollback()
    assert registry.hold().versions == (three[2],)
    assert registry.hold().since.endswith("Z")
    assert registry.rolled_back() == {three[2][-12:]}
    registry.rollback()
    assert registry.hold().versions == (three[1],)
    assert registry.rolled_back() == {version[-12:] for version in three[1:]}


def test_no_night_promotes_while_a_person_holds_it(registry, three, make_als):
    registry.rollback()
    (fresh,) = registry.add([make_als(scale=4.0)])
    for version in (fresh, three[2]):
        with pytest.raises(RecsysError, match="went back") as caught:
            registry.go_live([version], fence=registry.next_fence())
        assert "resume" in caught.value.do
    assert registry.live().models == {"als": three[1]}


def test_after_the_hold_is_lifted_nights_still_leave_alone_what_was_rolled_back(registry, three, make_als):
    registry.rollback()
    before = registry.live()
    registry.lift_hold()
    assert (registry.hold(), registry.live()) == (None, before)
    (again,) = registry.add([make_als(scale=3.0)])
    with pytest.raises(RecsysError, match="went back"):
        registry.go_live([again], fence=registry.next_fence())
    (fresh,) = registry.add([make_als(scale=4.0)])
    assert registry.go_live([fresh], fence=registry.next_fence()).models == {"als": fresh}  # the control
    assert registry.rolled_back() == {three[2][-12:]}


@pytest.mark.parametrize("how", ["promote", "publish", "promote what is live"])
def test_a_persons_word_lifts_the_hold(registry, three, make_als, how):
    registry.rollback()
    if how == "promote":
        registry.promote(three[2])
        assert registry.rolled_back() == frozenset()
    elif how == "publish":
        registry.publish([make_als(scale=4.0)])
        assert registry.rolled_back() == {three[2][-12:]}
    else:
        registry.promote(three[1])
        assert registry.live().sequence == 4, "it is live already"
    assert registry.hold() is None


def test_lifting_a_hold_where_nothing_is_published_does_nothing(registry):
    registry.lift_hold()
    assert registry.hold() is None
    assert registry.stamp() is None


def test_a_person_who_goes_back_while_a_night_publishes_wins_whatever_comes_first(registry, make_als):
    versions = registry.add([make_als(scale=1.0 + number) for number in range(10)])
    for number in range(2, 10):
        for version in (versions[0], versions[1]):
            registry.promote(version)
        token, refused = registry.next_fence(), []

        def act(who, version=versions[number], token=token, refused=refused):
            own = ModelRegistry(registry.folder)
            if who:
                own.rollback()
                return
            try:
                own.go_live([version], fence=token)
            except RecsysError as error:
                refused.append(error.what)

        together(act, 2)
        if refused:  # the person came first
            assert "went back" in refused[0]
            assert registry.live().models == {"als": versions[0]}
            assert registry.hold().versions == (versions[1],)
        else:
            assert registry.live().models == {"als": versions[1]}
            assert registry.hold().versions == (versions[number],)


def test_a_rollback_of_nothing_sets_no_hold(registry, make_als):
    with pytest.raises(NoModel):
        registry.rollback()
    registry.publish([make_als()])
    with pytest.raises(NoModel, match="no release before"):
        registry.rollback()
    assert registry.hold() is None

"""API keys: kept, listed, revoked, and every change told."""

from __future__ import annotations

import pytest

from data.records import KeyRecord
from data.store import Store
from recsys.errors import DataError

KEY = KeyRecord("k1", "robot", "ab" * 32, ("read", "feedback"), created=1)


def test_keys_come_back_as_they_were_put_the_newest_first(store: Store) -> None:
    newer = KeyRecord("k0", "robot", "cd" * 32, ("admin",), created=2)
    for key in (KEY, newer):
        store.put_key(key)
    assert store.keys() == [newer, KEY]


def test_a_revoked_key_says_when_and_is_revoked_once(store: Store) -> None:
    store.put_key(KEY)
    assert store.revoke_key("other") is False
    assert store.revoke_key("k1") is True
    [key] = store.keys()
    assert key.revoked is not None
    assert store.revoke_key("k1") is False
    assert store.keys() == [key]


def test_every_change_of_keys_moves_their_mark_alone(store: Store) -> None:
    marks = [store.marks()]
    store.put_key(KEY)
    marks.append(store.marks())
    store.revoke_key("k1")
    marks.append(store.marks())
    store.revoke_key("k1")
    assert [mark.keys for mark in marks] == [0, 1, 2]
    assert store.marks() == marks[-1]
    assert {mark.items for mark in marks} == {0}


@pytest.mark.parametrize("key", [KeyRecord("", "n", "d", (), 1), KeyRecord("k" * 65, "n", "d", (), 1)])
def test_a_key_that_cannot_be_kept_is_refused(store: Store, key: KeyRecord) -> None:
    with pytest.raises(DataError):
        store.put_key(key)
    assert store.keys() == []

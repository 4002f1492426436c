"""API keys: what is made, what is kept, and how quickly the ring learns of changes."""

import hashlib
import hmac
import re
import threading
from dataclasses import replace

import pytest

from api.keys import KeyRing, digest, new_key, usable
from data.records import KeyRecord
from recsys.errors import StoreError


class Keys:
    """A store of keys that can be away, and counts how often it is read."""

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.count = self.reads = 0
        self.away = self.away_for_reading = False

    def put(self, record: KeyRecord) -> None:
        self.records[record.id] = record
        self.count += 1

    def read(self) -> list[KeyRecord]:
        if self.away or self.away_for_reading:
            raise StoreError("the database is away")
        self.reads += 1
        return list(self.records.values())

    def mark(self) -> int:
        if self.away:
            raise StoreError("the database is away")
        return self.count

    def ring(self) -> KeyRing:
        return KeyRing(self.read, self.mark)


def test_a_key_has_256_bits_and_only_a_digest_of_them_is_kept():
    text, record = new_key("shop", ["feedback", "read", "read"])
    found = re.fullmatch(r"rk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", text)
    assert found
    assert record.id == found[1]
    assert record.scopes == ("read", "feedback")
    assert found[2] not in repr(record)
    assert record.digest == hmac.new(found[1].encode(), found[2].encode(), hashlib.sha256).hexdigest()
    assert len({new_key("shop", ["read"])[0] for _ in range(1000)}) == 1000


def test_a_digest_opens_nothing_under_another_id():
    text, record = new_key("shop", ["admin"])
    secret = text.split("_", 2)[2]
    moved = replace(record, id="0" * 16)
    assert Keys(moved).ring().caller(f"rk_{'0' * 16}_{secret}") is None


@pytest.mark.parametrize("scope", ["read", "feedback", "admin"])
def test_no_scope_grants_another_but_admin_grants_all(scope):
    text, record = new_key("shop", [scope])
    caller = Keys(record).ring().caller(text)
    assert caller.id == record.id
    granted = {wanted for wanted in ("read", "feedback", "admin") if caller.may(wanted)}
    assert granted == ({"read", "feedback", "admin"} if scope == "admin" else {scope})


def test_what_is_nearly_a_key_is_nobodys():
    text, record = new_key("shop", ["admin"])
    ring = Keys(record).ring()
    assert ring.caller(text)
    swapped = text[:-1] + ("A" if text[-1] != "A" else "B")
    unknown = f"rk_{'0' * 16}_{text[20:]}"
    for wrong in (
        swapped,
        unknown,
        text + "x",
        text[:-1],
        f" {text}",
        f"{text}\n",
        text.upper(),
        "",
        "rk_",
        record.digest,
    ):
        assert ring.caller(wrong) is None, wrong


def test_an_unknown_id_takes_the_same_steps_as_a_wrong_secret(monkeypatch):
    compared = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((len(a), len(b))) or a == b)
    text, record = new_key("shop", ["read"])
    ring = Keys(record).ring()
    wrong = text[:-2] + ("AA" if text[-2:] != "AA" else "BB")
    assert ring.caller(wrong) is None
    assert ring.caller(f"rk_{'0' * 16}_{text[20:]}") is None
    assert compared == [(64, 64), (64, 64)]


def test_a_digest_of_nothing_is_never_met():
    """The stand-in for an unknown id is no digest that a secret could be sought for: even met, there is no record."""
    assert Keys().ring().caller(new_key("shop", ["admin"])[0]) is None
    assert digest("0" * 16, "x" * 43) != "0" * 64


def test_the_keys_are_read_again_only_when_they_changed():
    text, record = new_key("shop", ["read"])
    keys = Keys(record)
    ring = keys.ring()
    for _ in range(5):
        assert ring.caller(text)
    assert keys.reads == 1
    other, more = new_key("other", ["read"])
    assert ring.caller(other) is None
    keys.put(more)
    assert ring.caller(other)
    keys.put(replace(record, revoked=1))
    assert ring.caller(text) is None
    assert keys.reads == 3


def test_the_last_known_keys_hold_while_the_database_is_away():
    text, record = new_key("shop", ["read"])
    keys = Keys(record)
    ring = keys.ring()
    keys.away = True
    with pytest.raises(StoreError):
        ring.caller(text)
    keys.away = False
    assert ring.caller(text)
    keys.put(replace(record, revoked=1))
    keys.away_for_reading = True
    assert ring.caller(text), "changed, but nobody can say how"
    keys.away = True
    assert ring.caller(text)
    assert ring.caller(new_key("new", ["admin"])[0]) is None
    keys.away = keys.away_for_reading = False
    assert ring.caller(text) is None


def test_a_revocation_counts_at_once_in_every_thread():
    text, record = new_key("shop", ["read"])
    keys = Keys(record)
    ring = keys.ring()
    revoked = threading.Event()
    late, start = [], threading.Barrier(9)

    def ask() -> None:
        start.wait()
        for _ in range(2000):
            known = revoked.is_set()
            if ring.caller(text) and known:
                late.append(1)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    keys.put(replace(record, revoked=1))
    revoked.set()
    for thread in threads:
        thread.join()
    assert not late
    assert ring.caller(text) is None


def test_who_sends_a_key_that_is_not_known_is_asked_about_as_a_stranger():
    (text, record), (later, more) = new_key("shop", ["read"]), new_key("later", ["read"])
    keys, asked = Keys(record), []

    def ask(who):
        asked.append(who)
        return keys.mark()

    ring = KeyRing(keys.read, lambda: ask("caller"), lambda: ask("stranger"))
    assert ring.caller(text).id == record.id  # nothing is known yet
    assert ring.caller(text).id == record.id
    assert ring.caller(later) is None
    keys.put(more)
    assert ring.caller(later).id == more.id
    assert ring.caller(later).id == more.id
    assert asked == ["stranger", "caller", "stranger", "stranger", "caller"]
    keys.put(replace(record, revoked=1))
    assert ring.caller(text) is None, "who was known a moment ago is not any more"
    assert ring.caller(text) is None
    assert asked[5:] == ["caller", "stranger"]


def test_usable_wants_a_key_in_use_with_a_scope():
    _, record = new_key("shop", ["read"])
    assert usable([replace(record, revoked=1), record])
    assert not usable([])
    assert not usable([replace(record, revoked=1)])
    assert not usable([replace(record, scopes=())])

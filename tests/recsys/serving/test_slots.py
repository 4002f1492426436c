"""Places of a list: pins, quotas, nothing twice, and pages that fit together."""

import math

from hypothesis import given
from hypothesis import strategies as st

from recsys.serving.slots import Entry, Quota, slotted


def entries(items, source="model"):
    return [Entry(str(item), -float(rank), source) for rank, item in enumerate(items)]


def items(places):
    return [entry.item for entry in places]


def missing(quota, places, rank):
    """How many places a quota lacks among the first ``rank``; 0 where all of its entries have come."""
    own = set(items(quota.entries))
    got = len(own & set(items(places[:rank])))
    return 0 if own <= set(items(places[:rank])) else max(0, math.floor(quota.share * rank + 1e-9) - got)


ids = st.integers(0, 40).map(str)
lists = st.lists(ids, max_size=40, unique=True).map(entries)
shares = st.lists(st.integers(0, 20), max_size=4).map(lambda parts: [p / max(sum(parts), 20) for p in parts])


@st.composite
def cases(draw):
    quotas = [Quota(share, draw(lists)) for share in draw(shares)]
    return draw(lists), quotas, entries(draw(st.lists(ids, max_size=6)), "pinned")


@given(cases())
def test_everything_comes_once_and_shorter_lists_begin_longer_ones(case):
    main, quotas, pins = case
    whole = slotted(main, quotas, pins, 1000)
    given_items = {item for part in (main, pins, *(quota.entries for quota in quotas)) for item in items(part)}
    assert len(whole) == len(given_items)
    assert set(items(whole)) == given_items
    for depth in range(len(whole) + 1):
        assert slotted(main, quotas, pins, depth) == whole[:depth]


@given(cases())
def test_quotas_lack_no_more_than_is_promised(case):
    main, quotas, pins = case
    places = slotted(main, quotas, pins, 1000)
    pinned = len(dict.fromkeys(items(pins)))
    bound, settled = max(len(quotas) - 1, pinned), False
    for rank in range(pinned, len(places) + 1):
        lacking = sum(missing(quota, places, rank) for quota in quotas)
        settled = settled or lacking == 0
        assert lacking <= (max(len(quotas) - 1, 0) if settled else bound)


@given(lists, st.integers(0, 20).map(lambda part: part / 20), lists)
def test_one_quota_without_pins_is_met_at_every_place(main, share, own):
    quota = Quota(share, own)
    places = slotted(main, [quota], [], 1000)
    assert all(missing(quota, places, rank) == 0 for rank in range(len(places) + 1))


@given(lists, lists)
def test_the_order_of_main_and_of_a_quota_is_kept(main, own):
    places = slotted(main, [Quota(0.3, own)], [], 1000)
    only_main = [item for item in items(places) if item not in set(items(own))]
    only_own = [item for item in items(places) if item not in set(items(main))]
    assert only_main == [item for item in items(main) if item not in set(items(own))]
    assert only_own == [item for item in items(own) if item not in set(items(main))]


def test_a_quota_gets_its_places_where_they_are_due():
    places = slotted(entries("abcdef"), [Quota(0.25, entries("xyz", "content"))], [], 9)
    assert "".join(items(places)) == "abcxdefyz"
    assert [entry.source for entry in places[2:4]] == ["model", "content"]


def test_what_comes_by_itself_counts():
    assert "".join(items(slotted(entries("abxcde"), [Quota(0.25, entries("xyz"))], [], 8))) == "abxcdeyz"


def test_pins_come_first_in_their_order_once_and_count_as_places():
    places = slotted(entries("abc"), [Quota(0.5, entries("xyz"))], entries("cbcx", "pinned"), 6)
    assert "".join(items(places)) == "cbxyaz"
    assert [entry.source for entry in places[:3]] == ["pinned"] * 3


def test_an_empty_quota_is_passed_over():
    assert "".join(items(slotted(entries("abcd"), [Quota(1, []), Quota(0.5, entries("x"))], [], 9))) == "axbcd"


def test_the_first_of_two_quotas_that_are_due_is_served_first():
    quotas = [Quota(0.5, entries("uvw")), Quota(0.5, entries("xyz"))]
    assert "".join(items(slotted(entries("abcd"), quotas, [], 7))) == "auxvywz"


def test_a_share_that_rounds_badly_is_still_met():
    places = slotted(entries(range(200)), [Quota(0.29, entries(range(1000, 1100)))], [], 100)
    assert sum(int(item) >= 1000 for item in items(places)) == 29


def test_main_is_read_no_further_than_needed():
    read = []

    def main():
        for entry in entries(range(1000)):
            read.append(entry)
            yield entry

    assert len(slotted(main(), [], [], 5)) == 5
    assert len(read) == 5

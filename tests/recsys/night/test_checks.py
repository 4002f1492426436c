"""The checks of a night's data: each fault has a name, and a usual day has none."""

from __future__ import annotations

from typing import Any

import pytest

from recsys.night.checks import Reading, check_data, facts_of
from tests.recsys.night.test_material import events

DAY = {
    "events": 100_000,
    "users": 5_000,
    "items": 2_000,
    "by_event": {"view": 90_000, "purchase": 10_000},
    "bad_rows": 100,
    "forgotten": 3,
    "until": 1_700_000_000_000_000,
}


def day(number: int, **changes: Any) -> dict[str, Any]:
    """A usual day: 2,000 events more than the day before it, of the usual mix."""
    found = {
        **DAY,
        "events": 100_000 + 2_000 * number,
        "by_event": {"view": 90_000 + 1_800 * number, "purchase": 10_000 + 200 * number},
        "bad_rows": 100 + number,
    }
    return {**found, **changes}


BEFORE = [day(number) for number in (4, 3, 2, 1)]


def graded(today: dict[str, Any], **more: Any) -> dict[str, str]:
    return {check.name: check.status for check in check_data(today, more.pop("before", BEFORE), **more)}


def test_a_usual_day_passes_every_check():
    assert set(graded(day(5), live_items=["a", "b"], items=["a", "b", "c"]).values()) == {"ok"}


def test_the_first_night_has_nothing_to_compare_with():
    assert set(graded(DAY, before=[]).values()) == {"ok"}


@pytest.mark.parametrize(
    ("today", "name", "status"),
    [
        (day(5, events=50_000), "events do not go missing", "fail"),
        (day(5, events=105_000), "events do not go missing", "warn"),
        (day(5, events=108_000), "as many new events as usual", "warn"),
        (day(40), "as many new events as usual", "warn"),
        (day(5, bad_rows=300), "rows can be read", "fail"),
        (day(5, bad_rows=150), "rows can be read", "warn"),
        (day(5, users=20), "there is enough to judge by", "fail"),
        (
            day(5, by_event={"view": 97_200, "purchase": 10_800, "bot": 2_000}),
            "people do the same kinds of things",
            "fail",
        ),
        (day(5, by_event={"view": 98_200, "purchase": 11_800}), "people do the same kinds of things", "warn"),
        (day(5, until=4_000_000_000_000_000), "nothing is from the future", "warn"),
    ],
)
def test_each_fault_has_a_name(today: dict[str, Any], name: str, status: str):
    assert graded(today)[name] == status


def test_items_that_vanish_are_a_fault_and_new_ones_a_warning():
    live = [f"i{number}" for number in range(100)]
    assert graded(day(5), live_items=live, items=live[20:])["items do not vanish"] == "fail"
    assert graded(day(5), live_items=live, items=live[5:])["items do not vanish"] == "warn"
    more = [*live, *(f"new{number}" for number in range(200))]
    assert graded(day(5), live_items=live, items=more)["most items are known"] == "warn"


def test_facts_count_what_was_read():
    reading = Reading(events(), bad_rows=4, forgotten=2)
    found = facts_of(reading)
    assert (found["events"], found["users"], found["bad_rows"], found["forgotten"]) == (3_200, 400, 4, 2)
    assert found["by_event"] == {"interaction": 3_200}

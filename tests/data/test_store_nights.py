"""What is written down of nights: begun, resumed, taken over, decided, and read again."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from data.nights import SILENT, NightRecord, Nights
from data.store import Store
from recsys.errors import Fenced, SchemaMismatch

FIGURES = [{"name": "ndcg@100", "low": -0.01, "high": 0.02}, {"name": "latency", "low": float("nan"), "high": None}]


def last(store: Store) -> NightRecord:
    return store.nights.recent(1)[0]


def test_a_night_is_written_down_step_by_step(store: Store) -> None:
    night = store.nights.begin(7)
    assert (last(store).token, last(store).status, last(store).ended) == (7, "running", None)
    store.nights.step(night, "snapshot", "running")
    (started,) = (step.started for step in last(store).steps)
    store.nights.step(night, "snapshot", "done", 12.5, "1,000 events")
    store.nights.step(night, "als", "failed")
    store.nights.verdict(night, "als", "v1", "v2", "keep", "worse by 0.03", FIGURES, 0.004, 1_000_000)
    store.nights.end(night, "done", "keep", "nothing was better", {"events": 1000, "share": float("inf")})
    found = last(store)
    assert (found.id, found.status, found.decision, found.reason) == (night, "done", "keep", "nothing was better")
    assert found.facts == {"events": 1000, "share": None}
    assert found.ended is not None
    assert found.ended >= found.started
    assert [(one.name, one.status, one.seconds, one.detail) for one in found.steps] == [
        ("snapshot", "done", 12.5, "1,000 events"),
        ("als", "failed", 0.0, ""),
    ]
    assert found.steps[0].started == started
    (verdict,) = found.verdicts
    assert (verdict.model, verdict.champion, verdict.challenger) == ("als", "v1", "v2")
    assert (verdict.decision, verdict.reason, verdict.level, verdict.at) == ("keep", "worse by 0.03", 0.004, 1_000_000)
    assert verdict.figures == [FIGURES[0], {"name": "latency", "low": None, "high": None}]


def test_the_newest_nights_come_first_each_with_its_own(store: Store) -> None:
    for token in range(5):
        night = store.nights.begin(token)
        store.nights.step(night, f"step of {token}", "done")
        store.nights.verdict(night, "als", None, None, "refused", f"{token}", [], 0.0)
        store.nights.end(night, "done", None, None, {})
    found = store.nights.recent(3)
    assert [night.token for night in found] == [4, 3, 2]
    assert [night.steps[0].name for night in found] == ["step of 4", "step of 3", "step of 2"]
    assert [night.verdicts[0].reason for night in found] == ["4", "3", "2"]
    assert store.nights.recent(0) == []


def test_a_night_that_was_killed_is_closed_by_the_next(store: Store) -> None:
    killed = Nights(store.engine).begin(1)
    store.nights.step(killed, "als", "running")
    other = store.nights.begin(2)
    new, old = store.nights.recent(2)
    assert (new.id, new.status) == (other, "running")
    assert (old.id, old.status, old.reason) == (killed, "failed", SILENT)
    assert old.ended is not None
    assert [step.status for step in old.steps] == ["failed"]


def test_a_night_goes_on_in_its_row_under_a_new_token(store: Store) -> None:
    killed = store.nights.begin(1)
    store.nights.step(killed, "snapshot", "done", 3.0)
    between = store.nights.begin(2)
    assert store.nights.begin(3, resume=killed) == killed
    found = {night.id: night for night in store.nights.recent(9)}
    assert (found[killed].token, found[killed].status, found[killed].ended) == (3, "running", None)
    assert found[killed].reason is None
    assert [step.name for step in found[killed].steps] == ["snapshot"]
    assert found[between].status == "failed"
    assert store.nights.begin(3) == killed  # asked again: the same
    assert store.nights.begin(4, resume=12345) not in found  # it is no longer there: a new one


def test_whoever_was_taken_over_writes_nothing_any_more(store: Store) -> None:
    stuck, other = Nights(store.engine), Nights(store.engine)
    first = stuck.begin(1)
    second = other.begin(2)
    for write in (
        lambda night: stuck.step(night, "publish", "done"),
        lambda night: stuck.verdict(night, "als", None, "v", "promote", "it says", [], 0.1),
        lambda night: stuck.end(night, "done", "promote", "it says", {}),
    ):
        with pytest.raises(Fenced):
            write(first)
    assert other.begin(3, resume=second) == second
    other.step(second, "publish", "done")
    late = Nights(store.engine)
    assert late.begin(4, resume=second) == second
    with pytest.raises(Fenced):
        other.step(second, "report", "done")
    with pytest.raises(Fenced):
        other.step(99, "report", "done")
    newest, closed = store.nights.recent(2)
    assert [step.name for step in newest.steps] == ["publish"]
    assert (closed.status, closed.steps, closed.verdicts) == ("failed", [], [])


def test_a_night_that_judges_again_has_one_verdict_a_model(store: Store) -> None:
    night = store.nights.begin(1)
    store.nights.verdict(night, "als", None, "v1", "inconclusive", "too few people", [], 0.01, 5)
    store.nights.verdict(night, "als", "v0", "v1", "promote", "better", [1], 0.02, 6)
    store.nights.verdict(night, "deep", None, "w1", "keep", "worse", [], 0.03, 6)
    assert [(one.model, one.decision, one.level) for one in last(store).verdicts] == [
        ("als", "promote", 0.02),
        ("deep", "keep", 0.03),
    ]


def test_what_is_spent_is_summed_over_questions_that_could_have_promoted(store: Store) -> None:
    for token, decision in enumerate(("promote", "keep", "inconclusive", "refused", "promote")):
        night = store.nights.begin(token)
        store.nights.verdict(night, "als", None, None, decision, "", [], 0.01, 100 + token)
        store.nights.verdict(night, "deep", None, None, "keep", "", [], 0.5, 100)
    assert store.nights.spent("als", 0) == pytest.approx(0.04)
    assert store.nights.spent("als", 102) == pytest.approx(0.02)
    assert store.nights.spent("als", 105) == 0
    assert store.nights.spent("nothing", 0) == 0


def test_texts_that_one_engine_could_not_hold_are_kept_as_escapes(store: Store) -> None:
    night = store.nights.begin(1)
    store.nights.step(night, "als", "failed", 1.0, "a\0b\ud800")
    store.nights.end(night, "failed", None, "a\0b", {"a\0b": ["\ud800", 1]})
    found = last(store)
    assert (found.steps[0].detail, found.reason) == ("a\\x00b\\ud800", "a\\x00b")
    assert found.facts == {"a\\x00b": ["\\ud800", 1]}


def test_nights_of_a_database_that_is_not_migrated_are_a_schema_mismatch(store: Store) -> None:
    with store.engine.execution_options(writes=True).begin() as connection:
        connection.execute(text("alter table nights rename to other"))
    try:
        for use in (lambda: store.nights.begin(1), lambda: store.nights.recent(1)):
            with pytest.raises(SchemaMismatch):
                use()
    finally:
        with store.engine.execution_options(writes=True).begin() as connection:
            connection.execute(text("alter table other rename to nights"))

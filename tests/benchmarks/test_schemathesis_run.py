"""What the proof by schemathesis checks of a store: nothing wrong in a good one, and what is wrong in a bad one."""

import pytest
from sqlalchemy import text

import migrations
from benchmarks.schemathesis_run import check_stored
from data.records import ItemRecord
from data.store import Store
from recsys.interactions import Interactions


@pytest.fixture
def store(tmp_path):
    with Store.open(f"sqlite:///{tmp_path / 'recsys.db'}", create=True) as store:
        migrations.upgrade(store.engine)
        store.put_items([ItemRecord("a", title="A", categories=("c",), attributes={"year": 2019})])
        store.add(Interactions.from_lists(["u", "v"], ["a", "b"], ["rating", "like"], [5.0, float("nan")]))
        yield store


def test_a_store_filled_as_it_should_be_is_found_good(store):
    assert check_stored(store) == ({"users": 2, "items": 2, "interactions": 2}, [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("update items set title = char(7) where external_id = 'a'", "control character"),
        ("update users set external_id = ' ' || char(10) where external_id = 'u'", "control character"),
        ("update interactions set value = 1e12 where value is not null", "1000000000000"),
    ],
)
def test_what_should_not_be_there_is_found(store, change, words):
    with store.engine.begin() as connection:
        assert connection.execute(text(change)).rowcount
    _, faults = check_stored(store)
    assert any(words in fault for fault in faults)

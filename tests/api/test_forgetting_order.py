"""In which order somebody is forgotten, so that whatever fails on the way can be done again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import migrations
from api import forgetting
from api.forgetting import forget
from data.records import UserRecord
from data.store import Store
from recsys.errors import AlreadyRunning, StoreError


class Watched:
    """A registry that says when it was asked, and what was true then."""

    def __init__(self, store: Store, versions: list[list[str]]) -> None:
        self.store, self.versions, self.known = store, versions, []

    def mark_forgotten(self, user: str, at: str) -> list[str]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", at)
        self.known.append(self.store.user(user) is not None)
        return self.versions.pop(0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'own.db'}", create=True) as opened:
        migrations.upgrade(opened.engine)
        opened.put_users([UserRecord("u")])
        yield opened


def test_versions_are_marked_before_and_after_and_all_are_on_the_receipt(store: Store, tmp_path: Path) -> None:
    registry = Watched(store, [["v2", "v1"], ["v1", "v2", "v3"]])
    done = forget(store, registry, tmp_path / "reports", "u")  # type: ignore[arg-type]
    assert registry.known == [True, False]
    assert done is not None
    assert done.receipt.versions == ("v1", "v2", "v3")
    assert store.receipt(done.receipt.id) == done.receipt


def test_of_an_unknown_user_nothing_is_marked(store: Store, tmp_path: Path) -> None:
    registry = Watched(store, [])
    for user in ("nobody", "", "a\0b", "\ud800"):
        assert forget(store, registry, tmp_path / "reports", user) is None  # type: ignore[arg-type]
    assert registry.known == []
    assert store.marks().forgotten == 0


@pytest.mark.parametrize("fault", ["marks", "reports"])
def test_where_marks_or_reports_fail_the_store_still_knows_them_and_it_can_be_done_again(
    store: Store, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Watched(store, [[]] * 9)

    def failing(*_: object) -> list[str]:
        raise AlreadyRunning("another process is publishing") if fault == "marks" else StoreError("read-only")

    with monkeypatch.context() as patched:
        if fault == "marks":
            patched.setattr(registry, "mark_forgotten", failing)
        else:
            patched.setattr(forgetting, "scrub", failing)
        with pytest.raises((AlreadyRunning, StoreError)):
            forget(store, registry, tmp_path / "reports", "u")  # type: ignore[arg-type]
    assert store.user("u") is not None
    assert forget(store, registry, tmp_path / "reports", "u") is not None  # type: ignore[arg-type]


@pytest.mark.parametrize("fault", ["marks", "reports"])
def test_what_fails_after_the_deletion_is_told_beside_the_receipt(
    store: Store, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Watched(store, [["v1"]] * 2)
    registry.folder = tmp_path / "models"

    def late(*_: object) -> list[str]:
        if store.user("u") is None:
            raise StoreError("it cannot be written")
        return ["v1"]

    monkeypatch.setattr(*((registry, "mark_forgotten", late) if fault == "marks" else (forgetting, "scrub", late)))
    done = forget(store, registry, tmp_path / "reports", "u")  # type: ignore[arg-type]
    assert done is not None
    assert done.receipt.versions == ("v1",)
    (line,) = done.left
    assert line.startswith(f"{tmp_path / 'models'}: ")
    assert line.endswith("it cannot be written")

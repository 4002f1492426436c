"""Homes are made once, take the place of nothing that is not ours, and can have a model of two paths."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from benchmarks.serve.home import Home, Shape, add_linear, make_home
from recsys.errors import SettingError

SHAPE = Shape(users=100, items=500, width=16)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", SHAPE)


def test_a_home_is_made_once_and_found_again(home: Home) -> None:
    home.registry.promote(home.other())
    again = make_home(home.folder, home.shape)
    assert again.versions == home.versions
    assert again.live() == home.versions[0]
    with home.store() as store:
        stats = store.stats()
        assert (stats.users, stats.items) == (100, 500)
        assert len(store.history(home.user(7)))


@pytest.mark.parametrize("url", ["", "postgresql://nobody@127.0.0.1:1/none"])
@pytest.mark.parametrize("name", ["thesis.tex", "bench.json"])
def test_what_is_not_ours_stays_where_it_is(tmp_path: Path, name: str, url: str) -> None:
    (tmp_path / name).write_text('{"of": "somebody else"}')
    with pytest.raises(SettingError, match="holds something else") as error:
        make_home(tmp_path, SHAPE, url)
    assert error.value.where == str(tmp_path)
    assert "empty folder" in error.value.do
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, '{"of": "somebody else"}')]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("mine")
    with pytest.raises(SettingError, match="holds something else"):
        make_home(tmp_path / "home", SHAPE)
    assert (tmp_path / "home").read_text() == "mine"


def test_a_home_of_another_shape_or_one_that_was_not_finished_makes_room(home: Home) -> None:
    small = Shape(users=50, items=200, width=8)
    for left in ({}, {"versions": []}):
        note = home.folder / "bench.json"
        note.write_text(json.dumps(json.loads(note.read_text()) | left))
        again = make_home(home.folder, small)
        assert sorted([*again.versions, again.registry.live().version("als")]) == again.registry.versions()
        with again.store() as store:
            assert (store.stats().users, store.stats().items) == (50, 200)


def test_a_home_with_a_database_elsewhere_is_always_new(home: Home, tmp_path: Path) -> None:
    again = make_home(home.folder, SHAPE, f"sqlite:///{tmp_path / 'elsewhere.db'}")
    assert not set(again.versions) & set(home.versions)
    assert not (home.folder / "recsys.db").exists()


def test_the_linear_path_is_half_of_what_its_model_says(home: Home) -> None:
    version = add_linear(home)
    assert version not in home.versions
    assert home.live() == home.versions[0]
    bundle = home.registry.load(version)
    assert [one["kind"] for one in bundle.card["config"]["linear"]] == ["low-pass", "neighbours"]
    row = csr_matrix(np.eye(1, 500, 7, dtype=np.float32))
    state = bundle.model.state()
    network = type(bundle.model)(bundle.model.config).restore(
        {name: value for name, value in state.items() if not name.startswith("linear/") and name != "blend"}
    )
    likeness = np.corrcoef(network.score(row)[0], bundle.model.score(row)[0])[0, 1]
    assert 0.3 < likeness < 0.95

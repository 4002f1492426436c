"""Material: who is learnt from, who is judged by, and nobody's name on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import DamagedBundle, DataError
from recsys.feedback import FeedbackWeights
from recsys.interactions import Interactions
from recsys.night.material import Material
from recsys.panel import on_panel

PEOPLE = [f"person-{number:04d}" for number in range(400)]


def events(people: list[str] = PEOPLE, seed: int = 0) -> Interactions:
    rng = np.random.default_rng(seed)
    users, items, times = [], [], []
    for number, person in enumerate(people):
        for item in rng.choice(60, size=8, replace=False):
            users.append(person)
            items.append(f"item-{item:02d}")
            times.append(1_700_000_000_000_000 + number * 1_000_000 + int(item))
    return Interactions.from_lists(users, items, times=times)


def test_people_of_the_panel_are_not_learnt_from():
    found = Material.of(events())
    apart = set(np.array(PEOPLE)[on_panel(PEOPLE, 0.1)])
    assert found.panel is not None
    assert set(found.panel.users.ids) == apart
    assert set(found.learnt.users.ids) == set(PEOPLE) - apart


def test_what_is_saved_is_what_is_loaded_but_for_the_names(tmp_path: Path):
    made = Material.of(events())
    made.save(tmp_path / "material")
    found = Material.load(tmp_path / "material")
    assert made.panel is not None
    assert found.panel is not None
    for a, b in ((made.learnt, found.learnt), (made.panel, found.panel)):
        assert (a.matrix != b.matrix).nnz == 0
        assert (a.items.ids == b.items.ids).all()
        assert (a.order == b.order).all()
    assert found.card() == made.card()
    assert (found.halvings == made.halvings).all()


def test_the_files_name_no_person(tmp_path: Path):
    Material.of(events()).save(tmp_path / "material")
    content = b"".join(file.read_bytes() for file in (tmp_path / "material").iterdir())
    assert b"item-07" in content  # the search would find what is there
    assert b"person-" not in content


def test_saving_again_replaces_what_was_there(tmp_path: Path):
    Material.of(events()).save(tmp_path / "material")
    other = Material.of(events(seed=1))
    other.save(tmp_path / "material")
    assert Material.load(tmp_path / "material").sha256 == other.sha256


def test_a_damaged_file_is_not_loaded(tmp_path: Path):
    Material.of(events()).save(tmp_path / "material")
    file = tmp_path / "material" / "material.npz"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedBundle):
        Material.load(tmp_path / "material")


def test_without_somebody_it_is_as_if_they_had_never_been():
    gone = PEOPLE[17]
    everybody = events()
    left = everybody.take(everybody.user.decode() != gone)
    never = Interactions.from_lists(
        left.user.decode().tolist(), left.item.decode().tolist(), times=left.time[np.arange(len(left))]
    )
    assert Material.of(left).sha256 == Material.of(never).sha256
    assert Material.of(left).sha256 != Material.of(everybody).sha256


def test_a_version_with_a_smaller_panel_is_judged_by_those_who_are_on_both():
    found = Material.of(events([f"p{number}" for number in range(2_000)]), share=0.1)
    half = found.judges(0.05)
    assert found.panel is not None
    assert half is not None
    assert set(half.users.ids) == {id_ for id_ in found.panel.users.ids if on_panel([id_], 0.05)[0]}
    assert 0 < len(half.users) < len(found.panel.users)
    for row, id_ in enumerate(half.users.ids):
        whole = found.panel.users.number(id_)
        assert (half.matrix[row] != found.panel.matrix[whole]).nnz == 0
    assert found.judges(0.0) is None
    assert found.judges(0.1) is found.panel


def test_nothing_to_learn_from_is_an_error_in_words():
    with pytest.raises(DataError, match="no interactions"):
        Material.of(Interactions.empty())


def test_nothing_of_the_panel_is_in_what_versions_are_made_of_not_even_a_time():
    apart = [person for person in PEOPLE if on_panel([person], 0.1)[0]]
    everybody = events([*(person for person in PEOPLE if person != apart[0]), apart[0]])  # whose events are the latest
    left = everybody.take(everybody.user.decode() != apart[0])
    weights = FeedbackWeights(half_life_days=1 / 24)
    assert Material.of(everybody, weights).card() == Material.of(left, weights).card()
    assert Material.of(everybody, weights).panel is not None

"""Similar people, in worlds where the tastes are planted, and in worlds without any."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from recsys.errors import DataError, SettingError
from recsys.evaluation.catalogue import Catalogue
from recsys.groups import Groups, similar_people
from recsys.groups.agreement import adjusted_rand
from recsys.groups.clusters import find_groups
from recsys.groups.export import as_groups, groups_frame
from recsys.matrix import Index

TASTES = ["Comedy", "Drama", "Horror", "Musical", "War"]
PER_TASTE = 30
ITEMS = Index.of([f"i{n}" for n in range(len(TASTES) * PER_TASTE)], "item")
TITLES = {f"i{n}": f"{TASTES[n // PER_TASTE]} no. {n % PER_TASTE}" for n in range(len(ITEMS))}
CATEGORIES = {f"i{n}": (TASTES[n // PER_TASTE],) for n in range(len(ITEMS))}
CATALOGUE = Catalogue(TITLES, CATEGORIES)


class Projection:
    """A model whose code is a fixed random projection of the history."""

    def __init__(self, n_items: int = len(ITEMS)) -> None:
        self.vectors = np.random.default_rng(9).standard_normal((n_items, 60)).astype(np.float32)

    def encode(self, rows: csr_matrix) -> np.ndarray:
        return np.asarray(rows @ self.vectors)


def people(sizes: list[int], loyalty: float, seed: int = 0) -> tuple[csr_matrix, np.ndarray]:
    """(histories of 20 items, the taste of each person): this share of odds lies on the items of a person's taste."""
    rng = np.random.default_rng(seed)
    taste = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    odds = np.full((len(sizes), len(ITEMS)), (1 - loyalty) / len(ITEMS))
    for t in range(len(sizes)):
        odds[t, t * PER_TASTE : (t + 1) * PER_TASTE] += loyalty / PER_TASTE
    rows = np.zeros((len(taste), len(ITEMS)), dtype=np.float32)
    for row, t in zip(rows, taste, strict=True):
        row[rng.choice(len(ITEMS), 20, replace=False, p=odds[t])] = 1
    return csr_matrix(rows), taste


def found(rows: csr_matrix, catalogue: Catalogue = CATALOGUE, n_groups: int | None = None) -> Groups:
    users = [f"u{n}" for n in range(rows.shape[0])]
    return similar_people(Projection(), rows, users, ITEMS, catalogue, seed=3, n_groups=n_groups)


@pytest.fixture(scope="module")
def world() -> tuple[csr_matrix, np.ndarray]:
    return people([140, 120, 100, 80, 60], loyalty=0.8)


@pytest.fixture(scope="module")
def groups(world: tuple[csr_matrix, np.ndarray]) -> Groups:
    return found(world[0])


@pytest.fixture(scope="module")
def noise() -> Groups:
    return found(people([400], loyalty=0.0)[0])


def test_planted_tastes_are_found_again_and_so_is_how_many_there_are(world, groups):
    assert adjusted_rand(groups.clusters.group, world[1]) > 0.95
    assert len(groups.groups) == len(TASTES)
    assert groups.clusters.stability > 0.95
    assert groups.again > 0.9


def test_groups_are_numbered_by_size(groups):
    sizes = [group.profile.users for group in groups.groups]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == groups.clusters.sizes.tolist()
    assert sum(sizes) == 500


def test_names_and_words_tell_the_planted_category_its_lift_and_typical_items(world, groups):
    rows, _ = world
    for g, group in enumerate(groups.groups):
        assert group.name == TASTES[g]  # they were planted by falling size
        inside = rows[groups.clusters.group == g]
        its = slice(g * PER_TASTE, (g + 1) * PER_TASTE)
        lift = (
            inside[:, its].sum() / inside.sum() / (rows[:, its].sum() / rows.sum())
        )  # histories are all of one length
        share = f"{group.profile.share:.0%}"
        assert group.words.startswith(
            f"{group.profile.users} people ({share}): {lift:.1f} times as much {TASTES[g]} as"
        )
        assert f"typical: {TASTES[g]} no. " in group.words
        assert group.words.endswith(".")
        assert {feature.of.split()[0] for feature in group.profile.items} == {TASTES[g]}


def test_shares_of_items_are_of_people(world, groups):
    first = groups.groups[0].profile.items[0]
    took = world[0][:, ITEMS.number(first.name)].toarray().ravel() > 0
    assert first.share == pytest.approx(took[groups.clusters.group == 0].mean())
    assert first.overall == pytest.approx(took.mean())
    assert first.lift == pytest.approx(first.share / first.overall)


def test_noise_gives_groups_that_do_not_come_out_again_and_the_words_say_so(noise):
    assert noise.clusters.stability < 0.3
    report = as_groups(noise)
    assert "tastes here pass into each other" in report["about"]
    for group in noise.groups:
        assert not group.profile.categories
        assert "close to the average taste" in group.words
        assert "a loose group" in group.words


def test_words_about_groups_of_noise_are_as_rare_as_the_level_says():
    told = 0
    for seed in range(20):
        one = found(people([200], loyalty=0.0, seed=seed)[0], n_groups=4)
        told += any(group.profile.categories or group.profile.items for group in one.groups)
    assert told <= 4  # tested on the histories the groups were made from, it would be nearly all of them


def test_the_same_seed_gives_the_same_groups(world, groups):
    again = found(world[0])
    assert as_groups(again) == as_groups(groups)
    assert groups_frame(again).equals(groups_frame(groups))


def test_empty_histories_are_left_out_and_counted(world, groups):
    empty = csr_matrix((3, len(ITEMS)), dtype=np.float32)
    some = found(vstack([empty, world[0]]).tocsr())
    assert (some.clusters.group[:3] == -1).all()
    assert (some.clusters.group[3:] == groups.clusters.group).all()
    assert some.clusters.left_out == as_groups(some)["left_out"] == 3
    assert "3 people have no history and are left out" in as_groups(some)["about"]
    assert groups_frame(some)["user"].tolist() == [f"u{n}" for n in range(3, 503)]


def test_without_categories_groups_are_named_by_their_items(world):
    groups = found(world[0], Catalogue(TITLES))
    for taste, group in zip(TASTES, groups.groups, strict=True):
        assert group.name == " and ".join(feature.of for feature in group.profile.items[:2])
        assert group.name.startswith(taste)
    nothing_known = found(world[0], Catalogue())
    assert {group.name.split(" and ")[0] for group in nothing_known.groups} <= set(ITEMS.ids)


@pytest.mark.parametrize("n", [1, 2, 39])
def test_too_few_to_part_are_one_group(world, n):
    groups = found(world[0][:n])
    assert [group.name for group in groups.groups] == ["Everybody"]
    assert "everybody, in one group" in groups.groups[0].words
    assert groups.clusters.stability is None
    assert groups_frame(groups)["runner_up"].isna().all()


def test_people_alike_in_everything_are_one_group(world):
    groups = found(csr_matrix(np.tile(world[0][0].toarray(), (120, 1))))
    assert len(groups.groups) == 1


def test_groups_smaller_than_twenty_people_are_dissolved():
    rows, _ = people([200, 200, 8], loyalty=0.95)
    groups = found(rows, n_groups=3)
    assert groups.clusters.sizes.tolist() == [204, 204] or groups.clusters.sizes.min() >= 200
    assert groups.clusters.sizes.sum() == 408
    assert "3 groups were asked for" in as_groups(groups)["about"]


def test_the_report_holds_plain_values_that_add_up(groups):
    report = as_groups(groups)
    assert sum(group["share"] for group in report["groups"]) == pytest.approx(1)
    assert report["groups"][0]["categories"][0].keys() == {"category", "share", "overall", "lift"}
    assert report["groups"][0]["items"][0].keys() == {"item", "title", "share", "overall", "lift"}
    assert {type(value) for group in report["groups"] for f in group["items"] for value in f.values()} == {str, float}


def test_the_table_has_a_row_a_person_with_the_next_best_group(world, groups):
    frame = groups_frame(groups)
    assert list(frame.columns) == ["user", "group", "name", "similarity", "runner_up"]
    assert len(frame) == 500
    assert frame["group"].min() == 1
    assert (frame["name"] != frame["runner_up"]).all()
    assert frame["similarity"].between(-1, 1).all()
    assert (frame["name"] == [groups.groups[g].name for g in groups.clusters.group]).all()


def test_codes_that_cannot_be_grouped_are_refused(world):
    rows, codes = world[0], Projection().encode(world[0])
    with pytest.raises(DataError, match="nobody has a history"):
        find_groups(codes[:5], csr_matrix((5, len(ITEMS))), seed=0)
    with pytest.raises(DataError, match="not finite"):
        find_groups(np.where(np.arange(len(codes))[:, None] == 7, np.nan, codes), rows, seed=0)
    with pytest.raises(DataError, match="4 codes came with 500 histories"):
        find_groups(codes[:4], rows, seed=0)
    with pytest.raises(SettingError, match="at least 1"):
        find_groups(codes, rows, seed=0, n_groups=0)
    with pytest.raises(DataError, match="1 users came with 500"):
        similar_people(Projection(), rows, ["u1"], ITEMS, CATALOGUE, seed=0)


def test_codes_of_new_people_find_their_group(world, groups):
    more, taste = people([40, 40, 40, 40, 40], loyalty=0.8, seed=8)
    assert adjusted_rand(groups.clusters.nearest(Projection().encode(more)), taste) > 0.95

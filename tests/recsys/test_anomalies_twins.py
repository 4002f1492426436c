"""Twins: near-copies are found, however many there are; people who are merely alike are none."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.anomalies.twins import twins


def sparse(rows: np.ndarray) -> csr_matrix:
    return csr_matrix(rows.astype(np.float32))


def randomly(rng: np.random.Generator, count: int, items: int, size: int) -> np.ndarray:
    rows = np.zeros((count, items))
    for row in rows:
        row[rng.choice(items, size, replace=False)] = 1
    return rows


def test_copies_are_found_with_how_much_they_share() -> None:
    rng = np.random.default_rng(0)
    rows = randomly(rng, 300, 500, 30)
    nearly = rows[7].copy()
    nearly[np.flatnonzero(nearly)[:2]] = 0
    nearly[np.flatnonzero(rows[7] == 0)[:2]] = 1
    found = twins(sparse(np.vstack([rows, nearly])), rng)
    assert np.flatnonzero(found.others).tolist() == [7, 300]
    assert found.nearest[[7, 300]].tolist() == [300, 7]
    assert found.shared[[7, 300]].tolist() == [28, 28]
    assert (found.nearest[found.others == 0] == -1).all()


def test_a_group_of_copies_counts_all_its_members() -> None:
    rng = np.random.default_rng(1)
    rows = randomly(rng, 300, 500, 30)
    found = twins(sparse(np.vstack([rows, *[rows[0]] * 11])), rng)
    assert found.others[[0, *range(300, 311)]].tolist() == [11] * 12
    assert found.others[1:300].sum() == 0


def test_pairs_at_the_border_of_alike_are_hardly_missed() -> None:
    """200 pairs that share 24 of 30 items, alike by 24 / 36 = .67."""
    rng = np.random.default_rng(2)
    rows = randomly(rng, 200, 2000, 30)
    others = rows.copy()
    for row in others:
        row[rng.choice(np.flatnonzero(row), 6, replace=False)] = 0
        row[rng.choice(np.flatnonzero(row == 0), 6, replace=False)] = 1
    found = twins(csr_matrix(vstack([sparse(rows), sparse(others)])), rng)
    assert (found.others > 0).mean() > 0.97


def test_short_histories_and_small_catalogues_have_no_twins() -> None:
    rng = np.random.default_rng(3)
    same = np.zeros((50, 100))
    same[:, :9] = 1
    assert twins(sparse(same), rng).others.sum() == 0
    alike_by_chance = randomly(rng, 300, 16, 12)
    assert (twins(sparse(alike_by_chance), rng).others > 0).mean() < 0.02


def test_nobody_and_empty_histories_are_no_trouble() -> None:
    rng = np.random.default_rng(4)
    assert len(twins(csr_matrix((0, 5), dtype=np.float32), rng).others) == 0
    assert twins(csr_matrix((4, 5), dtype=np.float32), rng).others.tolist() == [0, 0, 0, 0]

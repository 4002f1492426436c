"""Products with tables: what numpy gives, and for every row the same bits whatever other rows there are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.linear.products import AT_ONCE, by_column, gathered, product

RNG = np.random.default_rng(0)
MOST = 70


@pytest.mark.parametrize("width", [1, 7, 64, 300, 301, 600, 1021])
@pytest.mark.parametrize("n", [1, 5, 63, 64, 88, 257, 512, 513, 1025, 5000])
def test_a_row_has_the_same_bits_in_every_batch_and_is_numpys_product(width, n):
    rows = RNG.normal(size=(MOST, width)).astype(np.float32)
    table = by_column(RNG.normal(size=(n, width)).astype(np.float32))
    np.testing.assert_allclose(product(rows, table), rows @ table.T, rtol=1e-5, atol=1e-4)
    whole = np.concatenate([product(rows[start : start + 1], table) for start in range(MOST)])
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole, rows.astype(np.float64) @ table.T.astype(np.float64), atol=1e-5 * width**0.5 * 10)
    for size in range(1, AT_ONCE + 1):
        for start in (0, MOST - size):
            np.testing.assert_array_equal(product(rows[start : start + size], table), whole[start : start + size])


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_table_kept_row_by_row_is_multiplied_too(rows):
    table, codes = RNG.normal(size=(70, 6)).astype(np.float32), RNG.normal(size=(rows, 6)).astype(np.float32)
    found = product(codes, np.ascontiguousarray(table))
    assert found.shape == (rows, 70)
    np.testing.assert_allclose(found, codes @ table.T, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(product(codes, by_column(table)), codes @ table.T, rtol=1e-5, atol=1e-5)


def test_gathering_is_the_product_and_copies_only_what_is_asked_for():
    dense = np.where(RNG.random((9, 40)) < 0.2, RNG.random((9, 40)), 0).astype(np.float32)
    dense[4] = 0
    table = by_column(RNG.normal(size=(40, 6)).astype(np.float32))
    np.testing.assert_array_equal(gathered(csr_matrix(dense), table), csr_matrix(dense) @ np.ascontiguousarray(table))
    assert gathered(csr_matrix((2, 40), dtype=np.float32), table).tolist() == [[0] * 6] * 2


def test_what_is_kept_by_column_already_is_not_copied():
    table = by_column(RNG.normal(size=(40, 6)).astype(np.float32))
    assert by_column(table) is table

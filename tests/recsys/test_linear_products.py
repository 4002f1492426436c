"""Products with tables: what numpy gives, and for every row the same bits whatever other rows there are."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_features__ as able
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


KERNELS = {"Nehalem": "SSE42", "Sandybridge": "AVX", "Haswell": "AVX2", "SkylakeX": "AVX512_SKX"}
IN_EVERY_PLACE = """
import sys
import numpy as np
from recsys.linear.products import AT_ONCE, by_column, product
rng = np.random.default_rng(0)
for n in (1, 63, 64, 65, 88, 257, 1000, 5000):
    for width in (1, 2, 7, 8, 64, 200, 301, 600):
        table = by_column(rng.standard_normal((n, width), dtype=np.float32))
        row = rng.standard_normal((1, width), dtype=np.float32)
        alone = product(row, table)
        for size in range(2, AT_ONCE + 1):
            for place in range(size):
                rows = rng.standard_normal((size, width), dtype=np.float32)
                rows[place] = row
                if not np.array_equal(product(rows, table)[place], alone[0]):
                    sys.exit(f"{n} x {width}: row {place} of {size}")
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("kernels", KERNELS)
def test_a_row_has_the_same_bits_in_every_place_whatever_the_processor(kernels, threads):
    if not able.get(KERNELS[kernels]):
        pytest.skip(f"this processor cannot run OpenBLAS' kernels for {kernels}")
    chosen = {**os.environ, "OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
    done = subprocess.run(
        [sys.executable, "-c", IN_EVERY_PLACE], env=chosen, capture_output=True, text=True, check=False
    )
    assert not done.returncode, done.stderr[-500:]


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

"""InteractionMatrix and Index: against a dictionary, in any row order, with types and shapes as promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from recsys.errors import DataError, UnknownId
from recsys.feedback import EventRule, FeedbackWeights
from recsys.interactions import Encoded, Interactions
from recsys.matrix import Index, InteractionMatrix, history_row

pairs = st.lists(st.tuples(st.sampled_from("abcdeé"), st.sampled_from("vwxyz𝄞")), min_size=1, max_size=40)


def matrix_of(rows: list[tuple[str, str]], **options: int) -> InteractionMatrix:
    users, items = zip(*rows, strict=True)
    return InteractionMatrix.build(Interactions.from_lists(users, items), **options)


def as_dict(built: InteractionMatrix) -> dict[tuple[str, str], float]:
    entries = built.matrix.tocoo()
    return {
        (built.users.ids[u], built.items.ids[i]): v
        for u, i, v in zip(entries.row.tolist(), entries.col.tolist(), entries.data.tolist(), strict=True)
    }


def core(rows: set[tuple[str, str]], min_user: int, min_item: int) -> set[tuple[str, str]]:
    while True:
        users, items = [user for user, _ in rows], [item for _, item in rows]
        kept = {(u, i) for u, i in rows if users.count(u) >= min_user and items.count(i) >= min_item}
        if kept == rows:
            return kept
        rows = kept


@settings(max_examples=200, deadline=None)
@given(rows=pairs, min_user=st.integers(1, 3), min_item=st.integers(1, 3), seed=st.integers(0, 9))
def test_the_matrix_holds_the_pairs_left_by_the_minimum_counts_in_sorted_order(rows, min_user, min_item, seed):
    expected = core(set(rows), min_user, min_item)
    if not expected:
        with pytest.raises(DataError, match="none of"):
            matrix_of(rows, min_user=min_user, min_item=min_item)
        return
    built = matrix_of(rows, min_user=min_user, min_item=min_item)
    assert as_dict(built) == dict.fromkeys(expected, 1.0)
    assert built.users.ids.tolist() == sorted({user for user, _ in expected})
    assert built.items.ids.tolist() == sorted({item for _, item in expected})
    assert built.matrix.shape == (len(built.users), len(built.items))
    assert built.matrix.data.dtype == np.float32
    assert built.matrix.indices.dtype == built.matrix.indptr.dtype == np.int32
    parts = (built.matrix.data, built.matrix.indices, built.matrix.indptr)
    assert csr_matrix(parts, shape=built.matrix.shape).has_canonical_format  # asked anew, not as remembered
    shuffled = [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]
    again = matrix_of(shuffled, min_user=min_user, min_item=min_item)
    for name in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(again.matrix, name), getattr(built.matrix, name))
    assert again.users.ids.tolist() == built.users.ids.tolist()


def test_pairs_that_count_nothing_leave_no_user_and_no_item():
    rows = Interactions.from_lists(["a", "a", "b"], ["x", "y", "y"], "rating", [5.0, 1.0, 1.0])
    built = InteractionMatrix.build(rows)
    assert as_dict(built) == {("a", "x"): 1.0}
    assert (built.users.ids.tolist(), built.items.ids.tolist()) == (["a"], ["x"])


def test_a_larger_matrix_equals_the_dictionary_too():
    rng = np.random.default_rng(1)
    users = [f"u{n}" for n in rng.integers(0, 300, 20_000)]
    items = [f"i{n}" for n in (rng.random(20_000) ** 3 * 500).astype(int)]
    values = rng.integers(1, 100, 20_000)
    weights = FeedbackWeights({"play": EventRule(transform="linear", combine="sum")})
    built = InteractionMatrix.build(Interactions.from_lists(users, items, "play", values), weights)
    expected: dict[tuple[str, str], float] = {}
    for user, item, value in zip(users, items, values.tolist(), strict=True):
        expected[user, item] = expected.get((user, item), 0.0) + value
    assert as_dict(built) == expected


def test_what_leaves_nothing_says_why():
    with pytest.raises(DataError, match="there are no interactions"):
        InteractionMatrix.build(Interactions.empty())
    with pytest.raises(DataError, match=r"no event type here has a rule: 'sneeze' \(2 rows\)"):
        InteractionMatrix.build(Interactions.from_lists(["a", "b"], ["x", "y"], "sneeze"))
    twice = Encoded(np.array([0, 1], dtype=np.int32), np.array(["a", "a"], dtype=object))
    rows = Interactions.from_lists(["a", "b"], ["x", "y"])
    with pytest.raises(DataError, match="user 'a' repeats"):
        InteractionMatrix.build(Interactions(twice, rows.item, rows.event, rows.value, rows.time))


def test_an_unknown_id_is_refused_by_name():
    index = Index.of(["x", "y"], "item")
    assert (index.number("y"), index.numbers(["y", "x"]).tolist(), index.find(["z", "x"]).tolist()) == (
        1,
        [1, 0],
        [-1, 0],
    )
    assert "x" in index
    assert "z" not in index
    with pytest.raises(UnknownId, match="unknown item: 'p', 'q', 'r' and 1 more") as caught:
        index.numbers(["p", "x", "q", "r", "s"])
    assert "2 items" in caught.value.where
    with pytest.raises(DataError, match="1 repeat"):
        Index.of(["x", "x"])


def test_a_history_row_leaves_out_what_the_index_does_not_hold():
    row = history_row(Index.of(["x", "y", "z"]), ["z", "new", "x", "z"], [1.0, 5.0, 0.0, 2.0])
    assert row.shape == (1, 3)
    assert row.toarray().tolist() == [[0.0, 0.0, 3.0]]
    assert history_row(Index.of(["x"]), []).nnz == 0

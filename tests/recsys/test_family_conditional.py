"""The conditional autoencoder: taste told by attributes, people of whom nothing is known, and tables as columns."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import DataError, SettingError
from recsys.models.attributes import OneHot
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.recommender import FitOptions, Holdout, Progress
from recsys.training.network import attribute_mean

N_USERS, N_ITEMS = 400, 40
CONFIG = AutoencoderConfig(
    linear="none",
    layers=[16],
    bottleneck=8,
    dropout=0.2,
    weight_decay=0.01,
    learning_rate=0.01,
    epochs=25,
    batch_size=50,
    conditional=True,
)
# Where attributes are nearly always told, a variational code learns to leave to them what they say.
VARIATIONAL = replace(CONFIG, variational=True, beta=0.2, decoder_layers=[16], attribute_dropout=0.4, dropout=0.0)


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    """400 people of four tastes among 40 items: each has about half of the ten items of one taste."""
    rng = np.random.default_rng(0)
    user, item = np.indices((N_USERS, N_ITEMS))
    return csr_matrix(((user % 4 == item % 4) & (rng.random((N_USERS, N_ITEMS)) < 0.5)).astype(np.float32))


@pytest.fixture(scope="module")
def attributes() -> np.ndarray:
    """Which taste a person has, one column each; and a column that says nothing. A tenth are unknown."""
    rng = np.random.default_rng(1)
    found = np.hstack([np.eye(4)[np.arange(N_USERS) % 4], rng.normal(size=(N_USERS, 1))]).astype(np.float32)
    found[::10] = np.nan
    return found


@pytest.fixture(scope="module", params=[CONFIG, VARIATIONAL], ids=["plain", "variational"])
def model(request, tastes, attributes):
    return Autoencoder(request.param).fit(tastes, FitOptions(device="cpu", attributes=attributes))


def nobodies(n):
    return csr_matrix((n, N_ITEMS), dtype=np.float32)


def test_people_without_a_history_are_ranked_for_by_their_attributes(model):
    known = np.hstack([np.eye(4), np.zeros((4, 1))]).astype(np.float32)
    best = np.argsort(-model.score(nobodies(4), known), axis=1)[:, :10]
    np.testing.assert_array_equal(np.sort(best % 4, axis=1), np.repeat(np.arange(4)[:, None], 10, axis=1))


def test_of_people_without_attributes_the_history_tells(model, tastes):
    for scores in (model.score(tastes), model.score(tastes, np.full((N_USERS, 5), np.nan, dtype=np.float32))):
        best = np.argsort(-scores, axis=1)[:, :5]
        assert (best % 4 == np.arange(N_USERS)[:, None] % 4).mean() > 0.95


def test_no_attributes_unknown_ones_and_the_training_mean_are_the_same(model, tastes):
    mean = model.state()["attribute_mean"]
    expected = model.score(tastes[:7])
    np.testing.assert_array_equal(model.score(tastes[:7], np.full((7, 5), np.nan, dtype=np.float32)), expected)
    np.testing.assert_allclose(model.score(tastes[:7], np.tile(mean, (7, 1))), expected, atol=1e-5)


def test_the_mean_is_over_those_of_whom_an_attribute_is_known():
    nan = np.nan
    found = attribute_mean(np.array([[1, nan, nan], [3, 5, nan], [nan, 7, nan]]))
    np.testing.assert_array_equal(found, np.array([2, 6, 0], dtype=np.float32))
    assert attribute_mean(None) is None


def test_a_variational_model_draws_histories_for_people_of_given_attributes(tastes, attributes):
    config = replace(VARIATIONAL, beta=0.5, learning_rate=0.03)  # codes near the prior, so that draws are codes
    model = Autoencoder(config).fit(tastes, FitOptions(device="cpu", attributes=attributes))
    known = np.tile(np.array([0, 0, 1, 0, 0], dtype=np.float32), (200, 1))
    drawn = model.sample(200, np.random.default_rng(0), size=3, attributes=known)
    assert (drawn.indices % 4 == 2).mean() > 0.8


def test_attributes_follow_their_people_into_what_is_held_out(tastes, attributes):
    """Validation of people with one item each, whose taste only their attributes tell, goes well only with them."""
    one_each = csr_matrix((np.ones(N_USERS, np.float32), np.arange(N_USERS) % 4, np.arange(N_USERS + 1)), tastes.shape)
    held = Holdout(given=nobodies(N_USERS), hidden=one_each)
    full = np.nan_to_num(np.eye(5)[np.arange(N_USERS) % 4])

    def best(holdout):
        told: list[Progress] = []
        options = FitOptions(device="cpu", validation=holdout, on_progress=told.append, attributes=attributes)
        Autoencoder(replace(CONFIG, epochs=15)).fit(tastes, options)
        return told[-1].best

    assert best(replace(held, attributes=full)) > best(held) + 0.1


def test_a_share_kept_from_training_takes_its_attributes_along(tastes):
    """Of two items each has touched, one is given: attributes that are somebody else's only confuse."""
    rng = np.random.default_rng(4)
    pairs = np.stack([rng.choice(10, 2, replace=False) * 4 + taste for taste in np.arange(N_USERS) % 4])
    rows = csr_matrix(
        (np.ones(2 * N_USERS, np.float32), np.sort(pairs).ravel(), np.arange(0, 2 * N_USERS + 1, 2)), tastes.shape
    )
    right, wrong = np.eye(4)[np.arange(N_USERS) % 4], np.eye(4)[rng.permutation(N_USERS) % 4]

    def best(attributes):
        told: list[Progress] = []
        Autoencoder(replace(CONFIG, epochs=15)).fit(
            rows, FitOptions(device="cpu", on_progress=told.append, attributes=attributes)
        )
        return told[-1].best

    assert best(right) > best(wrong) + 0.05


def test_a_model_that_is_not_conditional_leaves_attributes_be(tastes, attributes):
    config = replace(CONFIG, conditional=False, epochs=2)
    with_them, without = (
        Autoencoder(config).fit(tastes, FitOptions(device="cpu", attributes=given)).state()
        for given in (attributes, None)
    )
    assert set(with_them) == set(without)
    for key, value in without.items():
        np.testing.assert_array_equal(with_them[key], value)


@pytest.mark.parametrize(
    "given", [None, np.zeros(N_USERS), np.zeros((3, 5)), np.zeros((N_USERS, 0))], ids=["none", "flat", "few", "empty"]
)
def test_attributes_that_do_not_fit_the_users_are_refused(tastes, given):
    with pytest.raises(SettingError, match="attributes"):
        Autoencoder(CONFIG).fit(tastes, FitOptions(device="cpu", attributes=given))


def test_attributes_that_do_not_fit_the_model_are_refused(model, tastes):
    with pytest.raises(SettingError, match=r"\(2, 4\) were given for 2 rows of a model of 5"):
        model.score(tastes[:2], np.zeros((2, 4)))
    held = Holdout(given=tastes[:9], hidden=tastes[:9], attributes=np.zeros((9, 4)))
    options = FitOptions(device="cpu", attributes=np.zeros((N_USERS, 5)), validation=held)
    with pytest.raises(SettingError, match=r"\(9, 4\) came with validation rows that need \(9, 5\)"):
        Autoencoder(CONFIG).fit(tastes, options)
    plain = Autoencoder(replace(CONFIG, conditional=False, epochs=1)).fit(tastes, FitOptions(device="cpu"))
    with pytest.raises(SettingError, match="not conditional"):
        plain.score(tastes[:2], np.zeros((2, 5)))


TABLE = {"gender": ["F", "M", None, "F"], "job": ["nurse", "", "clerk", "smith"]}


def test_a_table_becomes_one_column_a_value_and_what_is_missing_is_nan():
    one_hot = OneHot.of(TABLE)
    assert one_hot.columns == ["gender=F", "gender=M", "job=clerk", "job=nurse", "job=smith"]
    nan = np.nan
    expected = [[1, 0, 0, 1, 0], [0, 1, nan, nan, nan], [nan, nan, 1, 0, 0], [1, 0, 0, 0, 1]]
    np.testing.assert_array_equal(one_hot.encode(TABLE, 4), expected)
    assert one_hot.encode(TABLE, 4).dtype == np.float32


def test_values_that_are_rare_or_new_and_attributes_not_given_are_unknown():
    one_hot = OneHot.of(TABLE, fewest=2)
    assert one_hot.columns == ["gender=F"]
    np.testing.assert_array_equal(one_hot.encode({"gender": ["M", "F", "X"]}, 3), [[np.nan], [1], [np.nan]])
    assert np.isnan(OneHot.of(TABLE).encode({}, 2)).all()


def test_a_table_of_another_length_is_refused():
    with pytest.raises(DataError, match="'gender' has 4 values for 5 people"):
        OneHot.of(TABLE).encode(TABLE, 5)


def test_the_columns_survive_json():
    one_hot = OneHot.of(TABLE)
    again = OneHot(json.loads(json.dumps(dict(one_hot.categories))))
    np.testing.assert_array_equal(again.encode(TABLE, 4), one_hot.encode(TABLE, 4))

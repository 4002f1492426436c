"""The fit of both paths: what is left open is chosen, comes back resolved, and is not chosen again."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import SettingError
from recsys.models import autoencoder_fit as room
from recsys.models import config_of, create
from recsys.models.autoencoder import Autoencoder, AutoencoderConfig
from recsys.models.told import Told
from recsys.recommender import Checkpoint, FitOptions, Holdout, Progress, top_n
from recsys.training import loop
from recsys.training.validation import Learners

N_USERS, N_ITEMS = 260, 40
DECAYS = [4.0, 8.0]  # tried on data as small as this
SMALL = {"layers": [16], "bottleneck": 8, "epochs": 3, "batch_size": 64, "learning_rate": 0.01}
OPTIONS = FitOptions(device="cpu", seed=3)
PART = {"kind": "closed-form", "weight": 1.0, "l2": 10.0, "dropout": 0.3, "user_exponent": 0.25}


def people(n, seed=0):
    """n people of four tastes among 40 items: each has about half of the ten items of one taste, two at least."""
    rng = np.random.default_rng(seed)
    user, item = np.indices((n, N_ITEMS))
    own = user % 4 == item % 4
    liked = own & (rng.random((n, N_ITEMS)) < 0.5)
    liked |= own & (item < 8) & (liked.sum(axis=1) < 2)[:, None]
    return csr_matrix(liked.astype(np.float32))


@pytest.fixture(scope="module")
def tastes() -> csr_matrix:
    return people(N_USERS)


def fitted(matrix, options=OPTIONS, **settings):
    """(the model, what it told)"""
    told: list[Progress] = []
    model = create("autoencoder", **{**SMALL, **settings}).fit(matrix, replace(options, on_progress=told.append))
    return model, told


@pytest.fixture(scope="module")
def chosen(tastes):
    return fitted(tastes)


class Spy:
    """Every training asked for: its matrix, its settings, what it stops by."""

    def __init__(self, monkeypatch):
        self.calls = []
        train = loop.train_autoencoder

        def spy(matrix, config, options):
            self.calls.append((matrix, config, options))
            return train(matrix, config, options)

        monkeypatch.setattr(loop, "train_autoencoder", spy)


@pytest.fixture
def spy(monkeypatch):
    return Spy(monkeypatch)


def test_what_is_left_open_comes_back_resolved(chosen):
    model, told = chosen
    assert isinstance(model.config.linear, tuple)
    assert model.config.linear
    assert all(isinstance(part, dict) and {"kind", "weight"} < set(part) for part in model.config.linear)
    assert set(model.config.blend) == {"share", "temperature"}
    assert model.config.weight_decay in DECAYS
    assert model.config.start == "random"
    assert model.config.negatives == 0
    assert sum(progress.loss is None for progress in told) > 15  # the trials of the linear path, and the end


def test_resolved_settings_are_fitted_to_the_same_model_without_a_search(tastes, chosen, spy):
    model, _ = chosen
    again, told = fitted(tastes, **config_of(model))
    np.testing.assert_array_equal(again.score(tastes), model.score(tastes))
    assert again.config == model.config
    assert len(spy.calls) == 1
    assert [progress.loss is None for progress in told] == [False] * (len(told) - 1) + [True]


def test_the_resolved_settings_survive_json(chosen):
    model, _ = chosen
    settings = json.loads(json.dumps(config_of(model)))
    assert create("autoencoder", **settings).config == model.config


def test_the_scores_are_the_blend_of_both_paths(tastes, chosen):
    model, _ = chosen
    state = model.state()
    deep = Autoencoder(model.config).restore(
        {name: value for name, value in state.items() if not name.startswith(("linear/", "blend"))}
    )
    assert deep.score(tastes).shape == tastes.shape
    expected = model.config.mixture(model._linear.score(tastes), deep.score(tastes))
    np.testing.assert_array_equal(model.score(tastes), expected)


def test_none_is_the_deep_path_alone(tastes):
    model, told = fitted(tastes, linear="none")
    assert not [name for name in model.state() if name.startswith("linear/") or name == "blend"]
    expected = loop.train_autoencoder(tastes, model.config, OPTIONS)
    for name, value in model.state().items():
        np.testing.assert_array_equal(value, expected[name])
    assert len(told) == SMALL["epochs"]
    assert model.config.blend == {"share": 1.0, "temperature": None}


def test_a_share_of_nothing_ranks_as_the_linear_path_alone(tastes):
    model, _ = fitted(tastes, linear=[PART], blend={"share": 0.0, "temperature": None})
    ours, _ = top_n(model.score(tastes), tastes, 10)
    theirs, _ = top_n(model._linear.score(tastes), tastes, 10)
    np.testing.assert_array_equal(ours, theirs)
    assert model.config.linear == (PART,)


def test_where_few_could_judge_more_are_held_out_for_the_choice_and_the_fit_uses_everybody(tastes, monkeypatch, spy):
    searched, judges = [], []
    choose, fit = room.choose_path, room.LinearPath.fit
    paths = []

    def choosing(matrix, judge, *rest):
        searched.append(matrix)
        judges.append(judge)
        return choose(matrix, judge, *rest)

    monkeypatch.setattr(room, "choose_path", choosing)
    monkeypatch.setattr(room.LinearPath, "fit", lambda matrix, *rest: paths.append(matrix) or fit(matrix, *rest))
    fitted(tastes)
    kept = N_USERS - 26  # a tenth is what the deep path always stops by
    held = min(300 - 26, kept // 3, kept - 100)
    assert len(judges[0]) == 26 + held
    assert searched[0].shape[0] == kept - held
    assert [matrix.shape[0] for matrix, _, _ in spy.calls] == [kept - held] * 2 + [kept]
    assert [matrix.shape[0] for matrix in paths] == [kept - held, N_USERS]
    assert [config.weight_decay for _, config, _ in spy.calls[:2]] == DECAYS
    everybody = {row.tobytes() for row in tastes.toarray()}
    shown = {row.tobytes() for row in searched[0].toarray()}
    assert shown < everybody


def test_nobody_who_judges_is_learnt_from_while_choosing(tastes):
    numbered = tastes.multiply(np.arange(1, N_USERS + 1)[:, None]).tocsr().astype(np.float32)  # strength: who it is
    rng = np.random.default_rng(0)
    trial, judged = room._apart(Learners(numbered[26:]), Holdout.of(numbered[:26], 0.8, rng), seed=0)
    learnt, asked = (set(np.unique(rows.data)) for rows in (trial.matrix, judged.given))
    assert not learnt & asked
    assert (judged.given.multiply(judged.hidden)).nnz == 0
    assert (np.diff(judged.hidden.indptr) > 0).all()


def test_where_enough_judge_nobody_else_is_held_out(monkeypatch, spy):
    monkeypatch.setattr(room, "_FEWEST_JUDGED", 20)
    fitted(people(N_USERS))
    assert [matrix.shape[0] for matrix, _, _ in spy.calls] == [N_USERS - 26] * 2


def test_where_nobody_can_be_spared_nothing_is_chosen(spy, monkeypatch):
    monkeypatch.setattr(room, "choose_path", None)
    monkeypatch.setattr(room, "choose_blend", None)
    model, told = fitted(people(120))
    assert [part["kind"] for part in model.config.linear] == ["closed-form"]
    assert model.config.blend == {"share": 0.5, "temperature": 4.0}
    assert model.config.weight_decay == DECAYS[0]
    assert [matrix.shape[0] for matrix, _, _ in spy.calls] == [120]
    assert told[-1].seconds_left == 0
    monkeypatch.setattr(room, "MOST_DENSE", N_ITEMS - 1)
    model, _ = fitted(people(120))
    assert [part["kind"] for part in model.config.linear] == ["low-pass"]


def test_a_validation_that_hides_nothing_chooses_nothing(tastes, spy):
    nothing = Holdout(tastes[:30], csr_matrix((30, N_ITEMS), dtype=np.float32))
    fitted(tastes, replace(OPTIONS, validation=nothing))
    assert [matrix.shape[0] for matrix, _, _ in spy.calls] == [N_USERS]
    assert spy.calls[0][2].validation is nothing


def test_the_choice_goes_by_the_validation_that_is_given(tastes, spy):
    held = Holdout.of(people(400, seed=9), 0.8, np.random.default_rng(0))
    fitted(tastes, replace(OPTIONS, validation=held), linear=[PART])
    assert [matrix.shape[0] for matrix, _, _ in spy.calls] == [N_USERS] * 2
    assert all(options.validation is held for _, _, options in spy.calls)


def test_widths_and_the_ways_of_training_follow_the_catalogue(tastes, monkeypatch):
    small = room._sized(AutoencoderConfig(), tastes)
    assert (small.layers, small.bottleneck, small.start, small.negatives) == ((600,) * 4, 300, "random", 0)
    assert small.epochs == 50
    monkeypatch.setattr(room, "_WIDEST", 134 * N_ITEMS)
    monkeypatch.setattr(room, "_LARGE", N_ITEMS - 1)
    huge = room._sized(AutoencoderConfig(), tastes)
    assert (huge.layers, huge.bottleneck, huge.start, huge.negatives) == ((134, 600, 600, 600), 134, "spectral", 6000)
    assert huge.epochs == 15
    asked = AutoencoderConfig(start="random", negatives=50, layers=[20], bottleneck=10, epochs=7)
    assert room._sized(asked, tastes) == asked
    assert room._sized(AutoencoderConfig(likelihood="bernoulli"), tastes).negatives == 0


def test_a_catalogue_as_large_as_that_is_learnt(monkeypatch):
    """Spectral start, sampled denominators and a linear path without a dense matrix, together."""
    monkeypatch.setattr(room, "_LARGE", N_ITEMS - 1)
    monkeypatch.setattr(room, "_NEGATIVES", 20)
    monkeypatch.setattr(room, "MOST_DENSE", 10)
    monkeypatch.setattr("recsys.linear.choice.MOST_DENSE", 10)
    matrix = people(400)
    model, _ = fitted(matrix, epochs=15)
    assert {part["kind"] for part in model.config.linear} <= {"low-pass", "neighbours"}
    best, _ = top_n(model.score(matrix), matrix, 1)
    assert (best[:, 0] % 4 == np.arange(400) % 4).mean() > 0.95


def test_how_many_weight_decays_are_tried_follows_the_data(tastes, monkeypatch):
    assert room._decays(AutoencoderConfig(weight_decay=0.3), tastes) == [0.3]
    assert room._decays(AutoencoderConfig(), tastes) == DECAYS
    monkeypatch.setattr(room, "_SMALLEST", tastes.nnz - 1)
    assert room._decays(AutoencoderConfig(), tastes) == [4.0, 2.0]
    monkeypatch.setattr(room, "_SMALL", tastes.nnz - 1)
    assert room._decays(AutoencoderConfig(), tastes) == [2.0]


def test_negatives_are_refused_where_the_likelihood_has_no_denominator():
    with pytest.raises(SettingError, match="negatives"):
        AutoencoderConfig(likelihood="bernoulli", negatives=100)


@pytest.mark.parametrize("settings", [{}, {"linear": [PART]}, {"linear": "none"}])
def test_steps_are_counted_through_all_stages_and_end_with_nothing_left(tastes, settings):
    _, told = fitted(tastes, **settings)
    assert [progress.step for progress in told] == list(range(1, len(told) + 1))
    assert all(progress.steps >= progress.step for progress in told)
    assert all(progress.steps > progress.step for progress in told[:-1])
    assert told[-1].step == told[-1].steps
    assert told[-1].seconds_left == 0
    assert all(progress.seconds_left is None or progress.seconds_left >= 0 for progress in told)
    seconds = [progress.seconds for progress in told]
    assert seconds == sorted(seconds)


def test_the_seconds_left_are_of_all_that_is_to_come():
    heard: list[Progress] = []
    options = replace(OPTIONS, on_progress=heard.append)
    told = Told(options, AutoencoderConfig(linear=[PART], epochs=10), trainings=2, blends=1)
    told.blending, told.closing = 7.0, 3.0
    told.of_deep(Progress(5, 10, 1.0, "ndcg@100", 0.1, 0.1, 20.0, 20.0))
    assert heard[-1].seconds_left == 20 + 10 * 4 + 7 + 3
    told.of_deep(Progress(8, 8, 1.0, "ndcg@100", 0.1, 0.1, 32.0, 0.0))  # stopped early
    assert heard[-1].seconds_left == 10 * 4 + 7 + 3
    told.blended(0.2)
    told.of_deep(Progress(9, 10, 1.0, "ndcg@100", 0.1, 0.1, 36.0, 4.0))
    assert heard[-1].seconds_left == 4 + 3
    assert heard[-1].best == 0.2


def test_attributes_are_left_be_by_a_model_that_is_not_conditional_and_followed_by_one_that_is(tastes):
    known = replace(OPTIONS, attributes=np.eye(4)[np.arange(N_USERS) % 4])
    with_them, _ = fitted(tastes, known, linear=[PART])
    without, _ = fitted(tastes, linear=[PART])
    np.testing.assert_array_equal(with_them.score(tastes), without.score(tastes))
    conditional, _ = fitted(tastes, known, linear=[PART], conditional=True, epochs=15, blend={"share": 0.5})
    nobodies = csr_matrix((4, N_ITEMS), dtype=np.float32)
    best = conditional.score(nobodies, np.eye(4)).argmax(axis=1)
    np.testing.assert_array_equal(best % 4, np.arange(4))


@pytest.mark.parametrize("settings", [{}, {"linear": "none"}])
def test_a_fit_that_is_done_leaves_no_checkpoint(tastes, tmp_path, settings):
    place = Checkpoint(tmp_path / "fit", seconds=0)
    model, _ = fitted(tastes, replace(OPTIONS, checkpoint=place), **settings)
    assert list(tmp_path.iterdir()) == []
    plain, _ = fitted(tastes, **settings)
    np.testing.assert_array_equal(model.score(tastes), plain.score(tastes))


def test_an_interrupted_fit_goes_on_to_the_same_model(tastes, chosen, tmp_path):
    class Interrupted(Exception):
        pass

    def stop(progress):
        if progress.loss is not None:
            stop.epochs += 1
            if stop.epochs == 5:
                raise Interrupted

    stop.epochs = 0
    options = replace(OPTIONS, checkpoint=Checkpoint(tmp_path / "fit", seconds=0), on_progress=stop)
    with pytest.raises(Interrupted):
        create("autoencoder", **SMALL).fit(tastes, options)
    assert list(tmp_path.iterdir())
    model, told = fitted(tastes, options)
    np.testing.assert_array_equal(model.score(tastes), chosen[0].score(tastes))
    assert sum(progress.loss is not None for progress in told) < sum(p.loss is not None for p in chosen[1])
    assert list(tmp_path.iterdir()) == []


def test_both_paths_are_restored_and_scored_without_torch_or_the_searchs_rooms(tastes, chosen, tmp_path):
    model, _ = chosen
    np.savez(tmp_path / "state.npz", **model.state())
    (tmp_path / "config.json").write_text(json.dumps(config_of(model)))
    program = """
import json, pathlib, sys
import numpy as np
from scipy.sparse import csr_matrix
from recsys.models import create
import recsys.linear.choice, recsys.linear.path, recsys.models.blend
folder = pathlib.Path(sys.argv[1])
with np.load(folder / "state.npz") as stored:
    model = create("autoencoder", **json.loads((folder / "config.json").read_text())).restore(dict(stored))
np.save(folder / "scores.npy", model.score(csr_matrix(np.load(folder / "rows.npy"))))
print(*sorted({"torch", "implicit", "pandas", "optuna", "recsys.models.autoencoder_fit"} & set(sys.modules)))
"""
    np.save(tmp_path / "rows.npy", tastes.toarray())
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), model.score(tastes), rtol=1e-5, atol=1e-5)


def test_of_several_processes_only_the_first_tells(tastes, monkeypatch):
    monkeypatch.setattr("recsys.training.distributed.Processes.first", False)
    _, told = fitted(tastes)
    assert told == []

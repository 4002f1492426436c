"""fit_both: the linear and the deep path fitted, and everything left open about them chosen on held-out rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.linear.choice import MOST_DENSE, choose_path
from recsys.linear.judge import Judge
from recsys.linear.path import LinearPath, fit_part
from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.models.autoencoder_scoring import centred, decode, encode
from recsys.models.blend import TRIALS, Blend, choose_blend
from recsys.models.told import Told
from recsys.recency import faded
from recsys.recommender import FitOptions, Holdout, State

if TYPE_CHECKING:
    from recsys.training.validation import Learners

_FEWEST_JUDGED = 300  # people; with fewer, settings chosen on them are mostly luck
_FEWEST_LEFT = 100
_SMALL = 150_000  # interactions up to which several weight decays are tried
_SMALLEST = 50_000  # up to which they are high ones
_LARGE = 20_000  # items from which the likelihood is over a sample of them, and the start is spectral
_EPOCHS, _FEW_EPOCHS = 50, 15  # a spectral start needs few, and more than that are wasted before the rate falls
_NEGATIVES = 6_000
_WIDEST = 2**27  # weights of the first and of the last layer each: a million items get 134 columns


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was learnt: the settings with nothing left open, the linear path or None, the deep path's arrays."""

    config: AutoencoderConfig
    linear: LinearPath | None
    deep: State


def fit_both(matrix: csr_matrix, config: AutoencoderConfig, options: FitOptions) -> Fitted:
    """Fit on an (n_users, n_items) CSR of strengths.

    What ``config`` leaves at "auto" is chosen on ``options.validation``, or on the people that
    `recsys.training.validation.spare` keeps from training; where these are few, more people of the training part are
    left out while choosing and taken in again for the final fit. Where nobody can be spared nothing is chosen, and the
    settings are those that did best elsewhere. How much is tried depends on the data, never on the clock: one seed, one
    model.
    """
    from recsys.training.distributed import Processes  # torch: 1 s and 150 MB that scoring does without
    from recsys.training.loop import train_autoencoder
    from recsys.training.validation import spare

    if not Processes.present().first:
        options = replace(options, on_progress=None)
    learners, holdout = spare(matrix, options)
    config = _sized(config, learners.matrix)
    known, order = learners.attributes, learners.order
    learning = replace(options, validation=options.validation or holdout, attributes=known, order=order)
    if config.linear == "none":
        config = replace(
            config,
            weight_decay=_decays(config, learners.matrix)[0],
            blend=Blend(1.0, None).settings(),
            recency=config.recency or 0.0,
        )
        return Fitted(config, None, train_autoencoder(learners.matrix, config, _faded(learning, config)))
    trial, judged = (learners, None) if holdout is None or config.settled else _apart(learners, holdout, options.seed)
    trainings = 1 if judged is None else len(_decays(config, trial.matrix)) + (trial is not learners)
    told = Told(options, config, trainings, blends=0 if judged is None else len(_decays(config, trial.matrix)))
    stage = options.checkpoint and options.checkpoint.stage("deep")
    learning = replace(learning, on_progress=told.of_deep, checkpoint=stage)
    if judged is None:
        config = _unchosen(config, learners.matrix)
        deep = train_autoencoder(learners.matrix, config, _faded(learning, config))
        path = LinearPath.fit(matrix, config.parts, options.seed)
        told.done()
        return Fitted(config, path, deep)

    judge = Judge(judged, options.metric, options.seed)
    if config.linear == "auto":
        first = judge.faded(_first_recency(trial.matrix, judge, config, options.seed))
        config = replace(config, linear=choose_path(trial.matrix, first, options.seed, told.of_linear))
    before = time.perf_counter()
    path = LinearPath.fit(trial.matrix, config.parts, options.seed)
    if config.recency is None:
        config = replace(config, recency=judge.recency(path.score))
    assert config.recency is not None
    judge, learning = judge.faded(config.recency), _faded(learning, config)
    linear = path.score(judge.given)
    everybody = trial.matrix is matrix  # then that path is the final one
    told.closing = 0.0 if everybody else time.perf_counter() - before
    before = time.perf_counter()
    judge(Blend()(linear, linear))
    told.blending = (time.perf_counter() - before) * (TRIALS if config.mixture is None else 1)
    told_of = judged.attributes if config.conditional else None
    known = None if told_of is None else told_of[judge.rows]
    config, deep = _deep(trial, judge, known, config, learning, told, linear)
    if trial is not learners:
        deep = train_autoencoder(learners.matrix, config, learning)
    if not everybody:
        path = LinearPath.fit(matrix, config.parts, options.seed)
    told.done()
    return Fitted(config, path, deep)


def _first_recency(matrix: csr_matrix, judge: Judge, config: AutoencoderConfig, seed: int) -> float:
    """How much histories fade while the linear path is chosen: as is best for one filter that does well anywhere."""
    if config.recency is not None:
        return config.recency
    settings = _low_pass(matrix)
    return judge.recency(fit_part(matrix, settings, seed).score)


def _faded(learning: FitOptions, config: AutoencoderConfig) -> FitOptions:
    """Early stopping asks as people will be asked about."""
    held = learning.validation
    if held is None or held.order is None or not config.recency:
        return learning
    return replace(learning, validation=replace(held, given=faded(held.given, held.order, config.recency), order=None))


def _low_pass(matrix: csr_matrix) -> dict[str, Any]:
    """The filter that did best elsewhere."""
    rank = max(1, min(128, min(matrix.shape) // 2))
    return {"kind": "low-pass", "user_exponent": 0.25, "item_exponent": 0.4, "rank": rank}


def _sized(config: AutoencoderConfig, train: csr_matrix) -> AutoencoderConfig:
    """The network as this catalogue allows it, and the ways of training that its size asks for."""
    n_items = train.shape[1]
    widest, large = max(1, _WIDEST // n_items), n_items > _LARGE
    multinomial = config.likelihood == "multinomial"
    return replace(
        config,
        layers=[min(width, widest) for width in config.layers[:1]] + list(config.layers[1:]),
        bottleneck=min(config.bottleneck, widest),
        negatives=(_NEGATIVES if large and multinomial else 0) if config.negatives is None else config.negatives,
        epochs=(_FEW_EPOCHS if large else _EPOCHS) if config.epochs is None else config.epochs,
        start=("spectral" if large else "random") if config.start == "auto" else config.start,
    )


def _unchosen(config: AutoencoderConfig, train: csr_matrix) -> AutoencoderConfig:
    """The settings that did best elsewhere, where nobody can be spared to choose by."""
    squares = float(train.multiply(train).sum()) / train.shape[1]
    closed = {"kind": "closed-form", "user_exponent": 0.25, "l2": 2 * squares, "dropout": 0.5}
    linear = [{**(closed if train.shape[1] <= MOST_DENSE else _low_pass(train)), "weight": 1.0}]
    return replace(
        config,
        linear=linear if config.linear == "auto" else config.linear,
        blend=Blend().settings() if config.blend == "auto" else config.blend,
        weight_decay=_decays(config, train)[0],
        recency=config.recency or 0.0,
    )


def _decays(config: AutoencoderConfig, train: csr_matrix) -> list[float]:
    """The weight decays to try: less data wants more of it."""
    if config.weight_decay is not None:
        return [config.weight_decay]
    if train.nnz > _SMALL:
        return [2.0]
    return [4.0, 8.0] if train.nnz <= _SMALLEST else [4.0, 2.0]


def _apart(learners: Learners, holdout: Holdout, seed: int) -> tuple[Learners, Holdout]:
    """People to learn from while choosing, and people to choose by: the holdout's, and more where they are few."""
    missing = _FEWEST_JUDGED - int((np.diff(holdout.hidden.indptr) > 0).sum())
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.diff(learners.matrix.indptr) > 1)
    n_users = learners.matrix.shape[0]
    wanted = min(missing, len(able) // 3, n_users - _FEWEST_LEFT)
    if wanted < 1:
        return learners, holdout
    more = np.zeros(n_users, dtype=bool)
    more[rng.choice(able, wanted, replace=False)] = True
    return learners.of(~more), _joined(holdout, learners.of(more).asked(0.8, rng))


def _joined(one: Holdout, other: Holdout) -> Holdout:
    """The rows of both; what only one of them knows of its people is left out."""
    return Holdout(
        csr_matrix(vstack([one.given, other.given])),
        csr_matrix(vstack([one.hidden, other.hidden])),
        _both(one.attributes, other.attributes),
        _both(one.order, other.order),
    )


def _both(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    return None if one is None or other is None else np.concatenate([one, other])


def _deep(
    trial: Learners,
    judge: Judge,
    known: np.ndarray | None,
    config: AutoencoderConfig,
    learning: FitOptions,
    told: Told,
    linear: np.ndarray,
) -> tuple[AutoencoderConfig, State]:
    """The deep path and the blend that rank the judge's rows best beside the linear scores of them."""
    from recsys.training.loop import train_autoencoder

    best: tuple[float, AutoencoderConfig, State] | None = None
    for decay in _decays(config, trial.matrix):
        one = replace(config, weight_decay=decay)
        stage = learning.checkpoint and learning.checkpoint.stage(f"decay-{decay:g}")
        options = replace(learning, attributes=trial.attributes, order=trial.order, checkpoint=stage)
        deep = train_autoencoder(trial.matrix, one, options)
        known_here = centred(deep, known, len(judge))
        logits = decode(one, deep, encode(one, deep, judge.given, known_here), known_here)
        blend = one.mixture
        if blend is None:
            blend, value = choose_blend(judge, linear, logits)
        else:
            value = float(judge(blend(linear, logits)).mean())
        if best is None or value > best[0]:
            best = value, replace(one, blend=blend.settings()), deep
        told.blended(best[0])
    assert best is not None
    return best[1:]

"""fit_both: the linear and the deep path fitted, and everything left open about them chosen on held-out rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix, vstack

from recsys.linear.choice import MOST_DENSE, choose_path
from recsys.linear.judge import Judge
from recsys.linear.path import LinearPath
from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.models.autoencoder_scoring import centred, decode, encode
from recsys.models.blend import Blend, choose_blend
from recsys.recommender import FitOptions, Holdout, Progress, State

_FEWEST_JUDGED = 300  # people; with fewer, settings chosen on them are mostly luck
_FEWEST_LEFT = 100
_SMALL = 150_000  # interactions up to which several weight decays are tried
_SMALLEST = 50_000  # up to which they are high ones
_LARGE = 20_000  # items from which the likelihood is over a sample of them
_NEGATIVES = 6_000
_WIDEST = 2**27  # weights of the first and of the last layer each: a million items get 134 columns
_LINEAR_TRIALS = 26  # about; what a choice of the linear path takes


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
    train, attributes, holdout = spare(matrix, options)
    config = _sized(config, train)
    learning = replace(options, validation=options.validation or holdout, attributes=attributes)
    if config.linear == "none":
        config = replace(config, weight_decay=_decays(config, train)[0], blend=Blend(1.0, None).settings())
        return Fitted(config, None, train_autoencoder(train, config, learning))
    undecided = holdout is not None and not config.settled
    told = _Told(options, config, len(_decays(config, train)) + 1 if undecided and train.nnz <= _SMALL else 1)
    stage = options.checkpoint and options.checkpoint.stage("deep")
    learning = replace(learning, on_progress=told.of_deep, checkpoint=stage)
    if not undecided:
        config = _unchosen(config, train)
        deep = train_autoencoder(train, config, learning)
        path = LinearPath.fit(matrix, config.parts, options.seed)
        told.done()
        return Fitted(config, path, deep)

    assert holdout is not None
    trial, judged = _apart(train, attributes, holdout, options.seed)
    judge = Judge(judged, options.metric, options.seed)
    if config.linear == "auto":
        config = replace(config, linear=choose_path(trial.matrix, judge, options.seed, told.of_linear))
    before = time.perf_counter()
    path = LinearPath.fit(trial.matrix, config.parts, options.seed)
    linear = path.score(judge.given)
    everybody = trial.matrix is matrix  # then that path is the final one
    told.closing = 0.0 if everybody else time.perf_counter() - before
    told_of = judged.attributes if config.conditional else None
    known = None if told_of is None else told_of[judge.rows]
    config, deep = _deep(trial, judge, known, config, learning, told, linear)
    if trial.matrix is not train:
        deep = train_autoencoder(train, config, learning)
    if not everybody:
        path = LinearPath.fit(matrix, config.parts, options.seed)
    told.done()
    return Fitted(config, path, deep)


@dataclass(frozen=True, eq=False)
class _Trial:
    """The people trained on while choosing, and what is known of them."""

    matrix: csr_matrix
    attributes: np.ndarray | None


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
        start=("spectral" if large else "random") if config.start == "auto" else config.start,
    )


def _unchosen(config: AutoencoderConfig, train: csr_matrix) -> AutoencoderConfig:
    """The settings that did best elsewhere, where nobody can be spared to choose by."""
    squares = float(train.multiply(train).sum()) / train.shape[1]
    closed = {"kind": "closed-form", "user_exponent": 0.25, "l2": 2 * squares, "dropout": 0.5}
    rank = max(1, min(128, min(train.shape) // 2))
    low_pass = {"kind": "low-pass", "user_exponent": 0.25, "item_exponent": 0.4, "rank": rank}
    linear = [{**(closed if train.shape[1] <= MOST_DENSE else low_pass), "weight": 1.0}]
    return replace(
        config,
        linear=linear if config.linear == "auto" else config.linear,
        blend=Blend().settings() if config.blend == "auto" else config.blend,
        weight_decay=_decays(config, train)[0],
    )


def _decays(config: AutoencoderConfig, train: csr_matrix) -> list[float]:
    """The weight decays to try: less data wants more of it."""
    if config.weight_decay is not None:
        return [config.weight_decay]
    if train.nnz > _SMALL:
        return [2.0]
    return [4.0, 8.0] if train.nnz <= _SMALLEST else [4.0, 2.0]


def _apart(train: csr_matrix, attributes: np.ndarray | None, holdout: Holdout, seed: int) -> tuple[_Trial, Holdout]:
    """People to learn from while choosing, and people to choose by: the holdout's, and more where they are few."""
    missing = _FEWEST_JUDGED - int((np.diff(holdout.hidden.indptr) > 0).sum())
    rng = np.random.default_rng(seed)
    able = np.flatnonzero(np.diff(train.indptr) > 1)
    wanted = min(missing, len(able) // 3, train.shape[0] - _FEWEST_LEFT)
    if wanted < 1:
        return _Trial(train, attributes), holdout
    more = np.zeros(train.shape[0], dtype=bool)
    more[rng.choice(able, wanted, replace=False)] = True
    extra = Holdout.of(train[more], 0.8, rng)
    known = None
    if attributes is not None and holdout.attributes is not None:
        known = np.concatenate([holdout.attributes, attributes[more]])
    both = Holdout(
        csr_matrix(vstack([holdout.given, extra.given])), csr_matrix(vstack([holdout.hidden, extra.hidden])), known
    )
    return _Trial(train[~more], None if attributes is None else attributes[~more]), both


def _deep(
    trial: _Trial,
    judge: Judge,
    known: np.ndarray | None,
    config: AutoencoderConfig,
    learning: FitOptions,
    told: _Told,
    linear: np.ndarray,
) -> tuple[AutoencoderConfig, State]:
    """The deep path and the blend that rank the judge's rows best beside the linear scores of them."""
    from recsys.training.loop import train_autoencoder

    best: tuple[float, AutoencoderConfig, State] | None = None
    for decay in _decays(config, trial.matrix):
        one = replace(config, weight_decay=decay)
        stage = learning.checkpoint and learning.checkpoint.stage(f"decay-{decay:g}")
        options = replace(learning, attributes=trial.attributes, checkpoint=stage)
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


class _Told:
    """Several stages told as one: the steps behind and ahead, and the seconds that those ahead will take at most."""

    def __init__(self, options: FitOptions, config: AutoencoderConfig, trainings: int) -> None:
        self._tell, self._metric, self._checkpoint = options.on_progress, options.metric, options.checkpoint
        self._epochs = config.epochs
        self._trials = _LINEAR_TRIALS if config.linear == "auto" else 0
        self._trainings = trainings  # still to come, the present one included
        self._started = time.perf_counter()
        self._step = 0
        self._best: float | None = None
        self.closing = 0.0  # seconds the last fit of the linear path will take

    def of_linear(self, value: float) -> None:
        """One more trial of the linear path; value: of the best so far."""
        self._best = value
        self._trials = max(self._trials - 1, 0)
        self._say(self._trials + self._epochs * self._trainings + 1, None, None, None)

    def of_deep(self, progress: Progress) -> None:
        """One more epoch of a training."""
        self._trials = 0
        ahead = progress.steps - progress.step
        pace = progress.seconds / progress.step
        if not ahead:
            self._trainings -= 1
        others = self._epochs * (self._trainings - (1 if ahead else 0))
        left = None if progress.seconds_left is None else progress.seconds_left + others * pace + self.closing
        self._say(ahead + others + 1, progress.loss, progress.value, left)

    def blended(self, value: float) -> None:
        self._best = value

    def done(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.clear()
        self._say(0, None, None, 0.0)

    def _say(self, ahead: int, loss: float | None, value: float | None, left: float | None) -> None:
        self._step += 1
        if self._tell is not None:
            spent = time.perf_counter() - self._started
            self._tell(Progress(self._step, self._step + ahead, loss, self._metric, value, self._best, spent, left))

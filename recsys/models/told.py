"""Told: the stages of the autoencoder's fit told as one course of steps."""

from __future__ import annotations

import time

from recsys.models.autoencoder_config import AutoencoderConfig
from recsys.recommender import FitOptions, Progress

_LINEAR_TRIALS = 26  # about; what a choice of the linear path takes


class Told:
    """Several stages told as one: the steps behind and ahead, and the seconds that those ahead will take at most."""

    def __init__(self, options: FitOptions, config: AutoencoderConfig, trainings: int, blends: int) -> None:
        self._tell, self._metric, self._checkpoint = options.on_progress, options.metric, options.checkpoint
        self._epochs = config.epochs or 0  # settled by now
        self._trials = _LINEAR_TRIALS if config.linear == "auto" else 0
        self._trainings = trainings  # still to come, the present one included
        self._blends = blends  # to be chosen, each after a training
        self._started = time.perf_counter()
        self._step = 0
        self._best: float | None = None
        self.blending = 0.0  # seconds a choice of the blend will take
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
        left = progress.seconds_left
        if left is not None:
            left += others * pace + self._blends * self.blending + self.closing
        self._say(ahead + others + 1, progress.loss, progress.value, left)

    def blended(self, value: float) -> None:
        self._best = value
        self._blends -= 1

    def done(self) -> None:
        if self._checkpoint is not None:
            self._checkpoint.clear()
        self._say(0, None, None, 0.0)

    def _say(self, ahead: int, loss: float | None, value: float | None, left: float | None) -> None:
        self._step += 1
        if self._tell is not None:
            spent = time.perf_counter() - self._started
            self._tell(Progress(self._step, self._step + ahead, loss, self._metric, value, self._best, spent, left))

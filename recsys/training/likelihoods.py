"""LIKELIHOODS: how likely a row of logits makes the items that were touched, in parts that pieces of it add up to."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import softplus


class Likelihood(Protocol):
    """Minus a log-likelihood as sum_u a_u rows_u(logits_u) + sum_e entry_e(logit_e), e over the targets.

    per_target: whether a row's term occurs once a target, or once. excluded: the logit of an item that is left out.
    nothing: the row term of no logits at all.
    """

    per_target: bool
    excluded: float
    nothing: float

    def rows(self, logits: Tensor) -> Tensor:
        """(rows,) the row term of a piece (rows, columns) of the logits; ``join`` makes one of two pieces'."""

    def join(self, one: Tensor, other: Tensor) -> Tensor: ...

    def slope_(self, logits: Tensor, joined: Tensor) -> Tensor:
        """The slope of the whole row's term by the logits of a piece, in their place. joined: (rows,) all pieces'."""

    def entries(self, logit: Tensor, weight: Tensor, row_weight: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of the targets' own terms, and the (k,) slopes. weight: (k,) of the target; row_weight: (k,) its a_u."""


class Multinomial:
    """-sum_i t_i log softmax(f)_i = (sum_i t_i) logsumexp(f) - sum_i t_i f_i (Liang et al. 2018, equation 2)."""

    per_target = True
    excluded = -torch.inf
    nothing = -torch.inf

    def rows(self, logits: Tensor) -> Tensor:
        return logits.logsumexp(dim=1)

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        return torch.logaddexp(one, other)

    def slope_(self, logits: Tensor, joined: Tensor) -> Tensor:
        # A row whose every item is excluded has no softmax; it has no target either, so what it gets does not count.
        return logits.sub_(torch.nan_to_num(joined, neginf=0.0)[:, None]).exp_()

    def entries(self, logit: Tensor, weight: Tensor, row_weight: Tensor) -> tuple[Tensor, Tensor]:
        return -(weight @ logit), -weight


class Bernoulli:
    """-sum_i c t_i log s(f_i) + (1 - t_i) log(1 - s(f_i)), s the logistic function (Liang et al. 2018, equation 4)."""

    per_target = False
    excluded = -torch.inf
    nothing = 0.0

    def rows(self, logits: Tensor) -> Tensor:
        return softplus(logits).sum(dim=1)  # every item as if not touched

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def slope_(self, logits: Tensor, joined: Tensor) -> Tensor:
        return logits.sigmoid_()

    def entries(self, logit: Tensor, weight: Tensor, row_weight: Tensor) -> tuple[Tensor, Tensor]:
        terms = weight * softplus(-logit) - row_weight * softplus(logit)
        return terms.sum(), -weight * torch.sigmoid(-logit) - row_weight * torch.sigmoid(logit)


class Gaussian:
    """sum_i c_i / 2 (t_i - f_i)^2, t 1 or 0: squared error, touched items weighing more (Liang et al., equation 3)."""

    per_target = False
    excluded = 0.0
    nothing = 0.0

    def rows(self, logits: Tensor) -> Tensor:
        return logits.square().sum(dim=1) / 2

    def join(self, one: Tensor, other: Tensor) -> Tensor:
        return one + other

    def slope_(self, logits: Tensor, joined: Tensor) -> Tensor:
        return logits

    def entries(self, logit: Tensor, weight: Tensor, row_weight: Tensor) -> tuple[Tensor, Tensor]:
        terms = weight * (1 - logit).square() - row_weight * logit.square()
        return terms.sum() / 2, -weight * (1 - logit) - row_weight * logit


LIKELIHOODS: dict[str, Likelihood] = {
    "multinomial": Multinomial(),
    "bernoulli": Bernoulli(),
    "gaussian": Gaussian(),
}

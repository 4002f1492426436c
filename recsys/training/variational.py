"""What a variational code needs: a sample, its distance from the prior, and the weight of that distance."""

from __future__ import annotations

import torch
from torch import Tensor


def reparameterised(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw from N(mean, variance) that has slopes (Kingma and Welling, 2014); by torch's global generator."""
    return mean + torch.exp(log_variance / 2) * torch.randn_like(mean)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """(rows,) KL(N(mean, variance) || N(0, I)) (Kingma and Welling, 2014, appendix B). Both (rows, width)."""
    return (mean.square() + log_variance.exp() - log_variance - 1).sum(dim=1) / 2


def annealed(beta: float, step: int, anneal_steps: int) -> float:
    """beta's share at a step counted from 0: from 0 up in a straight line, and beta from ``anneal_steps`` on."""
    return beta * min(1.0, step / anneal_steps) if anneal_steps else beta

"""Objective: what a training step minimises."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from recsys.training.contractive import squared_slopes
from recsys.training.corruption import Corrupted
from recsys.training.likelihoods import LIKELIHOODS
from recsys.training.negatives import Negatives
from recsys.training.network import DenoisingNetwork
from recsys.training.reconstruction import reconstruction_loss
from recsys.training.variational import annealed, divergence, reparameterised

if TYPE_CHECKING:
    from recsys.models.autoencoder_config import AutoencoderConfig


class Loss(NamedTuple):
    """value: a mean over the batch. weight: what it was divided by, to add up the means of a batch's parts."""

    value: Tensor
    weight: Tensor


class Objective:
    """sum_u n_u^(g - 1) (S_u + beta KL_u + contractive |J_u|^2) / sum_u n_u^g, over the users with a target.

    S_u: minus the log-likelihood of u's n_u targets. KL_u: of the code to its prior, of a variational network. J_u: the
    code's slope by the history. g: user_exponent; at 1 every user's bound counts as it stands (Liang et al. 2018), at
    1/2 neither long nor short histories rule. 0 when nobody has a target.
    """

    def __init__(self, config: AutoencoderConfig, dtype: torch.dtype, negatives: Negatives | None = None) -> None:
        """dtype: of the products; bfloat16 by autocast. negatives: None for a likelihood over the whole catalogue."""
        self._config, self._dtype, self._negatives = config, dtype, negatives
        self._likelihood = LIKELIHOODS[config.likelihood]

    def __call__(self, network: DenoisingNetwork, corrupted: Corrupted, step: int) -> Loss:
        """The loss at a step counted from 0, with slopes for every parameter of the network."""
        config = self._config
        sizes = corrupted.targets.sizes().to(network.decoder_bias.dtype)
        weights = torch.where(sizes > 0, sizes.pow(config.user_exponent), 0.0)
        total = weights.sum()
        weights = weights / total.clamp(min=1.0)
        beside = []  # what a user's loss holds beside the likelihood, (rows,) each
        with torch.autocast(sizes.device.type, self._dtype, enabled=self._dtype == torch.bfloat16):
            if config.variational:
                mean, log_variance = (x.to(sizes.dtype) for x in network.posterior(corrupted.shown))
                beside.append(annealed(config.beta, step, config.anneal_steps) * divergence(mean, log_variance))
                code = network.dropout(reparameterised(mean, log_variance))
            else:
                code = network.encode(corrupted.shown)
            decoded = network.decode(code, corrupted.shown)
        if config.contractive:
            beside.append(config.contractive * squared_slopes(network, corrupted.shown))
        weight: Tensor = network.decoder_weight
        bias: Tensor = network.decoder_bias
        if self._negatives is not None:
            items, log_chance, corrupted = self._negatives(corrupted)
            # A constant in the targets' own logits, which it moves too, and exactly what the denominator needs.
            weight, bias = weight[items], bias[items] - log_chance
        value = reconstruction_loss(
            self._likelihood,
            decoded.to(sizes.dtype),
            weight,
            bias,
            corrupted,
            weights,
            self._dtype,
            config.confidence,
        )
        for amounts in beside:
            value = value + (weights / sizes.clamp(min=1)) @ amounts
        return Loss(value, total)

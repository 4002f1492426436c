"""How much a code moves when the history does: the penalty of contractive autoencoders."""

from __future__ import annotations

import torch
from torch import Tensor

from recsys.training.batches import Batch
from recsys.training.network import DenoisingNetwork


def squared_slopes(network: DenoisingNetwork, shown: Batch) -> Tensor:
    """(rows,) an unbiased estimate of the squared Frobenius norm of the code's Jacobian by the history, differentiable.

    Rifai et al., "Contractive Auto-Encoders" (2011), equation 1; by the history of unit length, all n_items of it, and
    of a variational code its mean. With signs v drawn at random E |J' v|^2 = |J|_F^2 (Hutchinson, 1990). The first
    layer is W' x, so that J' v = W g, g the slope of v . code by the first layer's sums, and |W g|^2 = g' (W' W) g:
    n_items x width^2 multiply-adds, and nothing of batch x n_items in memory.
    """
    sums = network.first(shown)
    code = network.code(sums)
    signs = torch.randint(0, 2, code.shape, device=code.device).to(code.dtype) * 2 - 1
    (slope,) = torch.autograd.grad(code, sums, signs, create_graph=True)
    gram = network.input_weight.T @ network.input_weight
    return ((slope @ gram) * slope).sum(dim=1)

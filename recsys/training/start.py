"""spectral_start: a network that begins at the catalogue's strong directions instead of at random."""

from __future__ import annotations

import torch
from scipy.sparse import csr_matrix

from recsys.linear.filters import normalised
from recsys.linear.spectral import truncated_svd
from recsys.training.network import DenoisingNetwork

_EXPONENTS = (0.25, 0.4)  # of users and items: the low-pass filter that ranked held-out rows best where this was tried


@torch.no_grad()
def spectral_start(network: DenoisingNetwork, matrix: csr_matrix, seed: int) -> None:
    """First layer and decoder from the leading right singular vectors of the degree-normalised matrix.

    The first layer then tells directions of taste apart from the first step on, and the bottleneck passes them to a
    decoder that knows them by the same number: on a large sparse catalogue the first epoch ends where a random start
    is after many. What the decomposition has too few directions for stays as it was.
    """
    first, last = network.input_weight.shape[1], network.decoder_weight.shape[1]
    rank = min(max(first, last), min(matrix.shape) - 1)
    if rank < 1:
        return
    _, vectors = truncated_svd(normalised(matrix, *_EXPONENTS), rank, seed)
    rank = vectors.shape[1]  # fewer, where the matrix carries fewer
    directions = torch.from_numpy(vectors).float().to(network.input_weight.device) * matrix.shape[1] ** 0.5
    network.input_weight[:, : min(first, rank)] = directions[:, :first]
    network.decoder_weight[:, : min(last, rank)] = directions[:, :last] / last**0.5
    if network.bottleneck is not None and (network.dense or not len(network.hidden)):  # it sees the first layer
        codes = network.bottleneck.out_features // (2 if network.variational else 1)  # the rest are log-variances
        same = torch.arange(min(first, rank, codes))
        network.bottleneck.weight[same, same] += 1.0

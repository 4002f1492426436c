"""The likelihood of the targets over the whole catalogue, computed a piece of the catalogue at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from recsys.training.batches import Batch
from recsys.training.corruption import Corrupted
from recsys.training.likelihoods import Likelihood

# Logits held at once, batch x items: 128 MB in float32. Beyond it memory stops growing with the catalogue.
_MOST_LOGITS = 32 * 2**20


def reconstruction_loss(
    likelihood: Likelihood,
    code: Tensor,
    weight: Tensor,
    bias: Tensor,
    corrupted: Corrupted,
    user_weight: Tensor,
    dtype: torch.dtype,
    confidence: float = 1.0,
    most: int = _MOST_LOGITS,
) -> Tensor:
    """Minus the log-likelihood of the targets among all items that are not excluded, a weighted sum over users.

    The logits are code @ weight.T + bias. Target i of user u, of strength t_i, counts user_weight_u t_i / sum_j t_j:
    for the multinomial likelihood the sum is of user_weight_u times the mean over u's targets. The others also count
    the items not touched, so that a user's term is user_weight_u / (targets of u) times the sum over items of
    c_i times the loss there, c_i = confidence t_i / (mean t) for a target, 1 for another item.
    code: (rows, width); weight: (n_items, width); bias: (n_items,); user_weight: (rows,), 0 for users without targets.
    dtype: of the products. most: logits held at once.
    """
    targets = corrupted.targets
    total = targets.sums(targets.value).clamp(min=1e-12)
    entry_weight = targets.value * (user_weight / total)[targets.row]
    row_weight = user_weight
    if not likelihood.per_target:
        entry_weight = confidence * entry_weight
        row_weight = user_weight / targets.sizes().clamp(min=1)
    chunk = max(1, min(len(weight), most // max(code.shape[0], 1)))
    loss: Tensor = _Reconstruction.apply(  # type: ignore[no-untyped-call]  # torch gives none
        code, weight, bias, likelihood, corrupted.excluded, targets, row_weight, entry_weight, dtype, chunk
    )
    return loss


class _Reconstruction(torch.autograd.Function):
    """sum_u a_u rows_u + sum_e entry_e of a likelihood, with the logits made chunk by chunk, forwards and backwards.

    One chunk: its slope is kept for the backward pass. Several: only each row's term is kept and the logits are made
    again, one more product instead of batch x items numbers in memory.
    """

    @staticmethod
    def forward(
        ctx: Any,
        code: Tensor,
        weight: Tensor,
        bias: Tensor,
        likelihood: Likelihood,
        excluded: Batch,
        targets: Batch,
        row_weight: Tensor,
        entry_weight: Tensor,
        dtype: torch.dtype,
        chunk: int,
    ) -> Tensor:
        narrow = code.to(dtype)
        rows = torch.full((len(code),), likelihood.nothing, dtype=bias.dtype, device=code.device)
        loss = torch.zeros((), dtype=bias.dtype, device=code.device)
        entry_slope = torch.empty_like(entry_weight)
        entry_row_weight = row_weight[targets.row]
        kept = None
        for start in range(0, len(weight), chunk):
            logits = _logits(narrow, weight, bias, likelihood, excluded, start, chunk)
            inside, row, column = _inside(targets, start, chunk, len(weight))
            term, slope = likelihood.entries(logits[row, column], entry_weight[inside], entry_row_weight[inside])
            loss += term
            entry_slope[inside] = slope
            rows = likelihood.join(rows, likelihood.rows(logits))
            if chunk >= len(weight):
                kept = likelihood.slope_(logits, rows)
        ctx.keep = (likelihood, excluded, targets, dtype, chunk)
        ctx.save_for_backward(narrow, weight, bias, row_weight, entry_slope, rows, kept)
        # A row without a target weighs 0, and 0 times its term, which may be infinite, is to be 0.
        return row_weight @ torch.where(row_weight > 0, rows, 0.0) + loss

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *outer: Tensor) -> Any:
        narrow, weight, bias, row_weight, entry_slope, rows, kept = ctx.saved_tensors  # type: ignore[attr-defined]
        likelihood, excluded, targets, dtype, chunk = ctx.keep  # type: ignore[attr-defined]
        by_code = torch.zeros(narrow.shape, dtype=bias.dtype, device=narrow.device)
        by_weight, by_bias = torch.empty_like(weight), torch.empty_like(bias)
        for start in range(0, len(weight), chunk):
            slope = kept
            if slope is None:
                logits = _logits(narrow, weight, bias, likelihood, excluded, start, chunk)
                slope = likelihood.slope_(logits, rows)
            slope *= row_weight[:, None]
            inside, row, column = _inside(targets, start, chunk, len(weight))
            slope[row, column] += entry_slope[inside]  # a pair occurs once, so nothing is lost
            slope *= outer[0]
            piece = slice(start, start + chunk)
            by_bias[piece] = slope.sum(dim=0)
            narrow_slope = slope.to(dtype)
            by_code += narrow_slope @ weight[piece].to(dtype)
            by_weight[piece] = narrow_slope.T @ narrow
        return by_code, by_weight, by_bias, None, None, None, None, None, None, None


def _logits(
    code: Tensor, weight: Tensor, bias: Tensor, likelihood: Likelihood, excluded: Batch, start: int, chunk: int
) -> Tensor:
    """(rows, chunk) logits of a piece of the catalogue, in the bias's precision, the excluded items taken out."""
    piece = slice(start, start + chunk)
    logits = (code @ weight[piece].to(code.dtype).T).to(bias.dtype) + bias[piece]
    _, row, column = _inside(excluded, start, chunk, len(weight))
    logits[row, column] = likelihood.excluded
    return logits


def _inside(batch: Batch, start: int, chunk: int, n_items: int) -> tuple[Tensor | slice, Tensor, Tensor]:
    """(which entries, their rows, their columns in the piece) of the entries whose item lies in the piece."""
    if chunk >= n_items:
        return slice(None), batch.row, batch.item
    inside = (batch.item >= start) & (batch.item < start + chunk)
    return inside, batch.row[inside], batch.item[inside] - start

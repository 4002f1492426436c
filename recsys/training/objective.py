"""The multinomial likelihood of what was hidden, computed a piece of the catalogue at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from recsys.training.batches import Batch
from recsys.training.corruption import Corrupted

# Logits held at once, batch x items: 128 MB in float32. Beyond it memory stops growing with the catalogue.
_MOST_LOGITS = 32 * 2**20


def hidden_likelihood(
    code: Tensor, weight: Tensor, bias: Tensor, corrupted: Corrupted, dtype: torch.dtype, most: int = _MOST_LOGITS
) -> Tensor:
    """Minus the mean log-likelihood of the hidden entries under a softmax over all items that are not visible.

    For user u with hidden strengths t_i (Liang et al. 2018, equation 2, with hidden-only targets):
        L_u = - sum_i t_i / (sum_i t_i) * log softmax(W z_u + b)_i
    and the loss is the mean of L_u weighted by sqrt(hidden entries of u): neither long nor short histories rule.
    code: (rows, width) z; weight: (n_items, width) W; bias: (n_items,) b. dtype: of the products. Users with nothing
    hidden count nothing; NaN-free, 0 when nobody has anything hidden.
    """
    hidden = corrupted.hidden
    user_weight = hidden.sizes().float().sqrt()
    user_weight = user_weight / user_weight.sum().clamp(min=1.0)
    total = hidden.sums(hidden.value).clamp(min=1e-12)
    entry_weight = hidden.value * (user_weight / total)[hidden.row]
    chunk = max(1, min(len(weight), most // max(code.shape[0], 1)))
    loss: Tensor = _Likelihood.apply(  # type: ignore[no-untyped-call]  # torch gives none
        code, weight, bias, corrupted.visible, hidden, user_weight, entry_weight, dtype, chunk
    )
    return loss


class _Likelihood(torch.autograd.Function):
    """sum_u a_u logsumexp(logits_u) - sum_i a_i logit_i, with the logits made chunk by chunk, forwards and backwards.

    One chunk: its softmax is kept for the backward pass. Several: only each row's logsumexp is kept and the logits are
    made again, one more product instead of batch x items numbers in memory.
    """

    @staticmethod
    def forward(
        ctx: Any,
        code: Tensor,
        weight: Tensor,
        bias: Tensor,
        visible: Batch,
        hidden: Batch,
        user_weight: Tensor,
        entry_weight: Tensor,
        dtype: torch.dtype,
        chunk: int,
    ) -> Tensor:
        narrow = code.to(dtype)
        log_sum = torch.full((visible.n_rows,), -torch.inf, device=code.device)
        positive = torch.zeros((), device=code.device)
        kept = None
        for start in range(0, len(weight), chunk):
            logits = _logits(narrow, weight, bias, visible, start, chunk)
            inside, row, column = _inside(hidden, start, chunk, len(weight))
            positive += entry_weight[inside] @ logits[row, column]
            log_sum = torch.logaddexp(log_sum, logits.logsumexp(dim=1))
            kept = logits
        # A row whose every item is visible has no softmax; nothing of it is hidden, so it weighs 0.
        log_sum = torch.nan_to_num(log_sum, neginf=0.0)
        ctx.keep = (visible, hidden, dtype, chunk)
        probabilities = None
        if chunk >= len(weight) and kept is not None:
            probabilities = kept.sub_(log_sum[:, None]).exp_()
        ctx.save_for_backward(narrow, weight, bias, user_weight, entry_weight, log_sum, probabilities)
        return user_weight @ log_sum - positive

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, *outer: Tensor) -> Any:
        narrow, weight, bias, user_weight, entry_weight, log_sum, kept = ctx.saved_tensors  # type: ignore[attr-defined]
        visible, hidden, dtype, chunk = ctx.keep  # type: ignore[attr-defined]
        by_code = torch.zeros(narrow.shape, device=narrow.device)
        by_weight, by_bias = torch.empty_like(weight), torch.empty_like(bias)
        for start in range(0, len(weight), chunk):
            if kept is None:
                slope = _logits(narrow, weight, bias, visible, start, chunk).sub_(log_sum[:, None]).exp_()
            else:
                slope = kept
            slope *= user_weight[:, None]
            inside, row, column = _inside(hidden, start, chunk, len(weight))
            slope[row, column] -= entry_weight[inside]  # a pair occurs once, so nothing is lost
            slope *= outer[0]
            piece = slice(start, start + chunk)
            by_bias[piece] = slope.sum(dim=0)
            narrow_slope = slope.to(dtype)
            by_code += narrow_slope @ weight[piece].to(dtype)
            by_weight[piece] = narrow_slope.T @ narrow
        return by_code, by_weight, by_bias, None, None, None, None, None, None


def _logits(code: Tensor, weight: Tensor, bias: Tensor, visible: Batch, start: int, chunk: int) -> Tensor:
    """(rows, chunk) float32 logits of a piece of the catalogue, -inf where the item is visible."""
    piece = slice(start, start + chunk)
    logits = (code @ weight[piece].to(code.dtype).T).float() + bias[piece]
    _, row, column = _inside(visible, start, chunk, len(weight))
    logits[row, column] = -torch.inf
    return logits


def _inside(batch: Batch, start: int, chunk: int, n_items: int) -> tuple[Tensor | slice, Tensor, Tensor]:
    """(which entries, their rows, their columns in the piece) of the entries whose item lies in the piece."""
    if chunk >= n_items:
        return slice(None), batch.row, batch.item
    inside = (batch.item >= start) & (batch.item < start + chunk)
    return inside, batch.row[inside], batch.item[inside] - start

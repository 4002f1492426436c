"""Where a training's time goes, by kind of operation, as torch's profiler saw it."""

from __future__ import annotations

import re
from collections.abc import Callable

# The first pattern found in an operation's name tells its kind.
_KIND_OF = (
    ("products", r"::(add)?mm|::bmm|gemm|cutlass|nvjet|xmma|mkldnn"),
    ("first layer", r"embedding"),
    ("optimizer and average", r"adam|foreach|lerp|multi_tensor"),
    ("softmax", r"logsumexp|logaddexp|softmax|::exp|::sub|::amax|::log"),
    (
        "picking entries",
        r"index|nonzero|gather|scatter|masked|repeat_interleave|sort|bincount|cumsum|::ge|::lt|bitwise",
    ),
    ("chance", r"rand|bernoulli|dropout|normal_|uniform_"),
    ("between layers", r"silu|sigmoid|tanh|layer_norm|layernorm"),
    ("copies and casts", r"copy|::_to|::to|clone|::cat|contiguous|fill|zero|empty|memcpy|memset"),
)


def shares(run: Callable[[], object], cuda: bool) -> dict[str, float]:
    """Share of the operations' own time while ``run()`` runs, by kind, largest first; on a GPU of the time there."""
    from torch.autograd import DeviceType
    from torch.profiler import ProfilerActivity, profile

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    with profile(activities=activities) as profiled:
        run()
    spent: dict[str, float] = {}
    for event in profiled.key_averages():
        if cuda == (event.device_type == DeviceType.CUDA):
            kind = kind_of(event.key)
            spent[kind] = spent.get(kind, 0.0) + (event.self_device_time_total if cuda else event.self_cpu_time_total)
    total = sum(spent.values())
    return {kind: own / total for kind, own in sorted(spent.items(), key=lambda pair: -pair[1])} if total else {}


def kind_of(operation: str) -> str:
    """The kind of an operation or kernel by its name; "other" where no pattern knows it."""
    return next((kind for kind, name in _KIND_OF if re.search(name, operation.lower())), "other")

"""The people of a night: those who are learnt from and those who are kept apart, as the night parts them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.liked import liked
from recsys.matrix import Index, InteractionMatrix
from recsys.panel import on_panel, share_for
from recsys.recency import of_rows, order_of


def parted(interactions: Path | None, min_value: float | None) -> tuple[InteractionMatrix, InteractionMatrix]:
    """(training, panel) of a file's likes, or the sample's; both with the order of their entries, where it is known."""
    events, data = liked(interactions, min_value)
    order = order_of(events, data)
    apart = on_panel(data.users.ids.tolist(), share_for(len(data.users)))
    return of_some(data, order, np.flatnonzero(~apart)), of_some(data, order, np.flatnonzero(apart))


def of_some(data: InteractionMatrix, order: np.ndarray | None, rows: np.ndarray) -> InteractionMatrix:
    """The people of some rows, and the items that they have."""
    matrix = data.matrix[rows]
    held = np.unique(matrix.indices)
    items, users = Index(data.items.ids[held], "item"), Index(data.users.ids[rows], "user")
    return InteractionMatrix(matrix[:, held], users, items, of_rows(data.matrix, order, rows))

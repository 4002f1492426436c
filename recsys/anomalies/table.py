"""The judged people as a table for other programs: a row a person, the flagged first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recsys.anomalies import Anomalies

if TYPE_CHECKING:
    import pandas as pd


def as_table(found: Anomalies) -> pd.DataFrame:
    """user, length, score, p, flagged, copy, reasons (sentences joined by "; ", empty for who is not flagged).

    The flagged come first, strangest first; then the others in the order of their score. Who has too few items to be
    judged has no score and no p.
    """
    import pandas as pd

    rest = np.flatnonzero(~found.flagged)
    order = np.concatenate([found.order, rest[np.argsort(-found.score[rest], kind="stable")]])
    judged = found.judged[order]
    return pd.DataFrame(
        {
            "user": pd.Series([found.users[row] for row in order], dtype="str"),
            "length": found.lengths[order],
            "score": np.where(judged, found.score[order], np.nan),
            "p": np.where(judged, found.p[order], np.nan),
            "flagged": found.flagged[order],
            "copy": found.twin[order],
            "reasons": pd.Series(["; ".join(found.reasons.get(int(row), ())) for row in order], dtype="str"),
        }
    )

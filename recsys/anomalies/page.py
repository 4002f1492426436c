"""page: the flagged histories as one HTML file for a person to judge; no script, nothing from outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from scipy.sparse import csr_matrix

from recsys.anomalies import SHORTEST, Anomalies
from recsys.anomalies.peers import SHARE
from recsys.anomalies.plot import plot
from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index

MOST_PEOPLE = 300  # shown; the table in a file of another kind has all
_ITEMS = 30  # of a history
_SHARED = 10
_UNEXPECTED = 0.5  # place in the list from which an item is marked


def page(found: Anomalies, rows: csr_matrix, items: Index, catalogue: Catalogue, model: str, created: datetime) -> str:
    """HTML. rows: (n, n_items), the rows that were judged. model: in words, which one judged."""
    rows = csr_matrix(rows, copy=True)
    rows.sort_indices()
    shown = found.order[:MOST_PEOPLE]
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("recsys.anomalies"), PackageLoader("recsys.reports")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("anomalies.html").render(
        found=found,
        flagged=int(found.flagged.sum()),
        by_score=int((found.p < found.false_alarms).sum()),
        twins=int(found.twin.sum()),
        judged=int(found.judged.sum()),
        short=int((~found.judged).sum()),
        shortest=SHORTEST,
        peers=SHARE,
        shared=found.shared[:_SHARED],
        people=[_person(found, int(row), rows, items, catalogue) for row in shown],
        plot=Markup(plot(found)),
        model=model,
        created=created.strftime("%Y-%m-%d %H:%M UTC"),
    )


def _person(found: Anomalies, row: int, rows: csr_matrix, items: Index, catalogue: Catalogue) -> dict[str, Any]:
    """One flagged person; the items that were least expected first."""
    entries = slice(rows.indptr[row], rows.indptr[row + 1])
    columns, places = rows.indices[entries], found.places[entries]
    worst = np.argsort(-places, kind="stable")[:_ITEMS]
    return {
        "user": found.users[row],
        "length": int(found.lengths[row]),
        "score": float(found.score[row]),
        "p": float(found.p[row]),
        "twin": bool(found.twin[row]),
        "reasons": found.reasons[row],
        "items": [(catalogue.title(str(items.ids[columns[k]])), bool(places[k] > _UNEXPECTED)) for k in worst],
        "more": max(0, len(columns) - _ITEMS),
    }

"""The page of anomalies: what it says of who was flagged, and of nobody."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from scipy.sparse import csr_matrix

from recsys.anomalies import Anomalies, Shared
from recsys.anomalies.page import page
from recsys.evaluation.catalogue import Catalogue
from recsys.matrix import Index

N, LONG = 120, 40
NOBODY = Anomalies(
    users=tuple(f"<u{n}>" for n in range(N)),
    lengths=np.full(N, LONG),
    score=np.linspace(-2, 2, N),
    p=np.full(N, 0.5),
    judged=np.ones(N, dtype=bool),
    flagged=np.zeros(N, dtype=bool),
    twin=np.zeros(N, dtype=bool),
    threshold=2.33,
    false_alarms=0.01,
    reasons={},
    shared=(),
    places=np.tile(np.linspace(0.1, 0.9, LONG), N),
    crossed=True,
)


def html_of(found: Anomalies) -> str:
    rows = csr_matrix(np.ones((N, LONG), dtype=np.float32))
    items = Index.of([f"i{n}" for n in range(LONG)], "item")
    titles = Catalogue(titles={"i39": "The <b>least</b> expected"})
    return page(found, rows, items, titles, "autoencoder", datetime(2026, 1, 2, tzinfo=UTC))


def flagged(*rows: int, twin: bool = False) -> Anomalies:
    chosen = np.isin(np.arange(N), rows)
    return replace(
        NOBODY,
        flagged=chosen,
        twin=chosen & twin,
        score=np.where(chosen, 4.0, NOBODY.score),
        p=np.where(chosen, 3e-5, 0.5),
        reasons=dict.fromkeys(rows, ("it is strange", "very")),
        shared=(Shared("i0", "Pushed & sold", len(rows), 0.012),),
    )


def test_a_flagged_person_is_shown_with_reasons_and_the_least_expected_items_first() -> None:
    html = html_of(flagged(7))
    assert "1 of 120 histories stand out; about 1 would" in html
    assert "<li>it is strange</li>\n<li>very</li>" in html
    card = html[html.index("&lt;u7&gt;") :]
    assert card.index("The &lt;b&gt;least&lt;/b&gt; expected") < card.index(">i38<") < card.index(">i37<")
    assert "and 10 more" in card
    assert "p &lt; 0.0001" in card
    assert "Pushed &amp; sold" in html
    assert "1.2%" in html


def test_nobody_flagged_is_said() -> None:
    html = html_of(NOBODY)
    assert "0 of 120 histories stand out" in html
    assert "Nobody stands out." in html
    assert "What they have in common" not in html


def test_the_plot_takes_its_colours_from_the_page_and_marks_the_flagged() -> None:
    plain, marked = html_of(NOBODY), html_of(flagged(3, 4))
    assert not re.search(r"#fa0[0-9a-f]{3}", marked)
    svg = marked[marked.index("<svg") : marked.index("</svg>")]
    before = plain[plain.index("<svg") : plain.index("</svg>")]
    assert svg.count("var(--m1)") > before.count("var(--m1)")
    assert "items in the history" in svg


def test_copies_and_a_model_that_knew_them_are_told() -> None:
    assert "nearly copies of another history" in html_of(flagged(3, twin=True))
    assert "nearly copies" not in html_of(flagged(3))
    assert "was trained on these histories" in html_of(replace(NOBODY, crossed=False))


def test_the_page_runs_no_script_and_asks_nobody() -> None:
    html = html_of(flagged(1))
    assert "<script" not in html
    assert not re.search(r"(src|href)=\"(?!#)", html)
    assert "default-src 'none'" in html

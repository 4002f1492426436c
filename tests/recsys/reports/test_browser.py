"""The page in a browser: light and dark, wide and narrow, every plot drawn, nothing asked for, nothing beyond it."""

from __future__ import annotations

import shutil

import pytest

from recsys.reports.page import page
from tests.recsys.reports.world import world

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine: the page was not looked at")

BOXES = """() => [...document.querySelectorAll('svg.plot')].map(svg => {
    const box = svg.getBoundingClientRect(), inside = svg.querySelector('g').getBoundingClientRect();
    return {id: svg.id, left: box.left, right: box.right, width: box.width, height: box.height,
            drawn: inside.width * inside.height, over: Math.max(box.left - inside.left, inside.right - box.right)};
})"""

# WCAG contrast of every piece of text with what is behind it; text of plots is on the page's ground.
CONTRAST = """() => {
    const light = colour => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map(Number)
            .map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = node => {
        for (; node; node = node.parentElement) {
            const ground = getComputedStyle(node).backgroundColor;
            if (!/, 0\\)$/.test(ground)) return ground;
        }
    };
    const found = [];
    for (const node of document.querySelectorAll('body *')) {
        if (![...node.childNodes].some(one => one.nodeType === 3 && one.textContent.trim())) continue;
        if (!node.getClientRects().length || node.tagName === 'title') continue;
        const style = getComputedStyle(node), svg = node.tagName === 'text';
        const [a, b] = [light(svg ? style.fill : style.color), light(behind(node))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push([ratio.toFixed(2), node.textContent.trim().slice(0, 40)]);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    report = world(300)
    every = [f"metric_{number}@20" for number in range(12)]  # as many as an evaluation has by default
    for group in (group for cohort in report["cohorts"].values() for group in cohort["groups"]):
        for values in group["models"].values():
            values |= dict.fromkeys(every, next(iter(values.values())))
    path.write_text(page(report), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        found = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(params=[(1400, "light"), (1400, "dark"), (400, "light"), (400, "dark")], ids=lambda p: f"{p[0]}-{p[1]}")
def shown(request, browser, address):
    """(the page, what went wrong, what was asked for, the width of the window)."""
    width, scheme = request.param
    window = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong, asked = [], []
    window.on("console", lambda message: wrong.append(message.text))
    window.on("pageerror", lambda error: wrong.append(str(error)))
    window.on("dialog", lambda dialog: wrong.append(dialog.message))
    window.on("request", lambda request: asked.append(request.url))
    window.goto(address)
    yield window, wrong, asked, width
    window.close()


def test_the_page_is_drawn_whole_and_keeps_to_itself(shown, address):
    window, wrong, asked, width = shown
    assert wrong == []
    assert asked == [address]
    boxes = window.evaluate(BOXES)
    assert len(boxes) == 24
    for box in boxes:
        assert box["width"] > 300, box
        assert box["height"] > 80, box
        assert box["drawn"] > 10_000, box
        assert box["left"] >= 0, box
        assert box["right"] <= width, box
        assert box["over"] < 14, box  # names may lean out a little where the page's font is wide
    assert window.evaluate("document.documentElement.scrollWidth") <= width


def test_every_fold_open_still_fits_the_window(shown):
    window, _, _, width = shown
    window.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert window.evaluate("document.documentElement.scrollWidth") <= width
    beside = window.evaluate(
        """width => [...document.querySelectorAll('main *')].filter(one => !one.closest('.scroll, pre, svg')
            && one.getClientRects().length && one.getBoundingClientRect().right > width + 1).length""",
        width,
    )
    assert beside == 0


def test_text_stands_out_from_its_ground_in_both_themes(shown):
    window, *_ = shown
    assert window.evaluate(CONTRAST) == []


def test_on_paper_the_page_is_light_in_either_theme(shown):
    window, *_ = shown
    window.emulate_media(media="print")
    assert window.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert window.evaluate(CONTRAST) == []


def test_the_verdict_and_the_best_model_are_on_the_first_screen(shown):
    window, _, _, width = shown
    for selector in ("h1", ".status", ".facts b"):
        box = window.locator(selector).first.bounding_box()
        assert box["y"] + box["height"] < (900 if width > 400 else 1000)

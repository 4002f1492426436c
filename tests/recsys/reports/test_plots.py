"""The plots as SVG: what is drawn stands where its value says, every name is readable, each time the same."""

from __future__ import annotations

import re

import matplotlib
import pytest

from recsys.reports.plots.cohort import cohort
from recsys.reports.plots.cutoffs import cutoffs
from recsys.reports.plots.differences import differences
from recsys.reports.plots.headline import headline
from recsys.reports.plots.labels import spread
from recsys.reports.plots.numbers import MINUS, UNKNOWN, decimals, duration, number, plain, signed, size
from recsys.reports.plots.roster import roster, two_lines
from recsys.reports.plots.rounds import rounds
from recsys.reports.plots.sheet import category_colour, model_colour
from recsys.reports.plots.space import space
from recsys.reports.standing import against
from tests.recsys.reports.shown import HOSTILE, MODELS
from tests.recsys.reports.world import world


@pytest.fixture(scope="module")
def report():
    return world(200)


@pytest.fixture(scope="module")
def marks():
    return roster(MODELS)


def parts(svg, name):
    """The inside of every group of that name."""
    return re.findall(rf'<g data-part="{name}">(.*?)</g>', svg, re.DOTALL)


def ends(part):
    """(x, y) of the points of a part's first path."""
    path = re.search(r'd="([^"]*)"', part)[1]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([\d.-]+) ([\d.-]+)", path)]


def words(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_headline_draws_an_interval_a_model_at_its_values(report, marks):
    svg = headline(report["models"], marks, "ndcg@100")
    spans = {i: ends(parts(svg, f"interval-{i}")[0]) for i in range(len(MODELS))}
    scale = (spans[0][0][0] - spans[4][0][0]) / (0.412 - 0.19)  # CSS pixels of one unit, from the two lower ends
    for i, level in enumerate(MODELS.values()):
        (low, y), (high, other) = spans[i]
        assert y == other
        assert high - low == pytest.approx(scale * 0.011 * 2.05, abs=0.1)
        assert low == pytest.approx(spans[0][0][0] - scale * (0.412 - level), abs=0.1)
    assert [y for _, y in sorted((-level, spans[i][0][1]) for i, level in enumerate(MODELS.values()))] == sorted(
        span[0][1] for span in spans.values()
    )
    assert {"0.4120", "0.4030", "0.4090", "0.3710", "0.1900", *MODELS} <= set(words(svg))


def test_differences_have_a_zero_line_a_band_of_what_is_detectable_and_their_p_in_full(report, marks):
    rows = against(report["comparisons"], "autoencoder", "ndcg@100")
    svg = differences(rows, marks, "ndcg@100", "autoencoder")
    bands = [ends(part) for part in parts(svg, "detectable")]
    assert len(bands) == 4
    spans = [ends(parts(svg, f"interval-{i}")[0]) for i in (2, 4)]
    scale = (spans[0][0][0] - spans[1][0][0]) / (0.222 - 0.003)
    left, right = min(x for x, _ in bands[0]), max(x for x, _ in bands[0])
    assert right - left == pytest.approx(2 * 0.0087 * scale, abs=0.2)
    middle = spans[0][0][0] + scale * 0.009  # where the interval of -0.009 to 0.0031 has 0
    assert (left + right) / 2 == pytest.approx(middle, abs=0.2)
    assert f"{MINUS}0.0410, p 0.0024" in words(svg)
    assert "0 = as good as autoencoder" in words(svg)


def test_each_cutoff_has_an_interval_and_each_line_its_name(report, marks):
    svg = cutoffs(report["models"], marks, "ndcg")
    for i in range(len(MODELS)):
        assert len(parts(svg, f"interval-{i}")) == 6
        assert len(parts(svg, f"line-{i}")) == 1
    assert {"1", "5", "10", "20", "50", "100", "ease", "autoencoder:", "plain-600-200-600"} <= set(words(svg))


def test_a_cohort_tells_its_groups_and_how_many_are_in_each(report, marks):
    groups = report["cohorts"]["history length"]["groups"]
    svg = cohort(groups, marks, "ndcg@100", "history length", 0)
    assert {"cold", "150 users", "warm", "300 users", "heavy"} <= set(words(svg))
    assert len(parts(svg, "interval-0")) == 3


def test_a_date_below_the_rounds_is_not_torn(report, marks):
    dates = ("1998-02-07", "1998-03-08", "1998-03-31")
    told = [{**report["rounds"][0], "label": f"from {date}"} for date in dates]
    assert set(dates) <= set(words(rounds(told, marks, "ndcg@100")))


def test_a_map_draws_every_item_once_in_its_category(report):
    maps = report["maps"]
    of = [item["category"] for item in maps["items"]]
    svg = space(maps["spaces"]["svd"]["pca"], of, maps["categories"], ("x", "y"), "plot-map", "a map of items")
    drawn = {
        category: len(re.findall("M ", part))
        for i, category in enumerate(maps["categories"])
        for part in parts(svg, f"category-{i}")
    }
    assert drawn == {category: of.count(category) for category in maps["categories"]}
    assert "Science Fiction" in words(svg)
    assert "other" not in words(svg)


def test_items_all_at_one_place_are_still_a_map():
    svg = space([[1.0, 1.0]] * 3, ["a", "a", "other"], ["a", "other"], ("x", "y"), "plot-map", "a map of items")
    assert len(parts(svg, "category-0")) == 1


def test_names_that_mean_harm_are_text(marks):
    metrics = {"ndcg@100": {"mean": 0.5, "low": 0.4, "high": 0.6}}
    names = [HOSTILE, "七人の侍", "\u202eאבג", "fill: #fa0000", "12.3456789 1.23456789"]
    svg = headline({name: {"metrics": metrics} for name in names}, roster(names), "ndcg@100")
    assert "<script" not in svg
    assert {"七人の侍", "fill: #fa0000", "12.3456789 1.23456789"} <= set(words(svg))


def test_a_plot_is_the_same_each_time_whatever_matplotlib_is_set_to(report, marks):
    before = headline(report["models"], marks, "ndcg@100")
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        assert headline(report["models"], marks, "ndcg@100") == before
    assert "#fa0" not in before
    assert "<metadata" not in before


def test_colours_repeat_only_after_all_were_used():
    assert len({model_colour(i) for i in range(8)}) == 8
    assert len({category_colour(i) for i in range(8)}) == 8
    assert len({(mark.colour, mark.marker) for mark in roster(map(str, range(40))).values()}) == 40


def test_names_cut_to_the_same_are_told_apart():
    names = [f"autoencoder:a-very-long-preset-{i}-of-many-others" for i in range(3)]
    assert len({mark.lines for mark in roster(names).values()}) == 3


def test_long_names_break_where_a_part_ends():
    assert two_lines("autoencoder:plain-600-200-600") == ("autoencoder:", "plain-600-200-600")
    assert all(len(line) <= 17 for line in two_lines("x" * 100))


def test_labels_keep_their_order_and_do_not_touch():
    placed = spread([10, 10.5, 11, 60], [12, 12, 24, 12], 0, 100)
    assert placed[0] + 12 <= placed[1] + 1e-9
    assert placed[1] + 18 <= placed[2] + 1e-9
    assert placed[3] == 60
    assert min(spread([0, 0, 0], [10, 10, 10], 0, 100)) == 5


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (number(0.41234, decimals([0.41])), "0.4123"),
        (number(0.00012, decimals([0.00012])), "0.000120"),
        (number(12.3456, decimals([12.3])), "12.35"),
        (number(None), UNKNOWN),
        (number(1234567, 0), "1,234,567"),
        (signed(0.5, 1), "+0.5"),
        (signed(-0.5, 1), f"{MINUS}0.5"),
        (duration(0.012), "12 ms"),
        (duration(99.7), "1 min 40 s"),
        (duration(7322), "2 h 02 min"),
        (size(912_000_000), "912 MB"),
        (size(5.5e12), "5,500 GB"),
        (plain("a\nb\x00c"), "a b c"),
    ],
)
def test_numbers_are_told_as_people_read_them(shown, told):
    assert shown == told

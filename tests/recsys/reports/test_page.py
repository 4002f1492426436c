"""The page as text: what it says first, what it never lets through, what it does without."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser

import pytest

from recsys.evaluation.metrics import METRICS
from recsys.reports.page import page
from recsys.reports.plots.numbers import MINUS
from recsys.reports.sections import SECTIONS
from tests.recsys.reports.shown import HOSTILE, LONG, MODELS
from tests.recsys.reports.world import world

CONTRACT = (
    "schema",
    "created",
    "command",
    "versions",
    "device",
    "seed",
    "data",
    "protocol",
    "checks",
    "models",
    "comparisons",
    "cohorts",
)


class Page(HTMLParser):
    """What a browser would make of the text: tags with their attributes, ids, and the words between."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)

    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def text():
    return page(world())


@pytest.fixture(scope="module")
def read(text):
    return Page(text)


def bare():
    """What the contract promises, and nothing more."""
    report = copy.deepcopy({key: value for key, value in world(20).items() if key in CONTRACT})
    report["cohorts"] = {}
    report["protocol"] = {"name": "fixed", "users": 600}
    report["data"] = {**report["data"], "span": None}
    del report["data"]["source"]
    for model in report["models"].values():
        for key in ("curve", "cutoffs", "bytes", "peak_memory"):
            del model[key]
        model["metrics"] = {name: model["metrics"][name] for name in ("recall@20", "ndcg@100")}
    report["comparisons"] = [
        {key: value for key, value in one.items() if key not in ("detectable", "users")}
        for one in report["comparisons"]
        if one["metric"] in ("recall@20", "ndcg@100")
    ]
    return report


def test_the_verdict_comes_before_the_checks_and_those_before_any_table(text):
    order = [text.index(mark) for mark in ("<h1>", 'id="checks"', "warning: yardstick", 'id="models"', "<table")]
    assert order == sorted(order)
    assert "Read with care" in text[: order[0]]


def test_every_section_is_there_in_order_and_in_the_contents(read):
    found = [one for one in read.ids() if one in SECTIONS]
    assert found == list(SECTIONS)
    links = [attributes["href"] for tag, attributes in read.tags if tag == "a"]
    assert links == ["#checks", *(f"#{name}" for name in SECTIONS), "#definitions"]
    assert {link[1:] for link in links} <= set(read.ids())


def test_what_a_warning_is_about_is_asked_not_claimed(text):
    assert "warning: yardstick?" in text


def test_a_lead_that_may_be_chance_is_not_called_one():
    report = world(20)
    assert "perhaps by chance" in page(report)  # as the fixture has it
    for one in report["comparisons"]:
        one["p_adjusted"] = 0.01
    assert "perhaps by chance" not in page(report)


def test_a_cohort_of_one_group_has_nothing_to_compare_and_no_plot():
    report = world(20)
    name, cohort = next(iter(report["cohorts"].items()))
    cohort["groups"] = [{**cohort["groups"][0], "users": 1}]
    text = Page(page({**report, "cohorts": {name: cohort}})).text()
    assert "One group of 1 user" in text
    assert "of each model in each group" not in text


def test_failed_checks_come_first_and_the_headline_says_so():
    report = world(20)
    report["checks"][3] = {
        "name": "time",
        "status": "fail",
        "detail": "37 interactions come after the time asked about",
    }
    report["verdict"] |= {"status": "fail", "valid": False, "text": "The split leaks: no number means what it says."}
    text = page(report)
    assert text.index("Do not rely on these numbers") < text.index("The split leaks") < text.index("failed: time")
    assert text.index("failed: time") < text.index("warning: yardstick") < text.index("ok: users apart")


def test_where_only_a_model_failed_the_page_does_not_call_the_numbers_wrong():
    report = world(60)
    report["checks"].append({"name": "beats popularity", "status": "fail", "detail": "svd minus popularity: -0.01"})
    report["verdict"] |= {"status": "fail", "valid": True}
    text = page(report)
    assert "A model failed a check" in text
    assert "Do not rely on these numbers" not in text


def test_a_page_takes_nothing_from_outside_and_runs_nothing(text, read):
    assert not {tag for tag, _ in read.tags} & {"script", "link", "img", "image", "iframe", "object", "base", "form"}
    for _, attributes in read.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")]
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", text)
    assert "url(" not in text
    assert "@import" not in text
    policy = next(attributes["content"] for _, attributes in read.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'")


def test_titles_that_mean_harm_are_shown_as_they_are(text, read):
    assert "<script" not in text
    assert " ".join(HOSTILE.split()) in read.text()
    assert LONG not in text  # cut
    assert f"andLoveTheBomb{'andLoveTheBomb' * 5}" in text


def test_control_characters_and_halves_of_characters_do_not_get_through():
    report = world(20)
    report["examples"][0]["given"][0]["title"] = "a\x00b\ud800c\x1b[31m"
    report["verdict"]["text"] = "x\x08y"
    text = page(report)
    text.encode("utf-8")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    assert "a b?c" in text


def test_no_id_stands_twice_and_every_plot_has_a_name(read):
    assert len(read.ids()) == len(set(read.ids()))
    plots = [attributes for tag, attributes in read.tags if tag == "svg"]
    assert len(plots) == 24
    for plot in plots:
        assert plot["role"] == "img"
        assert len(plot["aria-label"]) > 10


def test_the_same_report_gives_the_same_page(text):
    assert page(world()) == text
    assert page(json.loads(json.dumps(world()))) == text


def test_a_page_with_four_maps_of_3000_items_stays_under_3_mb():
    assert len(page(world(3000)).encode()) < 3_000_000


def test_a_report_of_the_contract_alone_is_a_page():
    found = Page(page(bare()))
    assert [one for one in found.ids() if one in SECTIONS] == ["models", "comparisons", "cost", "recipe"]
    assert "autoencoder has the best mean ndcg@100" in found.text()
    assert "Not in this report: list length, cohorts" in found.text()


def test_one_model_without_checks_or_comparisons_is_a_page():
    report = bare() | {"checks": [], "comparisons": []}
    report["models"] = {"als": report["models"]["als"]}
    found = Page(page(report))
    assert "Checks: none were made" in found.text()
    assert "comparisons" not in found.ids()


def test_optional_parts_may_be_none():
    empty = {"maps": None, "bottlenecks": None, "groups": None, "rounds": [], "examples": [], "recipe": None}
    found = Page(page(world(20) | empty))
    assert not {"maps", "bottlenecks", "groups", "rounds", "examples"} & set(found.ids())


def cells_of(text, section, model):
    """The cells of the model's first row in a section, as text."""
    start = text.index(f'id="{section}"')
    row = text.index('<th scope="row">', text.index(f"<bdi>{model}</bdi>", start) - 120)
    cells = re.findall(r"<td[^>]*>(.*?)</td>", text[row : text.index("</tr>", row)], re.DOTALL)
    return [" ".join(re.sub("<[^>]+>", " ", cell).split()) for cell in cells]


def test_the_table_shows_means_and_intervals_and_marks_what_is_best_close_and_worse_than_popularity():
    report = world(20)
    report["models"]["als"]["metrics"]["map@20"] = {"mean": 0.05, "low": 0.04, "high": 0.06, "users": 600}
    text = page(report)
    assert cells_of(text, "models", "autoencoder")[0] == "0.4120 0.4010 to 0.4235"
    assert cells_of(text, "models", "ease")[0] == "≈ 0.4090 0.3980 to 0.4205"
    assert cells_of(text, "models", "als")[0] == "0.3710 0.3600 to 0.3826"
    assert cells_of(text, "models", "als")[5] == "▾ 0.0500 0.0400 to 0.0600"
    best = re.findall(r'class="main best"><span>([^<]*)', text)
    assert set(best) == {"0.4120"}


def test_comparisons_are_turned_so_that_the_winner_is_taken_away(text):
    assert cells_of(text, "comparisons", "popularity") == [
        f"{MINUS}0.2220",
        f"{MINUS}0.2280 to {MINUS}0.2159",
        "0.0001",
        "0.0024",
        "0.0087",
        "600",
    ]


def test_every_setting_and_everybody_left_out_is_told(read):
    words = read.text()
    assert "31 items: nobody in the training part took them" in words
    assert "likelihood multinomial" in words
    assert "9f2c" * 16 in words
    assert " ".join(world()["command"]) in words


def test_every_metric_there_is_has_its_definition():
    report = world(20)
    for model in report["models"].values():
        found = model["metrics"].values()
        value = next(iter(found))
        model["metrics"] |= {name if name == "mrr" else f"{name}@7": value for name in METRICS}
    told = re.findall(r"<dt>([a-z_]+)(?:@k)?</dt><dd>", page(report))
    assert set(METRICS) <= set(told)


def test_words_of_any_length_are_whole_and_titles_are_not():
    report = world(20)
    report["verdict"]["text"] = "word " * 300 + "end"
    report["examples"][0]["given"][0]["title"] = "t" * 5000
    text = page(report)
    assert "word end" in text
    assert "t" * 200 not in text


def test_a_found_item_is_told_by_more_than_its_colour(text):
    hits = sum(item["hit"] for one in world()["examples"] for items in one["lists"].values() for item in items)
    assert text.count('aria-label="found">✓') == hits > 0


def test_each_model_keeps_its_sign_wherever_it_stands(text):
    for name, sign in zip(MODELS, "●■◆▲▼", strict=True):
        shown = name.replace(":", ":<wbr>")
        assert set(re.findall(rf'<i aria-hidden="true">(.)</i><bdi>{re.escape(shown)}</bdi>', text)) == {sign}

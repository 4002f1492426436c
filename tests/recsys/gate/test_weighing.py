"""What the main metric says, and how often it says it wrongly, on people drawn by chance and no models at all."""

import re

import numpy as np
import pytest
from scipy.stats import binom

from recsys.gate import Rules
from recsys.gate.weighing import weigh

RULES, BETTER = Rules(), Rules(better=True)
NIGHTS, LEVEL = 1500, 0.01


def drawn(rng, people, *factors):
    """One version a factor: its value for each of the same people, whose mean is the factor times 0.3."""
    person = rng.beta(1.2, 2.8, people)
    return [factor * np.clip(person + rng.normal(0, 0.05, people), -1, 2) for factor in factors]


def promotions(rules, factor, level=LEVEL):
    rng = np.random.default_rng(7)
    pairs = (drawn(rng, 150, factor, 1.0) for _ in range(NIGHTS))
    return sum(weigh(mine, theirs, None, rules, level).decision == "promote" for mine, theirs in pairs)


@pytest.mark.parametrize(("rules", "factor"), [(RULES, 1 - RULES.margin), (BETTER, 1.0)])
def test_what_is_truly_at_the_limit_is_promoted_no_oftener_than_the_level(rules, factor):
    most = binom.ppf(0.999, NIGHTS, LEVEL)
    assert promotions(rules, factor) <= most
    assert promotions(rules, factor, 5 * LEVEL) > most  # so a test that errs more would have been seen


def test_what_is_as_good_is_promoted_and_shown_to_be_no_better():
    found = weigh(*drawn(np.random.default_rng(0), 5000, 1.0, 1.0), None, RULES, 1e-4)
    assert (found.decision, found.better_than_anchor) == ("promote", False)


def test_what_is_better_is_promoted_by_both_rules_and_moves_the_anchor():
    for rules in (RULES, BETTER):
        found = weigh(*drawn(np.random.default_rng(0), 2000, 1.1, 1.0), None, rules, 1e-4)
        assert (found.decision, found.better_than_anchor) == ("promote", True)


def test_what_is_shown_to_be_worse_by_more_than_the_margin_is_not_wanted():
    found = weigh(*drawn(np.random.default_rng(0), 2000, 0.85, 1.0), None, RULES, 1e-4)
    assert found.decision == "keep"
    assert re.search(r"-1[45]\.\d% \(.*more than -4\.0% wanted, over 2,000 people", found.said[0])


def test_asked_for_better_the_same_once_more_is_not_wanted():
    values = drawn(np.random.default_rng(0), 300, 1.0)[0]
    assert weigh(values, values.copy(), None, BETTER, 1e-3).decision == "keep"
    assert weigh(values, values.copy(), None, RULES, 1e-3).decision == "promote"


def test_a_loss_of_exactly_the_margin_is_not_ruled_out_though_nothing_varies():
    values = drawn(np.random.default_rng(0), 300, 1.0)[0]
    assert weigh((1 - RULES.margin) * values, values, None, RULES, 0.05).decision == "inconclusive"


def test_too_few_people_show_nothing_and_as_many_as_are_named_show_it():
    rng = np.random.default_rng(1)
    few = weigh(*drawn(rng, 60, 1.0, 1.0), None, RULES, 1e-3)
    assert few.decision == "inconclusive"
    needed = int(re.search(r"about ([\d,]+) people would show it", few.said[0])[1].replace(",", ""))
    assert needed > 60
    value = few.figures[0].change
    shown = [weigh(*drawn(rng, needed, 1 + value, 1.0), None, RULES, 1e-3).decision == "promote" for _ in range(200)]
    assert 0.6 < np.mean(shown) < 0.95  # 0.8, had 60 people told the spread exactly


def test_what_is_seen_beyond_the_limit_but_not_shown_names_no_number_of_people():
    theirs = np.linspace(0.1, 0.5, 40)
    found = weigh(theirs - 0.002 + np.resize([0.1, -0.1], 40), theirs, None, BETTER, 1e-3)
    assert found.decision == "inconclusive"
    assert "no number of people would show it" in found.said[0]


def creep(anchored):
    """How good the live version is after 30 nights, each a little worse than the one before, and how many went live."""
    rng = np.random.default_rng(5)
    live = anchor = 1.0
    promoted = 0
    for _ in range(30):
        tonight = live * (1 - 0.9 * RULES.margin)
        mine, champion, origin = drawn(rng, 20_000, tonight, live, anchor)
        found = weigh(mine, champion, origin if anchored and anchor != live else None, RULES, 0.01)
        if found.decision == "promote":
            live, promoted = tonight, promoted + 1
            anchor = live if found.better_than_anchor else anchor
    return live, promoted


def test_losses_within_the_margin_do_not_add_up_night_after_night():
    drifted, many = creep(anchored=False)
    assert drifted < 0.6
    assert many > 15
    kept, few = creep(anchored=True)
    assert kept >= 1 - RULES.margin
    assert few <= 1

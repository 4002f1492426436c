"""Champion against challenger: each decision, with its reason in words and figures."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_matrix, vstack

from recsys.errors import DamagedBundle, SettingError
from recsys.gate import Rules, Trial, judge, refused
from recsys.matrix import Index
from tests.recsys.gate.worlds import ITEMS, OF_EACH, altered, fitted, histories, of_matrix, world

TRAIN, TRIAL = world()
CHAMPION = fitted(TRAIN)
RETRAINED = fitted(histories(400, 0, "t"), l2=160.0)
LEVEL = 5e-4
UNTIMED = Rules(latency=1e6)  # what alters a model in these tests takes longer than the model


def judged(challenger, champion=CHAMPION, rules=None, level=LEVEL, **more):
    return judge(challenger, champion, TRIAL, rules or Rules(), level=level, **more)


def noisy(bundle, size, seed=0):
    """The same model, whose scores are disturbed by so many of their standard deviations."""
    rng = np.random.default_rng(seed)
    return altered(bundle, lambda scores: scores + rng.normal(0, size * scores.std(), scores.shape).astype(np.float32))


def figure(verdict, name):
    return next(one for one in verdict.figures if one.name == name)


def test_a_retrained_model_is_promoted_with_every_figure_told():
    verdict = judged(RETRAINED)
    assert verdict.decision == "promote"
    assert re.fullmatch(
        r"Promoted: ndcg@100 0\.\d{4} against 0\.\d{4}, [+-]0\.\d% \(.*\), more than -4\.0% wanted, over 16\d people\.",
        verdict.reason,
    )
    assert {one.name for one in verdict.figures} == {
        "ndcg@100", "volume", "items known", "own items", "items in place", "popular", "in common", "likeness",
        "ndcg@100 above popularity", "leak", "ndcg@100 of the cold", "recall@100 of tail items", "coverage@20",
        "popularity_lift@20", "latency", "size",
    }  # fmt: skip
    assert {one.state for one in verdict.figures} == {"passed"}
    assert (verdict.people, verdict.level) == (TRIAL.people, LEVEL)


def test_a_verdict_is_plain_json_without_nan():
    for verdict in (judged(RETRAINED), judged(RETRAINED, None), refused("the disk is full")):
        told = json.loads(json.dumps(verdict.as_dict(), allow_nan=False))
        assert told["decision"] == verdict.decision
        assert len(told["figures"]) == len(verdict.figures)
    assert refused("x").as_dict()["level"] is None


def test_what_could_not_be_loaded_is_refused_with_the_cause():
    verdict = refused("damaged model file: its sha256 is not the one in the manifest")
    assert verdict.decision == "refused"
    assert verdict.reason == "Refused: damaged model file: its sha256 is not the one in the manifest."


def test_a_worse_model_is_not_promoted_and_the_reason_has_the_numbers():
    verdict = judged(noisy(CHAMPION, 1.5), rules=replace(UNTIMED, cold=0.9, tail=0.9))
    assert verdict.decision == "keep"
    assert re.search(r"shown to be worse than is allowed: ndcg@100 0\.\d+ against 0\.\d+, -\d+\.\d%", verdict.reason)


def test_asked_for_better_the_same_model_again_is_not_promoted():
    verdict = judged(fitted(TRAIN), rules=Rules(better=True))
    assert verdict.decision == "keep"
    assert "more than +0.0% wanted" in verdict.reason


def test_a_truly_better_model_is_promoted_where_better_is_asked():
    verdict = judged(CHAMPION, noisy(CHAMPION, 1.5), rules=Rules(better=True))
    assert verdict.decision == "promote"
    assert verdict.better_than_anchor


def test_at_a_level_that_these_people_cannot_reach_neither_is_shown():
    verdict = judged(CHAMPION, noisy(CHAMPION, 1.0, seed=1), rules=Rules(better=True), level=1e-100)
    assert verdict.decision == "inconclusive"
    assert "people would show it" in verdict.reason


def test_a_guard_that_is_only_unclear_forbids_to_promote():
    verdict = judged(RETRAINED, rules=Rules(cold=1e-9))
    cold = figure(verdict, "ndcg@100 of the cold")
    assert cold.low < 0 < cold.high
    assert figure(verdict, "ndcg@100").state == "passed"
    assert verdict.decision == "inconclusive"
    assert cold.said in verdict.reason


def test_fewer_items_in_anybodys_list_break_the_guard_of_coverage():
    few = np.flatnonzero(np.arange(ITEMS) % OF_EACH < 20)

    def narrowed(scores):
        lowered = scores - 1e6
        lowered[:, few] = scores[:, few]
        return lowered

    verdict = judged(altered(CHAMPION, narrowed))
    assert verdict.decision == "refused"
    assert re.search(r"coverage@20 0\.6667 against 1\.0000, -33\.3%", verdict.reason)


def test_a_lean_to_the_popular_breaks_its_guard():
    lean = CHAMPION.popularity / CHAMPION.popularity.max()
    verdict = judged(altered(CHAMPION, lambda scores: scores + 0.15 * lean), rules=Rules(popularity_lift=0.05))
    assert verdict.decision == "refused"
    assert "popularity_lift@20" in verdict.reason


def test_a_slow_model_and_a_large_one_break_theirs():
    def busy(scores):
        for _ in range(300):
            scores = scores + np.zeros_like(scores)
        return scores

    slow = judged(altered(CHAMPION, busy))
    assert slow.decision == "refused"
    assert "latency" in slow.reason

    large = altered(CHAMPION, lambda scores: scores)
    large.model.state = lambda: {"weights": np.zeros(1_000_000)}
    verdict = judged(large)
    assert verdict.decision == "refused"
    assert "size 8.00 MB against 0.23" in verdict.reason


@pytest.mark.parametrize(("name", "config"), [("ease", {}), ("als", {"factors": 100})])
def test_a_model_that_learnt_the_answers_is_refused_whatever_its_card_says(name, config):
    whole = csr_matrix(vstack([TRIAL.train, TRIAL.judged.given + TRIAL.judged.hidden]))
    leaked, honest = fitted(of_matrix(whole, TRIAL.items), name, **config), fitted(TRAIN, name, **config)
    champion = fitted(TRAIN, name, seed=1, **config)
    told = {"sha256": "tonight", "until": None}
    verdict = judged(replace(leaked, card={**honest.card, "data": told}), champion, expected=told)
    assert verdict.decision == "refused"
    assert "it has learnt the hidden interactions of the people it is judged by" in verdict.reason
    assert figure(judged(honest, champion), "leak").state == "passed"


def test_more_data_and_more_regularization_are_no_leak():
    half = of_matrix(csr_matrix(TRAIN.matrix[:200]), TRAIN.items)
    for challenger, champion in (
        (CHAMPION, fitted(half)),
        (
            fitted(TRAIN, "als", factors=100, regularization=20.0),
            fitted(TRAIN, "als", factors=100, regularization=0.01),
        ),
    ):
        assert figure(judged(challenger, champion), "leak").state != "failed"


def test_what_gains_nothing_by_learning_cannot_be_asked_for_a_leak():
    verdict = judged(CHAMPION, fitted(TRAIN, "popularity"))
    assert figure(verdict, "leak").state == "told"


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (
            {"sha256": "old", "until": 1_600_000_000_000_000},
            "stale: its data ends on 2020-09-13T12:26:40Z, tonight's on",
        ),
        ({"sha256": "old", "until": None}, "it learnt from other data: old, tonight's is new"),
        ({}, "its card does not say what data it learnt from"),
    ],
)
def test_a_model_of_other_data_than_tonights_is_refused(data, cause):
    expected = {"sha256": "new", "until": 1_700_000_000_000_000}
    verdict = judged(replace(RETRAINED, card={**RETRAINED.card, "data": data}), expected=expected)
    assert verdict.decision == "refused"
    assert cause in verdict.reason
    honest = replace(RETRAINED, card={**RETRAINED.card, "data": dict(expected)})
    assert judged(honest, expected=expected).decision == "promote"


def test_what_is_worse_than_where_the_chain_began_is_not_promoted_though_it_equals_the_champion():
    worse = noisy(CHAMPION, 1.0)
    assert judged(worse, worse, UNTIMED).decision == "promote"
    verdict = judged(worse, worse, UNTIMED, anchor=CHAMPION)
    assert verdict.decision == "keep"
    assert "beside the anchor" in verdict.reason
    assert not verdict.better_than_anchor


def test_items_may_come_and_go_between_two_nights():
    tonight = histories(400, 0, "t", range(10, ITEMS))
    earlier = fitted(histories(400, 0, "t", range(ITEMS - 10)))
    trial = Trial.of(tonight, histories(160, 1, "p", range(10, ITEMS)), 0)
    verdict = judge(fitted(tonight), earlier, trial, Rules(), level=LEVEL)
    assert verdict.decision == "promote"


def test_nobody_to_judge_by_is_no_reason_to_promote():
    nobody = Trial.of(TRAIN, replace(TRAIN, matrix=TRAIN.matrix[:1], users=Index.of(["x"], "user"), order=None), 0)
    for champion in (CHAMPION, None):
        verdict = judge(RETRAINED, champion, nobody, Rules(), level=LEVEL)
        assert verdict.decision == "inconclusive"
        assert "1 people" in verdict.reason


def test_a_champion_that_cannot_score_is_an_error():
    with pytest.raises(DamagedBundle):
        judged(RETRAINED, altered(CHAMPION, lambda scores: scores[:, 1:]))


@pytest.mark.parametrize("wrong", [{"metric": "coverage@20"}, {"margin": 0.0}, {"alpha": 1.0}, {"latency": 0.5}])
def test_rules_that_rule_nothing_are_named(wrong):
    with pytest.raises(SettingError, match=f"{next(iter(wrong))}|coverage@20"):
        Rules(**wrong)

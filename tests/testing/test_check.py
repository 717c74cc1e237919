"""What a check says, from Python and from pytest."""

import importlib
import json
import sys
from typing import Any

import pytest
from tests.testing.broken_rankings import (
    IgnoresExclusions,
    NeverTwiceTheSame,
    TurnsLongListsAbout,
)
from tests.testing.conftest import Fit

import whyrec.testing
from whyrec import SDK, ArgumentError, MissingDependencyError
from whyrec.testing import INVARIANTS, Group, System, Verdict, check_recommender

NAMED = {each.name: each for each in INVARIANTS}


@pytest.fixture(scope="module")
def ease(fit: Fit) -> SDK:
    return fit("closed form of EASE")


def test_there_are_many_invariants_with_a_name_and_a_reason_each() -> None:
    assert len(INVARIANTS) >= 60
    assert len(NAMED) == len(INVARIANTS)
    for group in Group:
        assert sum(each.group == group for each in INVARIANTS) >= 30
    for each in INVARIANTS:
        assert each.name == str(each)
        assert 20 < len(each.why) < 120
        assert each.why.endswith(".")


def test_an_sdk_is_what_a_check_takes(ease: SDK) -> None:
    system: System = ease
    assert check_recommender(system, examples=1, only=INVARIANTS[:1]).holds


def test_a_report_says_what_broke_and_why_it_must_hold_and_the_smallest_case(ease: SDK) -> None:
    broken = TurnsLongListsAbout(ease._fitted)
    report = check_recommender(broken, examples=20, only=[NAMED["a smaller k is a prefix"]])
    assert not report.holds
    (outcome,) = report.broken
    assert outcome.smallest_case == {"user": "u0", "few": 1, "many": 4}
    told = str(report).splitlines()
    assert told[0] == "BROKEN   ranking: a smaller k is a prefix"
    assert told[1] == f"    why it must hold: {outcome.invariant.why}"
    assert told[2].startswith("    what broke: the best 1 of 4 are: [('i")
    assert told[3:-1] == [
        "    the smallest case that was found:",
        "        user = 'u0'",
        "        few = 1",
        "        many = 4",
    ]
    assert "0 hold, 1 are broken, 0 do not apply" in told[-1]


def test_the_same_system_gives_the_same_report(ease: SDK) -> None:
    broken = IgnoresExclusions(ease._fitted)
    some = [each for each in INVARIANTS if "exclu" in each.name]
    one, other = (check_recommender(broken, examples=4, only=some) for _ in range(2))
    assert one == other
    assert len(one.broken) > 2


def test_what_breaks_now_and_then_is_broken(ease: SDK) -> None:
    caught = ["asked again the answer is the same", "a batch is answered one by one"]
    some = [NAMED[name] for name in (*caught, "ranks count from one")]
    report = check_recommender(NeverTwiceTheSame(ease._fitted), examples=4, only=some)
    assert [each.invariant.name for each in report.broken] == caught


def test_an_exception_that_is_not_foreseen_is_told_as_what_broke(ease: SDK) -> None:
    class Falls(SDK):
        def recommend(self, user: Any, k: int = 10, **rules: Any) -> Any:  # noqa: ARG002
            raise RuntimeError("out of order")

    (outcome,) = check_recommender(
        Falls(ease._fitted),
        only=[NAMED["no item comes twice"]],
    ).outcomes
    assert outcome.verdict == Verdict.BROKEN
    assert outcome.because == "it raised RuntimeError('out of order')"


def test_what_does_not_apply_says_why_and_counts_nothing(ease: SDK) -> None:
    (outcome,) = check_recommender(ease, only=[NAMED["a confidence is a probability"]]).outcomes
    assert (outcome.verdict, outcome.n_examples) == (Verdict.NOT_APPLICABLE, 0)
    assert str(outcome).endswith("because the explainer states no confidences")


def test_only_cases_that_say_something_are_counted(ease: SDK) -> None:
    name = "what scores more stands above"
    (outcome,) = check_recommender(ease, examples=15, only=[NAMED[name]]).outcomes
    assert outcome.verdict == Verdict.HOLDS
    assert 0 < outcome.n_examples < 15


def test_a_report_is_json_too(ease: SDK) -> None:
    broken = IgnoresExclusions(ease._fitted)
    report = check_recommender(broken, examples=3, only=[NAMED["what is excluded never comes"]])
    told = json.loads(json.dumps(report.to_dict()))
    assert told["holds"] is False
    assert told["outcomes"][0]["verdict"] == "broken"
    assert told["outcomes"][0]["smallest_case"].keys() == {"user", "k", "exclude"}


def test_no_examples_are_refused(ease: SDK) -> None:
    with pytest.raises(ArgumentError, match="examples must be at least 1, not 0"):
        check_recommender(ease, examples=0)


def test_what_cannot_be_saved_is_not_held_to_be_saved(ease: SDK) -> None:
    class Own(SDK):
        def save(self, path: object) -> None:  # noqa: ARG002
            raise ArgumentError("Own is no kind that can be saved")

    name = "what was saved ranks to the same bits"
    (outcome,) = check_recommender(Own(ease._fitted), only=[NAMED[name]]).outcomes
    assert outcome.verdict == Verdict.NOT_APPLICABLE
    assert "no kind that can be saved" in outcome.because


@pytest.mark.parametrize("of", ["broken", "healthy"])
def test_one_line_makes_a_test_of_each_invariant(ease: SDK, of: str) -> None:
    n_made = []

    def make() -> SDK:
        n_made.append(1)
        return ease if of == "healthy" else IgnoresExclusions(ease._fitted)

    test = whyrec.testing.invariants(make, examples=3)
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    assert mark.args == ("invariant", INVARIANTS)
    excluded, confidence = (
        NAMED[name] for name in ("what is excluded never comes", "a confidence is a probability")
    )
    with pytest.raises(pytest.skip.Exception, match="states no confidences"):
        test(confidence)
    if of == "healthy":
        test(excluded)
    else:
        with pytest.raises(pytest.fail.Exception, match="the smallest case that was found"):
            test(excluded)
    assert n_made == [1]


test_invariants = whyrec.testing.invariants(
    lambda: SDK.fit(
        whyrec.datasets.synthetic(seed=1, n_users=12, n_items=9, n_events_per_user=5).events,
        model=whyrec.PopularityConfig(),
        progress=False,
    ),
    examples=2,
)


def test_without_hypothesis_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "whyrec.testing")
    with pytest.raises(MissingDependencyError, match=r'pip install "whyrec\[testing\]"'):
        importlib.import_module("whyrec.testing")

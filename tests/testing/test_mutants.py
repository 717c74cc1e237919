"""Each kind of fault is caught by the invariant that is meant for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.testing import broken_rankings, broken_reasons
from tests.testing.broken_rankings import Mutant
from tests.testing.broken_reasons import Explains

from whyrec import SDK, ClosedFormConfig, EASEConfig
from whyrec.data.dataset import Dataset
from whyrec.explain import ClosedForm
from whyrec.models import EASE
from whyrec.saved import Fitted
from whyrec.testing import INVARIANTS, Invariant, Verdict, check_recommender

NAMED = {each.name: each for each in INVARIANTS}
MUTANTS: dict[type, str] = {
    **broken_rankings.ANSWERS,
    **broken_rankings.MODELS,
    **broken_reasons.ANSWERS,
    **broken_reasons.EXPLAINERS,
    **broken_reasons.MODELS,
}
Make = Callable[[type], SDK]


@pytest.fixture(scope="module")
def fitted(shop: Dataset) -> Fitted:
    config = EASEConfig(l2=2.0)
    model = config.fit(shop, progress=False)
    return Fitted(shop, config, model, ClosedFormConfig(), ClosedForm(model))


@pytest.fixture
def make(fitted: Fitted) -> Make:
    """Return what makes a mutant of the healthy system, with data of its own."""

    def of(kind: type) -> SDK:
        values = fitted.dataset.interactions.values
        assert values is not None
        interactions = replace(fitted.dataset.interactions, values=values.copy())
        own = replace(fitted, dataset=fitted.dataset.with_interactions(interactions))
        if issubclass(kind, Mutant):
            return kind(own)
        if issubclass(kind, Explains):
            return SDK(replace(own, explainer=kind(own.explainer)))
        assert issubclass(kind, EASE)
        assert isinstance(own.model, EASE)
        model = kind(own.model.weights, own.model.item_features)
        return SDK(replace(own, model=model, explainer=ClosedForm(model)))

    return of


def meant_for(kind: type) -> Invariant:
    return NAMED[MUTANTS[kind]]


def test_there_is_a_mutant_of_many_kinds() -> None:
    assert len(MUTANTS) >= 60
    assert len(set(MUTANTS.values())) == len(MUTANTS)


@pytest.mark.parametrize("kind", MUTANTS, ids=lambda kind: kind.__name__)
def test_a_mutant_is_caught_by_the_invariant_meant_for_it(make: Make, kind: type) -> None:
    (outcome,) = check_recommender(make(kind), examples=20, only=[meant_for(kind)]).outcomes
    assert outcome.verdict == Verdict.BROKEN, str(outcome)
    assert outcome.invariant.why in str(outcome)
    assert outcome.because

"""Games that are odd, asked of the SDK: of one player, of none, of very many, of no numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from whyrec import (
    SDK,
    ArgumentError,
    ClosedFormConfig,
    EASEConfig,
    Explanation,
    GradientPathConfig,
    NetworkConfig,
    ReasonKind,
    Recommendation,
    RefinedConfig,
    ScoreError,
    ShapleyConfig,
    TwoTowerConfig,
    WhyrecError,
)
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import ExplainerConfig, Players
from whyrec.models import EASE, Recommender, RecommenderConfig, TwoTower
from whyrec.models.two_tower import EmbeddedPairs
from whyrec.types import Float32Array, Float64Array

TOWERS = TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=10)
NETWORK = NetworkConfig(
    max_steps=4, evaluate_every=2, batch_size=8, n_coalitions=8, confidence_pairs=8
)
TIERS: dict[str, tuple[RecommenderConfig, ExplainerConfig]] = {
    "network": (TOWERS, NETWORK),
    "path": (TOWERS, GradientPathConfig()),
    "exact or sampled": (TOWERS, ShapleyConfig(max_permutations=8)),
    "sampled": (TOWERS, ShapleyConfig(exact_players=0, max_evaluations=1)),
    "refined": (TOWERS, RefinedConfig(explainer=GradientPathConfig(), n_draws=2)),
    "closed form": (EASEConfig(l2=2.0), ClosedFormConfig()),
}
N_USERS, N_ITEMS = 30, 20


def dataset() -> Dataset:
    """Nothing is known but events; "once" has one, "twice" the same one two times."""
    random = np.random.default_rng(3)
    events = [
        (f"u{user}", f"i{item}", int(time))
        for user in range(N_USERS)
        for item, time in zip(random.integers(N_ITEMS, size=8), range(8), strict=True)
    ]
    events += [("once", "i3", 5), ("twice", "i3", 5), ("twice", "i3", 5), ("twice", "i7", 5)]
    users, items, times = zip(*events, strict=True)
    return Dataset.from_tables(pa.table({"user_id": users, "item_id": items, "timestamp": times}))


DATASET = dataset()


@pytest.fixture(scope="module", params=TIERS)
def sdk(request: pytest.FixtureRequest) -> SDK:
    model, explainer = TIERS[request.param]
    return SDK.fit_dataset(DATASET, model=model, explainer=explainer, progress=False)


def total(answer: Explanation | Recommendation) -> float:
    """Return what all parts of an explanation of a score add up to."""
    others = getattr(answer, "other_contribution", 0.0)
    told = sum(reason.contribution for reason in answer.reasons)
    return (answer.base_value or 0) + told + (answer.efficiency_gap or 0) + others


def test_an_only_player_has_all_of_the_score(sdk: SDK) -> None:
    answer = sdk.explain("once", "i9")
    (reason,) = answer.reasons
    assert reason.n_players == 1
    assert reason.contribution == pytest.approx(answer.score - answer.base_value, abs=1e-9)
    assert abs(answer.efficiency_gap) < 1e-9
    margin = sdk.explain("once", "i9", against=3)
    assert margin.margin == pytest.approx(total(margin), abs=1e-9)
    assert len(margin.reasons) == 1


def test_without_players_the_base_value_is_the_score(sdk: SDK) -> None:
    answer = sdk.recommend_for(k=3)
    assert len(answer) == 3
    assert not answer.personalised
    for each in answer:
        assert each.reasons == ()
        assert each.base_value == each.score == total(each)
    beside = sdk.recommend_for(k=3, against=2)
    assert [each.base_value for each in beside] == [each.margin for each in beside]


def test_two_thousand_players_are_explained(sdk: SDK) -> None:
    random = np.random.default_rng(0)
    history = [f"i{item}" for item in random.integers(N_ITEMS // 2, size=2_000)]
    (answer,) = sdk.recommend_for(history, k=1, max_reasons=None)
    assert sum(reason.n_players for reason in answer.reasons) == 2_000
    assert total(answer) == pytest.approx(answer.score, abs=1e-7)
    assert all(np.isfinite(reason.contribution) for reason in answer.reasons)
    beside = sdk.recommend_for(history, k=1, against=2)[0]
    assert beside.margin == pytest.approx(total(beside), abs=1e-7)


def test_an_event_that_came_twice_is_one_reason_of_two_players(sdk: SDK) -> None:
    answer = sdk.explain("twice", "i9")
    by_item = {reason.source: reason for reason in answer.reasons}
    assert by_item.keys() == {"i3", "i7"}
    assert (by_item["i3"].n_players, by_item["i7"].n_players) == (2, 1)
    assert total(answer) == pytest.approx(answer.score, abs=1e-9)


def test_an_item_of_the_history_is_explained_as_any_other(sdk: SDK) -> None:
    answer = sdk.explain("u3", str(sdk.explain("u3", "i0").reasons[0].source))
    assert answer.item_id in {reason.source for reason in answer.reasons}
    assert total(answer) == pytest.approx(answer.score, abs=1e-9)
    again = sdk.recommend_with_reasons("u3", N_ITEMS, include_seen=True, max_reasons=None)
    (same,) = [each for each in again if each.item_id == answer.item_id]
    assert same.score == answer.score
    assert {reason.kind for reason in same.reasons} == {ReasonKind.HISTORY}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: ShapleyConfig(max_evaluations=0), "max_evaluations must be at least 1, not 0"),
        (lambda: ShapleyConfig(max_evaluations=-5), "max_evaluations must be at least 1, not -5"),
        (lambda: ShapleyConfig(max_seconds=0.0), "max_seconds must be a number above 0, not 0.0"),
        (lambda: ShapleyConfig(max_seconds=-1.0), "max_seconds must be a number above 0"),
        (lambda: ShapleyConfig(max_permutations=0), "max_permutations must be at least 8, not 0"),
        (lambda: RefinedConfig(n_draws=0), "n_draws must be at least 1, not 0"),
        (lambda: RefinedConfig(n_top=-1), "n_top must be at least 1, not -1"),
        (lambda: NetworkConfig(n_points=0), "n_points must be at least 1, not 0"),
        (lambda: NetworkConfig(confidence_pairs=-1), "confidence_pairs must be at least 0, not -1"),
        (lambda: GradientPathConfig(n_points=0), "n_points must be at least 1, not 0"),
    ],
)
def test_a_budget_of_nothing_is_refused(
    settings: Callable[[], ExplainerConfig], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        SDK.fit_dataset(DATASET, model=TOWERS, explainer=settings(), progress=False)


class NoNumbers(TwoTower):
    """Two towers that know no score where few players are present."""

    def pair_values(self, embedded: EmbeddedPairs, presence: torch.Tensor) -> torch.Tensor:
        values = super().pair_values(embedded, presence)
        return torch.where(presence.sum(-1) > 1.5, values, torch.nan)


class NoQueries(TwoTower):
    """Two towers that make nothing of a history of three events."""

    def query_vectors(self, histories: Histories) -> Float32Array:
        queries = super().query_vectors(histories)
        queries[histories.counts() == 3] = np.inf
        return queries


class NoItem(TwoTower):
    """Two towers without a vector of items 2 and 5."""

    def item_vectors(self, features: Features | None = None) -> Float32Array:
        vectors = super().item_vectors(features)
        vectors[[2, 5]] = np.nan
        return vectors


class NoSum(EASE):
    """EASE that is no sum."""

    def event_contributions(self, histories: Histories, pairs: Pairs) -> Float64Array:
        return np.full_like(super().event_contributions(histories, pairs), np.nan)


class Odd(TwoTower):
    """Two towers that give one value for all coalitions."""

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        return super().coalition_values(histories, pairs, coalitions)[:1]


@dataclass(frozen=True)
class BrokenConfig:
    """Fits what is sound, and turns it into something else."""

    model: RecommenderConfig
    into: type[Recommender]

    def fit(self, dataset: Dataset, *, progress: bool = True) -> Recommender:
        recommender = self.model.fit(dataset, progress=progress)
        object.__setattr__(recommender, "__class__", self.into)
        return recommender

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> Recommender:
        raise NotImplementedError


def broken(into: type[Recommender], explainer: ExplainerConfig) -> SDK:
    model = EASEConfig(l2=2.0) if into is NoSum else TOWERS
    return SDK.fit_dataset(
        DATASET, model=BrokenConfig(model, into), explainer=explainer, progress=False
    )


NO_NUMBERS: dict[str, tuple[type[Recommender], ExplainerConfig]] = {
    "network": (NoNumbers, replace(NETWORK, max_steps=0, confidence_pairs=0)),
    "path": (NoNumbers, GradientPathConfig()),
    "shapley": (NoNumbers, ShapleyConfig()),
    "sampled": (NoNumbers, ShapleyConfig(exact_players=0, max_permutations=8)),
    "closed form": (NoSum, ClosedFormConfig()),
}


@pytest.mark.parametrize("tier", NO_NUMBERS)
def test_a_score_that_is_no_number_names_the_user_and_the_item(tier: str) -> None:
    sdk = broken(*NO_NUMBERS[tier])
    asked: list[tuple[Callable[[], Any], str, Any]] = [
        (lambda: sdk.explain("u4", "i9"), "item 'i9' for user 'u4' is nan", ("u4", "i9")),
        (
            lambda: sdk.explain("u4", "i9", against=["i2", "i1"]),
            "item 'i9' for user 'u4' is nan",
            ("u4", "i9"),
        ),
        (
            lambda: sdk.recommend_for(["i1", "i2"], k=1, only=["i9", "i8"], exclude=["i8"]),
            "item 'i9' for a visitor is nan",
            (None, "i9"),
        ),
    ]
    for ask, message, ids in asked:
        with pytest.raises(ScoreError, match=f"the score of {message} .*; look for") as raised:
            ask()
        assert raised.value.ids == ids
    users = ["u1", "u4", "u7"]
    for against in (None, 2):
        with pytest.raises(ScoreError) as raised:
            sdk.recommend_with_reasons(users, 2, against=against)
        assert raised.value.ids is not None
        user, item = raised.value.ids
        assert user in users
        assert item in [each.item_id for each in sdk.recommend(user, 2)]
    for measured in (lambda: sdk.importance(["u4"], 1), lambda: sdk.faithfulness(3)):
        with pytest.raises(ScoreError, match=r"the score of item 'i.*' for user '.*' is nan"):
            measured()


def test_refining_names_them_too() -> None:
    sdk = broken(TwoTower, RefinedConfig(explainer=GradientPathConfig(), n_draws=2))
    object.__setattr__(sdk._fitted.model, "__class__", NoNumbers)
    with pytest.raises(ScoreError, match="the score of item 'i9' for user 'u4' is nan"):
        sdk.explain("u4", "i9")
    with pytest.raises(ScoreError, match=r"the score of item \d+ for row 0 of the histories"):
        broken(NoNumbers, RefinedConfig(explainer=GradientPathConfig()))


def test_a_history_of_which_no_score_is_a_number_is_named() -> None:
    sdk = broken(NoQueries, GradientPathConfig())
    assert len(sdk.recommend("u4", 3)) == 3
    for ask in (
        lambda: sdk.recommend(["u4", "twice"], 3),
        lambda: sdk.recommend_with_reasons("twice", 3, against=2),
        lambda: sdk.explain("twice", "i9"),
        lambda: sdk.explain("twice", "i0", against=2),
    ):
        with pytest.raises(ScoreError, match="for user 'twice' is not finite"):
            ask()
    with pytest.raises(ScoreError, match="for a visitor is not finite"):
        sdk.recommend_for(["i1", "i2", "i3"])


def test_items_without_a_vector_are_named() -> None:
    wrong = ", ".join(repr(DATASET.items[index]) for index in (2, 5))
    with pytest.raises(ArgumentError, match=f"NoItem: the vectors .* of 2 items .*: {wrong}"):
        broken(NoItem, GradientPathConfig())


def test_too_few_values_of_coalitions_are_refused() -> None:
    sdk = broken(Odd, ShapleyConfig())
    with pytest.raises(ArgumentError, match=r"Odd.coalition_values gives values of shape \(1,\)"):
        sdk.explain("u4", "i9")


@pytest.mark.parametrize("model", [TOWERS, EASEConfig(l2=2.0)])
def test_coalitions_of_another_shape_are_refused(model: RecommenderConfig) -> None:
    sdk = SDK.fit_dataset(DATASET, model=model, explainer=ShapleyConfig(), progress=False)
    histories = sdk.dataset.histories(np.array([4]))
    pairs = Pairs(np.zeros(1, np.int32), np.array([9], np.int32))
    n_players = int(Players.of(histories, sdk.dataset.item_features, pairs).counts()[0])
    ask = sdk._fitted.model.coalition_values

    def matrix(*shape: int) -> Coalitions:
        return Coalitions.of_matrices([np.ones(shape, bool)])

    assert ask(histories, pairs, matrix(2, n_players)).shape == (2,)
    wrong: list[tuple[Callable[[], Any], str]] = [
        (lambda: ask(histories, pairs, matrix(2, n_players + 1)), r"\(row 0, item 9\) are of 9 pl"),
        (lambda: ask(histories, pairs, Coalitions.of_matrices([])), "are of 0 pairs, not of 1"),
        (lambda: matrix(n_players), r"must be bool \[n_coalitions, n_players\], not bool of shape"),
        (
            lambda: Coalitions.of_matrices([np.ones((1, 2))]),  # type: ignore[list-item]
            r"must be bool \[n_coalitions, n_players\], not float64 of shape \(1, 2\)",
        ),
    ]
    for call, message in wrong:
        with pytest.raises(WhyrecError, match=message):
            call()

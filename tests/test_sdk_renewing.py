"""An SDK that goes on: new events, users and items, with and without training."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch

import whyrec
from whyrec.errors import ArgumentError, DataError, UnknownUserError
from whyrec.feedback import Event
from whyrec.models.recommender import Before, Recommender
from whyrec.models.start import take_up
from whyrec.models.towers import Towers
from whyrec.types import Int64Array

WORLD = whyrec.datasets.synthetic(seed=0, n_users=60, n_items=40)
TOWERS = whyrec.TwoTowerConfig(dimension=16, hidden=8, max_steps=20)
NETWORK = whyrec.NetworkConfig(max_steps=20, confidence_pairs=4)
NOW = 1_750_000_000.0


class Halves:
    """An encoder: the mean of fixed vectors."""

    def __init__(self, ids: list[str]) -> None:
        self.item_ids = ids
        self.vectors = np.random.default_rng(0).standard_normal((len(ids), 8)).astype(np.float32)

    def encode(self, histories: list[Int64Array]) -> torch.Tensor:
        return torch.from_numpy(np.stack([self.vectors[each].mean(0) for each in histories]))

    def item_vectors(self) -> torch.Tensor:
        return torch.from_numpy(self.vectors)


ITEM_IDS = [f"i{index}" for index in range(40)]


def count_scores(histories: list[Any], items: Any) -> Any:
    lengths = np.array([len(each) for each in histories], float)
    return lengths + np.array([int(str(item)[1:]) for item in items]) / 100


MODELS: dict[str, Callable[[], Any]] = {
    "two towers": lambda: TOWERS,
    "ranker": lambda: whyrec.DeepRankerConfig(
        retrieval=TOWERS, n_ranked=20, layers=(8, 4), max_steps=20
    ),
    "sequence": lambda: whyrec.SequenceConfig(dimension=16, hidden=16, max_steps=20),
    "ease": whyrec.EASEConfig,
    "popularity": whyrec.PopularityConfig,
    "scored": lambda: whyrec.ScoredBy(count_scores, n_ranked=20),
    "encoder": lambda: whyrec.WrappedConfig(Halves(ITEM_IDS)),
}
EXPLAINERS: dict[str, Any] = {
    "two towers": NETWORK,
    "ranker": whyrec.RefinedConfig(explainer=NETWORK),
    "sequence": whyrec.GradientPathConfig(),
    "encoder": whyrec.EncoderNetworkConfig(n_histories=32, max_steps=20, confidence_pairs=2),
}
KINDS = list(MODELS)


def first_items(n: int = 36) -> pa.Table:
    """Return the items before the last ones, which come later."""
    return WORLD.items.slice(0, n)


def events_of(items: pa.Table, at_most: str = "u49") -> pa.Table:
    """Return events of some of the users with some of the items."""
    users = pa.array([f"u{index}" for index in range(int(at_most[1:]) + 1)])
    is_known = pc.and_(
        pc.is_in(WORLD.events["item_id"], items["item_id"]),
        pc.is_in(WORLD.events["user_id"], users),
    )
    return WORLD.events.filter(is_known)


def fitted(kind: str) -> whyrec.SDK:
    return whyrec.SDK.fit(
        events_of(first_items()),
        first_items(),
        model=MODELS[kind](),
        explainer=EXPLAINERS.get(kind),
        progress=False,
    )


@pytest.fixture(scope="module")
def sdks() -> dict[str, whyrec.SDK]:
    return {kind: fitted(kind) for kind in KINDS}


def saved(sdk: whyrec.SDK, kind: str, path: Path) -> whyrec.SDK:
    """Return the SDK as it is loaded again, with a store of its own."""
    sdk.save(path)
    given = MODELS[kind]() if kind in ("scored", "encoder") else None
    return whyrec.SDK.load(path, model=given)


def told(sdk: whyrec.SDK, user: str = "u7") -> list[tuple[Any, ...]]:
    """Return all numbers of an answer."""
    answer = sdk.recommend_with_reasons(user, k=8, max_reasons=None)
    return [
        (each.item_id, each.score, each.base_value, *[one.contribution for one in each.reasons])
        for each in answer
    ]


def past(sdk: whyrec.SDK, user: str = "u7") -> list[Any]:
    """Return the items of a history."""
    return [each.item_id for each in sdk.history(user)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_without_news_answers_to_the_bit(
    sdks: dict[str, whyrec.SDK], kind: str, tmp_path: Path
) -> None:
    sdk = saved(sdks[kind], kind, tmp_path / "sdk")
    sdk.record(Event("u7", "i3", "dismissal"))
    sdk.hide("u7", sdk.recommend("u7")[0].item_id)
    updated = sdk.update()
    assert updated is not sdk
    assert told(updated) == told(sdk)
    assert updated.model_id == sdk.model_id


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_with_new_users_and_items_answers_for_them(
    sdks: dict[str, whyrec.SDK], kind: str
) -> None:
    sdk = sdks[kind]
    before = told(sdk)
    updated = sdk.update(WORLD.events, WORLD.items)
    assert told(sdk) == before
    assert "u55" not in sdk.dataset.users
    assert "u55" in updated.dataset.users
    assert updated.dataset.items.ids[:36] == sdk.dataset.items.ids
    assert len(updated.dataset.interactions) == len(WORLD.events)
    assert len(told(updated, "u55")) == 8
    assert updated.explain("u55", "i39").reasons is not None
    assert len(updated.recommend("u55", k=40, include_seen=True)) >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_refit_knows_what_was_recorded_and_is_saved(
    sdks: dict[str, whyrec.SDK], kind: str, tmp_path: Path
) -> None:
    sdk = saved(sdks[kind], kind, tmp_path / "sdk")
    sdk.record([Event("newcomer", item, timestamp=NOW) for item in ("i3", "i5", "i38")])
    refitted = sdk.refit(items=WORLD.items, progress=False)
    assert "newcomer" in refitted.dataset.users
    row = refitted.dataset.users.index_of("newcomer")
    assert np.diff(refitted.dataset.interactions.offsets)[row] == 3
    assert [each.item_id for each in refitted.history("newcomer")] == ["i3", "i5", "i38"]
    again = saved(refitted, kind, tmp_path / "sdk")
    assert told(again, "newcomer") == told(refitted, "newcomer")
    assert told(again.update(), "newcomer") == told(refitted, "newcomer")


@pytest.mark.parametrize("kind", ["two towers", "ranker", "sequence", "encoder"])
def test_a_refit_is_the_same_each_time_and_begins_where_the_fit_ended(
    sdks: dict[str, whyrec.SDK], kind: str
) -> None:
    steps: list[whyrec.TrainingStep] = []
    one, other = (
        sdks[kind].refit(
            WORLD.events,
            WORLD.items,
            training=whyrec.TrainingConfig(log=steps.append),
            progress=False,
        )
        for _ in range(2)
    )
    assert one.model_id == other.model_id
    assert told(one) == told(other)
    if kind != "encoder":  # it is trained elsewhere
        assert one.model_id != sdks[kind].update(WORLD.events, WORLD.items).model_id
    assert all(at.step <= 10 for at in steps)
    assert {at.phase for at in steps} <= {"recommender", "ranker", "explainer"}


def test_a_refit_without_steps_keeps_what_was_learned() -> None:
    """Nothing but the factors, which are those of the same events, is made again."""
    config = whyrec.TwoTowerConfig(dimension=16, hidden=8, max_steps=30, l2=50.0, windows=False)
    fit = whyrec.SDK.fit(
        WORLD.events,
        WORLD.items,
        model=config,
        explainer=whyrec.GradientPathConfig(),
        progress=False,
    )
    towers = Towers(fit.dataset, 16, 4, 8)
    arrays = fit.recommender.arrays()
    take_up(towers, fit.dataset, Before(fit.dataset, arrays), config.seed)
    assert np.array_equal(towers.gate_of_vector.detach(), arrays["gate_of_vector"])
    learned = towers.events.identity.abs().max()
    # AdamW moves a weight by 3.2 rates a step at most; the rest is how factors are rounded.
    assert 0 < learned <= 30 * config.vector_learning_rate * 4


def test_an_event_that_is_undone_after_an_update_counts_no_more(
    sdks: dict[str, whyrec.SDK], tmp_path: Path
) -> None:
    sdk = saved(sdks["ease"], "ease", tmp_path / "sdk")
    untouched = told(sdk)
    news = next(item for item in sdk.dataset.items if item not in past(sdk))
    event = Event("u7", news, timestamp=NOW)
    sdk.record(event)
    updated = sdk.update()
    assert updated.history("u7")[-1].event_id == event.event_id
    with_it = told(updated)
    updated.undo(event)
    assert news not in past(updated)
    assert told(updated) != with_it
    assert told(updated.update()) == untouched


def test_recorded_events_count_once_whatever_is_known_of_them(tmp_path: Path) -> None:
    events = pa.table({"user": ["ann", "ann", "bob"], "item": ["fig", "pear", "fig"]})
    sdk = whyrec.SDK.fit(events, model=whyrec.EASEConfig(l2=1.0))
    sdk.save(tmp_path)
    sdk.record([Event("ann", "fig"), Event("bob", "pear"), Event("cid", "fig")])
    for updated in (sdk.update(), sdk.update().update(), sdk.refit().refit()):
        assert len(updated.dataset.interactions) == 6
        assert [each.item_id for each in updated.history("ann")] == ["fig", "pear", "fig"]


def test_what_was_recorded_counts_where_its_store_is_not(
    sdks: dict[str, whyrec.SDK], tmp_path: Path
) -> None:
    sdk = saved(sdks["ease"], "ease", tmp_path / "one")
    sdk.record([Event("newcomer", "i3"), Event("newcomer", "i5")])
    updated = sdk.update()
    updated.save(tmp_path / "other")
    elsewhere = whyrec.SDK.load(tmp_path / "other")
    assert told(elsewhere, "newcomer") == told(updated, "newcomer")
    elsewhere.record(Event("newcomer", "i7"))
    assert [each.item_id for each in elsewhere.history("newcomer")] == ["i3", "i5", "i7"]


def test_who_was_forgotten_does_not_come_back(sdks: dict[str, whyrec.SDK], tmp_path: Path) -> None:
    sdk = saved(sdks["two towers"], "two towers", tmp_path / "sdk")
    sdk.record([Event("u3", "i5", timestamp=NOW), Event("u4", "i5", timestamp=NOW)])
    grown = sdk.refit(progress=False)
    grown.save(tmp_path / "sdk")
    assert grown.forget("u3").needs_refit
    loaded = whyrec.SDK.load(tmp_path / "sdk")
    for one in (grown, loaded):
        again = one.refit(progress=False)
        with pytest.raises(UnknownUserError):
            again.recommend("u3")
        assert "u3" not in again.dataset.users
        anew = whyrec.SDK.fit_dataset(
            one.update().dataset, model=TOWERS, explainer=NETWORK, progress=False
        )
        # Not a bit of the weights is of the forgotten.
        assert again.model_id == anew.model_id
        assert again.refit(progress=False).model_id != anew.model_id


def test_fields_of_new_rows_are_read_by_the_schema_of_the_fit() -> None:
    items = pa.table(
        {"item_id": ["a", "b", "c"], "title": ["A", "B", "C"], "genre": ["x", "y", "x"]}
    )
    events = pa.table({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "c"]})
    users = pa.table({"user_id": ["u", "v", "y"], "town": ["here", "here", "there"]})
    sdk = whyrec.SDK.fit(events, items, users, model=whyrec.EASEConfig())
    more = pa.table({"item_id": ["d", "b"], "title": ["D", "Bee"], "genre": ["new", "x"]})
    updated = sdk.update(items=more, users=pa.table({"user_id": ["w"], "town": ["here"]}))
    data = updated.dataset
    assert data.items.ids == ("a", "b", "c", "d")
    assert data.item_labels == ("A", "Bee", "C", "D")
    assert data.item_features.schema is sdk.dataset.item_features.schema
    assert [len(data.item_features.fields_of(row)) for row in range(4)] == [1, 1, 1, 0]
    assert (
        data.item_features.tokens.tolist()
        == [sdk.dataset.item_features.schema.token_of("genre", "x")] * 3
    )
    assert len(data.user_features.fields_of(data.users.index_of("w"))) == 1
    assert updated.report.n_items == 4


def test_what_cannot_be_folded_in_is_told() -> None:
    items = pa.table({"item_id": ["a", "b", "y"], "genre": ["x", "x", "y"]})
    events = pa.table({"user_id": ["u", "v"], "item_id": ["a", "b"], "kind": ["view", "buy"]})
    sdk = whyrec.SDK.fit(events, items, model=whyrec.EASEConfig())
    unknown = pa.table({"user_id": ["u", "u"], "item_id": ["a", "z"], "kind": ["buy", "buy"]})
    with pytest.raises(DataError, match="add them to items"):
        sdk.update(unknown)
    with pytest.raises(DataError, match='"share" is a kind of event'):
        sdk.update(pa.table({"user_id": ["u"], "item_id": ["a"], "kind": ["share"]}))
    with pytest.raises(DataError, match="genre"):
        sdk.update(items=pa.table({"item_id": ["c"]}))
    with pytest.raises(ArgumentError, match="training must be"):
        sdk.refit(training=3)  # type: ignore[arg-type]


def test_items_that_were_dropped_at_the_fit_are_dropped_again() -> None:
    items = pa.table({"item_id": ["a", "b"]})
    events = pa.table({"user_id": ["u", "v"], "item_id": ["a", "b"]})
    sdk = whyrec.SDK.fit(events, items, model=whyrec.EASEConfig(), unknown_items="drop")
    updated = sdk.update(pa.table({"user_id": ["u", "u"], "item_id": ["b", "z"]}))
    assert updated.dataset.items.ids == ("a", "b")
    assert len(updated.dataset.interactions) == 3


def test_without_an_items_table_new_items_come_from_events() -> None:
    events = pa.table({"user_id": ["u", "v"], "item_id": ["a", "b"]})
    sdk = whyrec.SDK.fit(events, model=whyrec.PopularityConfig())
    updated = sdk.update(pa.table({"user_id": ["u", "v"], "item_id": ["z", "z"]}))
    assert updated.dataset.items.ids == ("a", "b", "z")
    assert updated.recommend("u", include_seen=True)[0].item_id == "z"


def test_models_from_elsewhere_refuse_items_that_they_do_not_know() -> None:
    wrapped = whyrec.SDK.fit(
        events_of(first_items()),
        first_items(),
        model=whyrec.WrappedConfig(Halves(ITEM_IDS[:36])),
        explainer=EXPLAINERS["encoder"],
        progress=False,
    )
    with pytest.raises(ArgumentError, match="has not 4 items of the catalog"):
        wrapped.update(items=WORLD.items)
    factors = whyrec.SDK.from_factors(
        None,
        np.random.default_rng(0).standard_normal((36, 4)),
        events_of(first_items()),
        first_items(),
        item_ids=ITEM_IDS[:36],
    )
    assert "u55" in factors.refit(events_of(first_items(), "u59")).dataset.users
    with pytest.raises(ArgumentError, match="no factors of 4 items"):
        factors.refit(items=WORLD.items)


class OwnConfig:
    """Settings of somebody's own, which only fit."""

    def fit(self, dataset: whyrec.data.dataset.Dataset, *, progress: bool = True) -> Recommender:
        return whyrec.PopularityConfig().fit(dataset, progress=progress)

    def restore(self, dataset: Any, arrays: Any) -> Recommender:
        return whyrec.PopularityConfig().restore(dataset, arrays)


def test_a_model_that_cannot_go_on_says_what_it_lacks() -> None:
    sdk = whyrec.SDK.fit(WORLD.events, model=OwnConfig(), explainer=whyrec.ClosedFormConfig())
    for renew in (sdk.update, sdk.refit):
        with pytest.raises(ArgumentError, match=r"OwnConfig has no update.*fit anew"):
            renew()


def test_who_is_forgotten_during_a_refit_is_not_in_what_comes_of_it(
    sdks: dict[str, whyrec.SDK], tmp_path: Path
) -> None:
    sdk = saved(sdks["two towers"], "two towers", tmp_path / "sdk")
    sdk.record([Event(user, item) for user in ("new", "stays") for item in ("i3", "i5")])

    def forget(at: whyrec.TrainingStep) -> None:
        if at.phase == "explainer" and at.step == 1:
            sdk.forget("u3")
            sdk.forget("new")

    training = whyrec.TrainingConfig(log=forget)
    refitted = sdk.refit(training=training, progress=False)
    assert {"u3", "new"}.isdisjoint(refitted.dataset.users)
    assert "stays" in refitted.dataset.users
    assert refitted.dataset.forgotten == 2
    assert len(told(refitted, "stays")) == 8


@pytest.mark.parametrize("kind", ["two towers", "ranker"])
def test_what_was_called_wrong_counts_for_less_after_a_refit(kind: str, tmp_path: Path) -> None:
    towers = whyrec.TwoTowerConfig(
        dimension=16, hidden=8, max_steps=80, vector_learning_rate=1e-3, seed=1
    )
    ranker = whyrec.DeepRankerConfig(n_ranked=20, layers=(8, 4), max_steps=20)
    sdk = whyrec.SDK.fit(
        WORLD.events,
        WORLD.items,
        WORLD.users,
        model=towers,
        ranker=ranker if kind == "ranker" else None,
        explainer=whyrec.GradientPathConfig(),
        progress=False,
    )
    sdk.save(tmp_path)
    rated = []
    for user in [f"u{index}" for index in range(20)]:
        (best,) = sdk.recommend_with_reasons(user, k=1, max_reasons=1)
        reason = best.reasons[0]
        sdk.rate(user, reason, "wrong")
        rated.append((user, best.item_id, reason.kind, reason.source, reason.value))
    unheard, heard = (sdk.refit(wrong_weight=weight, progress=False) for weight in (0.0, None))

    def leaning(one: whyrec.SDK) -> float:
        """Return how much of the scores the reasons that were called wrong are, on average."""
        shares = [
            abs(reason.share)
            for user, item, *about in rated
            for reason in one.explain(user, item).reasons
            if [reason.kind, reason.source, reason.value] == about
        ]
        return float(np.sum(shares)) / len(rated)

    assert leaning(heard) < 0.8 * leaning(unheard)
    assert heard.model_id == sdk.refit(progress=False).model_id


def test_ratings_that_have_changed_or_that_nobody_learns_from(
    sdks: dict[str, whyrec.SDK], tmp_path: Path
) -> None:
    sdk = saved(sdks["two towers"], "two towers", tmp_path / "sdk")
    reason = sdk.recommend_with_reasons("u7", k=1)[0].reasons[0]
    unrated = sdk.refit(progress=False).model_id
    sdk.rate("u7", reason, "wrong")
    assert sdk.refit(progress=False).model_id != unrated
    assert sdk.refit(wrong_weight=0, progress=False).model_id == unrated
    sdk.rate("u7", reason, "helped")
    assert sdk.refit(progress=False).model_id == unrated
    with pytest.raises(ArgumentError, match=r"only two towers.* not EASEConfig"):
        sdks["ease"].refit(wrong_weight=1.0)
    with pytest.raises(ArgumentError, match="wrong_weight must be"):
        sdk.refit(wrong_weight=-1.0)

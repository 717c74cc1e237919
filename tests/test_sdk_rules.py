"""Rules of a business over the SDK: each answer is held to plain loops over all scores."""

from collections.abc import Hashable
from dataclasses import replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow.compute as pc
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    EASEConfig,
    GradientPathConfig,
    PopularityConfig,
    Recommendations,
    Rules,
    SlotSource,
    UnknownItemError,
)
from whyrec.data.dataset import Dataset
from whyrec.models import DeepRankerConfig, TwoTowerConfig

MODELS = ["towers", "ease", "ranker"]
USERS = ["u0", "u3", "u7", "u9", "u2", "u15"]


@pytest.fixture(scope="module")
def sdks(shop: Dataset, tower_config: TwoTowerConfig, ranker_config: DeepRankerConfig) -> Any:
    path = GradientPathConfig(n_points=2)
    return {
        "towers": SDK.fit_dataset(shop, model=tower_config, explainer=path, progress=False),
        "ranker": SDK.fit_dataset(shop, model=ranker_config, explainer=path, progress=False),
        "ease": SDK.fit_dataset(shop, model=EASEConfig(l2=2.0), progress=False),
        "popular": SDK.fit_dataset(shop, model=PopularityConfig(), progress=False),
    }


@pytest.fixture(params=MODELS)
def sdk(sdks: Any, request: pytest.FixtureRequest) -> SDK:
    found: SDK = sdks[request.param]
    return found


def ids(answer: Recommendations) -> list[Any]:
    return [each.item_id for each in answer]


def values_of(sdk: SDK, field: str) -> dict[Hashable, set[Hashable]]:
    """Return the values that each item has in a field."""
    dataset = sdk.dataset
    features = dataset.item_features
    found: dict[Hashable, set[Hashable]] = {item: set() for item in dataset.items}
    for row, item in enumerate(dataset.items):
        for place in range(features.offsets[row], features.offsets[row + 1]):
            name, value = features.schema.describe(int(features.tokens[place]), 1.0)
            if name == field:
                found[item].add(value)
    return found


def by_hand(
    sdk: SDK, user: str, k: int, rules: Rules, pool_size: int | None = None, **filters: Any
) -> list[Hashable]:
    """Return the answer by plain loops over every item that may be in it."""
    boosts = dict(rules.boost_pairs())
    scores = {each.item_id: each.score for each in sdk.recommend(user, 25, **filters)}
    worth = {item: score + boosts.get(item, 0.0) for item, score in scores.items()}
    index = sdk.dataset.items.index_of
    order = sorted(worth, key=lambda item: (-worth[item], index(item)))
    pinned = {rank: each for rank, each in rules.by_rank().items() if rank <= k and each in order}
    order = [item for item in order if item not in rules.by_rank().values()]
    order = order[:pool_size]
    shares = {field: values_of(sdk, field) for field in rules.at_most}
    vectors = np.asarray(sdk._fitted.model.item_vectors(), np.float64)
    low, high = (extreme([worth[item] for item in order], default=0) for extreme in (min, max))

    def cosine(one: Hashable, other: Hashable) -> float:
        a, b = vectors[index(one)], vectors[index(other)]
        norms = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(a @ b) / norms if norms else 0.0

    taken: list[Hashable] = list(pinned.values())
    others: list[Hashable] = []
    while len(taken) < k:
        best, best_value = None, -np.inf
        for item in order:
            crowded = any(
                sum(value in values[each] for each in taken) >= rules.at_most[field]
                for field, values in shares.items()
                for value in values[item]
            )
            if item in taken or crowded:
                continue
            value = worth[item]
            if rules.diversity:
                like = max((cosine(item, each) for each in taken), default=0.0)
                scaled = (worth[item] - low) / ((high - low) or 1)
                value = (1 - rules.diversity) * scaled - rules.diversity * like
            if value > best_value:
                best, best_value = item, value
        if best is None:
            break
        taken.append(best)
        others.append(best)
    answer: list[Hashable] = []
    for rank in range(1, k + 1):
        if rank in pinned:
            answer.append(pinned[rank])
        elif others:
            answer.append(others.pop(0))
    return answer


CASES = {
    "nothing": Rules(),
    "pinned": Rules(pinned={2: "i5", 4: "i1"}),
    "pinned beyond": Rules(pinned={1: "i9", 7: "i3", 30: "i4"}),
    "boosted": Rules(boosts={"i20": 3.0, "i4": -2.0, "i7": 0.5}),
    "one style": Rules(at_most={"style": 1}),
    "few topics": Rules(at_most={"topics": 2}),
    "both": Rules(at_most={"topics": 2, "style": 1}),
    "unlike": Rules(diversity=0.5),
    "most unlike": Rules(diversity=1.0),
    "all": Rules(
        pinned={3: "i2", 1: "i8"},
        boosts={"i20": 3.0, "i8": 1.0},
        at_most={"style": 2, "topics": 4},
        diversity=0.3,
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("k", [1, 5, 12])
def test_an_answer_is_that_of_plain_loops(sdks: Any, name: str, k: int) -> None:
    rules = CASES[name]
    for model in ("towers", "ease"):
        sdk = sdks[model]
        for user, answer in zip(USERS, sdk.recommend(USERS, k, rules=rules), strict=True):
            assert ids(answer) == by_hand(sdk, user, k, rules), (model, user)


@pytest.mark.parametrize("name", CASES)
def test_rules_hold_over_whatever_filters_leave(sdks: Any, name: str) -> None:
    rules, sdk = CASES[name], sdks["towers"]
    only = [f"i{n}" for n in range(2, 22)]
    filters: dict[str, Any] = {
        "exclude": ["i8", "i11"],
        "only": only,
        "include_seen": True,
        "where": pc.field("price") > 8,
    }
    priced = [each.item_id for each in sdk.recommend("u3", 25, **filters)]
    assert 3 < len(priced) < 18
    for user in USERS:
        found = ids(sdk.recommend(user, 6, rules=rules, **filters))
        assert found == by_hand(sdk, user, 6, rules, **filters)
        assert set(found) <= set(priced)


@pytest.mark.parametrize("name", CASES)
def test_what_every_ruled_answer_keeps(sdk: SDK, name: str) -> None:
    rules, k = CASES[name], 8
    alone = [sdk.recommend(user, k, rules=rules) for user in USERS]
    assert sdk.recommend(USERS * 2, k, rules=rules) == alone * 2
    assert sdk.recommend(USERS[::-1], k, rules=rules) == alone[::-1]
    for answer in alone:
        found = ids(answer)
        assert len(set(found)) == len(found)
        assert [each.rank for each in answer] == list(range(1, len(found) + 1))
        may = {each.item_id: each.score for each in sdk.recommend(str(answer.user_id), 25)}
        for rank, item in rules.by_rank().items():
            if item in may and rank <= len(found):
                assert found[rank - 1] == item
        for each in answer:
            assert each.score == may[each.item_id]
        pinned = set(rules.by_rank().values())
        for field, most in rules.at_most.items():
            values = values_of(sdk, field)
            for value in set().union(*values.values()):
                sharing = [item for item in found if value in values[item]]
                assert len(sharing) <= max(most, len(pinned.intersection(sharing)))


def test_at_most_looks_as_deep_as_it_takes(sdk: SDK) -> None:
    """All but one of the best are of one style, and the other styles are at the end."""
    values = values_of(sdk, "style")
    first = {item: 9.0 for item in values if "s1" in values[item]}
    rules = Rules(boosts=first, at_most={"style": 1})
    for answer in sdk.recommend(USERS, 4, include_seen=True, rules=rules):
        styles = [next(iter(values[item]), None) for item in ids(answer)]
        assert styles[0] == "s1"
        assert styles.count("s1") == 1
        assert len(answer) == 4
    longest = sdk.recommend("u0", 25, rules=rules)
    # Four styles, and the one item without any.
    assert len(longest) == 5


def test_without_rules_the_bits_are_those_of_before(sdk: SDK) -> None:
    plain = sdk.recommend(USERS, 6)
    assert sdk.recommend(USERS, 6, rules=Rules()) == plain
    assert sdk.recommend(USERS, 6, rules=None, where=None) == plain
    told = sdk.recommend_with_reasons(USERS, 6)
    assert sdk.recommend_with_reasons(USERS, 6, rules=Rules(), where=nw.lit(True)) == told
    assert {each.source for answer in plain for each in answer} == {SlotSource.MODEL}


def test_a_slot_says_what_put_the_item_there(sdks: Any) -> None:
    sdk = sdks["towers"]
    own = ids(sdk.recommend("u3", 6))
    last = ids(sdk.recommend("u3", 25))[-1]
    sources = [each.source for each in sdk.recommend("u3", 4, rules=Rules(pinned={2: last}))]
    assert sources == ["model", "promoted", "model", "model"]
    boosted = sdk.recommend("u3", 4, rules=Rules(boosts={last: 99.0}))
    assert [each.source for each in boosted] == ["promoted", "model", "model", "model"]
    lowered = sdk.recommend("u3", 4, rules=Rules(boosts={own[0]: -99.0}))
    assert ids(lowered) == own[1:5]
    assert [each.source for each in lowered] == ["model", "model", "model", "arranged"]
    apart = sdk.recommend("u3", 6, rules=Rules(diversity=0.9))
    assert ids(apart) != own
    for place, each in enumerate(apart):
        ahead = any(each.score < later.score for later in apart[place + 1 :])
        expected = "arranged" if ahead or each.item_id not in own else "model"
        assert each.source == expected
    assert {each.source for each in sdks["popular"].recommend("u3", 4)} == {"popular"}


def test_reasons_describe_the_score_of_the_model_whatever_the_rules(sdk: SDK) -> None:
    rules = CASES["all"]
    for answer in sdk.recommend_with_reasons(
        USERS[:3], 5, max_reasons=None, include_seen=True, rules=rules
    ):
        assert "promoted" in [each.source for each in answer]
        for each in answer:
            alone = sdk.explain(str(answer.user_id), each.item_id)
            assert each.score == alone.score
            assert each.reasons == alone.reasons
    visitor = sdk.recommend_for(["i3", "i4"], {"age": 30}, 5, rules=rules)
    assert visitor[0].item_id == "i8"


def test_what_is_held_against_the_next_best_is_not_in_the_answer(sdk: SDK) -> None:
    rules = Rules(pinned=["i20"], at_most={"style": 1})
    (answer,) = sdk.recommend_with_reasons(["u9"], 3, against=4, rules=rules)
    best = [item for item in ids(sdk.recommend("u9", 25)) if item not in ids(answer)]
    if "DeepRanker" not in repr(sdk):  # which has not ranked the same ones
        assert list(answer.against) == best[:4]
    assert not set(answer.against) & set(ids(answer))
    for each in answer:
        alone = sdk.explain("u9", each.item_id, against=answer.against)
        assert each.margin == pytest.approx(alone.margin, abs=1e-6)
    with pytest.raises(ArgumentError, match="no item is left to hold the answer for 'u9'"):
        sdk.recommend_with_reasons("u9", 25, against=1, rules=Rules(pinned=["i20"]))


def test_fields_are_boosted_by_an_expression(sdk: SDK) -> None:
    values = values_of(sdk, "style")
    where = pc.field("style") == "s2"
    by_item = Rules(boosts={item: 2.0 for item in values if "s2" in values[item]})
    by_field = Rules(boosts=[(where, 1.5), (nw.col("style") == "s2", 0.5)])
    assert sdk.recommend(USERS, 6, rules=by_field) == sdk.recommend(USERS, 6, rules=by_item)
    assert sdk.recommend(USERS, 6, rules=by_field) != sdk.recommend(USERS, 6)


def test_where_leaves_only_items_of_which_it_holds(sdk: SDK) -> None:
    topics = values_of(sdk, "topics")
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        for answer in call(USERS, 25, where=nw.col("topics").list.contains("t4")):
            everything = ids(sdk.recommend(str(answer.user_id), 25))
            assert ids(answer) == [item for item in everything if "t4" in topics[item]]
            assert len(answer) > 0
    visitor = sdk.recommend_for(["i3"], {}, 25, where=pc.field("price") < 9)
    assert 0 < len(visitor) < 24


@pytest.mark.parametrize(
    ("choices", "error", "message"),
    [
        ({"where": pc.field("colour") == 1}, ArgumentError, '"colour" of the items; the fields'),
        ({"where": "style"}, ArgumentError, "where must be an expression"),
        ({"rules": Rules(at_most={"price": 1})}, ArgumentError, "'price' is no field of categor"),
        ({"rules": Rules(at_most={"x": 1})}, ArgumentError, 'those are: "style", "topics"'),
        ({"rules": Rules(pinned={99: "pear"})}, UnknownItemError, "unknown item: 'pear'"),
        ({"rules": Rules(boosts={"pear": 1})}, UnknownItemError, "unknown item: 'pear'"),
        (
            {"rules": Rules(boosts=[(pc.field("x") > 1, 1.0)])},
            ArgumentError,
            'boosts: there is no field "x" of the items',
        ),
        ({"rules": Rules(), "k": 0}, ArgumentError, "k must be a whole number from 1, not 0"),
        ({"rules": Rules(), "k": 2.0}, ArgumentError, "k must be a whole number from 1, not 2.0"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(
    sdks: Any, choices: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sdks["ease"].recommend("u3", **choices)


def test_nothing_is_left_when_the_filters_leave_nothing(sdk: SDK) -> None:
    rules = CASES["all"]
    assert list(sdk.recommend("u3", 5, only=[], rules=rules)) == []
    assert list(sdk.recommend("u3", 5, where=pc.scalar(False), rules=rules)) == []
    assert sdk.recommend([], 5, rules=rules) == []
    (one,) = sdk.recommend("u3", 5, only=["i8"], include_seen=True, rules=rules)
    assert (one.item_id, one.rank, one.source) == ("i8", 1, "promoted")
    assert replace(one, source=SlotSource.MODEL).source == "model"

"""From attributions to reasons, held against a slow and plain way to do the same."""

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrec.data.dataset import Dataset
from whyrec.data.fields import Categorical, Field, Numeric, Tags, Text
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, PlayerKind, Players
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.reasons.breakdown import Breakdown, build_reasons
from whyrec.reasons.reason import Partner, Reason, ReasonKind

GENRES = ["Action", "Comedy", "Drama", "Horror"]
FIELDS: dict[str, Field | None] = {
    "genres": Tags(),
    "maker": Categorical(),
    "year": Numeric(),
    "plot": Text(min_count=1),
}


@dataclass(frozen=True)
class World:
    dataset: Dataset
    histories: Histories
    attributions: Attributions

    def reasons(self, **options: Any) -> list[Breakdown]:
        return build_reasons(self.dataset, self.histories, self.attributions, **options)


def world(
    events: list[dict[str, Any]],
    items: list[dict[str, Any]],
    users: list[dict[str, Any]],
    pairs: list[tuple[int, int]],
    contributions: list[float] | None = None,
) -> World:
    """Make a world in which player p of all pairs contributes contributions[p]; 1 if not given."""
    item_columns = {name for item in items for name in item}
    # Somebody of whom everything is known, so that every field has a value.
    users = [*users, {"user_id": "zoe", "likes": ["a"], "age": 50}]
    dataset = Dataset.from_tables(
        pa.Table.from_pylist(events),
        pa.Table.from_pylist(items),
        pa.Table.from_pylist(users),
        item_fields={name: field for name, field in FIELDS.items() if name in item_columns},
        user_fields={"likes": Tags(), "age": Numeric()},
    )
    histories = dataset.histories(np.arange(dataset.n_users))
    rows, chosen = np.array(pairs, np.int32).reshape(-1, 2).T
    both = Pairs(rows, chosen)
    players = Players.of(histories, dataset.item_features, both)
    values = np.resize([1.0] if contributions is None else contributions, len(players.kinds))
    base_values = np.arange(len(pairs)) / 4 - 1
    rows_of_players = np.repeat(np.arange(len(pairs)), players.counts())
    full_values = base_values + 0.125
    np.add.at(full_values, rows_of_players, values)
    attributions = Attributions(both, players, values, base_values, full_values, "shapley")
    return World(dataset, histories, attributions)


def small_world(contributions: list[float] | None = None) -> World:
    """Two users; ann met Alien twice, and two comedies; bob did nothing."""
    return world(
        [
            {"user_id": "ann", "item_id": 1, "timestamp": 1, "rating": 5.0, "event_type": "view"},
            {"user_id": "ann", "item_id": 2, "timestamp": 2, "rating": 3.3, "event_type": "view"},
            {"user_id": "ann", "item_id": 1, "timestamp": 3, "rating": 4.0, "event_type": "view"},
            {"user_id": "ann", "item_id": 3, "timestamp": 4, "rating": None, "event_type": "buy"},
        ],
        [
            {"item_id": 1, "title": "Alien", "genres": ["Horror"], "year": 1979},
            {"item_id": 2, "title": "Airplane!", "genres": ["Comedy"], "year": 1980},
            {"item_id": 3, "title": "Clue", "genres": ["Comedy", "Crime"], "year": 1985},
        ],
        [
            {"user_id": "ann", "likes": ["space", "cats"], "age": 34},
            {"user_id": "bob", "likes": ["dogs"], "age": None},
        ],
        [(0, 2), (1, 0)],
        contributions,
    )


# Players of the pair (ann, Clue): Alien, Airplane!, Alien, Clue; likes, age; Comedy, Crime, 1985.
# Players of the pair (bob, Alien): likes; Horror, 1979.
SMALL = [1.0, 3.0, 1.5, -0.5, 0.25, -4.0, 2.0, 0.0, 0.125, 8.0, -16.0, 32.0]


def with_interactions(small: World, table: list[list[float]]) -> Interactions:
    """Of the four events of ann, a row each, with the three features of Clue."""
    players = small.attributions.players
    chosen = PlayerPairs.events_by_features(players)
    values = np.array(table, np.float64).ravel()
    evaluations = np.zeros(2, np.int64)
    return Interactions(
        small.attributions.pairs, players, chosen, values, None, evaluations, "path"
    )


def test_an_event_is_told_with_the_feature_that_makes_it_count_for_most() -> None:
    small = small_world(SMALL)
    # Alien, Airplane!, Alien again, Clue with Comedy, Crime, 1985.
    table = [[0.5, 0.0, -9.0], [-1.0, -2.0, 0.0], [0.5, 0.75, 0.0], [1.0, -0.25, -0.5]]
    reasons = small.reasons(interactions=with_interactions(small, table))[0].reasons
    plain = small.reasons()[0].reasons
    partners = {str(reason.source): reason.partner for reason in reasons}
    assert partners == {
        "1": Partner("genres", "Comedy", 1.0),  # the two events of Alien together
        "2": None,  # it would be worth more with none of them
        "3": Partner("year", 1985, -0.5),  # it speaks against Clue, and with 1985 the more
        **dict.fromkeys(["age", "likes", "genres", "year"]),
    }
    for told, before in zip(reasons, plain, strict=True):
        assert replace(told, partner=None) == before
        assert (told.text == before.text) == (told.partner is None)
    (alien,) = [reason for reason in reasons if reason.source == 1]
    assert alien.text == (
        "Because you viewed Alien (2 times), all the more since this has genres: Comedy"
    )


def test_items_that_are_told_together_have_a_partner_together() -> None:
    small = small_world(SMALL)
    table = [[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0], [-0.75, 0.5, 0.0]]
    found = with_interactions(small, table)
    breakdown, _ = small.reasons(interactions=found, group_by="genres")
    (group,) = [each for each in breakdown.reasons if each.kind is ReasonKind.HISTORY_GROUP]
    assert group.players == (1, 3)
    assert group.partner == Partner("genres", "Crime", 1.0)


def test_who_has_no_events_has_no_partners() -> None:
    small = small_world(SMALL)
    found = with_interactions(small, [[1.0] * 3] * 4)
    _, bob = small.reasons(interactions=found)
    assert [reason.partner for reason in bob.reasons] == [None] * 3


def test_reasons_come_strongest_first_with_what_they_stand_for() -> None:
    breakdown, other = small_world(SMALL).reasons()
    found = [
        (reason.kind, reason.source, reason.value, reason.contribution, reason.players)
        for reason in breakdown.reasons
    ]
    assert found == [
        (ReasonKind.USER_ATTRIBUTE, "age", 34, -4.0, (5,)),
        (ReasonKind.HISTORY, 2, 3.3, 3.0, (1,)),
        (ReasonKind.HISTORY, 1, None, 2.5, (0, 2)),
        (ReasonKind.ITEM_FEATURE, "genres", "Comedy", 2.0, (6,)),
        (ReasonKind.HISTORY, 3, None, -0.5, (3,)),
        (ReasonKind.USER_ATTRIBUTE, "likes", ("space", "cats"), 0.25, (4,)),
        (ReasonKind.ITEM_FEATURE, "year", 1985, 0.125, (8,)),
        (ReasonKind.ITEM_FEATURE, "genres", "Crime", 0.0, (7,)),
    ]
    assert [reason.text for reason in breakdown.reasons] == [
        "Despite your age: 34",
        "Because you viewed Airplane! (rated 3.3)",
        "Because you viewed Alien (2 times)",
        "Because of its genres: Comedy",
        "Although you bought Clue",
        "Because of your likes: space, cats",
        "Because of its year: 1985",
        "Because of its genres: Crime",
    ]
    assert [reason.n_players for reason in breakdown.reasons] == [1, 1, 2, 1, 1, 1, 1, 1]
    assert [reason.value for reason in other.reasons] == [1979, "Horror", "dogs"]


def test_a_reason_of_one_player_has_its_confidence_and_one_of_several_has_none() -> None:
    silent = small_world(SMALL)
    assert {each.confidence for one in silent.reasons() for each in one.reasons} == {None}
    confidences = np.arange(12) / 16
    stating = replace(silent, attributions=replace(silent.attributions, confidences=confidences))
    breakdown, other = stating.reasons()
    for reason in breakdown.reasons:
        (first, *more) = reason.players
        assert reason.confidence == (None if more else first / 16)
    assert [reason.confidence for reason in other.reasons] == [11 / 16, 10 / 16, 9 / 16]
    (grouped, _) = stating.reasons(group_by="genres")
    alone = {each.source: each.confidence for each in grouped.reasons if each.n_players == 1}
    assert alone["age"] == 5 / 16
    assert len(alone) < len(grouped.reasons)


def test_an_event_is_named_only_where_all_that_fold_agree() -> None:
    (breakdown, _) = small_world(SMALL).reasons()
    by_source = {reason.source: reason for reason in breakdown.reasons}
    assert by_source[1].event == "view"
    assert by_source[3].event == "buy"
    assert by_source["age"].event is None


def test_events_of_different_kinds_fold_into_a_reason_without_one() -> None:
    event = {"user_id": "ann", "item_id": 1, "timestamp": 1, "rating": 2.0}
    events = [{**event, "event_type": "view"}, {**event, "event_type": "buy"}]
    items = [{"item_id": 1, "title": "Alien", "genres": ["War"]}]
    users = [{"user_id": "ann", "likes": ["a"], "age": 1}]
    (breakdown,) = world(events, items, users, [(0, 0)]).reasons()
    assert breakdown.reasons[0].event is None
    assert breakdown.reasons[0].value == 2.0
    assert breakdown.reasons[0].text == ("Because of Alien in your history (rated 2.0, 2 times)")


def test_what_is_not_shown_is_in_the_rest() -> None:
    whole, _ = small_world(SMALL).reasons()
    for most in range(1, len(whole.reasons) + 3):
        part, _ = small_world(SMALL).reasons(max_reasons=most)
        assert part.reasons == whole.reasons[:most]
        rest = sum(reason.contribution for reason in whole.reasons[most:])
        assert part.other_contribution == rest
    assert whole.other_contribution == 0.0


def test_everything_adds_up_to_the_score() -> None:
    for most in (1, 3, None):
        for breakdown in small_world(SMALL).reasons(max_reasons=most):
            assert parts(breakdown) == breakdown.score
            assert breakdown.efficiency_gap == 0.125
            assert breakdown.tier == "shapley"


def test_shares_are_of_all_absolute_contributions() -> None:
    breakdown, _ = small_world(SMALL).reasons(max_reasons=2)
    whole = sum(abs(contribution) for contribution in SMALL[:9])
    assert [reason.share for reason in breakdown.reasons] == [-4.0 / whole, 3.0 / whole]


def test_where_nothing_contributes_every_share_is_zero() -> None:
    for breakdown in small_world([0.0]).reasons():
        assert {reason.share for reason in breakdown.reasons} == {0.0}
        assert {reason.contribution for reason in breakdown.reasons} == {0.0}


def test_items_that_share_a_tag_become_one_reason() -> None:
    breakdown, other = small_world(SMALL).reasons(group_by="genres")
    (group,) = [each for each in breakdown.reasons if each.kind == ReasonKind.HISTORY_GROUP]
    assert (group.source, group.value, group.event) == ("genres", "Comedy", None)
    assert group.players == (1, 3)
    assert group.contribution == 2.5
    assert group.text == "Because of 2 items in your history with genres: Comedy"
    history = [each for each in breakdown.reasons if each.kind == ReasonKind.HISTORY]
    assert [(each.source, each.players) for each in history] == [(1, (0, 2))]
    assert other.reasons == small_world(SMALL).reasons()[1].reasons


def test_each_of_several_groups_has_its_own_value_and_place() -> None:
    """Items 1 and 4 are comedies, 2 and 5 are dramas, 3 is neither."""
    events = [{"user_id": "ann", "item_id": item, "timestamp": item} for item in range(1, 6)]
    genres = ["Comedy", "Drama", "War", "Comedy", "Drama"]
    items = [{"item_id": item, "genres": [genre]} for item, genre in enumerate(genres, start=1)]
    users = [{"user_id": "ann", "likes": ["a"], "age": 1}]
    for contributions, expected in [
        ([1.0, 4.0, 8.0, 1.0, 5.0], [("Drama", (1, 4)), (3, (2,)), ("Comedy", (0, 3))]),
        ([1.0, 1.0, 2.0, 1.0, 1.0], [("Comedy", (0, 3)), ("Drama", (1, 4)), (3, (2,))]),
        ([-4.0, 1.0, 5.0, 1.0, 2.0], [(3, (2,)), ("Comedy", (0, 3)), ("Drama", (1, 4))]),
    ]:
        values = [*contributions, 0.0, 0.0, 0.0]
        (breakdown,) = world(events, items, users, [(0, 0)], values).reasons(group_by="genres")
        found = [
            (each.value if each.kind == ReasonKind.HISTORY_GROUP else each.source, each.players)
            for each in breakdown.reasons[:3]
        ]
        assert found == expected


def test_one_item_met_often_is_no_group() -> None:
    event = {"user_id": "ann", "timestamp": 1}
    events = [{**event, "item_id": item} for item in (1, 1, 1, 2)]
    items = [{"item_id": 1, "genres": ["War"]}, {"item_id": 2, "genres": ["Noir"]}]
    users = [{"user_id": "ann", "likes": [], "age": 1}]
    (breakdown,) = world(events, items, users, [(0, 1)]).reasons(group_by="genres")
    history = [each for each in breakdown.reasons if each.kind == ReasonKind.HISTORY]
    assert [each.n_players for each in history] == [3, 1]
    assert history[0].text == "Because of 1 in your history (3 times)"


def test_a_categorical_field_groups_too() -> None:
    events = [{"user_id": "ann", "item_id": item, "timestamp": item} for item in (1, 2, 3)]
    items = [
        {"item_id": 1, "maker": "Aardman"},
        {"item_id": 2, "maker": "Pixar"},
        {"item_id": 3, "maker": "Aardman"},
    ]
    users = [{"user_id": "ann", "likes": ["a"], "age": 1}]
    contributions = [2.0, 1.0, -0.5, 0.25, 0.0, 0.0]
    (breakdown,) = world(events, items, users, [(0, 1)], contributions).reasons(group_by="maker")
    assert breakdown.reasons[0].players == (0, 2)
    assert breakdown.reasons[0].text == ("Because of 2 items in your history with maker: Aardman")


@pytest.mark.parametrize("field", ["year", "nonsense", "likes", ""])
def test_a_field_that_groups_nothing_is_refused_with_those_that_do(field: str) -> None:
    with pytest.raises(ArgumentError, match=rf'group_by: \'{field}\' is no field.*"genres"'):
        small_world().reasons(group_by=field)


@pytest.mark.parametrize("most", [0, -1])
def test_no_reasons_at_all_cannot_be_asked_for(most: int) -> None:
    with pytest.raises(ArgumentError, match=f"max_reasons must be at least 1, not {most}"):
        small_world().reasons(max_reasons=most)


def test_a_user_and_an_item_of_which_nothing_is_known_have_no_reasons() -> None:
    users: list[dict[str, Any]] = [{"user_id": "ann", "likes": [], "age": None}]
    items = [{"item_id": 1, "genres": []}, {"item_id": 2, "genres": ["War"]}]
    events = [{"user_id": "zoe", "item_id": 2, "timestamp": 1}]
    for group_by in (None, "genres"):
        (breakdown,) = world(events, items, users, [(0, 0)]).reasons(group_by=group_by)
        assert breakdown.reasons == ()
        assert breakdown.other_contribution == 0.0
        assert parts(breakdown) == breakdown.score


def test_no_pairs_give_no_breakdowns() -> None:
    empty = world(
        [{"user_id": "ann", "item_id": 1, "timestamp": 1}],
        [{"item_id": 1, "genres": ["War"]}, {"item_id": 2, "genres": ["Noir"]}],
        [{"user_id": "ann", "likes": ["a"], "age": 1}],
        [],
    )
    assert empty.reasons() == []
    assert empty.reasons(group_by="genres", max_reasons=3) == []


@dataclass(frozen=True)
class Shouting:
    """A wording of another kind."""

    locale: str = "en-x-shout"

    def history(self, label: str, **facts: Any) -> str:
        return f"MET {label} {facts['times']} {facts['against']}"

    def history_group(self, field: str, value: object, **facts: Any) -> str:
        return f"{facts['n_items']} {field} {value} {facts['against']}"

    def user_attribute(self, field: str, value: object, *, against: bool) -> str:
        return f"YOU {field} {value} {against}"

    def item_feature(self, field: str, value: object, *, against: bool) -> str:
        return f"IT {field} {value} {against}"

    def with_partner(self, said: str, field: str, value: object) -> str:
        return f"{said} WITH {field} {value}"


def test_another_wording_gets_all_the_facts() -> None:
    (breakdown, _) = small_world(SMALL).reasons(group_by="genres")
    assert [reason.text_in(Shouting()) for reason in breakdown.reasons] == [
        "YOU age 34 True",
        "MET Alien 2 False",
        "2 genres Comedy False",
        "IT genres Comedy False",
        "YOU likes ('space', 'cats') False",
        "IT year 1985 False",
        "IT genres Crime False",
    ]


def parts(breakdown: Breakdown) -> float:
    shown = sum(reason.contribution for reason in breakdown.reasons)
    return breakdown.base_value + shown + breakdown.other_contribution + breakdown.efficiency_gap


def plain_groups(world: World, pair: int, field: str | None) -> list[tuple[list[int], object]]:
    """Fold the players of one pair step by step: the places of each group, and the value shared."""
    row = int(world.attributions.pairs.rows[pair])
    span = world.attributions.of(pair)
    kinds = world.attributions.players.kinds[span].tolist()
    contributions = world.attributions.contributions[span].tolist()
    first = int(world.histories.offsets[row])
    by_item: dict[int, list[int]] = defaultdict(list)
    others: list[tuple[list[int], object]] = []
    for place, kind in enumerate(kinds):
        if kind == PlayerKind.EVENT:
            by_item[int(world.histories.items[first + place])].append(place)
        else:
            others.append(([place], None))
    groups: list[tuple[list[int], object]] = []
    while field is not None:
        members: dict[int, list[int]] = defaultdict(list)
        features = world.dataset.item_features
        for item in by_item:
            for token in features.tokens[features.offsets[item] : features.offsets[item + 1]]:
                if features.schema.describe(token, 1.0)[0] == field:
                    members[int(token)].append(item)
        totals = {
            token: sum(contributions[place] for item in items for place in by_item[item])
            for token, items in members.items()
            if len(items) >= 2
        }
        if not totals:
            break
        best = min(totals, key=lambda token: (-abs(totals[token]), token))
        places = sorted(place for item in members[best] for place in by_item.pop(item))
        groups.append((places, features.schema.describe(best, 1.0)[1]))
    return groups + [(places, None) for places in by_item.values()] + others


def plain_reasons(world: World, pair: int, field: str | None) -> list[tuple[list[int], object]]:
    """Order the groups of one pair by absolute contribution, equal ones by first player."""
    contributions = world.attributions.contributions[world.attributions.of(pair)].tolist()
    return sorted(
        plain_groups(world, pair, field),
        key=lambda group: (-abs(sum(contributions[place] for place in group[0])), group[0][0]),
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    n_users, n_items = draw(st.integers(1, 4)), draw(st.integers(2, 7))
    tags = st.lists(st.sampled_from(GENRES), max_size=3, unique=True)
    items = [
        {
            "item_id": item,
            "genres": draw(tags) if item else [GENRES[0]],
            "maker": draw(st.sampled_from(["x", "y", None])) if item else "x",
            "year": draw(st.sampled_from([1990, 2000, None])) if item else 1980,
            "plot": draw(st.sampled_from(["red sun", "blue moon sun", ""])) if item else "moon",
        }
        for item in range(n_items)
    ]
    users = [
        {
            "user_id": f"u{user}",
            "likes": draw(st.lists(st.sampled_from("abc"), max_size=3, unique=True)),
            "age": draw(st.sampled_from([20, 30, None])) if user else 25,
        }
        for user in range(n_users)
    ]
    event = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    rating = st.sampled_from([None, 1.0, 4.5])
    kind = st.sampled_from(["view", "buy"])
    events = [
        {
            "user_id": f"u{user}",
            "item_id": item,
            "timestamp": time,
            "rating": draw(rating) if time else 1.0,
            "event_type": draw(kind),
        }
        for time, (user, item) in enumerate(draw(st.lists(event, min_size=1, max_size=25)))
    ]
    pairs = draw(st.lists(event, max_size=6))
    # Quarters add up without rounding, whatever the order, and are often equal.
    quarters = st.integers(-8, 8).map(lambda number: number / 4)
    contributions = draw(st.lists(quarters, min_size=1, max_size=40))
    return world(events, items, users, pairs, contributions)


@settings(max_examples=150, deadline=None)
@given(world=worlds(), field=st.sampled_from([None, "genres", "maker"]))
def test_reasons_are_those_of_the_plain_way(world: World, field: str | None) -> None:
    breakdowns = world.reasons(group_by=field)
    assert len(breakdowns) == len(world.attributions.pairs)
    for pair, breakdown in enumerate(breakdowns):
        expected = plain_reasons(world, pair, field)
        assert [list(reason.players) for reason in breakdown.reasons] == [
            places for places, _ in expected
        ]
        for reason, (places, value) in zip(breakdown.reasons, expected, strict=True):
            contributions = world.attributions.contributions[world.attributions.of(pair)]
            assert reason.contribution == contributions[places].sum()
            assert (reason.kind == ReasonKind.HISTORY_GROUP) == (value is not None)
            if value is not None:
                assert (reason.source, reason.value) == (field, value)


@settings(max_examples=60, deadline=None)
@given(
    world=worlds(),
    field=st.sampled_from([None, "genres"]),
    most=st.sampled_from([None, 1, 2, 5]),
    data=st.data(),
)
def test_a_batch_in_any_order_is_each_pair_by_itself(
    world: World, field: str | None, most: int | None, data: st.DataObject
) -> None:
    whole = world.reasons(group_by=field, max_reasons=most)
    for breakdown in whole:
        assert parts(breakdown) == breakdown.score
    order = data.draw(st.permutations(range(len(whole))))
    attributions = chosen_pairs(world.attributions, list(order))
    shuffled = build_reasons(
        world.dataset, world.histories, attributions, group_by=field, max_reasons=most
    )
    assert shuffled == [whole[pair] for pair in order]
    for pair in range(len(whole)):
        (alone,) = build_reasons(
            world.dataset,
            world.histories,
            chosen_pairs(world.attributions, [pair]),
            group_by=field,
            max_reasons=most,
        )
        assert alone == whole[pair]


def chosen_pairs(attributions: Attributions, order: list[int]) -> Attributions:
    spans = [np.arange(len(attributions.contributions))[attributions.of(pair)] for pair in order]
    players = np.concatenate([np.zeros(0, np.int64), *spans])
    counts = attributions.players.counts()[order]
    return Attributions(
        Pairs(attributions.pairs.rows[order], attributions.pairs.items[order]),
        Players(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            attributions.players.kinds[players],
            attributions.players.sources[players],
        ),
        attributions.contributions[players],
        attributions.base_values[order],
        attributions.full_values[order],
        attributions.tier,
    )


def test_a_reason_of_a_text_field_names_the_word() -> None:
    events = [{"user_id": "ann", "item_id": 1, "timestamp": 1}]
    items = [{"item_id": 1, "plot": "red moon"}, {"item_id": 2, "plot": "sun"}]
    users = [{"user_id": "ann", "likes": ["a"], "age": 1}]
    (breakdown,) = world(events, items, users, [(0, 1)], [1.0]).reasons()
    texts = {reason.text for reason in breakdown.reasons if isinstance(reason, Reason)}
    assert "Because of its plot: sun" in texts

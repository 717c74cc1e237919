import numpy as np
import pytest
from bench.accuracy.protocols import PROTOCOLS, Question, first_events, without

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions

Events = set[tuple[int, int]]


@pytest.fixture(scope="module")
def events(world_data: Dataset) -> Interactions:
    return first_events(world_data.interactions)


def of(interactions: Interactions) -> Events:
    found = list(zip(interactions.users().tolist(), interactions.items.tolist(), strict=True))
    assert len(found) == len(set(found))
    return set(found)


def asked(name: str, events: Interactions, seed: int = 0) -> list[tuple[Events, Events, Events]]:
    def parts(question: Question) -> tuple[Events, Events, Events]:
        return of(question.known), of(question.given), of(question.asked)

    return [parts(question) for question in PROTOCOLS[name].questions(events, seed)]


def test_of_events_with_an_item_the_first_is_kept(world_data: Dataset) -> None:
    twice = world_data.interactions
    repeated = np.repeat(np.arange(len(twice)), 2)
    items, offsets = twice.items[repeated], twice.offsets * 2
    kept = first_events(Interactions(offsets, items, twice.kinds[repeated], twice.kind_names))
    once = first_events(twice)
    assert kept.items.tolist() == once.items.tolist()
    assert kept.offsets.tolist() == once.offsets.tolist()
    rows = [np.split(each.items, each.offsets[1:-1]) for each in (twice, once)]
    for before, after in zip(*rows, strict=True):
        assert list(dict.fromkeys(before.tolist())) == after.tolist()


def test_what_is_left_out_is_left_out(events: Interactions) -> None:
    part = events.only(np.random.default_rng(0).random(len(events)) < 0.3)
    assert of(without(events, part)) == of(events) - of(part)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_nobody_is_asked_for_what_is_known(name: str, events: Interactions) -> None:
    for known, given, wanted in asked(name, events):
        assert wanted
        assert not wanted & (known | given)
        assert known | given | wanted <= of(events)
    (*_, validation), (known, _, test) = asked(name, events)
    assert not validation & test
    # What settings were chosen by is learned from in the end.
    assert validation <= known


@pytest.mark.parametrize("name", ["random", "next-item", "new-items"])
def test_users_are_asked_with_what_was_learned_from(name: str, events: Interactions) -> None:
    for known, given, _ in asked(name, events):
        assert known == given
    known, _, wanted = asked(name, events)[1]
    assert known | wanted == of(events)


def test_of_new_users_nothing_is_known_but_what_is_given(events: Interactions) -> None:
    for known, given, wanted in asked("new-users", events):
        users = {user for user, _ in wanted}
        assert not users & {user for user, _ in known}
        told = {each for each in given if each[0] in users}
        assert told | wanted == {each for each in of(events) if each[0] in users}
        assert len(wanted) <= 0.2 * (len(told) + len(wanted))


def test_the_same_users_are_asked_for_the_same_where_they_are_known(events: Interactions) -> None:
    pairs = zip(asked("new-users", events), asked("known-users", events), strict=True)
    for (known, given, wanted), (more, told, same) in pairs:
        assert same == wanted
        assert told == given
        users = {user for user, _ in wanted}
        assert more >= known | {each for each in given if each[0] in users}
        assert not more & wanted


def test_new_items_are_in_no_event_that_is_known(events: Interactions) -> None:
    for known, _, wanted in asked("new-items", events):
        items = {item for _, item in wanted}
        assert not items & {item for _, item in known}
        assert len(items) == 4


def test_a_seed_draws_all_but_the_next_item(events: Interactions) -> None:
    for name in PROTOCOLS:
        first, again, other = (asked(name, events, seed) for seed in (0, 0, 1))
        assert first == again
        assert (first == other) == (name == "next-item")

"""What the benchmarks of feedback are made of: fake users, and how an attack is judged."""

import numpy as np
import pytest
from bench.feedback.membership import above, told
from bench.feedback.poisoning import ATTACKS, with_users

from whyrec.data.dataset import Dataset


def test_fake_users_come_after_the_real_ones_whose_events_stay(shop: Dataset) -> None:
    events = shop.interactions
    histories = [np.array([3, 4], np.int32), np.zeros(0, np.int32), np.array([5], np.int32)]
    poisoned = with_users(shop, events, histories)
    assert poisoned.users.ids == (*shop.users.ids, "fake 0", "fake 1", "fake 2")
    assert len(poisoned.user_features) == poisoned.n_users
    real = poisoned.interactions.take(np.arange(shop.n_users))
    assert real.items.tolist() == events.items.tolist()
    found = [
        poisoned.interactions.take(np.array([shop.n_users + n])).items.tolist() for n in range(3)
    ]
    assert found == [[3, 4], [], [5]]


@pytest.mark.parametrize(
    ("attack", "n_events", "n_pushed"),
    [
        ("50 popular", 51, 1),
        ("300 popular", 301, 1),
        ("3,000 times", 6_000, 3_000),
    ],
)
def test_a_fake_user_has_what_the_attack_says(attack: str, n_events: int, n_pushed: int) -> None:
    popular = np.arange(2_000, dtype=np.int32)
    items = ATTACKS[attack](np.random.default_rng(0), popular, 1_999)
    assert len(items) == n_events
    assert (items == 1_999).sum() == n_pushed
    assert items[items != 1_999].max() < 600


def test_an_attacker_who_knows_has_an_area_of_one_and_one_who_guesses_of_half() -> None:
    users = range(200)
    assert told([(user, user % 2 == 0, float(user % 2 == 0)) for user in users]).startswith("1.000")
    area, low, high = (
        told([(user, user % 2 == 0, float(user // 2)) for user in users])
        .replace("[", "")
        .replace("]", "")
        .replace(",", "")
        .split()
    )
    assert float(area) == 0.5
    assert float(low) < 0.5 < float(high)


def test_what_is_seen_is_told_in_standard_deviations() -> None:
    others = np.array([[1.0, 2.0, 3.0], [0.0, 2.0, 4.0]])
    assert above(np.array([5.0, 2.0]), others).tolist() == pytest.approx([3.0, 0.0])

import pytest

from whyrec.reasons.text import ENGLISH, English


@pytest.mark.parametrize(
    ("event", "rating", "times", "for_it", "against_it"),
    [
        (None, None, 1, "Because of Alien in your history", "Despite Alien in your history"),
        (
            None,
            5.0,
            1,
            "Because of Alien in your history (rated 5.0)",
            "Despite Alien in your history (rated 5.0)",
        ),
        (
            None,
            None,
            3,
            "Because of Alien in your history (3 times)",
            "Despite Alien in your history (3 times)",
        ),
        ("purchase", None, 1, "Because you purchased Alien", "Although you purchased Alien"),
        (
            "purchase",
            None,
            2,
            "Because you purchased Alien (2 times)",
            "Although you purchased Alien (2 times)",
        ),
        ("rating", 4.5, 1, "Because you rated Alien 4.5", "Although you rated Alien 4.5"),
        ("rating", None, 1, "Because you rated Alien", "Although you rated Alien"),
        (
            "view",
            3.0,
            2,
            "Because you viewed Alien (rated 3.0, 2 times)",
            "Although you viewed Alien (rated 3.0, 2 times)",
        ),
        (
            "zapped",
            None,
            1,
            "Because of Alien in your history (zapped)",
            "Despite Alien in your history (zapped)",
        ),
        (
            "zapped",
            1.25,
            4,
            "Because of Alien in your history (zapped, rated 1.25, 4 times)",
            "Despite Alien in your history (zapped, rated 1.25, 4 times)",
        ),
    ],
)
def test_history_is_worded_by_what_is_known_of_the_events(
    event: str | None, rating: float | None, times: int, for_it: str, against_it: str
) -> None:
    for against, expected in ((False, for_it), (True, against_it)):
        text = ENGLISH.history("Alien", event=event, rating=rating, times=times, against=against)
        assert text == expected


def test_a_label_with_braces_is_no_template() -> None:
    text = ENGLISH.history("{item} {0}", event="rating", rating=2.0, times=1, against=False)
    assert text == "Because you rated {item} {0} 2.0"


def test_groups_attributes_and_features_name_their_field_and_value() -> None:
    group = ENGLISH.history_group("genres", "Comedy", n_items=5, against=False)
    assert group == "Because of 5 items in your history with genres: Comedy"
    assert ENGLISH.user_attribute("age", 34, against=False) == "Because of your age: 34"
    assert ENGLISH.user_attribute("age", 34, against=True) == "Despite your age: 34"
    assert ENGLISH.item_feature("genres", "War", against=True) == "Despite its genres: War"


def test_a_partner_is_told_after_the_reason() -> None:
    text = ENGLISH.with_partner("Because you watched Alien", "genres", "Horror")
    assert text == "Because you watched Alien, all the more since this has genres: Horror"
    assert ENGLISH.with_partner("Despite Alien", "price", 1 / 3).endswith("has price: 0.3333")


def test_of_many_values_the_first_are_named_and_the_rest_counted() -> None:
    values = ("a", "b", "c", "d")
    assert ENGLISH.user_attribute("likes", values, against=False).endswith("likes: a, b, c, d")
    longer = (*values, "e", "f")
    assert ENGLISH.user_attribute("likes", longer, against=False).endswith("c, d and 2 more")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1979, "1979"), (0.0, "0.0"), (19.99, "19.99"), (1 / 3, "0.3333"), (1e-7, "1e-07")],
)
def test_numbers_are_shown_with_what_a_person_needs_of_them(value: float, shown: str) -> None:
    assert ENGLISH.item_feature("price", value, against=False) == f"Because of its price: {shown}"


def test_verbs_and_the_name_of_a_rating_can_be_set() -> None:
    wording = English(verbs={"zap": "zapped past {item}"}, rating="for {} minutes")
    text = wording.history("Alien", event="zap", rating=12.0, times=1, against=False)
    assert text == "Because you zapped past Alien (for 12.0 minutes)"
    text = wording.history("Alien", event="view", rating=None, times=1, against=False)
    assert text == "Because of Alien in your history (view)"

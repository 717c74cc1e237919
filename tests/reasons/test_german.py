import pytest

from whyrec.reasons.german import GERMAN, German
from whyrec.reasons.reason import Partner, Reason, ReasonKind


@pytest.mark.parametrize(
    ("event", "rating", "times", "for_it", "against_it"),
    [
        (None, None, 1, "Wegen Alien in deinem Verlauf", "Trotz Alien in deinem Verlauf"),
        (
            None,
            5.0,
            3,
            "Wegen Alien in deinem Verlauf (mit 5,0 bewertet, 3-mal)",
            "Trotz Alien in deinem Verlauf (mit 5,0 bewertet, 3-mal)",
        ),
        ("purchase", None, 2, "Weil du Alien gekauft hast (2-mal)", "Obwohl du Alien gekauft hast"),
        ("rating", 4.5, 1, "Weil du Alien mit 4,5 bewertet hast", "Obwohl du Alien mit 4,5"),
        ("rating", None, 1, "Weil du Alien bewertet hast", "Obwohl du Alien bewertet hast"),
        ("view", 3.0, 1, "Weil du Alien angesehen hast (mit 3,0 bewertet)", "Obwohl du Alien"),
        ("zapped", None, 1, "Wegen Alien in deinem Verlauf (zapped)", "Trotz Alien"),
    ],
)
def test_history_is_worded_by_what_is_known_of_the_events(
    event: str | None, rating: float | None, times: int, for_it: str, against_it: str
) -> None:
    told = [
        GERMAN.history("Alien", event=event, rating=rating, times=times, against=against)
        for against in (False, True)
    ]
    assert told[0] == for_it
    assert told[1].startswith(against_it)


def test_one_reason_is_told_in_any_language() -> None:
    reason = Reason(
        ReasonKind.HISTORY_GROUP, "genres", "Comedy", None, 0.5, 0.5, (0, 1, 4), n_items=2
    )
    assert reason.text == "Because of 2 items in your history with genres: Comedy"
    german = reason.text_in(GERMAN)
    assert german == "Wegen 2 Artikeln in deinem Verlauf mit genres: Comedy"
    feature = Reason(ReasonKind.ITEM_FEATURE, "price", 19.99, None, -0.5, -0.5, (3,))
    assert feature.text_in(GERMAN) == "Trotz der Eigenschaft price: 19,99"
    likes = Reason(ReasonKind.USER_ATTRIBUTE, "likes", (*"abc", 0.5, 5, 6), None, 1, 1, (3,))
    assert likes.text_in(GERMAN) == "Wegen deiner Angabe likes: a, b, c, 0,5 und 2 weitere"
    partner = Partner("genres", "Horror", 0.1)
    view = Reason(ReasonKind.HISTORY, 7, None, "view", 1, 1, (3,), partner=partner, label="Alien")
    assert view.text_in(GERMAN) == "Weil du Alien angesehen hast, umso mehr wegen genres: Horror"


def test_the_words_of_an_event_can_be_set() -> None:
    wording = German(participles={"zap": "weggezappt"})
    text = wording.history("Alien", event="zap", rating=None, times=1, against=False)
    assert text == "Weil du Alien weggezappt hast"

"""The words of reasons in German."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from whyrec.reasons.text import named, shown

_PARTICIPLES: Mapping[str, str] = MappingProxyType(
    {
        "add_to_cart": "in den Warenkorb gelegt",
        "bookmark": "gemerkt",
        "buy": "gekauft",
        "cart": "in den Warenkorb gelegt",
        "click": "angeklickt",
        "dislike": "abgelehnt",
        "download": "heruntergeladen",
        "favorite": "zu den Favoriten gelegt",
        "like": "mit „Gefällt mir“ markiert",
        "listen": "angehört",
        "order": "bestellt",
        "play": "gespielt",
        "purchase": "gekauft",
        "rate": "bewertet",
        "rating": "bewertet",
        "read": "gelesen",
        "save": "gespeichert",
        "share": "geteilt",
        "view": "angesehen",
        "watch": "angesehen",
        "wishlist": "auf die Wunschliste gesetzt",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class German:
    """Plain German.

    >>> German().history("Alien (1979)", event="purchase", rating=None, times=2, against=False)
    'Weil du Alien (1979) gekauft hast (2-mal)'
    >>> German().history("Alien (1979)", event=None, rating=4.5, times=1, against=True)
    'Trotz Alien (1979) in deinem Verlauf (mit 4,5 bewertet)'
    """

    participles: Mapping[str, str] = field(default_factory=lambda: _PARTICIPLES)
    """What stands before "hast" for a kind of event."""

    longest_list: int = 4
    """How many values of an attribute are named before the rest is only counted."""

    locale: str = "de"

    def history(
        self, label: str, *, event: str | None, rating: float | None, times: int, against: bool
    ) -> str:
        """Word an item of the history: "Weil du Alien (1979) gekauft hast"."""
        participle = None if event is None else self.participles.get(event)
        rated = "" if rating is None else f"mit {_number(rating)} bewertet"
        notes = []
        if participle is None:
            said = f"{_because_of(against)} {label} in deinem Verlauf"
            notes += [event] if event else []
        else:
            if participle == "bewertet" and rated:
                participle, rated = rated, ""
            said = f"{'Obwohl' if against else 'Weil'} du {label} {participle} hast"
        notes += [rated] if rated else []
        if times > 1:
            notes.append(f"{times}-mal")
        return f"{said} ({', '.join(notes)})" if notes else said

    def history_group(self, field: str, value: object, *, n_items: int, against: bool) -> str:
        """Word a group: "Wegen 5 Artikeln in deinem Verlauf mit genres: Comedy"."""
        articles = "1 Artikel" if n_items == 1 else f"{n_items} Artikeln"
        shared = f"{field}: {self._named(value)}"
        return f"{_because_of(against)} {articles} in deinem Verlauf mit {shared}"

    def user_attribute(self, field: str, value: object, *, against: bool) -> str:
        """Word an attribute: "Wegen deiner Angabe age: 34"."""
        return f"{_because_of(against)} deiner Angabe {field}: {self._named(value)}"

    def item_feature(self, field: str, value: object, *, against: bool) -> str:
        """Word a feature: "Wegen der Eigenschaft genres: Comedy"."""
        return f"{_because_of(against)} der Eigenschaft {field}: {self._named(value)}"

    def with_partner(self, said: str, field: str, value: object) -> str:
        """Add a partner: "Weil du Alien angesehen hast, umso mehr wegen genres: Horror"."""
        return f"{said}, umso mehr wegen {field}: {self._named(value)}"

    def _named(self, value: object) -> str:
        values = tuple(map(_number, value)) if isinstance(value, tuple) else _number(value)
        return named(values, self.longest_list, " und {} weitere")


GERMAN = German()


def _because_of(against: bool) -> str:
    return "Trotz" if against else "Wegen"


def _number(value: object) -> object:
    """Return a number as it is written in German, anything else as it is."""
    return shown(value).replace(".", ",") if isinstance(value, float) else value

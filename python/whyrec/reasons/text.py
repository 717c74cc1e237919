"""The words of reasons, found when they are read: a protocol for any language, and English."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol


class Wording(Protocol):
    """Puts reasons into words; `against` says that a reason speaks against the item."""

    @property
    def locale(self) -> str:
        """The language, as a tag of BCP 47 such as "de"."""
        ...

    def history(
        self, label: str, *, event: str | None, rating: float | None, times: int, against: bool
    ) -> str:
        """Word an item of the history that has been met one or more times."""
        ...

    def history_group(self, field: str, value: object, *, n_items: int, against: bool) -> str:
        """Word several items of the history that share a value of a field."""
        ...

    def user_attribute(self, field: str, value: object, *, against: bool) -> str:
        """Word what is known of the user in a field; a tuple holds several values."""
        ...

    def item_feature(self, field: str, value: object, *, against: bool) -> str:
        """Word a feature value of the recommended item."""
        ...

    def with_partner(self, said: str, field: str, value: object) -> str:
        """Add to a reason from history the feature of the item that makes it count for more."""
        ...


_VERBS: Mapping[str, str] = MappingProxyType(
    {
        "add_to_cart": "put {item} into your cart",
        "bookmark": "bookmarked {item}",
        "buy": "bought {item}",
        "cart": "put {item} into your cart",
        "click": "clicked {item}",
        "dislike": "disliked {item}",
        "download": "downloaded {item}",
        "favorite": "favorited {item}",
        "like": "liked {item}",
        "listen": "listened to {item}",
        "order": "ordered {item}",
        "play": "played {item}",
        "purchase": "purchased {item}",
        "rate": "rated {item} {rating}",
        "rating": "rated {item} {rating}",
        "read": "read {item}",
        "save": "saved {item}",
        "share": "shared {item}",
        "view": "viewed {item}",
        "watch": "watched {item}",
        "wishlist": "put {item} on your wish list",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class English:
    """Plain English.

    >>> English().history("Alien (1979)", event=None, rating=5.0, times=1, against=False)
    'Because of Alien (1979) in your history (rated 5.0)'
    >>> English().history("Alien (1979)", event="purchase", rating=None, times=2, against=True)
    'Although you purchased Alien (1979) (2 times)'
    """

    verbs: Mapping[str, str] = field(default_factory=lambda: _VERBS)
    """How "Because you …" goes on for a kind of event: with {item}, and {rating} if it says it."""

    rating: str = "rated {}"
    """What the value of any other event is called, with {} for the value."""

    longest_list: int = 4
    """How many values of an attribute are named before the rest is only counted."""

    locale: str = "en"

    def history(
        self, label: str, *, event: str | None, rating: float | None, times: int, against: bool
    ) -> str:
        """Word an item of the history: "Because you purchased Alien (1979)"."""
        verb = None if event is None else self.verbs.get(event)
        rated = "" if rating is None else shown(rating)
        notes = []
        if verb is None:
            said = f"{_because_of(against)} {label} in your history"
            notes += [event] if event else []
        else:
            opening = "Although" if against else "Because"
            said = f"{opening} you {verb.format(item=label, rating=rated)}".rstrip()
        if rated and not (verb and "{rating}" in verb):
            notes.append(self.rating.format(rated))
        if times > 1:
            notes.append(f"{times} times")
        return f"{said} ({', '.join(notes)})" if notes else said

    def history_group(self, field: str, value: object, *, n_items: int, against: bool) -> str:
        """Word a group: "Because of 5 items in your history with genres: Comedy"."""
        shared = f"{field}: {self._named(value)}"
        return f"{_because_of(against)} {n_items} items in your history with {shared}"

    def user_attribute(self, field: str, value: object, *, against: bool) -> str:
        """Word an attribute: "Because of your age: 34"."""
        return f"{_because_of(against)} your {field}: {self._named(value)}"

    def item_feature(self, field: str, value: object, *, against: bool) -> str:
        """Word a feature: "Because of its genres: Comedy"."""
        return f"{_because_of(against)} its {field}: {self._named(value)}"

    def with_partner(self, said: str, field: str, value: object) -> str:
        """Add a partner: "Because you watched Alien, all the more since this has genres: Horror".

        It is said of what speaks against the item, too.
        """
        return f"{said}, all the more since this has {field}: {self._named(value)}"

    def _named(self, value: object) -> str:
        return named(value, self.longest_list, " and {} more")


ENGLISH = English()


def _because_of(against: bool) -> str:
    return "Despite" if against else "Because of"


def named(value: object, longest: int, more: str) -> str:
    """Show a value, or the first of several; more, with {} for how many, counts the rest."""
    if not isinstance(value, tuple):
        return shown(value)
    first = [shown(each) for each in value[:longest]]
    n_more = len(value) - len(first)
    return ", ".join(first) + (more.format(n_more) if n_more else "")


def shown(value: object) -> str:
    """Show a number with what a person needs of it: two decimals, four digits where small."""
    return _number(value) if isinstance(value, float) else str(value)


@lru_cache(maxsize=1_024)  # ratings are few, and told again and again
def _number(value: float) -> str:
    return str(round(value, 2)) if abs(value) >= 1 or value == 0 else f"{value:.4g}"

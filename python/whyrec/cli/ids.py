"""Ids as they are typed: text, which may mean an id that is a whole number."""

from collections.abc import Hashable, Iterable

from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import UnknownUserError
from whyrec.sdk import SDK


def known(vocabulary: Vocabulary, text: str) -> Hashable:
    """Return the id that a text means: the text itself, or else the whole number that it says.

    Where there is neither, the text comes back, for the SDK to say that it is unknown.

    >>> known(Vocabulary((7, 8)), "7"), known(Vocabulary(("7", 7)), "7"), known(Vocabulary(()), "7")
    (7, '7', '7')
    """
    if text in vocabulary:
        return text
    try:
        number = int(text)
    except ValueError:
        return text
    return number if number in vocabulary else text


def meant(sdk: SDK, text: str) -> Hashable:
    """Return the id of the user that a text means, somebody of whom only feedback tells too."""
    found = known(sdk.dataset.users, text)
    if found not in sdk.dataset.users and text.lstrip("-").isdecimal():
        # Nobody but the store can tell 7 from "7"; it has the one or the other.
        number = int(text)
        return number if _is_recorded(sdk, number) and not _is_recorded(sdk, text) else text
    return found


def _is_recorded(sdk: SDK, user: Hashable) -> bool:
    try:
        sdk.history(user)
    except UnknownUserError:
        return False
    return True


def known_all(vocabulary: Vocabulary, texts: Iterable[str]) -> list[Hashable]:
    """Return the ids that some texts mean."""
    return [known(vocabulary, text) for text in texts]

"""Ids as they are typed: text, which may mean an id that is a whole number."""

from collections.abc import Hashable, Iterable

from whyrec.data.vocabulary import Vocabulary


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


def known_all(vocabulary: Vocabulary, texts: Iterable[str]) -> list[Hashable]:
    """Return the ids that some texts mean."""
    return [known(vocabulary, text) for text in texts]

"""Where the item of a slot of an answer comes from."""

from enum import StrEnum


class SlotSource(StrEnum):
    """What put an item where it stands."""

    MODEL = "model"
    """Its score."""

    POPULAR = "popular"
    """How often it was chosen by anybody: the answer of a popularity model."""

    PROMOTED = "promoted"
    """A rule that pins or boosts the item itself."""

    ARRANGED = "arranged"
    """A rule about the answer as a whole, such as `at_most` or `diversity`."""

    EXPLORED = "explored"
    """A draw, to learn what is made of it."""

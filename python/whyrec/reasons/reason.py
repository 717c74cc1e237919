"""A reason: one contribution to a score, with the words for it."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum

from whyrec.reasons.text import ENGLISH, Wording


class ReasonKind(StrEnum):
    """Where a reason comes from."""

    HISTORY = "history"
    """An item of the user's history, all its events folded together."""

    HISTORY_GROUP = "history_group"
    """Several items of the user's history that share a tag or a category."""

    USER_ATTRIBUTE = "user_attribute"
    """What is known of the user in one field."""

    ITEM_FEATURE = "item_feature"
    """A feature value of the recommended item."""


@dataclass(frozen=True, slots=True)
class Partner:
    """A feature of the item with which a reason from history counts for more than without."""

    field: str
    value: object

    interaction: float
    """What the two are worth together, in logits, beyond each by itself; signed as the reason."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item scored as it did, in part."""

    kind: ReasonKind

    source: Hashable
    """The item's id for history; the field's name for groups, attributes and features."""

    value: object
    """The rating of an event, the tag of a group, the value of an attribute or a feature.

    An attribute of several values gives a tuple. None where an event has no rating, or where
    several events that fold into one reason differ in it.
    """

    event: str | None
    """The kind of event, such as purchase; None outside history and where events have no kind."""

    contribution: float
    """In logits; negative when it speaks against the item."""

    share: float
    """The contribution over the sum of the absolute contributions of all players, from −1 to 1."""

    players: tuple[int, ...] = field(repr=False)
    """The players that fold into it, as positions among the players of the pair, rising."""

    confidence: float | None = None
    """How likely, from 0 to 1, its player is among the five truly strongest of the explanation.

    None where several players fold into it, and where the explainer states none.
    """

    partner: Partner | None = None
    """The item's feature that it goes with best; None unless asked for, and where there is none."""

    label: str | None = None
    """What people call the item of the history; None outside history and for groups."""

    n_items: int | None = None
    """How many items of the history are in a group; None where it is no group."""

    reason_id: str = ""
    """What names it, see `whyrec.reasons.reason_id`; empty where no model and user are known."""

    may_object: bool = False
    """Whether the user may object to it: nothing keeps the objection of a visitor without an id."""

    @property
    def n_players(self) -> int:
        """How many players fold into it."""
        return len(self.players)

    @property
    def template(self) -> str:
        """What names the sentence, the same in every language."""
        return self.kind.value

    @property
    def parameters(self) -> dict[str, object]:
        """What the sentence is filled with: the arguments of the method of `Wording` of its name.

        A partner is told by itself, after the sentence.
        """
        against = self.contribution < 0
        match self.kind:
            case ReasonKind.HISTORY:
                return {
                    "label": self.label or str(self.source),
                    "event": self.event,
                    "rating": self.value,
                    "times": self.n_players,
                    "against": against,
                }
            case ReasonKind.HISTORY_GROUP:
                told: dict[str, object] = {"field": self.source, "value": self.value}
                return {**told, "n_items": self.n_items, "against": against}
            case _:
                return {"field": self.source, "value": self.value, "against": against}

    @property
    def text(self) -> str:
        """The reason in English words."""
        return self.text_in(ENGLISH)

    def text_in(self, wording: Wording) -> str:
        """Return the reason in the words of a language.

        >>> from whyrec.reasons.german import GERMAN
        >>> Reason(ReasonKind.USER_ATTRIBUTE, "age", 34, None, 0.5, 0.5, (4,)).text_in(GERMAN)
        'Wegen deiner Angabe age: 34'
        """
        said: str = getattr(wording, self.template)(**self.parameters)
        if self.partner is None:
            return said
        return wording.with_partner(said, self.partner.field, self.partner.value)

    def __str__(self) -> str:
        return f"{self.contribution:+.3f} {self.text}"

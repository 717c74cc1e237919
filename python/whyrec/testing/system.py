"""What a check needs of the system under test; an `SDK`, fitted or wrapped, has it all."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self, overload

from whyrec.data.dataset import Dataset
from whyrec.explain.explainer import Explainer
from whyrec.models.recommender import Recommender


class Reason(Protocol):
    """One contribution to a score."""

    @property
    def kind(self) -> str:
        """Where it comes from: history, history_group, user_attribute or item_feature."""
        ...

    @property
    def source(self) -> Hashable:
        """The item's id for history; the name of the field otherwise."""
        ...

    @property
    def contribution(self) -> float:
        """In logits."""
        ...

    @property
    def share(self) -> float:
        """The contribution over the sum of the absolute ones of all players."""
        ...

    @property
    def text(self) -> str:
        """The reason in words."""
        ...

    @property
    def players(self) -> tuple[int, ...]:
        """The players that fold into it, as positions among those of the pair."""
        ...

    @property
    def confidence(self) -> float | None:
        """How likely it is among the five truly strongest, if anything says so."""
        ...


class Explained(Protocol):
    """The score of an item and, if it was asked for, how it comes about; all in logits."""

    @property
    def item_id(self) -> Hashable:
        """As the catalog has it."""
        ...

    @property
    def score(self) -> float:
        """What ranks the item."""
        ...

    @property
    def reasons(self) -> Sequence[Reason]:
        """The strongest first."""
        ...

    @property
    def base_value(self) -> float | None:
        """What the item scores for somebody of whom nothing is known."""
        ...

    @property
    def efficiency_gap(self) -> float | None:
        """What no contribution accounts for."""
        ...

    @property
    def tier(self) -> str | None:
        """Which explainer found the contributions."""
        ...

    @property
    def margin(self) -> float | None:
        """How far it scores above others, where it is held against some."""
        ...


class Ranked(Explained, Protocol):
    """An item in an answer."""

    @property
    def rank(self) -> int:
        """From 1."""
        ...

    @property
    def other_contribution(self) -> float | None:
        """The contributions of all that is not among the reasons."""
        ...


class Answer(Protocol):
    """The items for one user, best first."""

    @property
    def user_id(self) -> Hashable | None:
        """None for a visitor."""
        ...

    @property
    def personalised(self) -> bool:
        """Whether there was a history to answer from."""
        ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Ranked]: ...

    def to_json(self) -> str:
        """Return all of it as JSON."""
        ...


class Explanation(Explained, Protocol):
    """Why one user's score of one item is what it is."""

    @property
    def against(self) -> Sequence[Hashable]:
        """The items that it was held against."""
        ...

    def to_json(self) -> str:
        """Return all of it as JSON."""
        ...


class Importance(Protocol):
    """What one source contributed over many explanations."""

    @property
    def count(self) -> int:
        """How many times it was a player."""
        ...

    @property
    def mean_contribution(self) -> float:
        """In logits."""
        ...

    @property
    def mean_absolute(self) -> float:
        """In logits."""
        ...

    @property
    def share(self) -> float:
        """Its part of all absolute contributions."""
        ...


class GlobalImportance(Protocol):
    """What matters over many explanations, the largest share first."""

    @property
    def sources(self) -> Sequence[Importance]:
        """All that was a player."""
        ...

    @property
    def n_explanations(self) -> int:
        """How many scores were explained."""
        ...


class System(Protocol):
    """A recommender with reasons, as its users meet it; see `SDK` for what each call means."""

    @property
    def dataset(self) -> Dataset:
        """What it was fitted on."""
        ...

    @property
    def recommender(self) -> Recommender:
        """What scores."""
        ...

    @property
    def explainer(self) -> Explainer:
        """What attributes scores to players."""
        ...

    @overload
    def recommend(
        self,
        user: list[Any],
        k: int = 10,
        *,
        exclude: Iterable[Hashable] = ...,
        only: Iterable[Hashable] | None = ...,
        include_seen: bool = ...,
    ) -> Sequence[Answer]: ...
    @overload
    def recommend(
        self,
        user: Hashable,
        k: int = 10,
        *,
        exclude: Iterable[Hashable] = ...,
        only: Iterable[Hashable] | None = ...,
        include_seen: bool = ...,
    ) -> Answer: ...
    def recommend(self, user: Any, k: int = 10, **rules: Any) -> Any:
        """Recommend k items to a user, or to each of several."""
        ...

    @overload
    def recommend_with_reasons(
        self,
        user: list[Any],
        k: int = 10,
        *,
        against: int | None = ...,
        max_reasons: int | None = ...,
        group_by: str | None = ...,
        interactions: bool = ...,
        exclude: Iterable[Hashable] = ...,
        only: Iterable[Hashable] | None = ...,
        include_seen: bool = ...,
    ) -> Sequence[Answer]: ...
    @overload
    def recommend_with_reasons(
        self,
        user: Hashable,
        k: int = 10,
        *,
        against: int | None = ...,
        max_reasons: int | None = ...,
        group_by: str | None = ...,
        interactions: bool = ...,
        exclude: Iterable[Hashable] = ...,
        only: Iterable[Hashable] | None = ...,
        include_seen: bool = ...,
    ) -> Answer: ...
    def recommend_with_reasons(self, user: Any, k: int = 10, **told: Any) -> Any:
        """Do the same, and say why."""
        ...

    def recommend_for(
        self,
        history: Iterable[Hashable] = (),
        attributes: Mapping[str, object] | None = None,
        k: int = 10,
        *,
        max_reasons: int | None = 3,
    ) -> Answer:
        """Recommend to a visitor without an id, and say why."""
        ...

    def explain(
        self,
        user: Hashable,
        item: Hashable,
        *,
        against: Iterable[Hashable] | int | None = None,
        max_reasons: int | None = None,
        group_by: str | None = None,
    ) -> Explanation:
        """Say why an item scores as it does for a user."""
        ...

    def importance(self, users: list[Any] | None = None, k: int = 10) -> GlobalImportance:
        """Accumulate the contributions behind the best k items of some users."""
        ...

    def save(self, path: Path) -> None:
        """Save everything as a directory."""
        ...

    @classmethod
    def load(cls, path: Path) -> Self:
        """Load what `save` wrote."""
        ...

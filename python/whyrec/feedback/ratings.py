"""What users have said of reasons: counted for an audit, and as votes that choose reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

import scipy.stats
from rich.table import Table

from whyrec.feedback.records import Rating, ReasonRating
from whyrec.reasons.choice import Topic, Votes, topic_of
from whyrec.reasons.display import Grid
from whyrec.reasons.export import json_text

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class RatedTopic:
    """What was said of the reasons of a kind, about one field."""

    kind: str
    """The kind of the reasons, such as "history"."""

    field: str | None
    """The field that they tell of; None for items of the history."""

    helped: int
    wrong: int
    unclear: int
    """How many ratings there are of each."""

    n_users: int
    """How many users they are of."""

    share_wrong: float
    """The part that says wrong, from 0 to 1."""

    low: float
    high: float
    """Between what the part may be: the 95 % interval of Wilson's score."""


@dataclass(frozen=True, slots=True, repr=False)
class RatingAudit(Sequence[RatedTopic]):
    """What was said of reasons, the kinds with the most ratings first.

    E. B. Wilson, Probable Inference, the Law of Succession, and Statistical Inference (JASA 1927).
    The intervals take ratings for independent; those of one user are not.
    """

    topics: tuple[RatedTopic, ...]

    def __len__(self) -> int:
        return len(self.topics)

    @overload
    def __getitem__(self, index: int) -> RatedTopic: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[RatedTopic, ...]: ...
    def __getitem__(self, index: int | slice) -> RatedTopic | tuple[RatedTopic, ...]:
        return self.topics[index]

    def __iter__(self) -> Iterator[RatedTopic]:
        return iter(self.topics)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as dicts and lists."""
        return {"topics": [asdict(each) for each in self]}

    def to_json(self, indent: int | None = None) -> str:
        """Return `to_dict` as JSON."""
        return json_text(self.to_dict(), indent)

    def _grid(self) -> Grid:
        rows = [
            (
                each.kind.replace("_", " "),
                each.field or "",
                f"{each.helped:,}",
                f"{each.wrong:,}",
                f"{each.unclear:,}",
                f"{each.n_users:,}",
                f"{each.share_wrong:.1%} [{each.low:.1%}, {each.high:.1%}]",
            )
            for each in self
        ]
        header = ("kind", "field", "helped", "wrong", "unclear", "users", "share wrong")
        return Grid("What users say of reasons", header, tuple(rows), None, frozenset(header[2:]))

    def __repr__(self) -> str:
        n_ratings = sum(each.helped + each.wrong + each.unclear for each in self)
        return f"RatingAudit({len(self)} topics, {n_ratings} ratings)"

    def __str__(self) -> str:
        return self._grid().to_text()

    def __rich__(self) -> Table:
        return self._grid().to_rich()

    def _repr_html_(self) -> str:
        return self._grid().to_html()


def audit_of(ratings: Iterable[ReasonRating]) -> RatingAudit:
    """Count ratings by what they are about.

    >>> said = [Rating.HELPED, Rating.WRONG, Rating.HELPED]
    >>> audit = audit_of([ReasonRating("ann", each, "fig", "history", "pear") for each in said])
    >>> audit[0].helped, audit[0].wrong, round(audit[0].share_wrong, 2)
    (2, 1, 0.33)
    """
    counts: dict[Topic, Counter[Rating]] = {}
    users: dict[Topic, set[object]] = {}
    for each in ratings:
        topic = topic_of(each.kind, each.source)
        counts.setdefault(topic, Counter())[Rating(each.rating)] += 1
        users.setdefault(topic, set()).add(each.user_id)
    topics = []
    for (kind, field), said in counts.items():
        n_all, wrong = said.total(), said[Rating.WRONG]
        between = scipy.stats.binomtest(wrong, n_all).proportion_ci(_CONFIDENCE, method="wilson")
        topics.append(
            RatedTopic(
                kind,
                field,
                said[Rating.HELPED],
                wrong,
                said[Rating.UNCLEAR],
                len(users[kind, field]),
                wrong / n_all,
                float(between.low),
                float(between.high),
            )
        )
    topics.sort(
        key=lambda each: (-counts[each.kind, each.field].total(), each.kind, each.field or "")
    )
    return RatingAudit(tuple(topics))


def votes_of(ratings: Iterable[ReasonRating]) -> dict[Topic, Votes]:
    """Return what users say of the reasons of each topic, one vote of each user.

    Somebody who rates a topic often has no more to say of it than anybody else.
    """
    said: dict[Topic, dict[object, list[bool]]] = {}
    for each in ratings:
        of_users = said.setdefault(topic_of(each.kind, each.source), {})
        of_users.setdefault(each.user_id, []).append(Rating(each.rating) is Rating.HELPED)
    return {
        topic: Votes(sum(sum(each) / len(each) for each in of_users.values()), len(of_users))
        for topic, of_users in said.items()
    }

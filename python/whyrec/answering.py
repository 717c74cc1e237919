"""What a fitted SDK is asked: its verbs that answer, and change nothing."""

import asyncio
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, NoReturn, Protocol, TypedDict, Unpack, overload

import numpy as np

from whyrec.askers import Askers, Telling
from whyrec.data.dataset import Dataset
from whyrec.data.events import read_held_out
from whyrec.data.field_table import Where
from whyrec.data.interactions import Interactions
from whyrec.data.report import Report
from whyrec.data.tables import read_table
from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy import Evaluation, read_cutoffs
from whyrec.evaluate.faithfulness import Faithfulness, faithfulness
from whyrec.explain import Explainer, ExplainerConfig, ShapleyConfig
from whyrec.feedback import Store
from whyrec.feedback.attached import AttachedStore
from whyrec.models import Recommender
from whyrec.pipeline import Pipeline
from whyrec.ranking import Filters, Rules
from whyrec.reasons.answers import explanation_of
from whyrec.reasons.choice import ReasonChoice
from whyrec.reasons.explanation import Explanation
from whyrec.reasons.importance import GlobalImportance, global_importance
from whyrec.reasons.recommendation import Recommendations
from whyrec.saved import Fitted


class _Series(Protocol):
    """A column of pandas or polars."""

    def to_list(self) -> list[Any]: ...


Ids = list[Any] | np.ndarray[Any, Any] | _Series
"""Several ids: a list, an array, a Series, or any other iterable that cannot be hashed."""


class Choices(TypedDict, total=False):
    """Which items may be in an answer."""

    exclude: Iterable[Hashable]
    only: Iterable[Hashable] | None
    include_seen: bool
    where: Where | None
    rules: Rules | None


class ChoicesAndReasons(Choices, total=False):
    """And how they are explained."""

    against: int | None
    max_reasons: int | None
    group_by: str | None
    interactions: bool


class Answering:
    """The verbs of an SDK that answer: for a user or a visitor, and about the whole."""

    def __init__(
        self, fitted: Fitted, *, store: Store | None = None, directory: Path | None = None
    ) -> None:
        """Take what was fitted, where feedback is kept, and where the SDK itself is saved.

        Without a store, feedback is in a file of that directory, if there is one.
        """
        self._fitted = fitted
        self._dataset = fitted.dataset
        self._pipeline = Pipeline(fitted)
        self._feedback = AttachedStore(store, directory)
        self._saved_in = set() if directory is None else {directory}
        self._forgetting = Lock()
        self._choice: ReasonChoice | None = None

    def __repr__(self) -> str:
        model, explainer = type(self._fitted.model).__name__, type(self._fitted.explainer).__name__
        size = f"{self._dataset.n_users} users, {self._dataset.n_items} items"
        return f"{type(self).__name__}({model}, {explainer}, {size})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{type(self).__name__} is neither pickled nor copied: save(path) keeps it, and "
            f"{type(self).__name__}.load(path) gives the same answers in any process; threads may "
            "share one"
        )

    @property
    def dataset(self) -> Dataset:
        """What the SDK was fitted on."""
        return self._dataset

    @property
    def model_id(self) -> str:
        """Which model answers: a digest of all that was fitted, the same after save and load."""
        return self._fitted.model_id

    @property
    def recommender(self) -> Recommender:
        """What scores."""
        return self._fitted.model

    @property
    def explainer(self) -> Explainer:
        """What says how scores come about."""
        return self._fitted.explainer

    @property
    def report(self) -> Report:
        """How the tables were read; print it to see every choice that was made."""
        return self._dataset.report

    @overload
    def recommend(
        self, user: Ids, k: int = 10, **choices: Unpack[Choices]
    ) -> list[Recommendations]: ...
    @overload
    def recommend(
        self, user: Hashable, k: int = 10, **choices: Unpack[Choices]
    ) -> Recommendations: ...
    def recommend(
        self,
        user: Hashable | Ids,
        k: int = 10,
        *,
        exclude: Iterable[Hashable] = (),
        only: Iterable[Hashable] | None = None,
        include_seen: bool = False,
        where: Where | None = None,
        rules: Rules | None = None,
    ) -> Recommendations | list[Recommendations]:
        """Recommend k items to a user, or to each of several, without reasons.

        Args:
            user: an id, or several as a list, an array or a Series.
            k: how many items at most; all there are, if they are fewer.
            exclude: ids of items that are not in the answer.
            only: ids of the only items that may be; None allows all.
            include_seen: whether items of the user's own history may be in the answer.
            where: what must hold of an item: an expression of pyarrow.compute or narwhals over the
                fields of the items, such as `pc.field("year") > 1990`. Null is not.
            rules: what the answer must hold beside what the model would choose, see `whyrec.Rules`.

        Raises:
            UnknownUserError: a user without events or attributes; see `recommend_for`.
            UnknownItemError: exclude, only or a rule names an item that is not in the catalog.
            ArgumentError: k is below 1, or where or a rule names a field that is not there or of
                another type.
        """
        askers = self._look_up(user)
        filters = self._pipeline.rule_book.filters(exclude, only, include_seen, where)
        ranked = self._pipeline.rank_with_rivals(askers, k, None, filters, rules)
        answers = self._pipeline.answer(askers, ranked, k)
        return answers if _is_several(user) else answers[0]

    @overload
    def recommend_with_reasons(
        self, user: Ids, k: int = 10, **choices: Unpack[ChoicesAndReasons]
    ) -> list[Recommendations]: ...
    @overload
    def recommend_with_reasons(
        self, user: Hashable, k: int = 10, **choices: Unpack[ChoicesAndReasons]
    ) -> Recommendations: ...
    def recommend_with_reasons(
        self,
        user: Hashable | Ids,
        k: int = 10,
        *,
        against: int | None = None,
        max_reasons: int | None = 3,
        group_by: str | None = None,
        interactions: bool = False,
        exclude: Iterable[Hashable] = (),
        only: Iterable[Hashable] | None = None,
        include_seen: bool = False,
        where: Where | None = None,
        rules: Rules | None = None,
    ) -> Recommendations | list[Recommendations]:
        """Recommend k items to a user, or to each of several, and say why.

        The contributions of the reasons, with the base value and everything else, add up to the
        score of the item, or to its margin.

        Args:
            user: an id, or several as a list, an array or a Series.
            k: how many items at most; all there are, if they are fewer.
            against: the reasons are then why each item scores so far above the mean of as many of
                the next best, those that may be in an answer and are not in this one.
            max_reasons: how many reasons per item, the strongest; None gives all.
            group_by: a field of the items, categorical or of tags: events whose items share a
                value of it become one reason, such as "your 5 comedies".
            interactions: whether a reason from history is told with the feature of the item that it
                goes with best, as `Reason.partner`.
            exclude: ids of items that are not in the answer.
            only: ids of the only items that may be; None allows all.
            include_seen: whether items of the user's own history may be in the answer.
            where: what must hold of an item: an expression of pyarrow.compute or narwhals over the
                fields of the items, such as `pc.field("year") > 1990`. Null is not.
            rules: what the answer must hold beside what the model would choose, see `whyrec.Rules`.

        Raises:
            UnknownUserError: a user without events or attributes; see `recommend_for`.
            UnknownItemError: exclude, only or a rule names an item that is not in the catalog.
            ArgumentError: k, against or max_reasons is below 1, group_by names no such field,
                nothing is left to hold an answer against, the explainer finds no interactions, or
                where or a rule names a field that is not there or of another type.
            ScoreError: a score is no finite number.
        """
        askers = self._look_up(user)
        filters = self._pipeline.rule_book.filters(exclude, only, include_seen, where)
        telling = Telling(max_reasons=max_reasons, group_by=group_by, interactions=interactions)
        answers = self._told(askers, k, against, filters, rules, telling)
        return answers if _is_several(user) else answers[0]

    @overload
    async def arecommend(
        self, user: Ids, k: int = 10, **choices: Unpack[Choices]
    ) -> list[Recommendations]: ...
    @overload
    async def arecommend(
        self, user: Hashable, k: int = 10, **choices: Unpack[Choices]
    ) -> Recommendations: ...
    async def arecommend(
        self, user: Hashable | Ids, k: int = 10, **choices: Unpack[Choices]
    ) -> Recommendations | list[Recommendations]:
        """Do what `recommend` does on another thread, so that the event loop goes on meanwhile.

        To cancel it frees the caller at once; the thread works to its end, and nobody hears of it.
        """
        return await asyncio.to_thread(lambda: self.recommend(user, k, **choices))

    @overload
    async def arecommend_with_reasons(
        self, user: Ids, k: int = 10, **choices: Unpack[ChoicesAndReasons]
    ) -> list[Recommendations]: ...
    @overload
    async def arecommend_with_reasons(
        self, user: Hashable, k: int = 10, **choices: Unpack[ChoicesAndReasons]
    ) -> Recommendations: ...
    async def arecommend_with_reasons(
        self, user: Hashable | Ids, k: int = 10, **choices: Unpack[ChoicesAndReasons]
    ) -> Recommendations | list[Recommendations]:
        """Do what `recommend_with_reasons` does on another thread, as `arecommend` does.

        >>> import asyncio, whyrec
        >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
        >>> sdk = whyrec.SDK.fit(world.events, world.items, model=whyrec.EASEConfig())
        >>> len(asyncio.run(sdk.arecommend_with_reasons("u7", k=3)))
        3
        """
        return await asyncio.to_thread(lambda: self.recommend_with_reasons(user, k, **choices))

    def recommend_for(
        self,
        history: Iterable[Hashable] = (),
        attributes: Mapping[str, object] | None = None,
        k: int = 10,
        *,
        against: int | None = None,
        max_reasons: int | None = 3,
        group_by: str | None = None,
        interactions: bool = False,
        exclude: Iterable[Hashable] = (),
        only: Iterable[Hashable] | None = None,
        include_seen: bool = False,
        where: Where | None = None,
        rules: Rules | None = None,
    ) -> Recommendations:
        """Recommend to a visitor without an id, and say why.

        Args:
            history: ids of items. Nothing is known of their times, so no recommender makes anything
                of their order.
            attributes: what is known of the visitor, by field; fields may be left out.
            k: how many items at most; all there are, if they are fewer.
            against: as in `recommend_with_reasons`, like all that follow.
            max_reasons: see there.
            group_by: see there.
            interactions: see there.
            exclude: see there.
            only: see there.
            include_seen: see there.
            where: see there.
            rules: see there.

        Raises:
            UnknownItemError: history, exclude, only or a rule names an item that is not there.
            ArgumentError: attributes name no field or do not fit theirs, or what
                `recommend_with_reasons` refuses.
            ScoreError: a score is no finite number.
        """
        askers = Askers([None], self._dataset.visitor(history, attributes or {}))
        filters = self._pipeline.rule_book.filters(exclude, only, include_seen, where)
        telling = Telling(max_reasons=max_reasons, group_by=group_by, interactions=interactions)
        return self._told(askers, k, against, filters, rules, telling)[0]

    def explain(
        self,
        user: Hashable,
        item: Hashable,
        *,
        against: Iterable[Hashable] | int | None = None,
        max_reasons: int | None = None,
        group_by: str | None = None,
        interactions: bool = False,
    ) -> Explanation:
        """Say why an item scores as it does for a user, whether it is recommended or not.

        Args:
            user: an id.
            item: the id of any item of the catalog, seen or not.
            against: ids of other items, or how many of the best that the user has not seen: the
                answer is then why this item scores so far above their mean, or below it.
            max_reasons: how many reasons, the strongest; None gives all.
            group_by: as in `recommend_with_reasons`.
            interactions: as there.

        Raises:
            UnknownUserError: there is no such user.
            UnknownItemError: there is no such item, or against names one that there is not.
            ArgumentError: max_reasons or against is below 1, group_by names no such field, against
                names the item itself or none at all, or the explainer finds no interactions.
            ScoreError: a score is no finite number.
        """
        askers = self._look_up([user])
        index = self._dataset.items.index_of(item)
        ranking = self._pipeline.score(askers, np.array([index], np.int32))
        rivals = None if against is None else self._pipeline.others(askers, index, against)
        telling = Telling(max_reasons=max_reasons, group_by=group_by, interactions=interactions)
        (breakdown,) = self._pipeline.break_down(askers, ranking, telling, rivals)
        return explanation_of(
            self._dataset,
            askers.ids[0],
            askers.histories,
            index,
            float(ranking.scores[0]),
            breakdown,
            None if rivals is None else rivals.items,
            self._fitted.model_id,
        )

    def evaluate(
        self,
        events: object,
        k: int | Iterable[int] = 10,
        *,
        given: Interactions | None = None,
    ) -> Evaluation:
        """Compare what would be recommended with what users did afterwards.

        The whole catalog is ranked, without the items of each user's own history; so an event of
        such an item is always missed. Events of users or items that the SDK does not know are left
        out. What recommendations are like, `Evaluation.beyond`, is told by the events that the SDK
        was fitted on and the fields of its items.

        Args:
            events: held-out events: a table with the columns that the SDK was fitted on, or a part
                of a split of its data set.
            k: how many recommendations count, or several such cut-offs.
            given: the histories to recommend from, a part of a split such as
                `hold_out_users(…).given`; None takes those that the SDK was fitted on.

        Raises:
            DataError: the table cannot be read, or has no event of a known user and item.
            ArgumentError: a k is below 1, or given is of other users or items.
        """
        known, cutoffs = self._dataset, read_cutoffs(k)
        if isinstance(events, Interactions):
            held_out = known.with_interactions(events).interactions
        else:
            table = read_table(events, "events")
            held_out = read_held_out(table, known.columns, known.users, known.items)
        before = known if given is None else known.with_interactions(given)
        return self._pipeline.evaluate(before, held_out, cutoffs)

    def importance(self, users: Ids | None = None, k: int = 10) -> GlobalImportance:
        """Accumulate the contributions behind the best k items of some users, or of all.

        Raises:
            UnknownUserError: a user is unknown.
            ArgumentError: k is below 1.
        """
        chosen = list(self._dataset.users) if users is None else users
        askers = self._look_up(chosen)
        ranking = self._pipeline.rank(askers, k)
        return global_importance(self._dataset, self._pipeline.attribute(askers, ranking))

    def faithfulness(
        self,
        n_pairs: int = 100,
        *,
        reference: ExplainerConfig | None = None,
        seed: int = 0,
    ) -> Faithfulness:
        """Measure how far the contributions are from the Shapley values of the recommender.

        The pairs are the best item of each of so many random users, those with a history.

        Args:
            n_pairs: how many pairs; fewer if there are not so many users.
            reference: what to compare with; `ShapleyConfig()` by default.
            seed: the same seed chooses the same users.

        Raises:
            ArgumentError: n_pairs is below 1, or nobody has a history.
        """
        if n_pairs < 1:
            raise ArgumentError(f"n_pairs must be at least 1, not {n_pairs}")
        active = np.flatnonzero(np.diff(self._dataset.interactions.offsets) > 0)
        users = np.random.default_rng(seed).permutation(active)[:n_pairs]
        askers = self._pipeline.users(users)
        ranking = self._pipeline.rank(askers, 1)
        truth = (reference or ShapleyConfig()).fit(
            self._fitted.model, self._dataset, progress=False
        )
        return faithfulness(
            self._pipeline.explain_by(askers, ranking, self._fitted.explainer),
            self._pipeline.explain_by(askers, ranking, truth),
        )

    def _told(
        self,
        askers: Askers,
        k: int,
        against: int | None,
        filters: Filters,
        rules: Rules | None,
        telling: Telling,
    ) -> list[Recommendations]:
        """Rank, explain what is ranked, and put it into answers."""
        choice, most = self._choice, telling.max_reasons
        ranked = self._pipeline.rank_with_rivals(askers, k, against, filters, rules)
        if choice is not None:
            telling = replace(telling, max_reasons=choice.n_among(most))
        breakdowns = self._pipeline.break_down(askers, ranked.ranking, telling, ranked.rivals)
        answers = self._pipeline.answer(askers, ranked, k, breakdowns)
        return answers if choice is None else [choice.choose(each, most) for each in answers]

    def _look_up(self, user: object) -> Askers:
        ids: Any = user if _is_several(user) else [user]
        return self._pipeline.look_up(ids, self._feedback.to_read())


def _is_several(user: object) -> bool:
    """Tell whether an argument is several ids: what can be an id can be hashed."""
    return not isinstance(user, Hashable)

"""What a fitted SDK is told: its verbs that take feedback, and change the next answer."""

from collections.abc import Hashable, Mapping
from typing import Any, Literal, cast

import numpy as np

from whyrec.answering import Answering
from whyrec.errors import ArgumentError
from whyrec.feedback import (
    Buffer,
    Control,
    ControlKind,
    Forgotten,
    PastEvent,
    Rating,
    ReasonRating,
    Record,
    Store,
    Undo,
)
from whyrec.feedback.past import export_of, history_of
from whyrec.feedback.ratings import RatingAudit, audit_of, votes_of
from whyrec.feedback.reading import batch_of
from whyrec.reasons.choice import RatedReasons, ReasonChoice
from whyrec.reasons.reason import Reason, ReasonKind
from whyrec.reasons.reason_id import About, read
from whyrec.saved import erase_user
from whyrec.weighed import demand_weighable


class Listening(Answering):
    """The verbs of an SDK that take feedback, on items and on reasons, and keep it."""

    @property
    def store(self) -> Store:
        """Where feedback is kept; the file beside the model is made at the first use.

        Raises:
            ArgumentError: the SDK was never saved, and has no store.
            StoreError: the store cannot be used.
        """
        return self._feedback.to_write()

    def record(self, events: object) -> int:
        """Keep what users did, on the disk when it returns; the next answer is drawn from it.

        Nothing is trained. A user that the data set does not know is answered from then on. An
        event of an item that the catalog does not have, or of a kind that the recommender was not
        fitted on, is kept, and counts for an SDK that knows it; the item is not recommended again.
        Where it was fitted on events without kinds, every event counts but a "dismissal". What is
        recorded with the user, item, kind and time of an event that the SDK was fitted on is that
        event, and counts once.

        Args:
            events: an `Event`, or any other record of `whyrec.feedback`; a list of them; a `Batch`;
                a table with the columns that the SDK was fitted on, and perhaps "event_id" and
                "request_id"; or an answer whose items were shown, as impressions.

        Returns:
            How many are new; one whose event_id is there already changes nothing.

        Raises:
            ArgumentError: a record cannot be kept, the message names the field; or the SDK was
                never saved, and has no store.
            DataError: a row of a table cannot be used.
            RateLimitError: it is more of a user than the store takes; nothing was kept.
            StoreError: the store cannot be used; nothing was kept.

        >>> import tempfile, whyrec
        >>> from whyrec.feedback import Event
        >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
        >>> sdk = whyrec.SDK.fit(world.events, world.items, model=whyrec.EASEConfig())
        >>> with tempfile.TemporaryDirectory() as path:
        ...     sdk.save(path)
        ...     sdk.record([Event("newcomer", "i3"), Event("newcomer", "i5")])
        ...     answer = sdk.recommend_with_reasons("newcomer", k=3)
        ...     control = sdk.object_to("newcomer", answer[0].reasons[0])
        ...     again = sdk.recommend_with_reasons("newcomer", k=3, max_reasons=None)
        ...     sdk.store.close()
        2
        >>> control.source in {reason.source for each in again for reason in each.reasons}
        False
        """
        return self.store.record(batch_of(events, self._dataset.columns))

    def buffer(self, size: int = 1000) -> Buffer:
        """Return a buffer before the store, which records events in batches of a size.

        Raises:
            ArgumentError: size is below 1, or as of `store`.
            StoreError: the store cannot be used.
        """
        return Buffer(self.store, size=size)

    def history(self, user: Hashable) -> list[PastEvent]:
        """Return what a user did, oldest first: what the SDK was fitted on, and what was recorded.

        Events of items that are not in the catalog come last.

        Raises:
            UnknownUserError: there is no such user.
            StoreError: the store cannot be read.
        """
        return history_of(self._dataset, self._pipeline.memory, user, self._feedback.to_read())

    def object_to(
        self, user: Hashable, reason: Reason | ReasonKind | str, *, weight: float = 0.0
    ) -> Control:
        """Leave what a reason is about out of all answers for a user, from the next one on.

        It is then no player: an item of the history counts as if the user had never met it, a group
        as if none of its items, an attribute as if it were not known, and a feature value of items
        as if they did not have it. So its contribution is 0, the scores are v of the other players,
        and these are what the answers are ranked by and explained.

        Args:
            user: an id.
            reason: of an answer for the user by this model, or its reason_id; or a kind of reason.
            weight: how much of it counts from now on, in place of nothing: from 0 to 1. Above 0,
                events and attributes need a recommender with presences between 0 and 1, as two
                towers and sequences without a ranker are.

        Returns:
            The control, for `undo`. Of two that are about the same the later one counts.

        Raises:
            ArgumentError: the reason is of another model or another user, or names what the data
                set does not have; a weight that the recommender cannot give; or as of `store`.
            StoreError: the store cannot be used.
        """
        about = reason if isinstance(reason, ReasonKind) else self._about(user, reason)
        controls = self._pipeline.memory.controls
        control = controls.objection(user, about, weight)
        demand_weighable(self._fitted, controls.asked(control))
        self.record(control)
        return control

    def hide(
        self,
        user: Hashable,
        item: Hashable | None = None,
        *,
        where: Mapping[str, Hashable] | None = None,
    ) -> Control:
        """Never recommend an item to a user again, or any item that has a feature value.

        It is in no answer, whatever else is asked for, neither as what answers are held against;
        `explain` still says of it what it is asked. An item that is not in the catalog is hidden
        once it is.

        Args:
            user: an id.
            item: an id.
            where: instead of an item, a field of categories or tags and a value of it, such as
                {"genres": "Horror"}.

        Returns:
            The control, for `undo`.

        Raises:
            ArgumentError: there is not one of item and where, or no such field or value; or as of
                `store`.
            StoreError: the store cannot be used.
        """
        if (item is None) == (where is None) or (where is not None and len(where) != 1):
            raise ArgumentError(
                'name an item, or one field and value such as where={"genres": "Horror"}'
            )
        if where is None:
            control = Control(user, ControlKind.HIDDEN_ITEM, item)
        else:
            control = Control(user, ControlKind.HIDDEN_FEATURE, *next(iter(where.items())))
        self._pipeline.memory.controls.demand_known(control)
        self.record(control)
        return control

    def controls(self, user: Hashable) -> list[Control]:
        """Return what a user has objected to and hidden and not undone, in that order.

        Raises:
            StoreError: the store cannot be read.
        """
        store = self._feedback.to_read()
        return [] if store is None else store.read(Control, users=[user])

    def undo(self, record: Record | str, *, user: Hashable | None = None) -> None:
        """End the effect of a control or another record: answers are what they were, to the bit.

        Args:
            record: what `object_to`, `hide` or `rate` gave, or an `Event`; or its event_id.
            user: whose it is, with an event_id.

        Raises:
            ArgumentError: an event_id without a user; or as of `store`.
            UnknownIdError: the user has no such record.
            StoreError: the store cannot be used.
        """
        if isinstance(record, str):
            if user is None:
                raise ArgumentError("an event_id can be undone for its user: undo(id, user=…)")
            self.record(Undo(user, record))
        else:
            self.record(Undo(record.user_id, record.event_id))

    def rate(
        self,
        user: Hashable,
        reason: Reason | str,
        rating: Rating | Literal["helped", "wrong", "unclear"],
        *,
        request_id: str | None = None,
    ) -> ReasonRating:
        """Keep what a user says of a reason: that it helped, is wrong, or is not understood.

        Args:
            user: an id.
            reason: of an answer for the user by this model, or its reason_id.
            rating: "helped", "wrong" or "unclear".
            request_id: of the answer.

        Raises:
            ArgumentError: the reason is of another model or another user, or there is no such
                rating; or as of `store`.
            StoreError: the store cannot be used.
        """
        kind, source, value, item = self._about(user, reason)
        rated = ReasonRating(
            user, cast(Rating, rating), item, kind.value, source, value, request_id=request_id
        )
        self.record(rated)
        return rated

    def choose_reasons(self, settings: RatedReasons | None) -> ReasonChoice | None:
        """Choose which of the strong reasons are shown by what users have said of reasons.

        A small model learns from the ratings of the store how likely reasons of each kind help.
        From then on answers with so many reasons show those that are preferred, the best first, and
        say so. Contributions and their sum stay what they are, and so do rankings. It is off until
        it is called, also after a load; call it again where there are more ratings.

        Args:
            settings: of the choice; None ends it.

        Returns:
            The model, None where the choice has ended.

        Raises:
            StoreError: the store cannot be read.
        """
        choice = None if settings is None else ReasonChoice(settings, votes_of(self._ratings()))
        self._choice = choice
        return choice

    def audit(self) -> RatingAudit:
        """Return what users have said of reasons, by the kind of reason and the field it is about.

        Raises:
            StoreError: the store cannot be read.
        """
        return audit_of(self._ratings())

    def _ratings(self) -> list[ReasonRating]:
        store = self._feedback.to_read()
        return [] if store is None else store.read(ReasonRating)

    def export(self, user: Hashable) -> dict[str, Any]:
        """Return all that is kept of a user, and what the SDK was fitted on, as data for JSON.

        Raises:
            StoreError: the store cannot be read.
        """
        return export_of(self._dataset, user, self._feedback.to_read())

    def forget(self, user: Hashable) -> Forgotten:
        """Erase a user: what was recorded, and what the SDK was fitted on.

        That is so here and where the SDK was saved. From then on the user is unknown, until
        something is recorded anew. What the model has learned stays in its weights until it is
        fitted anew, as `refit` does then, which the answer tells; no vectors of users are kept.
        Flush a `buffer` before. Another process that has loaded the SDK must load it again. After
        an error, forget again.

        Raises:
            StorageError: the saved directory cannot be rewritten.
            StoreError: the store cannot be used.
        """
        with self._forgetting:
            n_events, is_fitted = 0, user in self._dataset.users
            if is_fitted:
                row = self._dataset.users.index_of(user)
                n_events = int(np.diff(self._dataset.interactions.offsets)[row])
                self._dataset = self._dataset.without_user(user)
                self._fitted = self._fitted.fitted_on(self._dataset)
                self._pipeline = self._pipeline.fitted_on(self._dataset)
            for directory in self._saved_in:
                if directory.exists():
                    erase_user(directory, user)
            store = self._feedback.to_read()
            records = {} if store is None else store.forget(user)
            if self._choice is not None:
                self.choose_reasons(self._choice.settings)
        return Forgotten(user, records, n_events, is_fitted)

    def _about(self, user: Hashable, reason: Reason | str) -> About:
        name = reason if isinstance(reason, str) else reason.reason_id
        return read(name, self.model_id, user)

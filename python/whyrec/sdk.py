"""The SDK: events in, recommendations with reasons out."""

import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self, TypedDict, Unpack

from numpy.typing import ArrayLike

from whyrec.choosing import Choice
from whyrec.data.dataset import Dataset
from whyrec.data.event_columns import EventColumns
from whyrec.data.fields import Field
from whyrec.explain import ExplainerConfig
from whyrec.feedback import ReasonRating, Store
from whyrec.feedback.attached import AttachedStore
from whyrec.fitting import fit_all, fit_factors, known_items, model_settings
from whyrec.listening import Listening
from whyrec.models import (
    DeepRankerConfig,
    Encoder,
    FactorsConfig,
    RecommenderConfig,
    ScoringFunction,
    TrainingConfig,
)
from whyrec.models.factors import factors_of
from whyrec.renewing import all_known, refit, update, without_forgotten
from whyrec.saved import Fitted
from whyrec.storage import load_directory, save_directory
from whyrec.tuning import TuneConfig, tuned


class Reading(TypedDict, total=False):
    """How tables are read; see `Dataset.from_tables`."""

    columns: EventColumns | None
    item_id: str | None
    user_id: str | None
    item_fields: Mapping[str, Field | None] | None
    user_fields: Mapping[str, Field | None] | None
    unknown_items: Literal["error", "drop"]


class SDK(Listening):
    """A recommender and its explainer, fitted on what an application knows.

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
    >>> sdk = whyrec.SDK.fit(world.events, world.items, model=whyrec.EASEConfig())
    >>> answer = sdk.recommend_with_reasons("u7", k=3)
    >>> [each.rank for each in answer], answer.personalised
    ([1, 2, 3], True)
    """

    @classmethod
    def fit(
        cls,
        events: object,
        items: object | None = None,
        users: object | None = None,
        *,
        columns: EventColumns | None = None,
        item_id: str | None = None,
        user_id: str | None = None,
        item_fields: Mapping[str, Field | None] | None = None,
        user_fields: Mapping[str, Field | None] | None = None,
        unknown_items: Literal["error", "drop"] = "error",
        model: RecommenderConfig | None = None,
        ranker: DeepRankerConfig | None = None,
        explainer: ExplainerConfig | None = None,
        tune: TuneConfig | bool = False,
        training: TrainingConfig | None = None,
        store: Store | None = None,
        progress: bool = True,
    ) -> Self:
        """Read tables, train a recommender on them, and then its explainer.

        A table is a pandas, polars or pyarrow one, anything else that speaks Arrow, or the path of
        a CSV or Parquet file. The first eight arguments are those of `Dataset.from_tables`.

        Args:
            events: one row per event: who did something with which item.
            items: one row per item; its columns become fields. Without it, the items of the events.
            users: one row per user; its columns become fields.
            columns: which column of the events means what; guessed where it does not say.
            item_id: the id column of the items table; None guesses.
            user_id: the id column of the users table; None guesses.
            item_fields: what to read columns of the items as; the others are guessed.
            user_fields: the same of the users.
            unknown_items: whether an event of an item that the items table does not have is an
                error, or dropped and counted in `report`.
            model: the recommender's settings; None chooses kind and sizes by the data, see
                `choices`. For all but little data that is two towers with a ranker on them.
            ranker: settings of what re-orders the best items of the model, which is then one of two
                towers or a sequence; None shows those of a model that is given in its own order.
            explainer: the explainer's settings; by default the closed form where the score is a
                sum over events, and `NetworkConfig()` for any other recommender of twenty users or
                more.
            tune: whether to search better settings of the recommender first, on held-out events;
                `TuneConfig` says for how long. It needs the extra `tune`.
            training: on which device training runs, what it logs, and where it keeps what a fit
                that is killed can go on from; see `TrainingConfig`.
            store: where feedback is kept; None keeps it beside the model, once that is saved.
            progress: whether to show progress bars.

        Raises:
            DataError: a table, a column or a row cannot be used; the message says which.
            ArgumentError: an argument outside what the call allows.
            MissingDependencyError: tune is asked for, and Optuna is not installed.
            TrainingError: training that cannot go on.
            StorageError: a checkpoint that cannot be made or read.
        """
        dataset = Dataset.from_tables(
            events,
            items,
            users,
            columns=columns,
            item_id=item_id,
            user_id=user_id,
            item_fields=item_fields,
            user_fields=user_fields,
            unknown_items=unknown_items,
        )
        return cls.fit_dataset(
            dataset,
            model=model,
            ranker=ranker,
            explainer=explainer,
            tune=tune,
            training=training,
            store=store,
            progress=progress,
        )

    @classmethod
    def fit_dataset(
        cls,
        dataset: Dataset,
        *,
        model: RecommenderConfig | None = None,
        ranker: DeepRankerConfig | None = None,
        explainer: ExplainerConfig | None = None,
        tune: TuneConfig | bool = False,
        training: TrainingConfig | None = None,
        store: Store | None = None,
        progress: bool = True,
    ) -> Self:
        """Do what `fit` does from a data set that is read already, such as a part of a split."""
        choices: list[Choice] = []
        if tune:
            model, choices = tuned(dataset, model, ranker, tune, training, progress=progress)
            ranker = None  # it is a part of the model
        return cls(
            fit_all(
                dataset,
                model=model,
                ranker=ranker,
                explainer=explainer,
                training=training,
                progress=progress,
                choices=choices,
            ),
            store=store,
        )

    @classmethod
    def wrap(
        cls,
        model: Encoder | ScoringFunction | RecommenderConfig,
        events: object,
        items: object | None = None,
        users: object | None = None,
        *,
        explainer: ExplainerConfig | None = None,
        training: TrainingConfig | None = None,
        progress: bool = True,
        **reading: Unpack[Reading],
    ) -> Self:
        """Put reasons to a model that was trained elsewhere, and is not trained here.

        Args:
            model: an `Encoder`, a function that scores, or either with settings: `WrappedConfig`,
                `ScoredBy`.
            events: one row per event, as in `fit`: the histories to answer from.
            items: one row per item, as in `fit`; without it, the items that an encoder knows, or
                else those of the events.
            users: one row per user, as in `fit`.
            explainer: its settings; by default `EncoderNetworkConfig()` for an encoder, which is
                trained now, and Shapley values by 256 evaluations for a function.
            training: as in `fit`, of the explainer.
            progress: whether to show progress bars.
            **reading: how the tables are read, as in `fit`.

        Raises:
            ModelError: the model does not keep to its protocol: the method, what was expected and
                what came.
            DataError: a table, a column or a row cannot be used; the message says which.
            ArgumentError: an argument outside what the call allows, or an item that the model does
                not know.
            TrainingError: training that cannot go on.
            StorageError: a checkpoint that cannot be made or read.
        """
        settings = model_settings(model)
        if items is None and (items := known_items(settings)) is not None:
            reading["item_id"] = "item_id"
        dataset = Dataset.from_tables(events, items, users, **reading)
        return cls.fit_dataset(
            dataset, model=settings, explainer=explainer, training=training, progress=progress
        )

    @classmethod
    def from_factors(
        cls,
        user_factors: ArrayLike | None,
        item_factors: ArrayLike,
        events: object,
        items: object | None = None,
        users: object | None = None,
        *,
        item_ids: Sequence[Hashable],
        user_ids: Sequence[Hashable] = (),
        regularization: float = 0.01,
        alpha: float = 1.0,
        explainer: ExplainerConfig | None = None,
        **reading: Unpack[Reading],
    ) -> Self:
        """Put reasons to a matrix factorisation, such as the ALS of implicit.

        Users are solved for from their events, so that a new event or a new visitor is answered at
        once; see `Factors` for how, and for the two games. By default a reason is the event's term
        of the solved score, as `explain` of implicit has it. With `ShapleyConfig()` it is what the
        event adds where leaving it out changes the solution too.

        Args:
            user_factors: floats [n_users, dimension], only to see that the events and the settings
                are those of the factors; None leaves that out.
            item_factors: floats [n_items, dimension].
            events: one row per event, as in `fit`; the value is its confidence, 1 without.
            items: one row per item, as in `fit`; without it, the items of the events.
            users: one row per user, as in `fit`.
            item_ids: the ids of the rows of item_factors.
            user_ids: the ids of the rows of user_factors.
            regularization: λ that the factors were learned with.
            alpha: what they were learned with confidences times.
            explainer: its settings; by default `ClosedFormConfig()`.
            **reading: how the tables are read, as in `fit`.

        Raises:
            DataError: a table, a column or a row cannot be used; the message says which.
            ArgumentError: an argument outside what the call allows, an item without factors, or
                user factors that the events do not give.
        """
        dataset = Dataset.from_tables(events, items, users, **reading)
        settings = FactorsConfig(regularization=regularization, alpha=alpha)
        model = factors_of(dataset, settings, item_factors, item_ids, user_factors, user_ids)
        return cls(fit_factors(dataset, settings, model, explainer))

    def update(
        self,
        events: object | None = None,
        items: object | None = None,
        users: object | None = None,
    ) -> Self:
        """Fold in what is new, without training; this SDK goes on answering as before.

        What is new are the rows of the tables, and whatever was recorded. The answer knows new
        users by their histories, and new items by their features; EASE, popularity and the wide
        part of a ranker are solved for again, so that they know new items by their events too. An
        event with the user, item, kind and time of one that is there counts once. Dismissals,
        objections and what is hidden stay what they are. Where nothing is new, scores are the same
        to the bit.

        Args:
            events: one row per event, with the columns that the SDK was fitted on.
            items: one row per item, new or with other fields; read by the fields of the fit, so a
                category that it has not met says nothing.
            users: one row per user, the same.

        Returns:
            A new SDK with the same store.

        Raises:
            DataError: a table, a column or a row cannot be used, or a kind of event is new.
            ArgumentError: a recommender that cannot go on, or an item that a model from elsewhere
                does not know.
            StoreError: the store cannot be read.

        >>> import pyarrow, whyrec
        >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
        >>> sdk = whyrec.SDK.fit(world.events, model=whyrec.EASEConfig())
        >>> row = {"user_id": "newcomer", "item_id": "i3", "timestamp": 1_700_000_000}
        >>> grown = sdk.update(pyarrow.Table.from_pylist([row]))
        >>> "newcomer" in grown.dataset.users, "newcomer" in sdk.dataset.users
        (True, False)
        """
        old, store = self._fitted, self._feedback.to_read()
        return self._renewed(old, update(old, all_known(old, store, events, items, users)))

    def refit(
        self,
        events: object | None = None,
        items: object | None = None,
        users: object | None = None,
        *,
        wrong_weight: float | None = None,
        training: TrainingConfig | None = None,
        progress: bool = True,
    ) -> Self:
        """Do what `update` does, and train on all of it, from what was learned before on.

        Training begins with the weights of this SDK; what is new begins as in a fit. It takes half
        as many steps at most. After `forget` it begins anew, so that nothing of a user who was
        forgotten stays in the weights. What comes from elsewhere, factors and wrapped models, is
        not trained; only its explainer is.

        What users called wrong (`rate`) is penalised: the squared contributions of such players, in
        the training of two towers, and the weights of the wide part that they come from (A. S. Ross
        et al., Right for the Right Reasons, 2017). So they count for less, for other users too; for
        one user alone `object_to` makes it nothing.

        Args:
            events: as in `update`.
            items: as there.
            users: as there.
            wrong_weight: how strongly that is penalised, from 0 for not at all. None is 1 for two
                towers, with or without a ranker, and 0 for the others, which do not learn from it.
            training: as in `fit`.
            progress: whether to show progress bars.

        Returns:
            A new SDK with the same store; this one goes on answering.

        Raises:
            DataError: as of `update`.
            ArgumentError: as of `update`, or a wrong_weight that the recommender cannot learn from.
            TrainingError: training that cannot go on.
            StorageError: a checkpoint that cannot be made or read.
            StoreError: the store cannot be read.
        """
        old, store = self._fitted, self._feedback.to_read()
        new = refit(
            old,
            all_known(old, store, events, items, users),
            [] if store is None else store.read(ReasonRating),
            wrong_weight=wrong_weight,
            training=training,
            progress=progress,
        )
        return self._renewed(old, new)

    def _renewed(self, old: Fitted, new: Fitted) -> Self:
        """Return an SDK of what was made, with the store of this one and where it is saved."""
        store = self._feedback.to_read()
        other = type(self)(without_forgotten(new, old.dataset, self._dataset, store))
        other._feedback, other._saved_in = self._feedback, self._saved_in
        return other

    @property
    def choices(self) -> tuple[Choice, ...]:
        """What `fit` has chosen by the data where nothing was said, and why.

        The logger "whyrec" is told the same; giving `model`, `ranker` or `explainer` overrules it.

        >>> import pyarrow as pa, whyrec
        >>> sdk = whyrec.SDK.fit(pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
        >>> for each in sdk.choices:
        ...     print(each)
        model: popularity, since no user has events of two items, and nothing else is known of users
        explainer: closed form, since the score is a sum over events
        """
        return self._fitted.choices

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save everything as a directory, in place of what was saved there before.

        Of a model that was wrapped, the data and the explainer are saved; the model itself is the
        application's, and is given again at load. A save that fails or is interrupted leaves the
        one before it as it was. Feedback that is there already stays, and counts; an SDK that was
        loaded, or has a store, goes on with its own.

        Raises:
            StorageError: a directory with other content, ids that cannot be stored, a failing disk.
        """
        save_directory(path, *self._fitted.parts())
        directory = Path(path).resolve()
        self._feedback = self._feedback.beside(directory)
        self._saved_in = {*self._saved_in, directory}

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        model: Encoder | ScoringFunction | RecommenderConfig | None = None,
        store: Store | None = None,
    ) -> Self:
        """Load what `save` wrote; it answers with the same bits.

        Args:
            path: the directory.
            model: what was wrapped, if anything was; else None.
            store: where feedback is kept; None keeps it in a file of that directory.

        Raises:
            ArgumentError: a model is given where one is stored, or none where none is.
            StorageError: what is missing, damaged or of a newer schema, by file name, or a model
                that is not the one that was wrapped.
        """
        given = None if model is None else model_settings(model)
        fitted = Fitted.of(load_directory(path), given)
        directory = Path(path).resolve()
        if not AttachedStore(store, directory).is_there:
            # What came from a store that is not here counts all the same.
            fitted = fitted.fitted_on(fitted.dataset.settled())
        return cls(fitted, store=store, directory=directory)

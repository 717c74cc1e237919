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
from whyrec.feedback import Store
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
        return cls(fitted, store=store, directory=Path(path).resolve())

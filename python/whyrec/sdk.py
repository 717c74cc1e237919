"""The SDK: events in, recommendations with reasons out."""

import os
from collections.abc import Mapping
from typing import Literal, Self

from whyrec.answering import Answering
from whyrec.data.dataset import Dataset
from whyrec.data.event_columns import EventColumns
from whyrec.data.fields import Field
from whyrec.explain import ExplainerConfig
from whyrec.fitting import fit_all
from whyrec.models import DeepRankerConfig, RecommenderConfig, TrainingConfig
from whyrec.saved import Fitted
from whyrec.storage import load_directory, save_directory


class SDK(Answering):
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
        training: TrainingConfig | None = None,
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
            model: the recommender's settings; `TwoTowerConfig()` by default.
            ranker: settings of a network that re-orders the best items of the model, which is then
                one of two towers or a sequence; None shows them in the order of the model.
            explainer: the explainer's settings; by default the closed form where the score is a
                sum over events, and `NetworkConfig()` for any other recommender.
            training: on which device training runs, what it logs, and where it keeps what a fit
                that is killed can go on from; see `TrainingConfig`.
            progress: whether to show progress bars.

        Raises:
            DataError: a table, a column or a row cannot be used; the message says which.
            ArgumentError: an argument outside what the call allows.
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
            training=training,
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
        training: TrainingConfig | None = None,
        progress: bool = True,
    ) -> Self:
        """Do what `fit` does from a data set that is read already, such as a part of a split."""
        return cls(
            fit_all(
                dataset,
                model=model,
                ranker=ranker,
                explainer=explainer,
                training=training,
                progress=progress,
            )
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save everything as a directory, in place of what was saved there before.

        A save that fails or is interrupted leaves the one before it as it was.

        Raises:
            StorageError: a directory with other content, ids that cannot be stored, a failing disk.
        """
        save_directory(path, *self._fitted.parts())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Load what `save` wrote; it answers with the same bits.

        Raises:
            StorageError: what is missing, damaged or of a newer schema, by file name.
        """
        return cls(Fitted.of(load_directory(path)))

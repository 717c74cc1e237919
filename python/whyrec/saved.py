"""A fitted SDK as named parts, and back: data, model and explainer with their settings."""

import copy
import hashlib
import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from whyrec.choosing import Choice
from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError, StorageError, WhyrecError
from whyrec.explain import (
    ClosedFormConfig,
    EncoderNetworkConfig,
    Explainer,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
    RefinedConfig,
    ShapleyConfig,
)
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    FactorsConfig,
    PopularityConfig,
    Recommender,
    RestorableConfig,
    ScoredBy,
    SequenceConfig,
    TwoTowerConfig,
    WrappedConfig,
)
from whyrec.storage import Arrays, Document, JsonValue, Loaded, Part, Table, amend_directory

_MODELS: dict[str, type[RestorableConfig]] = {
    "two_tower": TwoTowerConfig,
    "sequence": SequenceConfig,
    "ease": EASEConfig,
    "popularity": PopularityConfig,
    "deep_ranker": DeepRankerConfig,
    "factors": FactorsConfig,
}
_GIVEN: dict[str, type[RestorableConfig]] = {"wrapped": WrappedConfig, "scored_by": ScoredBy}
"""Models of the application's own: of them nothing is stored but what tells one from another."""
_EXPLAINERS: dict[str, type[ExplainerConfig]] = {
    "network": NetworkConfig,
    "gradient_path": GradientPathConfig,
    "shapley": ShapleyConfig,
    "closed_form": ClosedFormConfig,
    "refined": RefinedConfig,
    "encoder_network": EncoderNetworkConfig,
}
_TABLES = ("users", "items", "events", "item_features", "user_features")


@dataclass(frozen=True)
class Fitted:
    """All that a fitted SDK is made of."""

    dataset: Dataset
    model_config: RestorableConfig
    model: Recommender
    explainer_config: ExplainerConfig
    explainer: Explainer
    choices: tuple[Choice, ...] = ()

    @cached_property
    def model_id(self) -> str:
        """What names the fitted model: a digest of its arrays and settings, and the explainer's.

        It is the same after save and load, as long as model and explainer can be saved; else it
        holds for this process.
        """
        digest = hashlib.sha256()
        for described, fitted in (
            (_described(_of_model, self.model_config), self.model),
            (_described(partial(_settings, _EXPLAINERS), self.explainer_config), self.explainer),
        ):
            digest.update(json.dumps(described, sort_keys=True, default=repr).encode())
            for name, array in sorted(fitted.arrays().items()):
                digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:32]

    def fitted_on(self, dataset: Dataset) -> "Fitted":
        """Return the same with other users in its data set; the model stays what it is."""
        other = copy.copy(self)  # with its model_id
        object.__setattr__(other, "dataset", dataset)
        return other

    def parts(self) -> tuple[dict[str, Part], dict[str, JsonValue]]:
        """Return what to store, and the settings that describe it.

        Raises:
            ArgumentError: a model or an explainer is of a kind that cannot be stored.
        """
        parts = _dataset_parts(self.dataset)
        parts["model"] = Arrays(self.model.arrays())
        parts["explainer"] = Arrays(self.explainer.arrays())
        return parts, {
            "model": _of_model(self.model_config),
            "explainer": _settings(_EXPLAINERS, self.explainer_config),
            "choices": [asdict(each) for each in self.choices],
        }

    @classmethod
    def of(cls, loaded: Loaded, model: RestorableConfig | None = None) -> "Fitted":
        """Build everything from what was stored, and a model that is given where it was not stored.

        Raises:
            ArgumentError: a model is given where one is stored, or none where none is.
            StorageError: a part is missing or does not fit the others.
        """
        dataset = _dataset(loaded)
        model_config = _model_config(loaded, model)
        explainer_config = _config(_EXPLAINERS, loaded, "explainer")
        try:
            recommender = model_config.restore(dataset, loaded.arrays("model"))
            explainer = explainer_config.restore(recommender, loaded.arrays("explainer"))
        except KeyError as error:
            raise StorageError(f"{loaded.path}: an array named {error} is missing") from error
        except StorageError as error:
            raise StorageError(f"{loaded.path}: {error}") from error
        choices = _choices(loaded)
        return cls(dataset, model_config, recommender, explainer_config, explainer, choices)


def _described(describe: Callable[[Any], JsonValue], config: object) -> JsonValue:
    """Return what is stored of a config, or the name of a kind that cannot be."""
    try:
        return describe(config)
    except ArgumentError:
        return type(config).__qualname__


def _of_model(config: RestorableConfig) -> JsonValue:
    """Return the kind of a model and its settings; of one that is given again, the kind alone."""
    for kind, given in _GIVEN.items():
        if type(config) is given:
            return {"kind": kind, "settings": {}}
    return _settings(_MODELS, config)


def _model_config(loaded: Loaded, given: RestorableConfig | None) -> RestorableConfig:
    described = loaded.description.get("model")
    kind = described.get("kind") if isinstance(described, Mapping) else None
    wanted = _GIVEN.get(str(kind))
    if wanted is None and given is not None:
        raise ArgumentError(f"{loaded.path}: the model is stored there; load it without model=…")
    if wanted is None:
        config: RestorableConfig = _config(_MODELS, loaded, "model")
        return config
    if given is None:
        raise ArgumentError(
            f"{loaded.path}: the data and what explains are stored there, but not the model, which "
            "is the application's own: give it again, SDK.load(path, model=…)"
        )
    if type(given) is not wanted:
        raise ArgumentError(
            f"{loaded.path}: what was saved is {wanted.__name__}(…), not {type(given).__name__}(…)"
        )
    return given


def _choices(loaded: Loaded) -> tuple[Choice, ...]:
    """Return what was chosen; a save of an older version does not tell."""
    told: Any = loaded.description.get("choices", [])
    try:
        return tuple(Choice(**each) for each in told)
    except TypeError as error:
        raise StorageError(f"{loaded.path}: the choices cannot be read ({error})") from error


def erase_user(path: Path, user: Hashable) -> None:
    """Erase a user from the data set of a saved SDK, whichever that is by now; the model stays.

    Raises:
        StorageError: what is there is damaged or of a newer schema, or the disk fails.
    """

    def amend(loaded: Loaded) -> dict[str, Part]:
        dataset = _dataset(loaded)
        if user not in dataset.users:
            return {}
        return _dataset_parts(dataset.without_user(user))

    amend_directory(path, amend)


def _dataset_parts(dataset: Dataset) -> dict[str, Part]:
    parts: dict[str, Part] = {name: Table(table) for name, table in dataset.to_tables().items()}
    return {**parts, "dataset": Document(dataset.to_json())}


def _dataset(loaded: Loaded) -> Dataset:
    state = loaded.document("dataset")
    if not isinstance(state, Mapping):
        raise StorageError(f'{loaded.path}: part "dataset" holds no JSON object')
    return Dataset.from_storage({name: loaded.table(name) for name in _TABLES}, state)


def _settings(kinds: Mapping[str, type[Any]], config: Any) -> JsonValue:
    """Return the kind of a config and its fields; one that is a config itself is told likewise."""
    for kind, known in kinds.items():
        if type(config) is known:
            values = {each.name: getattr(config, each.name) for each in fields(known)}
            configs = {
                name: _settings(kinds, value)
                for name, value in values.items()
                if is_dataclass(value)
            }
            return {"kind": kind, "settings": asdict(config) | configs}
    raise ArgumentError(
        f"{type(config).__name__} is no kind that can be saved; the kinds are {', '.join(kinds)}"
    )


def _config(kinds: Mapping[str, type[Any]], loaded: Loaded, role: str) -> Any:
    try:
        return _built(kinds, loaded.description.get(role))
    except (KeyError, TypeError, WhyrecError) as error:
        raise StorageError(
            f"{loaded.path}: the settings of the {role} cannot be read ({error!r})"
        ) from error


def _built(kinds: Mapping[str, type[Any]], described: JsonValue) -> Any:
    """Return what `_settings` has described."""
    if not isinstance(described, Mapping):
        raise TypeError("it is not there")
    told = described["settings"]
    if not isinstance(told, Mapping):
        raise TypeError("there are no settings")
    # Weights by name are a mapping too, but of numbers.
    settings = {
        name: _built(kinds, value)
        if isinstance(value, Mapping) and isinstance(value.get("settings"), Mapping)
        else value
        for name, value in told.items()
    }
    return kinds[str(described["kind"])](**settings)

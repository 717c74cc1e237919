"""An explainer that several rows of a table have in common, and that is fitted for the first."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from whyrec.data.dataset import Dataset
from whyrec.explain import Explainer, ExplainerConfig
from whyrec.models.recommender import Recommender
from whyrec.types import Float32Array


@dataclass(frozen=True, kw_only=True)
class FittedOnce:
    """Settings that fit for one recommender and data set, and from then on restore the same."""

    explainer: ExplainerConfig
    """What is fitted."""

    _arrays: dict[str, Float32Array] = field(default_factory=dict, repr=False, compare=False)

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> Explainer:
        """Return the explainer, which is fitted the first time alone."""
        if self._arrays:
            return self.restore(recommender, self._arrays)
        fitted = self.explainer.fit(recommender, dataset, progress=progress)
        self._arrays.update(fitted.arrays())
        return fitted

    def restore(self, recommender: Recommender, arrays: Mapping[str, Float32Array]) -> Explainer:
        """Build the explainer from its stored arrays."""
        return self.explainer.restore(recommender, arrays)

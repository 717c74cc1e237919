"""Contributions by following the score's gradient from no player to all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, Players, close_gaps
from whyrec.explain.batches import batches
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.explain.path_interactions import interactions_by_gradients
from whyrec.models.recommender import DifferentiableRecommender, Recommender
from whyrec.types import Float32Array, Float64Array


@dataclass(frozen=True, kw_only=True)
class GradientPathConfig:
    """Settings of `GradientPath`."""

    n_points: int = 8
    """Points on the path at which the gradient is taken."""

    def __post_init__(self) -> None:
        if self.n_points < 1:
            raise ArgumentError(f"n_points must be at least 1, not {self.n_points}")

    def fit(
        self,
        recommender: Recommender,
        dataset: Dataset,  # noqa: ARG002
        *,
        progress: bool = True,  # noqa: ARG002
    ) -> "GradientPath":
        """Return the explainer; there is nothing to learn.

        Raises:
            ArgumentError: the recommender cannot be differentiated.
        """
        return self.restore(recommender, {})

    def restore(
        self,
        recommender: Recommender,
        arrays: Mapping[str, Float32Array],  # noqa: ARG002
    ) -> "GradientPath":
        """Return the explainer."""
        return GradientPath(differentiable(recommender), self)


class GradientPath:
    """Integrates gradients over the presence of all players together, from 0 to 1.

    With every player present at rate t, an integral over t of the derivative by one player's
    presence is the Shapley value of a score that is linear in each presence, and close to it
    where, as here, sums over many players enter a smooth function.

    Sources: G. Owen, Multilinear Extensions of Games, 1972; M. Sundararajan, A. Taly and Q. Yan,
    Axiomatic Attribution for Deep Networks, 2017. The integral is by Gauss-Legendre quadrature.
    """

    def __init__(
        self, recommender: DifferentiableRecommender[Any], config: GradientPathConfig
    ) -> None:
        self._recommender = recommender
        self._points, self._weights = quadrature(config.n_points)

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs to their players."""
        return attribute_by_gradients(
            self._recommender,
            (histories, pairs, full_values),
            self._points,
            lambda _, gradients, __, ___: (gradients * self._weights[:, None]).sum(2),
            "path",
        )

    def interactions(self, histories: Histories, pairs: Pairs, chosen: PlayerPairs) -> Interactions:
        """Return what chosen players are worth together; see `InteractionExplainer`."""
        return interactions_by_gradients(
            self._recommender, histories, pairs, chosen, (self._points, self._weights), "path"
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return nothing: nothing is learned."""
        return {}


Weigh = Callable[[Any, torch.Tensor, torch.Tensor, tuple[int, int, int]], torch.Tensor]
"""From embedded pairs, path gradients, presence and widths to contributions, [..., n_places]."""


def attribute_by_gradients(
    recommender: DifferentiableRecommender[Any],
    asked: tuple[Histories, Pairs, Float64Array],
    points: torch.Tensor,
    weigh: Weigh,
    tier: str,
) -> Attributions:
    """Attribute scores to players by what weigh makes of their gradients on the path.

    Args:
        recommender: whose scores they are.
        asked: histories, pairs and full values, as an explainer takes them.
        points: float32 [n_points], the presence of all players.
        weigh: what turns the gradients of a batch into contributions.
        tier: what the attributions are called.
    """
    histories, pairs, full_values = asked
    players = Players.of(histories, recommender.item_features, pairs)
    contributions, base_values = np.zeros(len(players.kinds)), np.zeros(len(pairs))
    for batch in batches(players, pairs):
        embedded = recommender.embed_pairs(histories, batch.rows, batch.items, batch.widths)
        present = torch.from_numpy(batch.places >= 0)
        gradients, values = path_gradients(recommender, embedded, present, points)
        found = weigh(embedded, gradients, present, batch.widths)
        batch.put(found, contributions, values[:, :, 0], base_values)
    return close_gaps(Attributions(pairs, players, contributions, base_values, full_values, tier))


def differentiable(recommender: Recommender) -> DifferentiableRecommender[Any]:
    """Return the recommender as one that can be differentiated, or say that it cannot."""
    if not isinstance(recommender, DifferentiableRecommender):
        raise ArgumentError(
            f"{type(recommender).__name__} cannot be differentiated by the presence of players; "
            "explain it by ClosedFormConfig() or ShapleyConfig()"
        )
    return recommender


def quadrature(n_points: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return points and weights, float32 [n_points] each, of Gauss-Legendre from 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss(n_points)
    return (
        torch.from_numpy((points + 1) / 2).float(),
        torch.from_numpy(weights / 2).float(),
    )


def path_gradients(
    recommender: DifferentiableRecommender[Any],
    embedded: Any,
    present: torch.Tensor,
    points: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradient by each presence at each point of the path, and the values there.

    Args:
        recommender: whose score is followed.
        embedded: what the recommender made of the pairs.
        present: bool [n_rows, n_items, n_places], where there are players.
        points: float32 [n_points], the presence of all players.

    Returns:
        float32 [n_rows, n_items, n_points, n_places]; 0 where there is no player.
        float32 [n_rows, n_items, 1 + n_points]: first that of nobody.
    """
    everyone = present.float()[:, :, None]
    path = torch.cat([points.new_zeros(1), points])[:, None]
    with torch.enable_grad():
        presence = (everyone * path).requires_grad_()
        values = recommender.pair_values(embedded, presence)
        (gradients,) = torch.autograd.grad(values.sum(), presence)
    return gradients[:, :, 1:] * everyone, values.detach()

"""The learned part of the explainer network: players become a weight for each gradient."""

import torch
from torch import nn

from whyrec.explain.path import quadrature

_N_KINDS = 3


class PlayerNetwork(nn.Module):
    """Maps players to contributions, whatever their order and number.

    Each player is described by its vector of the recommender's own, its gradients in proportion to
    those of the other players, and its kind. A few learned summaries attend to all players, and
    every player to the summaries, so that players which say the same are seen together at a cost
    linear in their number (J. Lee et al., Set Transformer, 2019). The weights of a player's
    gradients are those of the quadrature times 1 + δ, where δ is 0 at the start.
    """

    weights: torch.Tensor

    def __init__(self, dimension: int, n_points: int, width: int, n_summaries: int) -> None:
        super().__init__()
        self.register_buffer("weights", quadrature(n_points)[1], persistent=False)
        self.of_vector = nn.utils.skip_init(nn.Linear, dimension, width)
        self.of_gradients = nn.utils.skip_init(nn.Linear, n_points, width)
        self.of_pair = nn.utils.skip_init(nn.Linear, 2, width)
        self.of_kind = nn.Parameter(torch.zeros(_N_KINDS, width))
        self.summaries = nn.Parameter(torch.zeros(n_summaries, width))
        self.told_keys = nn.utils.skip_init(nn.Linear, width, width)
        self.told_values = nn.utils.skip_init(nn.Linear, width, width)
        self.together = nn.utils.skip_init(nn.Linear, width, width)
        self.change = nn.utils.skip_init(nn.Linear, width, n_points)

    def start(self, seed: int) -> "PlayerNetwork":
        """Draw all weights, save that the change to the quadrature is 0."""
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if name.endswith("bias") or name == "of_kind" or name.startswith("change"):
                    parameter.zero_()
                else:
                    parameter.normal_(0, parameter.shape[-1] ** -0.5, generator=generator)
        return self

    def forward(
        self,
        vectors: tuple[torch.Tensor, torch.Tensor],
        gradients: torch.Tensor,
        present: torch.Tensor,
        widths: tuple[int, int, int],
    ) -> torch.Tensor:
        """Return contributions, float32 [n_rows, n_items, n_places]; 0 where there is no player.

        Args:
            vectors: float32 [n_rows, n_event_places + n_attribute_places, dimension], and
                [n_rows, n_items, n_feature_places, dimension].
            gradients: float32 [n_rows, n_items, n_points, n_places], in logits.
            present: bool [n_rows, n_items, n_places].
            widths: how many places are events, attributes and features.
        """
        gradients = gradients.transpose(2, 3)
        changes = self._changes(vectors, gradients, present, widths)
        contributions: torch.Tensor = (gradients * self.weights * (1 + changes)).sum(-1)
        return contributions

    def _changes(
        self,
        vectors: tuple[torch.Tensor, torch.Tensor],
        gradients: torch.Tensor,
        present: torch.Tensor,
        widths: tuple[int, int, int],
    ) -> torch.Tensor:
        """Return δ, [n_rows, n_items, n_places, n_points]."""
        of_user, of_item = (self._of_direction(each) for each in vectors)
        of_user = of_user[:, None].expand(-1, present.shape[1], -1, -1)
        kinds = self.of_kind.repeat_interleave(torch.tensor(widths), dim=0)
        known = torch.cat([of_user, of_item], 2) + kinds + self._of_gradients(gradients, present)
        players = torch.relu(known)
        flat, there = players.flatten(0, 1), present.flatten(0, 1)
        summaries = nn.functional.scaled_dot_product_attention(
            self.summaries.expand(len(flat), -1, -1),
            flat,
            flat,
            # A pair without players has nothing to attend to, and no player to say it to.
            (there | ~there.any(1, keepdim=True))[:, None],
        )
        told = nn.functional.scaled_dot_product_attention(
            flat, self.told_keys(summaries), self.told_values(summaries)
        )
        hidden = torch.relu(self.together(flat) + told)
        changes: torch.Tensor = torch.tanh(self.change(hidden)).unflatten(0, present.shape[:2])
        return changes

    def _of_direction(self, vectors: torch.Tensor) -> torch.Tensor:
        """Describe each player by the direction of its vector."""
        layer = self.of_vector
        lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp(min=1e-6)
        described: torch.Tensor = vectors @ layer.weight.T / lengths + layer.bias
        return described

    def _of_gradients(self, gradients: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Describe each player's gradients against those of all players of its pair."""
        counts = present.sum(2).clamp(min=1)
        sizes = gradients.abs().mean(-1).sum(2) / counts + 1e-12
        relative = gradients / sizes[..., None, None]
        squashed = torch.sign(relative) * torch.log1p(relative.abs())
        together = (gradients * self.weights).sum((2, 3)) / (sizes * counts)
        context = self.of_pair(torch.stack([torch.log(counts.float()), together], -1))
        described: torch.Tensor = self.of_gradients(squashed) + context[:, :, None]
        return described

"""How many coalitions KernelSHAP needs for explanations as close to the truth as the network's."""

import numpy as np
from bench.faithfulness.measured import Asked
from bench.faithfulness.methods.kernel_shap import KernelSHAPConfig

from whyrec.data.dataset import Dataset
from whyrec.evaluate.faithfulness import faithfulness
from whyrec.explain.attribution import Attributions, Players
from whyrec.models.recommender import Recommender

FIRST_BUDGET = 32
HEADER = ["coalitions", "KernelSHAP's relative squared error", "the network's", "matched"]


def matching_rows(
    recommender: Recommender,
    dataset: Dataset,
    asked: Asked,
    truth: Attributions,
    network: Attributions,
    *,
    n_pairs: int,
    most: int,
) -> tuple[list[list[str]], int | None]:
    """Return a row for each budget, doubled until it matches the network or would pass the most.

    Errors are means over the first n_pairs, the same for both. Beside the rows is the budget that
    matched, None if none did.
    """
    histories, pairs, full_values = asked
    first = np.arange(min(n_pairs, len(pairs)))
    asked = histories, pairs.take(first), full_values[first]
    truth, network = (first_pairs(each, len(first)) for each in (truth, network))
    target = faithfulness(network, truth).means()["relative squared error"]
    rows, budget, matched = [], FIRST_BUDGET, False
    while budget <= most and not matched:
        explainer = KernelSHAPConfig(budget=budget, per_player=0).fit(recommender, dataset)
        found = explainer.explain(*asked)
        error = faithfulness(found, truth).means()["relative squared error"]
        matched = error <= target
        rows.append([f"{budget:,}", f"{error:.2g}", f"{target:.2g}", "yes" if matched else "no"])
        budget *= 2
    return rows, budget // 2 if matched else None


def first_pairs(attributions: Attributions, n_pairs: int) -> Attributions:
    """Return the attributions of the first pairs alone."""
    players, errors = attributions.players, attributions.standard_errors
    end = int(players.offsets[n_pairs])
    return Attributions(
        attributions.pairs.take(np.arange(n_pairs)),
        Players(players.offsets[: n_pairs + 1], players.kinds[:end], players.sources[:end]),
        attributions.contributions[:end],
        attributions.base_values[:n_pairs],
        attributions.full_values[:n_pairs],
        attributions.tier,
        None if errors is None else errors[:end],
    )

"""Whether somebody who sees answers to others can tell whose events a model was trained on.

The attacker has half of the users as accounts of their own, none of whom the model was trained on,
and sees what these are answered: scores, or reasons with their contributions. Of a user of the
other half the attacker knows every event, and asks whether they were among those that the model
was trained on: a random half of the half. To that end they fit models of their own, on as many of
their own users, and compare. What is said of a user is how far contributions between two films of
that user, or scores of such films, are above those of these models, in standard deviations.

R. Shokri et al., Membership Inference Attacks Against Machine Learning Models (S&P 2017);
N. Carlini et al., Membership Inference Attacks From First Principles (S&P 2022).
"""

from typing import cast

import numpy as np
from bench.feedback.fitted import popular_films
from bench.timing import write_table
from sklearn.metrics import roc_auc_score

from whyrec import SDK, EASEConfig
from whyrec.data.dataset import Dataset
from whyrec.models.linear import EASE
from whyrec.types import BoolArray, Float64Array, Int64Array

N_SPLITS, N_SHADOWS, N_WATCHED, K = 4, 8, 100, 10
N_RESAMPLES = 500


def main(*, quick: bool = False) -> list[list[str]]:
    """Measure, write bench/results/feedback-membership.md and return what it shows.

    quick: one split of users, and one model.
    """
    n_splits = 1 if quick else N_SPLITS
    models = [("λ = 200", EASEConfig()), ("λ = 20", EASEConfig(l2=20.0))]
    rows = [
        [name, what, told(found)]
        for name, config in models[: 1 if quick else None]
        for what, found in attacked(config, n_splits).items()
    ]
    write_table(
        "feedback-membership",
        "Membership inference on answers of EASE, 2,000 films of MovieLens",
        ["model", "the attacker sees", "AUC, and its 95 % interval"],
        rows,
        [
            f"{N_WATCHED} accounts are answered with {K} films each; {N_SHADOWS} models of the "
            f"attacker's, {n_splits} splits of users. An AUC of 0.5 is a guess. Intervals are by a "
            "bootstrap over users. An account's own events are in its reasons, of course: what is "
            "asked here is of others."
        ],
    )
    return [[f"membership, {name}, {what}", "AUC reported", area] for name, what, area in rows]


def attacked(config: EASEConfig, n_splits: int) -> dict[str, list[tuple[int, bool, float]]]:
    """Return, by what is seen, of each user in each split: who, whether a member, what is said."""
    data = popular_films()
    found: dict[str, list[tuple[int, bool, float]]] = {}
    for split in range(n_splits):
        random = np.random.default_rng(split)
        own, others = np.array_split(random.permutation(data.n_users), 2)
        is_member = np.zeros(data.n_users, bool)
        is_member[others[: len(others) // 2]] = True
        shadows = [
            weights(fitted(data, chosen(data, random.permutation(own)[: is_member.sum()]), config))
            for _ in range(N_SHADOWS)
        ]
        target = fitted(data, is_member, config)
        accounts = [
            [data.items[item] for item in data.interactions.take(np.array([user])).items.tolist()]
            for user in own[:N_WATCHED]
        ]
        expected, spread = np.mean(shadows, axis=0), np.std(shadows, axis=0, ddof=1)
        for what, most in (("scores alone", 1), ("3 reasons each", 3), ("all reasons", None)):
            seen = watched(data, target, accounts, shadows, most, what == "scores alone")
            said = found.setdefault(what, [])
            for user in others.tolist():
                items = np.unique(data.interactions.take(np.array([user])).items)
                about = np.isin(seen[:, 0], items) & np.isin(seen[:, 1], items)
                above = float(seen[about, 2].mean()) if about.any() else 0.0
                said.append((user, bool(is_member[user]), above))
        matrix = (weights(target) - expected) / np.maximum(spread, 1e-9)
        said = found.setdefault("all weights of the model", [])
        for user in others.tolist():
            items = np.unique(data.interactions.take(np.array([user])).items)
            said.append((user, bool(is_member[user]), float(matrix[np.ix_(items, items)].mean())))
    return found


def watched(
    data: Dataset,
    target: SDK,
    accounts: list[list[object]],
    shadows: list[Float64Array],
    most: int | None,
    scores_alone: bool,
) -> Float64Array:
    """Return float64 [n_seen, 3]: two films, and how far what is seen of them is above the others.

    A score is of one film, twice.
    """
    places, numbers, expected = [], [], []
    stacked = np.stack(shadows)
    for history in accounts:
        rows = data.items.indices_of(history)
        for each in target.recommend_for(history, k=K, max_reasons=most):
            item = data.items.index_of(each.item_id)
            if scores_alone:
                places.append((item, item))
                numbers.append(each.score)
                expected.append(stacked[:, rows, item].sum(1))
                continue
            for reason in each.reasons:
                source = data.items.index_of(reason.source)
                places.append((source, item))
                numbers.append(reason.contribution)
                expected.append(stacked[:, source, item])
    return np.column_stack([np.array(places), above(np.array(numbers), np.stack(expected))])


def above(numbers: Float64Array, others: Float64Array) -> Float64Array:
    """Return float64 [n]: how many standard deviations numbers are above others, [n, n_others]."""
    found: Float64Array = (numbers - others.mean(1)) / np.maximum(others.std(1, ddof=1), 1e-9)
    return found


def chosen(data: Dataset, users: Int64Array) -> BoolArray:
    """Return bool [n_users]: whether each is among some."""
    return np.isin(np.arange(data.n_users), users)


def fitted(data: Dataset, users: BoolArray, config: EASEConfig) -> SDK:
    """Fit on the events of some users."""
    events = data.interactions.only(users[data.interactions.users()])
    return SDK.fit_dataset(data.with_interactions(events), model=config, progress=False)


def weights(sdk: SDK) -> Float64Array:
    """Return float64 [n_items, n_items]: the weights of EASE."""
    return cast(EASE, sdk.recommender).weights.astype(np.float64)


def told(found: list[tuple[int, bool, float]]) -> str:
    """Return the area under the curve with its interval, over users drawn with replacement."""
    users = np.array([user for user, _, _ in found])
    members = np.array([member for _, member, _ in found])
    said = np.array([each for _, _, each in found])
    places = [np.flatnonzero(users == user) for user in np.unique(users)]
    random = np.random.default_rng(0)
    areas = []
    for _ in range(N_RESAMPLES):
        drawn = np.concatenate([places[n] for n in random.integers(0, len(places), len(places))])
        areas.append(roc_auc_score(members[drawn], said[drawn]))
    low, high = np.quantile(areas, (0.025, 0.975))
    return f"{roc_auc_score(members, said):.3f} [{low:.3f}, {high:.3f}]"

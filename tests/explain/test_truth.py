"""In a world whose true contributions are known, those of a fitted model follow them."""

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.datasets import synthetic
from whyrec.explain import GradientPathConfig, PlayerKind
from whyrec.models import TwoTowerConfig
from whyrec.ranking import Candidates, ItemIndex


def test_contributions_follow_what_truly_made_the_score() -> None:
    world = synthetic(seed=0, n_users=300, n_items=60, n_events_per_user=15)
    dataset = Dataset.from_tables(world.events, world.items, world.users)
    model = TwoTowerConfig(dimension=64, max_steps=60).fit(dataset, progress=False)
    users = np.arange(0, 300, 3)
    histories = dataset.histories(users)
    index = ItemIndex(model.item_vectors(), model.item_biases())
    seen = Candidates(histories.items, histories.offsets)
    ranking = index.top_k(model.query_vectors(histories), 10, excluded=seen)
    explainer = GradientPathConfig().fit(model, dataset)
    scores = ranking.scores.astype(np.float64)
    found = explainer.explain(histories, ranking.pairs(), scores)
    truth = []
    features = dataset.item_features
    for row, item in zip(found.pairs.rows, found.pairs.items, strict=True):
        true = world.true_contributions(dataset.users[users[row]], dataset.items[item])
        tokens = features.tokens[features.offsets[item] : features.offsets[item + 1]]
        values = [features.schema.describe(int(token), 1.0) for token in tokens]
        of_values = [true.features[field, str(value)] for field, value in values]
        truth += [*true.events, *true.attributes.values(), *of_values]
    # The model has learned from 4,500 events, so it knows the truth in part; by chance it is 0.
    for kind, least in (
        (PlayerKind.EVENT, 0.45),
        (PlayerKind.ATTRIBUTE, 0.4),
        (PlayerKind.FEATURE, 0.2),
    ):
        chosen = found.players.kinds == kind
        correlation = np.corrcoef(found.contributions[chosen], np.array(truth)[chosen])[0, 1]
        assert correlation > least, kind

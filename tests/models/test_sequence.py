from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrec import SDK, SequenceConfig, ShapleyConfig
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError
from whyrec.models import Recommender, Sequence
from whyrec.types import BoolArray, Float32Array, Float64Array


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("dimension", 0, "dimension must be at least 1, not 0"),
        ("heads", 0, "heads must be at least 1, not 0"),
        ("n_blocks", 0, "n_blocks must be at least 1, not 0"),
        ("hidden", 0, "hidden must be at least 1, not 0"),
        ("max_events", 0, "max_events must be at least 1, not 0"),
        ("batch_size", 0, "batch_size must be at least 1, not 0"),
        ("n_targets", 0, "n_targets must be at least 1, not 0"),
        ("max_steps", -1, "max_steps must be at least 0, not -1"),
        ("n_looks", 0, "n_looks must be at least 1, not 0"),
        ("patience", 0, "patience must be at least 1, not 0"),
        ("seed", -1, "seed must be at least 0, not -1"),
        ("l2", 0.0, "l2 must be a number above 0, not 0.0"),
        ("dropout", 1.0, "dropout must be less than 1, not 1.0"),
        ("absent_events", 1.5, "absent_events must be at most 1, not 1.5"),
        ("absent_fields", 1.0, "absent_fields must be less than 1, not 1.0"),
        ("absent_features", 2.0, "absent_features must be less than 1, not 2.0"),
        ("validation_share", 1.1, "validation_share must be at most 1, not 1.1"),
        ("learning_rate", float("nan"), "learning_rate must be a number from 0, not nan"),
        ("vector_learning_rate", -1.0, "vector_learning_rate must be a number from 0"),
        ("dimension", 6, "dimension must be a multiple of heads; 6 is none of 4"),
        ("kind_weights", {"view": -1.0}, r"kind_weights\['view'\] must be a number from 0"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(SequenceConfig(), **{setting: value})  # type: ignore[arg-type]


def scores_of(model: Recommender, histories: Histories) -> Float32Array:
    scores: Float32Array = model.query_vectors(histories) @ model.item_vectors().T
    return scores + model.item_biases()


def values_of(
    model: Recommender, histories: Histories, item: int, coalitions: BoolArray
) -> Float64Array:
    pair = Pairs(np.zeros(1, np.int32), np.array([item], np.int32))
    return model.coalition_values(histories, pair, Coalitions.of_matrices([coalitions]))


def visitor(dataset: Dataset, items: list[int], ages: list[float]) -> Histories:
    return Histories(
        np.array([0, len(items)]),
        np.array(items, np.int32),
        np.zeros(len(items), np.int16),
        np.full(len(items), np.nan, np.float32),
        np.array(ages, np.float32),
        dataset.user_features.take(np.array([2])),
    )


def test_what_came_later_makes_a_difference(shop: Dataset, sequence: Sequence) -> None:
    one, other = (visitor(shop, items, [3.0, 2.0, 0.0]) for items in ([4, 5, 6], [6, 5, 4]))
    apart = sequence.query_vectors(one) - sequence.query_vectors(other)
    assert np.abs(apart).max() > 0.01


def test_how_long_ago_makes_a_difference(shop: Dataset, sequence: Sequence) -> None:
    one, other = (visitor(shop, [4, 5], [age, 0.0]) for age in (0.001, 300.0))
    apart = sequence.query_vectors(one) - sequence.query_vectors(other)
    assert np.abs(apart).max() > 0.01


def test_events_of_the_same_time_have_no_order(shop: Dataset, sequence: Sequence) -> None:
    one, other = (
        visitor(shop, items, [9.0, 2.0, 2.0, 2.0, 0.0])
        for items in ([8, 4, 5, 6, 7], [8, 6, 4, 5, 7])
    )
    np.testing.assert_allclose(
        sequence.query_vectors(one), sequence.query_vectors(other), rtol=1e-4, atol=1e-5
    )


def test_a_history_without_times_is_read_as_a_set(shop: Dataset, sequence: Sequence) -> None:
    items = np.arange(3, 20)
    shuffled = np.random.default_rng(0).permutation(items)
    one, other = (visitor(shop, each.tolist(), [0.0] * 17) for each in (items, shuffled))
    np.testing.assert_allclose(
        sequence.query_vectors(one), sequence.query_vectors(other), rtol=1e-4, atol=1e-5
    )


def test_value_and_kind_of_an_event_make_a_difference(shop: Dataset, sequence: Sequence) -> None:
    plain = visitor(shop, [4, 5], [1.0, 0.0])
    other_kind = replace(plain, kinds=np.array([0, 1], np.int16))
    liked = replace(plain, values=np.array([np.nan, 5], np.float32))
    queries = [sequence.query_vectors(each) for each in (plain, other_kind, liked)]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(queries[one] - queries[other]).max() > 1e-3


def test_no_random_coalition_differs_from_the_shortened_history(
    shop: Dataset, sequence: Sequence
) -> None:
    random = np.random.default_rng(0)
    for user in (5, 8, 12, 19):
        histories = shop.histories(np.array([user]))
        n_events, n_attributes = len(histories.items), len(histories.attributes.fields_of(0))
        n_features = int(np.diff(shop.item_features.offsets)[7])
        coalitions = np.ones((20, n_events + n_attributes + n_features), bool)
        coalitions[:, :n_events] = random.random((20, n_events)) < random.random((20, 1))
        values = values_of(sequence, histories, 7, coalitions)
        expected = [
            scores_of(sequence, histories.only_events(each[:n_events]))[0, 7] for each in coalitions
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-5)


def test_between_absent_and_present_the_gradient_is_that_of_the_value(
    shop: Dataset, sequence: Sequence
) -> None:
    histories, rows = shop.histories(np.array([12])), np.zeros(1, np.int64)
    widths = (len(histories.items), len(histories.attributes.fields_of(0)), 4)
    embedded = sequence.embed_pairs(histories, rows, np.array([[7, 9]]), widths)
    random = torch.Generator().manual_seed(0)
    presence = torch.rand((1, 2, 3, sum(widths)), generator=random)
    presence[..., 0], presence[..., 1] = 0.0, 1.0
    presence.requires_grad_()
    values = sequence.pair_values(embedded, presence)
    (gradient,) = torch.autograd.grad(values.sum(), presence)
    assert gradient.abs().min() > 0
    step = 1e-2
    for place in range(sum(widths)):
        moved = [presence.detach().clone() for _ in range(2)]
        moved[0][..., place] += step
        moved[1][..., place] -= step
        up, down = (sequence.pair_values(embedded, each) for each in moved)
        slope = (up - down) / (2 * step)
        torch.testing.assert_close(gradient[..., place], slope, rtol=0.05, atol=0.02)


def test_the_query_is_what_the_encoder_says_it_is(shop: Dataset, sequence: Sequence) -> None:
    """Against the formula in the docstring of `SequenceEncoder`, in float64 and plain loops."""
    of = {name: each.astype(np.float64) for name, each in sequence.arrays().items()}
    vectors = of["events.identity"] + shop.item_features.matrix() @ of["events.of_features"]
    histories = shop.histories(np.arange(8))
    queries = sequence.query_vectors(histories)
    for row in range(8):
        attributes = expected_attributes(of, histories.attributes, row)
        events, recency, openings, weighed = [], [], [], np.zeros((2, 8))
        squares = np.zeros(2)
        ages = histories.ages[histories.offsets[row] : histories.offsets[row + 1]]
        for event in range(*histories.offsets[row : row + 2]):
            vector = vectors[histories.items[event]]
            value = (histories.values[event] - of["value_mean"]) / of["value_spread"]
            known = np.isfinite(value)
            context = np.array([value if known else 0, known, *np.eye(2)[histories.kinds[event]]])
            age = float(histories.ages[event])
            later = (ages < histories.ages[event]).sum()
            recency.append(
                [np.log1p(later), 1 / (1 + later), np.log1p(age) / 4, np.log1p(1440 * age) / 8]
            )
            openings = vector @ of["opening_of_vector"] + context @ of["opening_of_context"]
            weights = np.exp(openings + recency[-1] @ of["opening_of_recency"])
            weighed += weights[:, None] * vector.reshape(2, 8)
            squares += weights**2
            events.append(4 * vector + context @ of["of_context"])
        pooled = (weighed / np.sqrt(1 + squares)[:, None]).ravel() + attributes
        token = of["token"] + attributes
        for number in range(2):
            block = {
                name.removeprefix(f"blocks.{number}."): each
                for name, each in of.items()
                if name.startswith(f"blocks.{number}.")
            }
            token = token + expected_reading(block, token, events, recency)
            inner = normed(token, block["hidden_norm"]) @ block["hidden_weight"]
            hidden = torch.nn.functional.gelu(torch.from_numpy(inner + block["hidden_bias"]))
            token = token + hidden.numpy() @ block["hidden_output"]
        expected = pooled + normed(token, of["token_norm"]) @ of["output"]
        expected = np.exp(of["log_scale"]) * expected
        np.testing.assert_allclose(queries[row], expected, rtol=1e-3, atol=1e-4)


def normed(vector: Float64Array, log_gain: Float64Array) -> Float64Array:
    result: Float64Array = vector / np.sqrt((vector**2).mean() + 1e-6) * np.exp(log_gain)
    return result


def expected_attributes(of: dict[str, Float64Array], features: Features, row: int) -> Float64Array:
    attributes = np.zeros(16)
    present = features.fields_of(row)
    for field in range(len(features.schema.fields)):
        if field not in present:
            attributes += of["absent_fields"][field]
    for entry in range(*features.offsets[row : row + 2]):
        attributes += features.weights[entry] * of["attributes"][features.tokens[entry]]
    return attributes


def expected_reading(
    block: dict[str, Float64Array],
    token: Float64Array,
    events: list[Float64Array],
    recency: list[list[float]],
) -> Float64Array:
    query = normed(token, block["token_norm"]) @ block["query"]
    heads = []
    for head in range(2):
        part = slice(8 * head, 8 * head + 8)
        total, read = 1.0, np.zeros(8)  # the key of zero
        for event, recent in zip(events, recency, strict=True):
            event = normed(event, block["event_norm"])
            logit = query[part] @ (event @ block["key"])[part] / np.sqrt(8)
            weight = np.exp(logit + recent @ block["recency"][:, head])
            read += weight * (event @ block["value"])[part]
            total += weight
        heads.append(read / total)
    result: Float64Array = np.concatenate(heads) @ block["output"]
    return result


def test_arrays_of_another_model_are_refused(
    shop: Dataset, sequence: Sequence, sequence_config: SequenceConfig
) -> None:
    arrays = sequence.arrays()
    del arrays["token"]
    with pytest.raises(StorageError, match=r"(?s)do not fit.*token"):
        sequence_config.restore(shop, arrays)
    with pytest.raises(StorageError, match=r"(?s)do not fit.*size mismatch"):
        replace(sequence_config, hidden=8).restore(shop, sequence.arrays())


def test_coalitions_have_the_same_bits_in_blocks_of_any_number(
    shop: Dataset, sequence: Sequence, monkeypatch: pytest.MonkeyPatch
) -> None:
    histories = shop.histories(np.array([4]))
    coalitions = np.random.default_rng(0).random((200, 11)) < 0.5
    together = values_of(sequence, histories, 4, coalitions)
    monkeypatch.setattr("whyrec.models.coalition_blocks._MOST", 24)
    np.testing.assert_array_equal(values_of(sequence, histories, 4, coalitions), together)


def test_a_fitted_sdk_answers_explains_and_comes_back_the_same(
    shop: Dataset, sequence_config: SequenceConfig, tmp_path: object
) -> None:
    sdk = SDK.fit_dataset(shop, model=sequence_config, explainer=ShapleyConfig(), progress=False)
    sdk.save(f"{tmp_path}/model")
    again = SDK.load(f"{tmp_path}/model")
    for user in ("u0", "u3", "u7"):
        one, other = (each.recommend_with_reasons(user, k=4) for each in (sdk, again))
        assert one == other
    assert again.recommend_for(["i3", "i4"], k=2)


def test_a_single_event_and_two_thousand_can_be_read_and_explained(
    shop: Dataset, sequence: Sequence
) -> None:
    random = np.random.default_rng(0)
    for n_events in (1, 2_000):
        items = random.integers(2, 25, n_events).tolist()
        ages = np.sort(random.random(n_events))[::-1] * 50
        histories = visitor(shop, items, (ages - ages[-1]).tolist())
        everyone = np.ones((1, n_events), bool)
        (value,) = values_of(sequence, histories, 0, everyone)
        assert value == pytest.approx(scores_of(sequence, histories)[0, 0], rel=1e-3, abs=1e-4)

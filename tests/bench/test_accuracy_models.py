from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pytest
from bench.accuracy.lineup import ROWS, SOURCES
from bench.accuracy.models.content import Content, RandomOrder
from bench.accuracy.models.model import Model, accuracy_of_rows, accuracy_of_scores, asked_users
from bench.accuracy.models.ours import Ours
from bench.accuracy.one import best_setting, fit, of_some_users
from bench.accuracy.protocols import CUTOFFS, PROTOCOLS, Question, first_events

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.evaluate.accuracy import Accuracy
from whyrec.models import Popularity
from whyrec.types import Float32Array


@pytest.fixture(scope="module")
def once(world_data: Dataset) -> Dataset:
    return world_data.with_interactions(first_events(world_data.interactions))


def test_names_of_data_protocols_and_models_are_told_apart() -> None:
    names = [*SOURCES, *PROTOCOLS, *ROWS]
    assert len(names) == len(set(names))
    for row in ROWS.values():
        assert row.settings
        assert row.protocols <= PROTOCOLS.keys()
    for protocol in PROTOCOLS.values():
        assert ROWS[protocol.bar].protocols & {"random", "new-items"}
        assert {int(metric.split("@")[1]) for metric in protocol.metrics} <= set(CUTOFFS)


def test_every_protocol_has_its_bar() -> None:
    for name, protocol in PROTOCOLS.items():
        assert name in ROWS[protocol.bar].protocols


@pytest.mark.parametrize("protocol", ["random", "new-users"])
def test_figures_through_the_sdk_are_those_of_scores(once: Dataset, protocol: str) -> None:
    _, question = PROTOCOLS[protocol].questions(once.interactions, 0)
    known = once.with_interactions(question.known)
    model = Ours(model=whyrec.EASEConfig(l2=20.0)).fit(known, seed=0)
    ease = whyrec.EASEConfig(l2=20.0).fit(known)
    given = question.given.histories(asked_users(question), once.user_features)
    scores = ease.query_vectors(given) @ ease.item_vectors().T
    found, expected = model.answer(question), accuracy_of_scores(question, scores)
    assert found.n_users == expected.n_users > 10
    assert found.means() == pytest.approx(expected.means(), abs=1e-3)  # ties are rounded apart
    assert found.means()["NDCG@10"] > 0.1


@dataclass(frozen=True)
class Seeded:
    """Settings that remember the seed that they were fitted with."""

    log: list[int]
    seed: int = 7

    def fit(self, dataset: Dataset, *, progress: bool = True) -> Popularity:
        self.log.append(self.seed)
        return whyrec.PopularityConfig().fit(dataset, progress=progress)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> Popularity:
        return whyrec.PopularityConfig().restore(dataset, arrays)


def test_settings_are_given_the_seed_of_the_run(once: Dataset) -> None:
    log: list[int] = []
    for seed in (3, 4):
        Ours(model=Seeded(log)).fit(once, seed)
    assert log == [3, 4]


def test_lists_of_one_length_are_measured_in_the_order_of_those_asked(once: Dataset) -> None:
    _, question = PROTOCOLS["next-item"].questions(once.interactions, 0)
    wanted = question.asked.items  # one for each who is asked
    others = np.argsort(np.arange(80)[None] == wanted[:, None], axis=1, kind="stable")
    lists = np.concatenate([wanted[:, None], others[:, :9]], axis=1)
    assert accuracy_of_rows(question, lists).means()["MRR@10"] == 1


def test_content_finds_new_items_that_are_like_those_of_the_history() -> None:
    random = np.random.default_rng(0)
    styles = np.array(["round", "square"] * 30)
    tastes = styles[random.integers(60, size=50)]
    events = [
        (f"u{user}", f"i{item}")
        for user, taste in enumerate(tastes)
        for item in random.permutation(np.flatnonzero(styles == taste))[:12]
    ]
    users, items = (list(each) for each in zip(*events, strict=True))
    catalog = pa.table({"item_id": [f"i{item}" for item in range(60)], "style": styles.tolist()})
    dataset = Dataset.from_tables(pa.table({"user_id": users, "item_id": items}), catalog)
    _, question = PROTOCOLS["new-items"].questions(dataset.interactions, 0)
    known = dataset.with_interactions(question.known)
    content, chance = (
        model.fit(known, seed=0).answer(question).means()["Recall@20"]
        for model in (Content(), RandomOrder())
    )
    assert content > 1.5 * chance > 0


@dataclass
class Known:
    """A model that is as good as it says."""

    hits: int
    log: list[str] = field(default_factory=list)

    def fit(self, dataset: Dataset, seed: int) -> "Known":  # noqa: ARG002
        self.log.append(f"fit {self.hits}, seed {seed}")
        return self

    def answer(self, question: Question) -> Accuracy:
        n_users = len(asked_users(question))
        lists = np.full((n_users, 1), 79)
        lists[: self.hits, 0] = question.asked.items[: self.hits]
        return accuracy_of_rows(question, lists)


@dataclass
class Trained(Known):
    """One that goes on from the one before."""

    def resume(self, fitted: Known) -> "Trained":
        self.log.append(f"{fitted.hits} to {self.hits}")
        return self


def test_the_best_on_validation_is_chosen(once: Dataset) -> None:
    validation, _ = PROTOCOLS["next-item"].questions(once.interactions, 0)
    log: list[str] = []
    settings: tuple[Model, ...] = tuple(Known(hits, log) for hits in (5, 1, 2, 30, 20))
    assert best_setting(settings, once, validation, "NDCG@10", seed=4) == 3
    assert log[0] == "fit 5, seed 4"
    assert len(log) == 5


def test_what_trains_on_ends_two_after_its_best(once: Dataset) -> None:
    validation, _ = PROTOCOLS["next-item"].questions(once.interactions, 0)
    log: list[str] = []
    settings: tuple[Model, ...] = tuple(Trained(hits, log) for hits in (5, 30, 20, 10, 40))
    assert best_setting(settings, once, validation, "NDCG@10", seed=0) == 1
    assert log == ["fit 5, seed 0", "5 to 30", "30 to 20", "20 to 10"]


def test_a_fit_tells_its_cost(once: Dataset) -> None:
    _, question = PROTOCOLS["random"].questions(once.interactions, 0)
    found = fit(Ours(model=whyrec.PopularityConfig()), once, question, seed=0)
    assert found.n_users > 100
    assert 0 < found.means["NDCG@10"] < 1
    assert 0 < found.seconds < 60
    assert found.peak_bytes > 50 << 20


def test_a_trial_keeps_some_users_whole(once: Dataset) -> None:
    part = of_some_users(once, 30)
    counts = np.diff(part.interactions.offsets)
    assert (counts > 0).sum() == 30
    kept = counts > 0
    np.testing.assert_array_equal(counts[kept], np.diff(once.interactions.offsets)[kept])
    assert part.n_items == once.n_items


@pytest.mark.parametrize("name", ["als", "bpr", "sasrec"])
def test_peers_beat_chance(once: Dataset, name: str) -> None:
    pytest.importorskip("rectools" if ROWS[name].needs_rectools else "implicit")
    _, question = PROTOCOLS["random"].questions(once.interactions, 0)
    known = once.with_interactions(question.known)
    found = ROWS[name].settings[0].fit(known, seed=0).answer(question)
    chance = RandomOrder().fit(known, seed=0).answer(question)
    assert found.n_users == chance.n_users
    assert found.means()["NDCG@20"] > 1.3 * chance.means()["NDCG@20"]


def test_als_solves_for_users_that_it_was_not_fitted_on(once: Dataset) -> None:
    pytest.importorskip("implicit")
    _, question = PROTOCOLS["new-users"].questions(once.interactions, 0)
    model = ROWS["als"].settings[0].fit(once.with_interactions(question.known), seed=0)
    empty = once.interactions.only(np.zeros(len(once.interactions), bool))
    told = model.answer(question).means()["Recall@20"]
    assert told > model.answer(replace(question, given=empty)).means()["Recall@20"]

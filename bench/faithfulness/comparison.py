"""One recommender on one data set, trained once: every method explains the same pairs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from bench.faithfulness import match, removed, truth
from bench.faithfulness.asked import best_unseen
from bench.faithfulness.cost import Cost, cost
from bench.faithfulness.data import Parts
from bench.faithfulness.event_game import EventGame, event_game
from bench.faithfulness.kept import Kept
from bench.faithfulness.lineup import MARGINS, NETWORK, Entry, Subject, lineup
from bench.faithfulness.measured import (
    Asked,
    Measured,
    arrays_of,
    attributions_of,
    measure,
)
from bench.faithfulness.methods.margins import MarginsConfig
from bench.faithfulness.methods.method import Method
from bench.faithfulness.removed import Removals
from bench.timing import cells

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.evaluate.faithfulness import Faithfulness, faithfulness
from whyrec.explain.attribution import Attributions
from whyrec.explain.path import differentiable
from whyrec.models.recommender import DifferentiableRecommender


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is measured, beside what the subject allows."""

    n_users: int = 200
    """The most test users, one pair each."""

    n_matched: int = 20
    """Pairs on which KernelSHAP is to match the network."""

    most_coalitions: int = 1 << 13
    """The most that it gets for that."""

    quick: bool = False
    """Whether everything that is trained is trained for a few steps: a trial, of no use else."""


@dataclass(slots=True)
class Findings:
    """What came out for one recommender on one data set."""

    data: str
    recommender: str

    lines: list[str] = field(default_factory=list)
    """Its tables, in Markdown."""

    agreement: dict[str, Faithfulness] = field(default_factory=dict)
    """Of the network, by game: "events", "all" and "margins"."""

    removals: Removals | None = None
    """None where only all players together were asked about."""

    matched_by: int | None = None
    """Coalitions with which KernelSHAP was as near as the network; None if with none it was."""

    fit_seconds: float = 0.0
    """Processor time of the network's training on events, with what it learns of its confidence."""


class Comparison:
    """The tables of one data set and one recommender."""

    def __init__(
        self,
        names: tuple[str, str],
        parts: Parts,
        subject: Subject,
        size: Size,
        kept: Kept,
        *,
        progress: bool,
    ) -> None:
        """Train the recommender, or take the one that was kept.

        Args:
            names: of the data set and of the recommender.
            parts: the users to learn from and those to test on.
            subject: the recommender; it must be one that can be differentiated.
            size: how much is measured.
            kept: where what took long is kept.
            progress: whether training is shown.
        """
        self._findings = Findings(*names)
        self._subject, self._size, self._kept, self._progress = subject, size, kept, progress
        self._parts, self._training = parts, parts.training
        counts = np.diff(parts.whole.interactions.offsets)[parts.test_users]
        users = parts.test_users[counts <= subject.most_events]
        users = users[: min(subject.n_users, size.n_users)]
        self._depends_on = (names, subject, size.quick, parts.test_users.tolist(), users.tolist())
        stored = kept.arrays(
            (*names, subject.config, parts.test_users.tolist()), self._train, of_models=True
        )
        recommender = subject.config.restore(parts.training, stored)
        self._recommender = differentiable(recommender)
        self._asked: Asked = best_unseen(recommender, parts.whole.histories(users))
        self._n_true = min(subject.n_true, len(self._asked[1]))

    def run(self) -> Findings:
        """Measure events by themselves, and all players together if there are others."""
        training, findings = self._training, self._findings
        if not len(training.user_features.tokens):
            self._events()
        if len(training.user_features.tokens) or len(training.item_features.tokens):
            measured = self._measured("all", self._recommender, training)
            reference = self._reference("all", self._recommender, self._shapley())
            findings.agreement["all"] = self._truth(
                "all", "events, fields and features as players", measured, reference
            )
        return findings

    def cost(self) -> Cost:
        """Time a network of the same shape, whatever it has learned."""
        config = whyrec.NetworkConfig(max_steps=1, confidence_pairs=8)
        explainer = config.fit(self._recommender, self._training, progress=False)
        return cost(self._recommender, explainer, self._parts)

    def _events(self) -> None:
        findings = self._findings
        game, training = event_game(self._recommender), EventGame.dataset(self._training)
        measured = self._measured("events", game, training)
        findings.fit_seconds = measured[NETWORK].seconds
        reference = self._reference("events", game, self._shapley())
        margins = self._reference("margins", game, MarginsConfig(explainer=self._shapley()))
        of_margins = {name: each for name, each in measured.items() if self._is_of_margin(name)}
        of_scores = {name: each for name, each in measured.items() if name not in of_margins}
        findings.agreement["events"] = self._truth(
            "events", "events as players", of_scores, reference
        )
        findings.agreement["margins"] = self._truth(
            "margins", "margins, events as players", of_margins, margins
        )
        rows, findings.matched_by = match.matching_rows(
            game,
            training,
            self._asked,
            reference,
            match.first_pairs(measured[NETWORK].attributions, self._n_true),
            n_pairs=min(self._size.n_matched, self._n_true),
            most=self._size.most_coalitions,
        )
        notes = [f"Means over {min(self._size.n_matched, self._n_true)} pairs."]
        self._table("what KernelSHAP needs to match the network", match.HEADER, rows, notes)
        self._removal(measured)

    def _train(self) -> dict[str, Any]:
        started = time.process_time()
        fitted = self._subject.config.fit(self._training, progress=self._progress)
        print(f"trained in {time.process_time() - started:.0f} s", flush=True)
        return dict(fitted.arrays())

    def _measured(
        self, game: str, recommender: DifferentiableRecommender[Any], dataset: Dataset
    ) -> dict[str, Measured]:
        """Return what each method that can says of all pairs."""
        found = {}
        self._entries = lineup(self._subject, quick=self._size.quick)  # what is fitted is of a game
        for name, entry in self._entries.items():
            if game == "all" and not entry.of_all_players:
                continue

            def make(entry: Entry = entry) -> Any:
                return measure(
                    entry.method, recommender, dataset, self._asked, progress=self._progress
                ).arrays()

            stored = self._kept.arrays((*self._depends_on, game, entry), make)
            found[name] = Measured.restored(stored, recommender, self._asked)
            print(
                f"{self._findings.data}, {self._findings.recommender}, {game}: {name}", flush=True
            )
        return found

    def _shapley(self) -> whyrec.ShapleyConfig:
        return whyrec.ShapleyConfig(max_permutations=self._subject.n_permutations)

    def _reference(
        self, game: str, recommender: DifferentiableRecommender[Any], method: Method
    ) -> Attributions:
        """Return the truth about the first pairs."""
        histories, pairs, full_values = self._asked
        first = np.arange(self._n_true)
        asked = histories, pairs.take(first), full_values[first]

        def make() -> Any:
            return arrays_of(method.fit(recommender, self._training).explain(*asked))

        stored = self._kept.arrays((*self._depends_on, game, method), make)
        return attributions_of(stored, recommender, asked)

    def _truth(
        self, game: str, players: str, measured: dict[str, Measured], reference: Attributions
    ) -> Faithfulness:
        """Give the tables of agreement, and return the network's."""
        first = {
            name: replace(
                each, attributions=match.first_pairs(each.attributions, len(reference.pairs))
            )
            for name, each in measured.items()
        }
        rows = truth.truth_rows(self._entries, first, reference)
        chosen = [each.note for each in measured.values() if each.note]
        notes = [self._about(len(reference.pairs)), *truth.reference_notes(reference), *chosen]
        self._table(f"Shapley values, {players}", truth.HEADER, rows, notes)
        if game != "margins":
            bands = truth.band_table(first, reference)
            notes = ["Spearman, and top-5 overlap, by how many players a pair has."]
            self._table(f"Shapley values by length, {players}", *bands, notes)
        name = MARGINS if game == "margins" else NETWORK
        return faithfulness(first[name].attributions, reference)

    def _removal(self, measured: dict[str, Measured]) -> None:
        removals = removed.measure_removals(
            self._recommender, self._asked, measured, self._keep_removal
        )
        self._findings.removals = removals
        notes = [self._about(len(self._asked[1])), *removed.NOTES]
        self._table("removal of events", removed.MAIN_HEADER, removals.main_rows(), notes)
        self._table("removal of one to five events", *removals.refined_rows(), [])
        notes = ["Means of the differences over users, with 95 % bootstrap intervals."]
        for ours in (MARGINS, NETWORK):
            header = [f"{ours} less …", *removed.LOWER_IS_BETTER]
            self._table(f"removal, {ours}", header, removals.against_rivals(ours), notes)

    def _keep_removal(self, name: str, make: Callable[[], Any]) -> Any:
        """Return what was kept of removal by a method of the line-up, or by greedy."""
        found = self._kept.arrays(
            (*self._depends_on, "removal", name, self._entries.get(name)), make
        )
        print(f"removal: {name}", flush=True)
        return found

    def _is_of_margin(self, name: str) -> bool:
        return isinstance(self._entries[name].method, MarginsConfig)

    def _about(self, n_pairs: int) -> str:
        return (
            f"{n_pairs} test users of at most {self._subject.most_events} events, each with the "
            "best unseen item. Neither the recommender nor a method was fitted on them."
        )

    def _table(
        self, title: str, header: list[str], rows: list[list[str]], notes: list[str]
    ) -> None:
        told = (line for note in notes for line in ("", note))
        lines = [f"### {title[0].upper()}{title[1:]}", "", *cells(header, rows), *told, ""]
        self._findings.lines += lines
        print("\n".join(lines), flush=True)

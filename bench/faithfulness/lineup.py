"""The methods side by side and what each of them claims, and the recommenders that they explain."""

from dataclasses import dataclass, field, replace

from bench.faithfulness.methods.chance import ChanceConfig
from bench.faithfulness.methods.cosine import CosineConfig
from bench.faithfulness.methods.fitted_once import FittedOnce
from bench.faithfulness.methods.gradients import GradientTimesInputConfig, IntegratedGradientsConfig
from bench.faithfulness.methods.kernel_shap import KernelSHAPConfig
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output
from bench.faithfulness.methods.margins import MarginsConfig
from bench.faithfulness.methods.method import Method
from bench.faithfulness.methods.spinrec import Baseline, SPINRecConfig
from bench.faithfulness.methods.tuned_lxr import GRID, TunedLXRConfig

import whyrec
from whyrec.models import RecommenderConfig


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the tables."""

    method: Method

    in_logits: bool = True
    """Whether contributions are parts of the score; if not, they have an order and no size."""

    of_all_players: bool = True
    """Whether it attributes to fields and features too, and not to events alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A recommender that is explained, and how much of it can be measured in the time there is."""

    config: RecommenderConfig

    n_users: int
    """The most test users, one pair each."""

    n_true: int
    """Of so many of them the Shapley values are found."""

    n_permutations: int
    """The most that these take."""

    most_events: int
    """Test users have no more."""

    kernel_budget: int
    """Coalitions that KernelSHAP evaluates, beside two a player."""

    lxr_steps: int = 300
    """The most steps of LXR with each of the settings that it chooses among."""

    network: whyrec.NetworkConfig = field(default_factory=whyrec.NetworkConfig)
    """How the explainer network is trained."""

    left_out: tuple[str, ...] = ()
    """Methods that take too long for it."""


RANDOM = "random"
NETWORK = "whyrec: network"
MARGINS = "whyrec: network, margins over the next 10"
RIVALS = (
    "leave-one-out",
    "path integral from zero (PI)",
    "LXR",
    "SPINRec, mean of ten draws",
    "leave-one-out of the probability",
    "SPINRec of the probability, mean of ten",
)
"""What our tiers are held against, pair by pair: those of the papers, then their stronger forms."""

N_PUBLISHED = 4
"""The first of the rivals, which follow the score, as in the papers."""


def subjects(*, quick: bool) -> dict[str, Subject]:
    """Return what is explained, by name; each is trained once for each data set."""
    towers, sequence = whyrec.TwoTowerConfig(), whyrec.SequenceConfig()
    ranker, network = whyrec.DeepRankerConfig(), whyrec.NetworkConfig()
    # A value of the sequence costs what a thousand of the two-tower network do.
    of_sequence = whyrec.NetworkConfig(
        batch_size=16, n_coalitions=16, max_events=64, max_steps=100, confidence_pairs=0
    )
    if quick:
        towers, sequence = replace(towers, max_steps=20), replace(sequence, max_steps=20)
        ranker = replace(ranker, retrieval=towers, max_steps=20)
        network = replace(network, max_steps=25, confidence_pairs=0)
        of_sequence = replace(of_sequence, max_steps=5)
    return {
        "two-tower": Subject(
            config=towers,
            n_users=120,
            n_true=40,
            n_permutations=2_048,
            most_events=500,
            kernel_budget=1_024,
            network=network,
        ),
        "deep ranker": Subject(
            config=ranker,
            n_users=60,
            n_true=20,
            n_permutations=1_024,
            most_events=150,
            kernel_budget=1_024,
            network=replace(network, confidence_pairs=0),
        ),
        "sequence": Subject(
            config=sequence,
            n_users=40,
            n_true=16,
            n_permutations=64,
            most_events=40,
            kernel_budget=512,
            lxr_steps=50,
            network=of_sequence,
            left_out=("SPINRec of the probability, mean of ten", "whyrec: refined"),
        ),
    }


def lineup(subject: Subject, *, quick: bool) -> dict[str, Entry]:
    """Return every method by name; quick ones are trained for a few steps, and of no use."""
    lxr = TunedLXRConfig(
        grid=tuple(replace(each, max_steps=subject.lxr_steps) for each in GRID), most_users=60
    )
    if quick:
        lxr = TunedLXRConfig(
            grid=tuple(replace(each, max_steps=20) for each in GRID[:2]), most_users=10
        )
    network = FittedOnce(explainer=subject.network)
    untrained = replace(subject.network, max_steps=0, confidence_pairs=0)
    probability = Output.PROBABILITY

    def of_events(method: Method, *, in_logits: bool = False) -> Entry:
        return Entry(method, in_logits=in_logits, of_all_players=False)

    entries = {
        RANDOM: of_events(ChanceConfig()),
        "cosine": of_events(CosineConfig()),
        "leave-one-out": Entry(LeaveOneOutConfig()),
        "leave-one-out of the probability": of_events(LeaveOneOutConfig(of=probability)),
        "gradient × input": Entry(GradientTimesInputConfig()),
        "path integral from zero (PI)": of_events(
            SPINRecConfig(baseline=Baseline.NOTHING), in_logits=True
        ),
        "integrated gradients, 50 points": Entry(IntegratedGradientsConfig()),
        "KernelSHAP": Entry(KernelSHAPConfig(budget=subject.kernel_budget)),
        "LXR": of_events(lxr),
        "SPINRec, one draw": of_events(SPINRecConfig(), in_logits=True),
        "SPINRec, mean of ten draws": of_events(SPINRecConfig(n_draws=10), in_logits=True),
        "SPINRec of the probability, mean of ten": of_events(
            SPINRecConfig(of=probability, n_draws=10)
        ),
        "whyrec: gradient path, 8 points": Entry(whyrec.GradientPathConfig(n_points=8)),
        "whyrec: network before training": Entry(untrained),
        NETWORK: Entry(network),
        MARGINS: of_events(MarginsConfig(explainer=network)),
        "whyrec: gradient path, margins": of_events(
            MarginsConfig(explainer=whyrec.GradientPathConfig())
        ),
        "whyrec: refined": Entry(whyrec.RefinedConfig(explainer=network)),
        "whyrec: sampled Shapley, 32 permutations": Entry(
            whyrec.ShapleyConfig(max_permutations=32, seed=1)  # not the draws of the reference
        ),
    }
    return {name: entry for name, entry in entries.items() if name not in subject.left_out}

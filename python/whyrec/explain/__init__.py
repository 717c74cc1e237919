"""Why: what each player contributes to a score, by explainers behind one protocol."""

from whyrec.explain.attribution import Attributions, PlayerKind, Players
from whyrec.explain.closed_form import AdditiveRecommender, ClosedForm, ClosedFormConfig
from whyrec.explain.confidence import Confidence, fit_confidence
from whyrec.explain.encoder_network import EncoderNetwork, EncoderNetworkConfig
from whyrec.explain.estimators import Estimator
from whyrec.explain.explainer import (
    Explainer,
    ExplainerConfig,
    InteractionExplainer,
    TrainableExplainerConfig,
    fit_explainer,
)
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.explain.margin import Margin, Rivals, margin_over
from whyrec.explain.network import Network, NetworkConfig
from whyrec.explain.path import GradientPath, GradientPathConfig
from whyrec.explain.refined import Refined, RefinedConfig
from whyrec.explain.shapley import Shapley, ShapleyConfig

__all__ = [
    "AdditiveRecommender",
    "Attributions",
    "ClosedForm",
    "ClosedFormConfig",
    "Confidence",
    "EncoderNetwork",
    "EncoderNetworkConfig",
    "Estimator",
    "Explainer",
    "ExplainerConfig",
    "GradientPath",
    "GradientPathConfig",
    "InteractionExplainer",
    "Interactions",
    "Margin",
    "Network",
    "NetworkConfig",
    "PlayerKind",
    "PlayerPairs",
    "Players",
    "Refined",
    "RefinedConfig",
    "Rivals",
    "Shapley",
    "ShapleyConfig",
    "TrainableExplainerConfig",
    "fit_confidence",
    "fit_explainer",
    "margin_over",
]

"""Prediction: windows, mirrors, members, branches and stages, on a backend."""

from segcube.predict.ahead import Ahead, prepare_ahead
from segcube.predict.cascade import Handed, View, follow, hand_on, whole_view
from segcube.predict.clock import Clock
from segcube.predict.merge import Merged
from segcube.predict.models import Models
from segcube.predict.save import save_probabilities
from segcube.predict.stage import StageRun
from segcube.predict.windows import WindowPlan, plan_windows

__all__ = [
    "Ahead",
    "Clock",
    "Handed",
    "Merged",
    "Models",
    "StageRun",
    "View",
    "WindowPlan",
    "follow",
    "hand_on",
    "plan_windows",
    "prepare_ahead",
    "save_probabilities",
    "whole_view",
]

"""Prediction: windows, mirrors, members, branches and stages, on a backend."""

from segcube.predict.ahead import Ahead, prepare_ahead
from segcube.predict.cascade import Handed, follow, hand_on
from segcube.predict.clock import Clock
from segcube.predict.earlier import View, whole_view
from segcube.predict.merge import Merged
from segcube.predict.models import Models
from segcube.predict.save import Keep, is_saved, save_probabilities, saved_fingerprint
from segcube.predict.stage import StageRun
from segcube.predict.windows import WindowPlan, plan_windows

__all__ = [
    "Ahead",
    "Clock",
    "Handed",
    "Keep",
    "Merged",
    "Models",
    "StageRun",
    "View",
    "WindowPlan",
    "follow",
    "hand_on",
    "is_saved",
    "plan_windows",
    "prepare_ahead",
    "save_probabilities",
    "saved_fingerprint",
    "whole_view",
]

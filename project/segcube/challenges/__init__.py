"""Challenges as data: their schema, and how they are loaded and recognised."""

from segcube.challenges.loader import challenge_keys, load_challenge
from segcube.challenges.match import match_challenge
from segcube.challenges.metrics import LesionRule, LesionWise, Matched, Metrics, Overlap, SmallLesions
from segcube.challenges.names import ImageName, nifti_stem, parse_name
from segcube.challenges.schema import BACKGROUND, Challenge, Channel, Geometry, Paint, UsualGrid

__all__ = [
    "BACKGROUND",
    "Challenge",
    "Channel",
    "Geometry",
    "ImageName",
    "LesionRule",
    "LesionWise",
    "Matched",
    "Metrics",
    "Overlap",
    "Paint",
    "SmallLesions",
    "UsualGrid",
    "challenge_keys",
    "load_challenge",
    "match_challenge",
    "nifti_stem",
    "parse_name",
]

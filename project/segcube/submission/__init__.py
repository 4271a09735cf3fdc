"""Submissions: their schema and rules, read, checked, found and written."""

from segcube.submission.branch import (
    Branch,
    Intensity,
    Member,
    Normalize,
    Outputs,
    Resampling,
    Spline,
    Window,
)
from segcube.submission.digest import FETCH_AGAIN, expect_file, expect_sha256, sha256_of, unreadable
from segcube.submission.folder import expect_room, whole_folder
from segcube.submission.load import (
    LoadedSubmission,
    choose_submission,
    load_for,
    read_challenge,
    read_submission,
    submission_folders,
)
from segcube.submission.preset import apply_preset, describe_preset
from segcube.submission.rules import (
    Fill,
    KeepComponents,
    LargestComponent,
    Nest,
    Paint,
    ReplaceSmall,
    Retry,
    Rule,
    Threshold,
    Write,
)
from segcube.submission.schema import Follows, Length, Stage, Submission
from segcube.submission.weights import WeightsFile, describe_weights
from segcube.submission.write import write_submission

__all__ = [
    "FETCH_AGAIN",
    "Branch",
    "Fill",
    "Follows",
    "Intensity",
    "KeepComponents",
    "LargestComponent",
    "Length",
    "LoadedSubmission",
    "Member",
    "Nest",
    "Normalize",
    "Outputs",
    "Paint",
    "ReplaceSmall",
    "Resampling",
    "Retry",
    "Rule",
    "Spline",
    "Stage",
    "Submission",
    "Threshold",
    "WeightsFile",
    "Window",
    "Write",
    "apply_preset",
    "choose_submission",
    "describe_preset",
    "describe_weights",
    "expect_file",
    "expect_room",
    "expect_sha256",
    "load_for",
    "read_challenge",
    "read_submission",
    "sha256_of",
    "submission_folders",
    "unreadable",
    "whole_folder",
    "write_submission",
]

"""Thresholds, filters and weights of a submission, tuned on saved probabilities."""

from segcube.evaluate.tuning.inputs import Inputs, TuneRequest, read_inputs
from segcube.evaluate.tuning.report import print_tuned, tuned_block
from segcube.evaluate.tuning.tuning import Tuned, tune_inputs

__all__ = ["Inputs", "TuneRequest", "Tuned", "print_tuned", "read_inputs", "tune_inputs", "tuned_block"]

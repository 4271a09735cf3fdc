"""Training on made cases: plans, the loop, and the starter submissions."""

from segcube.train.loop import train_network
from segcube.train.plan import TrainPlan
from segcube.train.samples import Sample, crop_near, prepare_sample

__all__ = ["Sample", "TrainPlan", "crop_near", "prepare_sample", "train_network"]

from .branch import branch_of as branch_of
from .convert import import_nnunet as import_nnunet
from .dataset import Dataset as Dataset
from .labels import challenge_labels as challenge_labels
from .mbas import import_mbas as import_mbas
from .model import PlannedModel as PlannedModel
from .model import network_of as network_of
from .model import read_planned as read_planned

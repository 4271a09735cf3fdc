from .compound import LossFunction as LossFunction
from .compound import build_loss as build_loss
from .targets import IGNORE as IGNORE
from .targets import OUTSIDE as OUTSIDE
from .targets import LossOutputs as LossOutputs
from .targets import Target as Target
from .targets import loss_outputs as loss_outputs
from .targets import make_target as make_target

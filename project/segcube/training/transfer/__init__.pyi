from .choose import FREEZE_PRESETS as FREEZE_PRESETS
from .choose import frozen_parameters as frozen_parameters
from .choose import parse_reset as parse_reset
from .match import Matched as Matched
from .match import NetworkSpec as NetworkSpec
from .match import Reset as Reset
from .match import TensorFate as TensorFate
from .match import match_weights as match_weights

from .inputs import TuneRequest as TuneRequest
from .inputs import read_inputs as read_inputs
from .report import print_tuned as print_tuned
from .report import tuned_block as tuned_block
from .search import tune_inputs as tune_inputs

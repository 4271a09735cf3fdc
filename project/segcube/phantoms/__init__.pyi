from .cases import Phantom as Phantom
from .cases import make_phantom as make_phantom
from .cases import write_phantoms as write_phantoms
from .chart import draw_comparison as draw_comparison
from .coarse import write_coarse_challenge as write_coarse_challenge
from .compare import Comparison as Comparison
from .compare import compare_folder as compare_folder

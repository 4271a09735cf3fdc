from .atria import Chamber as Chamber
from .atria import make_chest as make_chest

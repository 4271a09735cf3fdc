from .atria import Chamber as Chamber
from .atria import make_atria as make_atria

from .cases import Phantom as Phantom
from .cases import make_phantom as make_phantom
from .cases import write_phantoms as write_phantoms

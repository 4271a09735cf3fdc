from .adding import add_window as add_window
from .adding import takes as takes
from .kernels import native_kernels as native_kernels

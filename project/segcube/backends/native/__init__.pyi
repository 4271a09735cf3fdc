from .installed import add_to_accumulator as add_to_accumulator
from .installed import find_kernels as find_kernels
from .installed import kernels_summary as kernels_summary

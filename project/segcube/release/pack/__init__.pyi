from .build import BuildArguments as BuildArguments
from .orchestrator import Paper as Paper
from .order import Order as Order
from .order import carry_out as carry_out

from .batch import Batch as Batch
from .batch import make_batch as make_batch

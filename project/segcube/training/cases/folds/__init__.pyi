from .folds import Folds as Folds
from .folds import Split as Split
from .folds import load_folds as load_folds
from .folds import make_folds as make_folds
from .folds import one_fold as one_fold
from .folds import read_folds as read_folds
from .folds import write_folds as write_folds

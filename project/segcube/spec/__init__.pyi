from .splits import Fold as Fold
from .splits import patient_of as patient_of
from .splits import split as split

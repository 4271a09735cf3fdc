from .patients import patient_of as patient_of
from .splits import Fold as Fold
from .splits import split_by_patient as split_by_patient

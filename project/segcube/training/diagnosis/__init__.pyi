from .diagnose import diagnose_run as diagnose_run
from .symptoms import Symptom as Symptom

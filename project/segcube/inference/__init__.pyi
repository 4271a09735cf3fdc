from .models import Models as Models
from .pipeline import predict_volume as predict_volume
from .probabilities import SavedProbabilities as SavedProbabilities
from .session import load_submission as load_submission

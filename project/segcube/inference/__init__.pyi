from .models import Models as Models
from .pipeline import predict_volume as predict_volume
from .probabilities import SavedProbabilities as SavedProbabilities
from .result import Prediction as Prediction
from .single import load_models as load_models
from .single import predict_after as predict_after
from .single import predict_case as predict_case
from .single import predict_in_turn as predict_in_turn

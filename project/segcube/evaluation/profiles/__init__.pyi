from .score import metrics_of as metrics_of

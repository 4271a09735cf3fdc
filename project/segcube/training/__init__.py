"""Training: from labelled cases to a submission."""

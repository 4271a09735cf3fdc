"""From a submission to a container that every host can start: check, trial, pack."""

"""Every host tried on one's own desk: the image, or the entrypoint alone, started as that host would."""

from segcube.harness.trials.asked import Trials, try_hosts
from segcube.harness.trials.child import UNPROVED
from segcube.harness.trials.engine import Engine, find_engine
from segcube.harness.trials.printing import exit_code, outcome_line, print_trials
from segcube.harness.trials.rounds import Start, check_hosts
from segcube.harness.trials.subjects import Subject, given_subject, made_subjects
from segcube.harness.trials.trial import Outcome

__all__ = [
    "UNPROVED",
    "Engine",
    "Outcome",
    "Start",
    "Subject",
    "Trials",
    "check_hosts",
    "exit_code",
    "find_engine",
    "given_subject",
    "made_subjects",
    "outcome_line",
    "print_trials",
    "try_hosts",
]

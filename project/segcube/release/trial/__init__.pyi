from .hosts import HostSelection as HostSelection
from .hosts import try_hosts as try_hosts
from .launch import NOT_PROVED_BY_PROCESS as NOT_PROVED_BY_PROCESS
from .launch import find_engine as find_engine
from .report import exit_code as exit_code
from .report import outcome_line as outcome_line
from .report import print_trials as print_trials
from .trial import Outcome as Outcome

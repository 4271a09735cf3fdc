from .asked import Trials as Trials
from .asked import try_hosts as try_hosts
from .child import UNPROVED as UNPROVED
from .printing import exit_code as exit_code
from .printing import outcome_line as outcome_line
from .printing import print_trials as print_trials

from .members import weights_file as weights_file
from .members import write_members as write_members
from .runs import CollectOptions as CollectOptions
from .runs import collect_run as collect_run
from .runs import collect_runs as collect_runs
from .runs import is_collected as is_collected
from .tuned import TunedValues as TunedValues
from .tuned import read_tuned as read_tuned

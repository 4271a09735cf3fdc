from .findings import CheckReport as CheckReport
from .input import check_input as check_input
from .output import check_output as check_output
from .report import print_report as print_report
from .submission import check_submission as check_submission

from .api import Model as Model
from .api import Session as Session
from .api import load as load
from .api import load_submission as load_submission
from .api import save as save
from .core.errors import CaseError as CaseError
from .core.errors import Code as Code
from .core.errors import EnvironmentFault as EnvironmentFault
from .core.errors import SegcubeError as SegcubeError
from .core.errors import UsageError as UsageError
from .core.types import Case as Case
from .inference.folder.report import CaseReport as CaseReport
from .inference.folder.report import RunReport as RunReport
from .inference.result import Prediction as Prediction

__version__: str

from .report import CaseReport as CaseReport
from .report import OnCase as OnCase
from .report import RunReport as RunReport
from .report import library_versions as library_versions
from .request import Request as Request
from .run import predict_folder as predict_folder
from .run import run_folder as run_folder
from .writing import write_with_origin as write_with_origin

from .cases import Discovery as Discovery
from .cases import discover_cases as discover_cases
from .cases import nifti_files as nifti_files

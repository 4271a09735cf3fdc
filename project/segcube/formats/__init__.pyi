from .cases import Discovery as Discovery
from .cases import discover_cases as discover_cases
from .cases import nifti_files as nifti_files
from .labels import LabelFiles as LabelFiles
from .labels import case_of_label as case_of_label
from .labels import find_label_files as find_label_files
from .listing import file_exists as file_exists

from .components import ComponentMap as ComponentMap
from .components import component_map as component_map
from .instances import match_instances as match_instances
from .lesions import compare_lesions as compare_lesions
from .pair import Pair as Pair
from .pair import dice as dice
from .region_components import find_region_components as find_region_components

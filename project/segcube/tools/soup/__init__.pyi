from .averaging import uniform_soup as uniform_soup
from .candidates import read_candidates as read_candidates
from .greedy import greedy_soup as greedy_soup
from .validation import Validation as Validation

from .greedy import greedy_soup as greedy_soup
from .greedy import uniform_soup as uniform_soup
from .pot import open_pot as open_pot
from .validation import Validation as Validation

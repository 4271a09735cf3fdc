from .ranking import rank_files as rank_files
from .tables import print_ranking as print_ranking

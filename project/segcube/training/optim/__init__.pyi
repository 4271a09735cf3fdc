from .schedules import Plateau as Plateau
from .schedules import rate_at as rate_at
from .updater import Updater as Updater
from .updater import build_updater as build_updater

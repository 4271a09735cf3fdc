from .cases import Discovery as Discovery
from .cases import discover as discover

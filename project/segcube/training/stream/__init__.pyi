from .case import StreamedCase as StreamedCase
from .case import StreamRules as StreamRules
from .case import make_streamed as make_streamed
from .stream import PhantomStream as PhantomStream

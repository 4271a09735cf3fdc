from .documents import Publication as Publication
from .image import BuildArguments as BuildArguments
from .packing import PackRequest as PackRequest
from .packing import check_and_pack as check_and_pack

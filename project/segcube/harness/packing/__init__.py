"""A submission as hosts take it: folder, archive, and an image with it inside."""

from segcube.harness.packing.build import BuildArguments, build_image
from segcube.harness.packing.documents import container_config, mlcube_config
from segcube.harness.packing.orchestrator import Paper, orchestrator_entry
from segcube.harness.packing.order import Order, carry_out
from segcube.harness.packing.pack import Packed, pack_submission

__all__ = [
    "BuildArguments",
    "Order",
    "Packed",
    "Paper",
    "build_image",
    "carry_out",
    "container_config",
    "mlcube_config",
    "orchestrator_entry",
    "pack_submission",
]

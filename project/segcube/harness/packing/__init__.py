"""A submission as hosts take it: folder, archive, and an image with it inside."""

from segcube.harness.packing.build import BuildArguments, build_image
from segcube.harness.packing.documents import container_config, mlcube_config
from segcube.harness.packing.orchestrator import Paper, orchestrator_entry
from segcube.harness.packing.order import Order, carry_out
from segcube.harness.packing.pack import Packed, pack_submission
from segcube.harness.packing.shipped import ShippedFiles, copy_submissions, shipped_files

__all__ = [
    "BuildArguments",
    "Order",
    "Packed",
    "Paper",
    "ShippedFiles",
    "build_image",
    "carry_out",
    "container_config",
    "copy_submissions",
    "mlcube_config",
    "orchestrator_entry",
    "pack_submission",
    "shipped_files",
]

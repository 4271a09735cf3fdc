"""Networks by name and keyword arguments."""

from segcube.networks.registry import (
    NETWORKS,
    build_network,
    check_arguments,
    count_channels,
    count_parameters,
    window_multiple,
)

__all__ = [
    "NETWORKS",
    "build_network",
    "check_arguments",
    "count_channels",
    "count_parameters",
    "window_multiple",
]

"""The representation that a codec's settings name."""

from xtalcodec.representations.base import Voxels
from xtalcodec.representations.periodic import Periodic, PeriodicConfig
from xtalcodec.representations.window import CubeConfig, RepeatingCube, UnitCellCube


def open_space(config: PeriodicConfig | CubeConfig) -> Voxels:
    """Make the representation of these settings."""
    if isinstance(config, PeriodicConfig):
        return Periodic(config)
    return UnitCellCube(config) if config.kind == "unit_cell" else RepeatingCube(config)

"""The representation that a codec's settings name."""

from xtalcodec.fields.cube import CubeConfig, RepeatingCube, UnitCellCube
from xtalcodec.fields.periodic import Periodic, PeriodicConfig
from xtalcodec.fields.voxels import Voxels


def open_space(config: PeriodicConfig | CubeConfig) -> Voxels:
    """Make the representation of these settings."""
    if isinstance(config, PeriodicConfig):
        return Periodic(config)
    return UnitCellCube(config) if config.kind == "unit_cell" else RepeatingCube(config)

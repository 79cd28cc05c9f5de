"""`linear` in windows that repeat: structure factors of the lattice, the longest waves first. No network at all.

What repeats holds only the waves of its reciprocal lattice, and of those that a Gaussian leaves a few hundred numbers
hold nearly all (`representations/waves.py`): a window with hundreds of atoms is told by what tells one cell.
"""

from jaxtyping import Float
from torch import Tensor

from xtalcodec.networks.base import Network
from xtalcodec.representations.waves import Waves
from xtalcodec.representations.window_field import WindowConfig


class Periodic(Network):
    """Densities of lattices to their structure factors and back, told the lattice; it has no weights."""

    def __init__(self, numbers: int, window: WindowConfig) -> None:
        """Keep how many numbers a code has, and the window."""
        super().__init__()
        self.numbers, self.window = numbers, window

    def waves(self, cell: Float[Tensor, "b 3 3"] | None) -> Waves:
        """Choose the waves of lattices, rows in Å.

        Raises
        ------
        TypeError
            No lattice.
        """
        if cell is None:
            raise TypeError("this code is told the crystal's lattice, which a density alone does not say")
        return Waves.of(cell, self.window, self.numbers)

    def encode(
        self, density: Float[Tensor, "b n n n"], cell: Float[Tensor, "b 3 3"] | None
    ) -> Float[Tensor, "b numbers"]:
        """Structure factors, over their typical size."""
        return self.waves(cell).project(density, self.numbers)

    def decode(self, z: Float[Tensor, "b numbers"], cell: Float[Tensor, "b 3 3"] | None) -> Float[Tensor, "b n n n"]:
        """Sum of the waves."""
        return self.waves(cell).restore(z)

"""A codec's loss as one module: what several processes can wrap."""

from torch import nn

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.contract import Terms
from xtalcodec.codecs.settings import LossConfig
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window_field import PaintedBatch


class CrystalLoss(nn.Module):
    """Crystals on their grid → losses, whose sum is to fall, and metrics for the log."""

    def __init__(self, codec: Codec, config: LossConfig) -> None:
        super().__init__()
        self.codec, self.config = codec, config
        self.network = codec.network  # whose weights are this module's

    def forward(self, batch: CrystalBatch, patches: Patches) -> tuple[Terms, Terms]:
        """Return losses and metrics."""
        return self.codec.loss(batch, patches, self.config)


class PaintedLoss(nn.Module):
    """Painted views → losses, whose sum is to fall, and metrics for the log."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self.codec = codec
        self.network = codec.network

    def forward(self, batch: PaintedBatch, patches: Patches) -> tuple[Terms, Terms]:  # noqa: ARG002
        """Return losses and metrics."""
        return self.codec.loss_of_painted(batch)

"""Settings of the flow prior."""

from typing import Literal

from xtalcodec.config import Count, Share, settings


@settings
class FlowConfig:
    """Sizes of the three networks, and what they are told."""

    width: Count = 256
    """Of the network that makes latents."""
    heads: Count = 8
    layers: Count = 8
    cell_width: Count = 128
    """Of the network that makes cells."""
    cell_layers: Count = 4
    composition_width: Count = 128
    """Of the network that makes compositions."""
    composition_layers: Count = 4
    dropout: Share = 0.0
    """Share of what the layers of compositions and cells add that training leaves out (Srivastava et al. 2014), lest
    they learn crystals by heart."""
    most_sites: Count = 20
    """Crystals of more sites are neither learnt nor made."""
    most_elements: Count = 8
    """Crystals of more elements are neither learnt nor made."""
    properties: tuple[str, ...] = ("density", "formation_energy_per_atom", "band_gap", "e_above_hull")
    """What samples can be asked for beside composition and symmetry; `density` follows from the crystal."""
    origin: Literal["atom", "random"] = "atom"
    """Where the origin of a crystal is in training: on one of its atoms, or anywhere."""
    given: Share = 0.5
    """Share of the training crystals of which a part is given."""
    unknown: Share = 0.1
    """Share of the training crystals of which nothing is said: what guidance starts from."""

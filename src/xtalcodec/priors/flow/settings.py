"""Settings of the flow prior, and of how it is followed."""

from typing import Literal

from xtalcodec.config import Count, NotNegative, Share, settings


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


@settings
class SamplerConfig:
    """How the flow is followed."""

    steps: Count = 32
    """Evaluations of the velocity from noise to latents, without guidance."""
    guidance: NotNegative = 1.0
    """How far the velocity of latents goes from what nothing is said of to what is asked (Ho & Salimans 2022): 0 does
    not ask, 1 asks, more asks louder and costs a second evaluation. Cells are always asked plainly."""
    churn: NotNegative = 0.0
    """Noise that is put back at every step, in steps: 0 follows the flow, more is a stochastic sampler."""
    cells: NotNegative = 1.0
    """What the noise is multiplied by that cells begin with: below 1, they are nearer to the likeliest one."""
    noise: NotNegative = 0.2
    """What the decoder is told of the errors of the latents, in their standard deviations."""
    tries: Count = 4
    """Cells that are drawn and filled for a sample, at most, until one holds all of its atoms, apart, and, settled
    on a space group, does not surprise the flow; of several that do, the least surprising is taken."""
    patience: Count | None = None
    """Tries after which another composition is drawn, as asked, and again after as many more; None keeps the first."""
    symmetric: Literal["always", "asked", "never"] = "asked"
    """Which samples are given a space group before their cell, and settled on it: all; those of which a space group or
    a crystal system is asked; none."""
    returns: tuple[Share, ...] = (0.8, 0.7, 0.6)
    """Shares of noise that a settled sample is brought back to, one after the other, to be made and settled anew."""
    near: NotNegative = 0.0
    """Å: what is made of a settled sample and is nearer to it than that is not brought back again; 0 leaves no return
    out."""
    surprise: NotNegative | None = 0.4
    """What a settled sample may surprise the flow, see `flow.surprise`; else it is tried again. None: the flow is not
    asked."""

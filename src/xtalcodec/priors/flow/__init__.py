"""Crystals by flow matching: what a cell holds, its shape, and the latents of its patches."""

from xtalcodec.priors.flow.prior import FlowPrior

PRIOR = FlowPrior

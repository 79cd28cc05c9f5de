"""Judging crystals that nobody has seen before: samples of a codec's latent space, and anyone's CIFs.

`judge` scores a set against reference and training crystals beside two controls; `assess` checks what a codec decodes.
"""

from xtalcodec.evaluation.generation.decoded import (
    EXPLAINED,
    Assessor,
    Generated,
    assess,
    checked,
    explained,
    generation_summary,
    nothing,
)
from xtalcodec.evaluation.generation.hull import Hull
from xtalcodec.evaluation.generation.judging import judge, valid_unique_novel
from xtalcodec.evaluation.generation.memo import Memo
from xtalcodec.evaluation.generation.staging import stages
from xtalcodec.evaluation.generation.verdict import Verdict, Verdicts

__all__ = [
    "EXPLAINED",
    "Assessor",
    "Generated",
    "Hull",
    "Memo",
    "Verdict",
    "Verdicts",
    "assess",
    "checked",
    "explained",
    "generation_summary",
    "judge",
    "nothing",
    "stages",
    "valid_unique_novel",
]

"""How near crystals come back after each correction, and what correcting costs against gradient descent.

python benchmarks/correction.py [--data mp_val.parquet] [--codec mp] [--crystals 300] [--corrections 4] [--full]

The first table is of the first origin alone: of each crystal, the displacement of the atom that is farthest off. Then,
in the same run: encoding as users get it (corrections, further origins, descent for what is wrong), and gradient
descent alone, from the encoder's latent on the first origin to the same tolerance. All of it multiplies in bfloat16
where the processor does; with --full in full precision.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from xtalcodec import Codec
from xtalcodec.codecs.attempts import moved
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.patch import PatchCodec
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.datasets import load
from xtalcodec.representations.base import Patches, Placement
from xtalcodec.representations.portions import grouped

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--data", default="aflow-prototypes")
parser.add_argument("--codec", default="mp")
parser.add_argument("--crystals", type=int, default=300)
parser.add_argument("--corrections", type=int, default=4)
parser.add_argument("--full", action="store_true", help="multiply in full precision")
options = parser.parse_args()
torch.set_num_threads(1)


def usable(codec: Codec) -> Iterator[Placement]:
    """Crystals that the codec can hold."""
    for crystal in load(options.data)[0]:
        try:
            yield codec.place(crystal)
        except CrystalError:
            continue


def on_first_origin(codec: Codec, placed: list[Placement]) -> Iterator[tuple[list[Crystal], Patches]]:
    """Crystals moved to the first origin, one grid at a time."""
    for patches, indices in grouped([p.patches for p in placed]):
        crystals = [placed[k].crystal for k in indices]
        yield moved(crystals, [codec.representation.origin(c, 0) for c in crystals]), patches


def tell(name: str, misfits: list[Misfit], enough: float) -> None:
    """Print how crystals come back."""
    far = np.array([found.displacement for found in misfits if not found.wrong])
    within = np.mean([found.within(enough) for found in misfits])
    quantiles = " / ".join(f"{x:.4f}" for x in np.percentile(far, [50, 90, 99]))
    print(f"{name:32} right {len(far) / len(misfits):6.1%}  within {enough:g} Å {within:6.1%}  {quantiles} Å")


if options.full:
    PatchCodec.bears_bf16 = property(lambda _: False)  # type: ignore[assignment] # whatever the processor can
codec = Codec.from_pretrained(options.codec)
settings, placed = codec.config.refine, list(usable(codec))[: options.crystals]
codec.encode_placed(placed[:20], refine=False)  # warm up
print(f"{len(placed)} crystals; displacement of the farthest atom, 50 / 90 / 99 %")
for corrections in range(options.corrections + 1):
    codec.config = replace(codec.config, refine=replace(settings, corrections=corrections, tolerance=0.0))
    found = []
    for crystals, patches in on_first_origin(codec, placed):
        found += codec.closest(crystals, [patches] * len(crystals))[1]
    tell(f"{corrections} corrections, one origin", found, settings.tolerance)

codec.config = replace(codec.config, refine=settings)
start = time.process_time()
codec.encode_placed(placed)
corrected = time.process_time() - start
codec.config = replace(codec.config, refine=replace(settings, displaced=settings.tolerance))
start, found = time.process_time(), []
for crystals, patches in on_first_origin(codec, placed):
    found += codec.descend(crystals, patches, torch.stack(codec.latents(crystals, [patches] * len(crystals))))[1]
descended = time.process_time() - start
tell("descent alone, one origin", found, settings.tolerance)
print(
    f"encoded in {corrected:.1f} s of CPU time, by descent alone in {descended:.1f}: {descended / corrected:.1f} times"
)

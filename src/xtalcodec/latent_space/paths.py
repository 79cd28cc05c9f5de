"""Using the latent space: what lies between two crystals, and what becomes of one that is altered.

What is mixed or altered here is a code. Only the decoder says what crystal it is.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int

from xtalcodec.codecs.latents import Code, Latents, LatentsError
from xtalcodec.codecs.windows import window
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.geometry.alignment import orientation, unimodular
from xtalcodec.geometry.niggli import niggli
from xtalcodec.networks.patch import PatchNetwork
from xtalcodec.representations.base import Patches
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.window import Cube

if TYPE_CHECKING:
    from xtalcodec.codecs.codec import Codec

PARALLEL = 1e-6
"""Sine of the angle between two latents below which the arc between them is a line."""


# Between two crystals


def interpolate(
    codec: "Codec",
    a: Crystal,
    b: Crystal,
    steps: int = 5,
    *,
    spherical: bool = False,
    refine: bool = True,
    progress: Callable[[int], None] | None = None,
) -> Latents:
    """Return codes evenly spaced from one crystal to another, both included, on their reduced cells.

    (1) In a codec of windows b is turned so that its cell lies on a's as nearly as can be (`orientation`);
    (2) both are encoded; (3) of the equivalent cells of b the nearest to a's is taken; (4) latents, cell
    vectors and origins are mixed (`between`).

    Raises
    ------
    CrystalError
        One that this codec cannot hold, by name.
    LatentsError
        Crystals on different grids, which only codecs of windows can mix; fewer than two steps.
    """
    if steps < 2:
        raise LatentsError(f"a path has at least two steps, its ends, not {steps}")
    window = isinstance(codec.space, Cube)
    if window:
        _, rotation = orientation(niggli(a)[0].lattice, niggli(b)[0].lattice)
        b = replace(b, lattice=b.lattice @ rotation)
    latents = codec.encode([a, b], refine=refine, progress=progress)
    start, end = latents[0], latents[1]
    if start.patches != end.patches:
        grids = " and ".join(f"{c.name or 'a crystal'} on {'×'.join(map(str, c.patches))}" for c in latents)
        raise LatentsError(
            f"latents of different grids cannot be mixed: {grids} patches, for the grid of the codec "
            f"{codec.config.name!r} follows the cell. Codecs of windows have one grid for all: {_windows()}."
        )
    # A periodic grid belongs to its cell, which may be turned but not replaced by an equivalent one.
    choices = unimodular() if window else np.eye(3, dtype=np.int64)[None]
    basis, rotation = orientation(start.lattice, end.lattice, choices)
    end = _rebased(end, basis, np.eye(3) if window else rotation)
    codes = [between(start, end, k / (steps - 1), spherical=spherical) for k in range(steps)]
    names = [f"{a.name or a.formula}-{b.name or b.formula}-{k + 1}" for k in range(steps)]
    return Latents(tuple(replace(c, name=n) for c, n in zip(codes, names, strict=True)), latents.codec, latents.kind)


def between(a: Code, b: Code, share: float, *, spherical: bool = False) -> Code:
    """Return the code at `share` (0 to 1) of the way from a to b, in its reduced cell.

    Cell vectors are mixed linearly, origins too, the shorter way around the cell. Cells that `orientation` has
    brought together stay right-handed all along: Lₐᵀ Lᵦ is then symmetric and positive, and so is LₐᵀL(share).

    Parameters
    ----------
    spherical: latents go along the arc between them (Shoemake 1985; White 2016), not along the line.
    """
    z = _arc(a.z, b.z, share) if spherical else (1 - share) * a.z + share * b.z
    apart = b.origin - a.origin
    return Code(
        a.name,
        z.astype(np.float32),
        a.patches,
        (1 - share) * a.lattice + share * b.lattice,
        np.eye(3, dtype=np.int64),
        a.origin + share * (apart - np.round(apart)),
    )


def _arc(
    a: Float[np.ndarray, "patches latent"], b: Float[np.ndarray, "patches latent"], share: float
) -> Float[np.ndarray, "patches latent"]:
    """Latents as two long vectors: sin((1−t)ω)/sin ω a + sin(tω)/sin ω b."""
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(float((a * b).sum()) / norms, -1, 1)) if norms else 0.0
    if np.sin(angle) < PARALLEL:
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def _rebased(code: Code, basis: Int[np.ndarray, "3 3"], rotation: Float[np.ndarray, "3 3"]) -> Code:
    """The same code with its crystal on an equivalent, turned cell."""
    back = np.round(np.linalg.inv(basis))
    return replace(
        code,
        lattice=basis @ code.lattice @ rotation,
        origin=code.origin @ back,
        basis=(code.basis @ back).astype(np.int64),
    )


def _windows() -> str:
    """What codecs of windows there are."""
    from xtalcodec.codecs.hub import CONFIG, folder_of, pretrained

    kinds = {}
    for name in pretrained():
        folder = folder_of(name)
        kinds[name] = json.loads((folder / CONFIG).read_text()).get("space", {}).get("kind") if folder else None
    found = [name for name, kind in kinds.items() if kind in ("unit_cell", "repeating")]
    return ", ".join([*found, "any that was trained on unit_cell or repeating"])


# One crystal, altered


@dataclass(frozen=True, slots=True)
class Replacement:
    """One element for another."""

    old: int
    """Atomic number of what is in the crystal."""
    new: int
    """Atomic number of what takes its sites."""

    @classmethod
    def parse(cls, text: str) -> "Replacement":
        """Read `Sr=Ba`.

        Raises
        ------
        ValueError
            Not two elements with = between them.
        """
        from ase.data import atomic_numbers

        old, equals, new = (part.strip() for part in text.partition("="))
        if not equals:
            raise ValueError(f"{text!r} is no replacement: write what is there = what takes its place, as in Sr=Ba")
        for symbol in (old, new):
            if not atomic_numbers.get(symbol, 0):
                raise ValueError(f"{text!r}: there is no element {symbol!r}")
        return cls(atomic_numbers[old], atomic_numbers[new])


def replaced(crystal: Crystal, replacements: Sequence[Replacement]) -> Crystal:
    """Return the crystal with species replaced, all at once, so that Sr=Ba and Ba=Sr swap them.

    Raises
    ------
    CrystalError
        An element that is not in the crystal, or that is to be replaced twice.
    """
    from ase.data import chemical_symbols

    numbers, words = crystal.numbers.copy(), [crystal.name or crystal.formula]
    done: dict[int, int] = {}
    for change in replacements:
        symbol = chemical_symbols[change.old]
        if change.old in done:
            raise CrystalError(f"{symbol} cannot be replaced by two elements at once")
        if change.old not in crystal.numbers:
            there = ", ".join(chemical_symbols[z] for z in np.unique(crystal.numbers))
            raise CrystalError(f"{crystal.name or crystal.formula} has no {symbol} to replace; it has {there}")
        numbers[crystal.numbers == change.old] = done[change.old] = change.new
        words.append(f"{symbol}={chemical_symbols[change.new]}")
    return replace(crystal, numbers=numbers, name="-".join(words))


@torch.no_grad()
def with_density(codec: "Codec", crystal: Crystal, scales: Sequence[float]) -> Latents:
    """Encode one crystal as often as there are `scales`, its painted field multiplied by each.

    The field is linear in its weights, so every channel of every voxel is multiplied. The latents are the
    encoder's own: there is no crystal of a scaled field that they could be refined against.

    Raises
    ------
    CrystalError
        A crystal that this codec cannot hold; a scale that is not a positive number.
    """
    for scale in scales:
        if not (np.isfinite(scale) and scale > 0):
            raise CrystalError(f"a density can be multiplied by a positive number, not by {scale:g}")
    try:
        reduced, basis, patches = codec.check(crystal)
    except CrystalError as error:
        raise CrystalError(f"{crystal.name or crystal.formula}: {error}") from error
    origin = codec.space.place(reduced, 0)
    batch = codec.space.collate([reduced.translated(origin)] * len(scales), codec.device)
    z = _encode_scaled(codec, batch, patches, scales).cpu().numpy()
    names = [f"{crystal.name or crystal.formula}-density-{scale:g}" for scale in scales]
    codes = [Code(name, z[k], patches, reduced.lattice, basis, origin) for k, name in enumerate(names)]
    return Latents(tuple(codes), codec.identity)


def _encode_scaled(
    codec: "Codec", batch: CrystalBatch, patches: Patches, scales: Sequence[float]
) -> Float[torch.Tensor, "b patches latent"]:
    """Latents of fields, each multiplied by its scale."""
    by = torch.tensor(scales, dtype=torch.float32, device=codec.device)
    if isinstance(codec.network, PatchNetwork):
        field = codec.space.paint(batch, codec.network.weights(batch.numbers), patches)
        return codec.network.encode(field * by.view(-1, 1, 1, 1, 1), batch.lattice, patches).mean
    latent = codec.coder.compress(window(codec).density(batch) * by.view(-1, 1, 1, 1))
    if latent is None:
        raise TypeError(f"the codec {codec.config.name!r} encodes no densities")
    return latent.mean

"""How well windows come back, as Hoffmann et al. 2019 measure it: atoms both ways, counts, species, density.

Every crystal is seen afresh, rotated uniformly and from a random place, encoded and decoded; the
crystal that comes back is compared too. What does not fit the window stays in the match rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from xtalcodec.atom_finders.found import WindowAtoms
from xtalcodec.codecs.windows import decode_densities, decode_windows, encode_densities, window
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.reconstruction import Reconstruction, compare, spread
from xtalcodec.geometry.niggli import niggli
from xtalcodec.representations.density import Atoms, View, density
from xtalcodec.representations.repeating import seen
from xtalcodec.representations.window import Cube, RepeatingCube

if TYPE_CHECKING:
    from xtalcodec.codecs.codec import Codec

PERCENTILES = (5, 10, 20, 50, 80, 90, 95, 98, 99)
"""The paper's figures show the 5th to the 99th."""

EMPTY = np.zeros(0)

NEAR = 0.5
"""Å: a decoded atom this near to a true one is that atom."""

SHORT = 6.0
"""Å: a crystal whose longest primitive, reduced cell edge is no longer is surely shown by a window of 10 Å."""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One crystal in a window and what was decoded."""

    reconstruction: Reconstruction
    true: WindowAtoms
    decoded: WindowAtoms
    true_density: Float[np.ndarray, "n n n"] | None
    """e/Å³, as the paper paints it; None where the crystal does not fit."""
    decoded_density: Float[np.ndarray, "n n n"] | None
    """The network's own, or that of the crystal that was decoded."""
    alone: Reconstruction | None = None
    """The crystal from the decoded atoms of a repeating window alone, its lattice found in them."""

    @property
    def fits(self) -> bool:
        """Whether the window holds the crystal."""
        return self.true_density is not None


def measure(
    codec: "Codec",
    crystals: Sequence[Crystal],
    *,
    seed: int = 0,
    refine: bool = True,
    from_density: bool = False,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> list[WindowRow]:
    """See, encode, decode and compare crystals; one row each, in order.

    Parameters
    ----------
    refine: latents, by descent through the decoder.
    from_density: give the encoder the paper's density and nothing else; such latents are not refined.

    Raises
    ------
    TypeError
        A codec whose representation is no window.
    """
    space = window(codec)
    rng = np.random.default_rng(seed)
    views = [_anywhere(crystal, rng) for crystal in crystals]
    reasons: dict[int, str] = {}
    for k, crystal in enumerate(views):
        try:
            codec.check(crystal)
        except CrystalError as error:
            reasons[k] = str(error)
    good = [k for k in range(len(views)) if k not in reasons]
    rows = {k: _missing(crystals[k], reason) for k, reason in reasons.items()}
    if not good:
        return [rows[k] for k in range(len(views))]
    latents = codec.encode([views[k] for k in good], refine=refine and not from_density, progress=progress)
    placed = [put(codec, views[k], code.origin) for k, code in zip(good, latents, strict=True)]
    fields = [true_density(space, crystal) for crystal in placed]
    if from_density:
        read = encode_densities(codec, fields)
        latents = replace(latents, codes=tuple(replace(c, z=z) for c, z in zip(latents, read, strict=True)))
    found = decode_windows(codec, latents)
    decoded = codec.decode_crystals(latents)
    own: list[Any] | None = decode_densities(codec, latents)
    pairs = [
        (views[k], d.crystal if d else None, d.confidence if d else 0.0, code.numbers, None, "")
        for k, code, d in zip(good, latents, decoded, strict=True)
    ]
    alone: list[Reconstruction | None] = [None] * len(good)
    if isinstance(space, RepeatingCube):
        alone = spread(_alone, [(views[k], a, space.window.edge) for k, a in zip(good, found, strict=True)], workers)
    decoded_fields = own if own is not None else [None] * len(good)
    parts = (good, latents, placed, fields, found, decoded, decoded_fields, spread(compare, pairs, workers), alone)
    for k, code, true, field, atoms, crystal, decoded_field, row, itself in zip(*parts, strict=True):
        back = crystal.crystal if crystal else None
        dense = decoded_density(codec, atoms, back, code.origin) if decoded_field is None else decoded_field
        rows[k] = WindowRow(row, _atoms(space, true), atoms, field, dense, itself)
    return [rows[k] for k in range(len(views))]


def _anywhere(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The crystal turned uniformly over SO(3) and moved by a random part of its cell."""
    rotation = Rotation.random(random_state=rng).as_matrix()
    return replace(crystal, lattice=crystal.lattice @ rotation.T).translated(rng.random(3))


def _missing(crystal: Crystal, reason: str) -> WindowRow:
    """The row of a crystal that does not fit."""
    nothing = WindowAtoms(np.zeros((0, 3)), np.zeros(0, dtype=np.int64))
    return WindowRow(compare(crystal, None, 0.0, 0, None, reason), nothing, nothing, None, None)


def put(codec: "Codec", crystal: Crystal, origin: Float[np.ndarray, "3"]) -> Crystal:
    """The reduced crystal where the code puts it: Cartesian coordinates are the window's."""
    return codec.space.whole(niggli(crystal)[0]).translated(origin)


def _atoms(space: Cube, placed: Crystal) -> WindowAtoms:
    """The atoms that a decoder should find."""
    batch = space.collate([placed])
    positions = space.angstrom(batch.frac_coords[0][batch.mask[0]].double().numpy())
    inside = ((positions >= -space.config.skin) & (positions <= space.window.edge + space.config.skin)).all(1)
    return WindowAtoms(positions[inside], batch.numbers[0][batch.mask[0]].numpy()[inside])


def true_density(space: Cube, placed: Crystal) -> Float[np.ndarray, "n n n"]:
    """Density of a crystal in its window, with what reaches in from outside."""
    if not isinstance(space, RepeatingCube):
        return _paint(WindowAtoms(placed.frac_coords @ placed.lattice, placed.numbers), space)
    view = seen(placed, placed.lattice, np.zeros(3), np.eye(3), space.window)
    return _paint(WindowAtoms(view.positions, view.numbers), space)


def decoded_density(
    codec: "Codec", atoms: WindowAtoms, decoded: Crystal | None, origin: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "n n n"]:
    """Density of the atoms decoded; in a repeating window, of the crystal that they were folded to."""
    space = window(codec)
    if isinstance(space, RepeatingCube) and decoded is not None:
        return true_density(space, put(codec, decoded, origin))
    return _paint(atoms, space)


def _paint(atoms: WindowAtoms, space: Cube) -> Float[np.ndarray, "n n n"]:
    """Density of atoms, each once."""
    sites = np.arange(len(atoms.numbers))
    view = View(atoms.positions, atoms.numbers, sites, np.eye(3), np.zeros(3), np.eye(3))
    with torch.no_grad():
        return density(Atoms.collate([view]), space.window)[0].numpy()


def _alone(original: Crystal, atoms: WindowAtoms, edge: float) -> Reconstruction:
    """The crystal that the decoded atoms show."""
    from xtalcodec.geometry.window_lattice.search import LatticeError, crystal_from_window

    try:
        found = crystal_from_window(atoms.positions, atoms.numbers, edge)
    except (LatticeError, CrystalError) as error:
        return compare(original, None, 0.0, 0, None, str(error))
    return compare(original, found, 0.0, 0, None, "")


def nearest(
    places: Float[np.ndarray, "n 3"], others: Float[np.ndarray, "m 3"]
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Distance in Å of each place to the nearest of others, infinite where there is none, and which one that is."""
    if not len(others):
        return np.full(len(places), np.inf), np.zeros(len(places), dtype=np.int64)
    distance, index = cKDTree(others).query(places.reshape(-1, 3))
    return distance, index


def same_count(row: WindowRow) -> bool:
    """Whether as many atoms were decoded as there are, one near each."""
    distance, index = nearest(row.true.positions, row.decoded.positions)
    return len(row.true.numbers) == len(row.decoded.numbers) == len(set(index[distance < NEAR].tolist()))


def species(row: WindowRow) -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """True and decoded Z of every true atom; 0 for one that was not found."""
    distance, index = nearest(row.true.positions, row.decoded.positions)
    decoded = np.zeros(len(row.true.numbers), dtype=np.int64)
    decoded[distance < NEAR] = row.decoded.numbers[index[distance < NEAR]]
    return row.true.numbers, decoded


def short(crystal: Crystal) -> bool:
    """Whether the primitive, reduced cell's edges are all at most `SHORT`."""
    from xtalcodec.geometry.symmetry import primitive

    return bool(np.linalg.norm(niggli(primitive(crystal))[0].lattice, axis=1).max() <= SHORT)


def window_summary(rows: Sequence[WindowRow]) -> dict[str, Any]:
    """The paper's measures over the crystals that fit, and match rates over all."""
    fitting = [row for row in rows if row.fits]
    true_to_decoded = np.concatenate([EMPTY, *(nearest(r.true.positions, r.decoded.positions)[0] for r in fitting)])
    decoded_to_true = np.concatenate([EMPTY, *(nearest(r.decoded.positions, r.true.positions)[0] for r in fitting)])
    pairs = [species(row) for row in fitting]
    right = [(true == decoded).astype(float) for true, decoded in pairs]
    mse = [density_mse(row) for row in fitting]
    return {
        "n": len(rows),
        "fit": len(fitting),
        "latent_numbers_per_crystal": _mean([float(r.reconstruction.numbers) for r in fitting]),
        "density_mse_percentiles": _percentiles(mse, (20, 50, 80)),
        "true_to_decoded_percentiles": _percentiles(true_to_decoded, PERCENTILES),
        "decoded_to_true_percentiles": _percentiles(decoded_to_true, PERCENTILES),
        "count_rate": _mean([float(same_count(row)) for row in fitting]),
        "species_rate": _mean(np.concatenate([EMPTY, *right]).tolist()),
        "all_species_rate": _mean([float(r.all()) for r in right]),
        "match_rate": _mean([float(r.reconstruction.matched) for r in rows]),
        "match_rate_fitting": _mean([float(r.reconstruction.matched) for r in fitting]),
        "rmse": _mean([r.reconstruction.rms for r in rows if r.reconstruction.rms is not None]),
        **_from_atoms_alone(fitting),
    }


def _from_atoms_alone(rows: Sequence[WindowRow]) -> dict[str, Any]:
    """Match rates of crystals whose lattice was found in the decoded atoms."""
    alone = [(row.alone.matched, short(row.alone.original)) for row in rows if row.alone is not None]
    if not alone:
        return {}
    return {
        "match_rate_alone": _mean([float(matched) for matched, _ in alone]),
        "short": sum(is_short for _, is_short in alone),
        "match_rate_alone_short": _mean([float(matched) for matched, is_short in alone if is_short]),
        "match_rate_short": _mean(
            [float(row.reconstruction.matched) for row in rows if short(row.reconstruction.original)]
        ),
    }


def density_mse(row: WindowRow) -> float:
    """Mean square error of the density, (e/Å³)²; infinite where the crystal does not fit."""
    if row.true_density is None or row.decoded_density is None:
        return np.inf
    return float(np.mean((row.true_density - row.decoded_density) ** 2))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _percentiles(values: Sequence[float] | np.ndarray, which: Sequence[int]) -> dict[str, float]:
    """Percentiles, each a value that occurs; from nothing, the distance is infinite."""
    if not len(values):
        return {}
    return {str(q): float(x) for q, x in zip(which, np.percentile(values, which, method="higher"), strict=True)}

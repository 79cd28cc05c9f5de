"""How well windows come back, as Hoffmann et al. 2019 measure it: atoms both ways, counts, species, density.

Every crystal is seen afresh, rotated uniformly and from a random place, encoded and decoded; the
crystal that comes back is compared too. What does not fit the window stays in the match rate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.windows import decode_densities, decode_windows, encode_densities, window_of
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.evaluation.matching import percentiles
from xtalcodec.evaluation.reconstruction import Reconstruction, compare
from xtalcodec.geometry.niggli import niggli
from xtalcodec.parallel import HERE, Pool, map_in_order
from xtalcodec.representations.base import Placement
from xtalcodec.representations.window import Window

if TYPE_CHECKING:
    from xtalcodec.codecs.base import Codec
    from xtalcodec.codecs.decoding import DecodedCrystal
    from xtalcodec.codecs.latents import LatentSet

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
    true: FoundAtoms
    decoded: FoundAtoms
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
    pool: Pool = HERE,
    progress: Callable[[int], None] | None = None,
) -> list[WindowRow]:
    """Encode, decode and compare crystals in random orientation and at random origins; one row each, in order.

    Parameters
    ----------
    codec
        One whose representation is a window.
    crystals
        In any cell.
    seed
        Of the orientations and origins.
    refine
        Improve latents that do not decode to their crystal.
    from_density
        Give the encoder the paper's density and nothing else; such latents are not refined.
    pool
        Workers that compare structures.
    progress
        Called with the number of crystals encoded since the last call.

    Raises
    ------
    TypeError
        A codec whose representation is no window.
    """
    window = window_of(codec)
    rng = np.random.default_rng(seed)
    views = [_anywhere(crystal, rng) for crystal in crystals]
    placed: dict[int, Placement] = {}
    rows: dict[int, WindowRow] = {}
    for k, crystal in enumerate(views):
        try:
            placed[k] = codec.place(crystal)
        except CrystalError as error:
            rows[k] = _missing(crystals[k], str(error))
    if not placed:
        return [rows[k] for k in range(len(views))]
    latents = codec.encode_placed([*placed.values()], refine=refine and not from_density, progress=progress)
    lying = [p.crystal.translated(code.origin) for p, code in zip(placed.values(), latents, strict=True)]
    fields = [window.true_density(crystal) for crystal in lying]
    if from_density:
        read = encode_densities(codec, fields, [crystal.lattice for crystal in lying])
        latents = replace(latents, codes=tuple(replace(c, z=z) for c, z in zip(latents, read, strict=True)))
    found = decode_windows(codec, latents)
    decoded = codec.decode_crystals(latents)
    pairs = [
        (views[k], d.crystal if d else None, d.confidence if d else 0.0, code.length, None, "")
        for k, code, d in zip(placed, latents, decoded, strict=True)
    ]
    alone: list[Reconstruction | None] = [None] * len(placed)
    if not window.closed:
        alone = map_in_order(
            _alone, [(views[k], a, window.field.edge) for k, a in zip(placed, found, strict=True)], pool
        )
    dense = decoded_densities(codec, latents, found, decoded)
    parts = (placed, lying, fields, found, dense, map_in_order(compare, pairs, pool), alone)
    for k, crystal, field, atoms, decoded_field, row, itself in zip(*parts, strict=True):
        rows[k] = WindowRow(row, _atoms(window, crystal), atoms, field, decoded_field, itself)
    return [rows[k] for k in range(len(views))]


def _anywhere(crystal: Crystal, rng: np.random.Generator) -> Crystal:
    """The crystal turned uniformly over SO(3) and moved by a random part of its cell."""
    rotation = Rotation.random(random_state=rng).as_matrix()
    return replace(crystal.without_properties(), lattice=crystal.lattice @ rotation.T).translated(rng.random(3))


def _missing(crystal: Crystal, reason: str) -> WindowRow:
    """The row of a crystal that does not fit."""
    return WindowRow(compare(crystal, None, 0.0, 0, None, reason), FoundAtoms.none(), FoundAtoms.none(), None, None)


def _atoms(window: Window, lying: Crystal) -> FoundAtoms:
    """The atoms that a decoder should find of a crystal where it lies."""
    batch = window.collate([lying])
    positions = window.angstrom(batch.frac_coords[0][batch.mask[0]].double().numpy())
    atoms = FoundAtoms.known(positions, batch.numbers[0][batch.mask[0]].numpy())
    return atoms.within(window.field.edge, window.config.skin)


def decoded_densities(
    codec: "Codec",
    latents: "LatentSet",
    found: Sequence[FoundAtoms],
    decoded: "Sequence[DecodedCrystal | None]",
) -> list[Float[np.ndarray, "n n n"]]:
    """Densities in e/Å³ that latents stand for.

    The network's own, where it decodes densities; else that of the atoms decoded, and in a window on more, of the
    crystal that they were folded to, if its cell is one.

    Parameters
    ----------
    codec
        Of windows.
    latents, found, decoded
        Codes, the atoms decoded in their windows (Å), and the crystals decoded.
    """
    if codec.decodes_density:
        return decode_densities(codec, latents)
    window, fields = window_of(codec), []
    for code, atoms, crystal in zip(latents, found, decoded, strict=True):
        lying = None if window.closed or crystal is None else _lying(codec, crystal.crystal, code.origin)
        fields.append(
            window.density_of(atoms.positions, atoms.numbers) if lying is None else window.true_density(lying)
        )
    return fields


def _lying(codec: "Codec", crystal: Crystal, origin: Float[np.ndarray, "3"]) -> Crystal | None:
    """A decoded crystal as it lies in the window; None where its cell cannot be reduced."""
    try:
        reduced, basis = niggli(crystal)
    except CrystalError:
        return None
    return codec.representation.choose_images(crystal, reduced, basis).translated(origin)


def _alone(original: Crystal, atoms: FoundAtoms, edge: float) -> Reconstruction:
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
    """Whether decoded and true atoms pair one to one, each within `NEAR`."""
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
        "code_length": _mean([float(r.reconstruction.code_length) for r in fitting]),
        "density_mse_percentiles": percentiles(mse, (20, 50, 80)),
        "true_to_decoded_percentiles": percentiles(true_to_decoded, PERCENTILES),
        "decoded_to_true_percentiles": percentiles(decoded_to_true, PERCENTILES),
        "count_per_window": _mean([float(same_count(row)) for row in fitting]),
        "species_per_atom": _mean(np.concatenate([EMPTY, *right]).tolist()),
        "species_per_window": _mean([float(r.all()) for r in right]),
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

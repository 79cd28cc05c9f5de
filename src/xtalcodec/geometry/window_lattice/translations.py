"""Atoms in a window → translations that map the crystal onto itself, and the lattices they propose.

A translation of the crystal maps the atoms of a window [0, edge)³ onto atoms of the same species wherever it
does not lead out of the window. Candidates are differences between atoms of one species; each is tried on all
atoms; the shortest three independent of those that pass span a lattice, the primitive one where all short
translations passed (in three dimensions vectors that attain the successive minima are a basis).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from xtalcodec.geometry.window_lattice.folding import interior


@dataclass(frozen=True, slots=True)
class TranslationConfig:
    """What counts as a translation of the crystal; lengths in Å."""

    tolerances: tuple[float, ...] = (0.05, 0.12, 0.3)
    """Distances from an atom within which a translated atom is on it, from exact windows to noisy ones."""
    agreements: tuple[float, ...] = (0.98, 0.92, 0.85)
    """Least shares of atoms that a translation maps onto atoms, from whole windows to those with wrong atoms."""
    evidence: tuple[int, ...] = (12, 6, 3)
    """Atoms, at least, that a translation must map onto atoms, from windows of many copies to those of few:
    short motifs repeat by chance."""
    skin: float = 0.2
    """An atom this near to a face may be in or out of the window: nothing must be mapped there."""
    smallest: float = 3.0
    """Å³: no crystal has a smaller cell (diamond has 5.7 for each atom); what proposes one holds by chance."""
    others: int = 3
    """So many further translations, at most, that the shortest three do not generate are tried along with them."""
    references: int = 64
    """Atoms, at most, from which differences are taken, for each species."""
    candidates: int = 200
    """Shortest candidates, at most, that are tried on all atoms."""


@dataclass(frozen=True, slots=True, eq=False)
class Translations:
    """Candidates for translations, shortest first, and what they do to the atoms of a window, there and back."""

    vectors: Float[np.ndarray, "n 3"]
    """Å."""
    distance: Float[np.ndarray, "n atoms2"]
    """From each atom, moved by ± the vector, to the nearest one of its species; infinite beyond the tolerance."""
    must: Bool[np.ndarray, "n atoms2"]
    """Whether the moved atom is in the window, away from its faces: there must be an atom."""

    def hits(self, tolerance: float) -> Int[np.ndarray, " n"]:
        """Atoms that must be mapped onto atoms and are."""
        return ((self.distance <= tolerance) & self.must).sum(1)

    def accepted(self, tolerance: float, agreement: float, evidence: int) -> Bool[np.ndarray, " n"]:
        """Translations that map enough atoms onto atoms.

        Parameters
        ----------
        tolerance
            Å: largest misfit of an atom.
        agreement
            Least share of the atoms that a translation takes to others.
        evidence
            Least number of them.
        """
        hits = self.hits(tolerance)
        return (hits >= agreement * self.must.sum(1)) & (hits >= evidence)


def find_translations(
    positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"], edge: float, config: TranslationConfig
) -> Translations:
    """Move all atoms (one at least) by each candidate, there and back; centre the candidate on what it hits.

    Parameters
    ----------
    positions, numbers
        Atoms in the window, Å from its corner.
    edge
        Of the window, Å.
    config
        How translations are looked for.
    """
    from scipy.spatial import KDTree

    vectors = _candidates(positions, numbers, edge, config)
    sign = np.array([1.0, -1.0])[:, None, None]
    moved = positions + sign * vectors[:, None, None]  # n 2 atoms 3
    must = interior(moved, edge, config.skin)
    tolerance = config.tolerances[-1]
    distance, nearest = KDTree(positions).query(moved, distance_upper_bound=tolerance)
    hit = np.isfinite(distance)
    nearest = np.where(hit, nearest, 0)
    hit &= numbers[nearest] == numbers
    off = np.where(hit[..., None], sign * (positions[nearest] - moved), 0.0)
    mean = off.sum((1, 2)) / np.maximum(hit.sum((1, 2)), 1)[:, None]
    distance = np.where(hit, np.linalg.norm(off - mean[:, None, None], axis=-1), np.inf)
    shape = len(vectors), 2 * len(positions)
    return Translations(vectors + mean, distance.reshape(shape), must.reshape(shape))


def proposals(translations: Translations, config: TranslationConfig) -> Iterator[Float[np.ndarray, "rank 3"]]:
    """Bases of the translations that hold at some tolerance, agreement and evidence, each once.

    The shortest three independent translations come first, even where others are no combination of them. Then
    they are asked to generate the best evidenced of the others too, one after the other: either the three span
    only a sublattice, or the other holds by chance, which the window will tell.
    """
    done = set()
    for tolerance, agreement, evidence in product(config.tolerances, config.agreements, config.evidence):
        accepted = translations.accepted(tolerance, agreement, evidence)
        vectors, hits = translations.vectors[accepted], translations.hits(tolerance)[accepted]
        for _ in range(config.others + 1):
            basis = _shortest(vectors)
            if len(basis) == 3 and abs(np.linalg.det(basis)) < config.smallest:
                break
            if basis.tobytes() not in done:
                done.add(basis.tobytes())
                yield basis
            if len(basis) < 3:
                break
            rest = vectors - np.round(vectors @ np.linalg.inv(basis)) @ basis
            other = np.linalg.norm(rest, axis=1) > 2 * config.tolerances[-1]
            if not other.any():
                break
            most = np.where(other, hits, -1).argmax()
            vectors, hits = np.vstack([vectors, rest[most]]), np.append(hits, hits[most])


def _candidates(
    positions: Float[np.ndarray, "atoms 3"], numbers: Int[np.ndarray, " atoms"], edge: float, config: TranslationConfig
) -> Float[np.ndarray, "n 3"]:
    """Differences between atoms of one species that occur about as often as a translation's would.

    Differences are counted in bins of a third of the tolerance, a bin's neighbours within the tolerance count
    for it, and of neighbouring bins the fullest stays. One of each pair t, −t is enough.
    """
    from scipy.spatial import KDTree

    members = [positions[numbers == z] for z in np.unique(numbers)]
    references = [x[:: -(-len(x) // config.references)] for x in members]
    differences = np.concatenate(
        [(x[None] - r[:, None]).reshape(-1, 3) for x, r in zip(members, references, strict=True)]
    )
    tolerance = config.tolerances[-1]
    half = np.array([1.0, np.sqrt(2) / 2, np.sqrt(5) / 4])  # no lattice's plane is likely to lie across it
    length = np.linalg.norm(differences, axis=1)
    differences = differences[(differences @ half > -tolerance) & (length > 2 * tolerance)]
    if not len(differences):
        return differences
    _, which, count = np.unique(
        np.round(differences * (3 / tolerance)).astype(np.int64), axis=0, return_inverse=True, return_counts=True
    )
    which = which.reshape(-1)
    bins = np.stack([np.bincount(which, differences[:, k]) / count for k in range(3)], 1)
    a, b = KDTree(bins).query_pairs(tolerance, output_type="ndarray").T
    near = count + np.bincount(a, count[b], len(bins)) + np.bincount(b, count[a], len(bins))
    rank = np.argsort(np.argsort(-near, kind="stable"))
    beaten = np.zeros(len(bins), dtype=bool)
    beaten[np.where(rank[a] > rank[b], a, b)] = True
    bins, near = bins[~beaten], near[~beaten]
    start = np.concatenate(references)
    must = np.stack([interior(start + t, edge, config.skin).sum() for t in bins])
    usual = bins[near >= 0.5 * must]
    return usual[np.argsort(np.linalg.norm(usual, axis=1), kind="stable")][: config.candidates]


def _shortest(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "rank 3"]:
    """Shortest vector, the shortest across it, and the shortest out of their plane; fewer where there are none."""
    vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1), kind="stable")]
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    if not len(vectors):
        return vectors
    across = np.linalg.norm(np.cross(unit[0], unit), axis=1) > 0.2
    if not across.any():
        return vectors[:1]
    second = across.argmax()
    out = abs(unit @ np.cross(unit[0], unit[second])) > 0.2
    return vectors[[0, second, out.argmax()]] if out.any() else vectors[[0, second]]

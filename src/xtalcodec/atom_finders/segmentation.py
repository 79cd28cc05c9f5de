"""Atoms from a map of species: every point that is within the label radius of an atom carries its species.

An atom's points fill a ball of known radius, so they tell its centre far better than a voxel: the ball's
border must run between the points that are labelled and those that are not. Balls of neighbours touch or
merge, and faces cut them, which moves their centroids but not this border.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from scipy.spatial import cKDTree
from scipy.special import expit
from torch import Tensor

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.representations.window_field import WindowConfig

STEPS = 12
"""Newton steps at each width of the border."""

SPARE = 0.04
"""Å: a point that is so little beyond a ball is covered by it."""

REACH = 0.15
"""Å: how far from a fitted centre its ball could as well be."""

PLACES = np.stack(np.meshgrid(*[np.linspace(-REACH, REACH, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
"""Where it could be, from there."""


@dataclass(frozen=True, slots=True)
class SegmentationConfig:
    """How balls are fitted; lengths in Å."""

    separation: float = 0.5
    """Nearer than this are one atom; the shortest bond, H–H, is 0.74."""
    borders: tuple[float, ...] = (0.15, 0.06, 0.025)
    """Width of the border between labelled and not, blurred first, then sharp."""
    fewest: int = 3
    """A ball must explain at least so many points, that no other does, to be an atom of its own."""
    rounds: int = 4
    """How often balls are looked for among the points that none explains."""
    fullest: float = 0.4
    """A map with a larger share of its points labelled shows no atoms: balls of 0.65 Å fill a fifth of diamond."""


def read_species_map(
    species: UInt8[Tensor, "b n n n"] | UInt8[np.ndarray, "b n n n"], window: WindowConfig, config: SegmentationConfig
) -> list[FoundAtoms]:
    """Read the atoms of maps that carry Z at points near an atom, 0 elsewhere.

    Parameters
    ----------
    species
        Atomic number at every point near an atom, 0 elsewhere.
    window
        Where the points lie.
    config
        How balls are fitted.
    """
    maps = species.cpu().numpy() if isinstance(species, Tensor) else species
    return [_Reader(m.astype(np.int64), (m > 0).astype(np.float64), window, config).read() for m in maps]


def read_segmentation(
    logits: Float[Tensor, "b species n n n"], window: WindowConfig, config: SegmentationConfig
) -> list[FoundAtoms]:
    """Read the atoms of a network's segmentation.

    A point is of one atom at most, so its species exclude each other: it is near an atom with the sum of
    their probabilities, and where that is above one half it is of the likeliest. A network that hesitates
    between Fe and Co thus still says that there is an atom.

    Parameters
    ----------
    logits
        Channel k says whether a point is near an atom of atomic number k + 1.
    window
        Where the points lie.
    config
        How balls are fitted.
    """
    with torch.no_grad():
        near = logits.double().sigmoid().sum(1).clamp(max=1)
        numbers = (logits.argmax(1) + 1) * (near > 0.5)
    maps = zip(numbers.cpu().numpy(), near.cpu().numpy(), strict=True)
    return [_Reader(z, p, window, config).read() for z, p in maps]


class _Reader:
    """Balls in one map."""

    def __init__(
        self,
        species: Int[np.ndarray, "n n n"],
        near: Float[np.ndarray, "n n n"],
        window: WindowConfig,
        config: SegmentationConfig,
    ) -> None:
        self.species, self.near, self.config = species, near, config
        self.spacing, self.radius, self.n = window.spacing, window.label_radius, window.points
        self.points = np.argwhere(species)
        self.kind = species[tuple(self.points.T)]
        around = np.arange(-4, 5)
        cube = np.stack(np.meshgrid(around, around, around, indexing="ij"), -1).reshape(-1, 3)
        self.around = cube[np.linalg.norm(np.maximum(abs(cube) - 0.5, 0), axis=1) * self.spacing < self.radius + 0.3]

    def read(self) -> FoundAtoms:
        """Find and fit balls.

        (1) Balls where they cover most; (2) their borders fitted; (3) again, among the points that none covers;
        (4) of the places that fit as well, the middle.
        """
        if len(self.points) > self.config.fullest * self.species.size:
            return FoundAtoms.none()
        positions, numbers = np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
        for _ in range(self.config.rounds):
            new, kind = self._propose(positions, self._uncovered(positions, numbers))
            if not len(new):
                break
            positions, numbers = np.vstack([positions, new]), np.concatenate([numbers, kind])
            positions = self._fit(positions, numbers)
            keep = self._worth(positions, numbers)
            positions, numbers = positions[keep], numbers[keep]
        if len(positions):
            positions = self._middle(positions, numbers)
        return FoundAtoms(positions, numbers, self._agreement(positions, numbers))

    def _uncovered(
        self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]
    ) -> Bool[np.ndarray, " points"]:
        """Labelled points that no ball of their species covers."""
        left = np.ones(len(self.points), dtype=bool)
        for z in np.unique(numbers):
            mine = self.kind == z
            distance, _ = cKDTree(positions[numbers == z]).query(self.points[mine] * self.spacing)
            left[mine] = distance > self.radius + SPARE
        return left

    def _propose(
        self, taken: Float[np.ndarray, "a 3"], left: Bool[np.ndarray, " points"]
    ) -> tuple[Float[np.ndarray, "new 3"], Int[np.ndarray, " new"]]:
        """Centres on half steps of the grid whose balls cover many points that are left and few empty ones."""
        if not left.any():
            return np.zeros((0, 3)), np.zeros(0, dtype=np.int64)
        close = cKDTree(self.points[left]).query(self.points)[0] * self.spacing <= self.radius
        points, kind = self.points[close], self.kind[close]
        pool = np.full((self.n + 10,) * 3, -1, dtype=np.int64)  # a rim of points outside, which say nothing
        pool[5:-5, 5:-5, 5:-5] = self.species
        waiting = np.zeros(pool.shape, dtype=bool)
        waiting[tuple((self.points[left] + 5).T)] = True
        centres, scores, kinds = [], [], []
        for half in np.ndindex(2, 2, 2):
            shift = np.array(half) / 2
            ball = self.around[np.linalg.norm(self.around - shift, axis=1) * self.spacing <= self.radius]
            index = tuple((points[:, None] + ball + 5).transpose(2, 0, 1))
            found = pool[index]
            covered = ((found == kind[:, None]) & waiting[index]).sum(1)
            scores.append(np.where(covered >= self.config.fewest, covered - (found == 0).sum(1), -len(ball)))
            centres.append((points + shift) * self.spacing)
            kinds.append(kind)
        centre, score, kind = np.concatenate(centres), np.concatenate(scores), np.concatenate(kinds)
        order = np.argsort(-score, kind="stable")[: int((score > 0).sum())]
        return self._spread(taken, centre[order], kind[order])

    def _spread(
        self, taken: Float[np.ndarray, "a 3"], centre: Float[np.ndarray, "c 3"], kind: Int[np.ndarray, " c"]
    ) -> tuple[Float[np.ndarray, "new 3"], Int[np.ndarray, " new"]]:
        """Of candidates, best first, those that share no ball with one of their species and keep away from all.

        What is taken may be one ball in the midst of two atoms, so a second may begin quite near to it.
        """
        away = (
            cKDTree(taken).query(centre)[0] >= self.config.separation / 2 if len(taken) else np.ones(len(centre), bool)
        )
        chosen = []
        while away.any():
            k = int(away.argmax())
            chosen.append(k)
            distance = np.linalg.norm(centre - centre[k], axis=1)
            away &= distance >= np.where(kind == kind[k], 2 * self.radius, self.config.separation)
        return centre[chosen], kind[chosen]

    def _fit(self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]) -> Float[np.ndarray, "a 3"]:
        """Newton steps on the cross-entropy of "nearer than the radius", logistic across the border."""
        for width in self.config.borders:
            for _ in range(STEPS):
                offset, target, weight = self._neighbourhood(positions, numbers)
                distance = np.linalg.norm(offset, axis=-1)
                # Points of caps too small to be proposed are nobody's, though they are nearest to somebody.
                weight = weight * ((target < 0.5) | (distance < self.radius + max(3 * width, 0.1)))
                likely = expit((self.radius - distance) / width)
                outward = offset / np.maximum(distance, 1e-9)[..., None]  # the way a step makes the point nearer
                slope = np.einsum("ap,apx->ax", weight * (target - likely), outward) / width
                bend = np.einsum("ap,apx,apy->axy", weight * likely * (1 - likely), outward, outward) / width**2
                step = np.linalg.solve(bend + 20 * np.eye(3), slope[..., None])[..., 0]
                length = np.linalg.norm(step, axis=1, keepdims=True)
                positions = positions + step * np.minimum(1, width / np.maximum(length, 1e-9))
                if length.max() < 0.1 * width:
                    break
        return positions

    def _middle(self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]) -> Float[np.ndarray, "a 3"]:
        """The middle of the places near a fitted centre that contradict the labels the least: the least worst error."""
        point, within = self._around(positions)
        found = self.species[tuple(np.clip(point, 0, self.n - 1).transpose(2, 0, 1))]
        offset = point * self.spacing - positions[:, None]
        distance = np.linalg.norm(offset, axis=-1)
        alike, other = self._rivals(positions, numbers, point)
        # Mine are nearer to me than the radius and than to any atom of another species; the rest is not. A point that
        # another atom of my species covers may be of either, and one too far from me is of an atom outside.
        mine = found == numbers[:, None]
        border = np.where(found == 0, self.radius, np.minimum(self.radius, other))
        neither = mine & ((alike <= self.radius) | (distance > self.radius + 0.1))
        open_ = within & (abs(distance - border) < 2 * REACH) & ~neither
        result = positions.copy()
        for a in range(len(positions)):
            way, sign = offset[a][open_[a]], np.where(mine[a][open_[a]], 1, -1)[:, None]
            square = (way**2).sum(1)[:, None] - 2 * way @ PLACES.T + (PLACES**2).sum(1)
            wrong = sign * (np.sqrt(np.maximum(square, 0)) - border[a][open_[a], None])
            total = np.maximum(wrong, 0).sum(0)
            best = PLACES[total <= total.min() + 1e-9]
            result[a] += (best.min(0) + best.max(0)) / 2
        return result

    def _rivals(
        self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"], point: Int[np.ndarray, "a p 3"]
    ) -> tuple[Float[np.ndarray, "a p"], Float[np.ndarray, "a p"]]:
        """Distance of the points around each atom to the nearest other atom of its species, and of any other."""
        alike, other = np.full(point.shape[:2], np.inf), np.full(point.shape[:2], np.inf)
        for z in np.unique(numbers):
            same = np.flatnonzero(numbers == z)
            if len(same) < len(numbers):
                other[same] = cKDTree(positions[numbers != z]).query(point[same] * self.spacing)[0]
            if len(same) > 1:
                distance, index = cKDTree(positions[same]).query(point[same] * self.spacing, 2)
                itself = index[..., 0] == np.arange(len(same))[:, None]
                alike[same] = np.where(itself, distance[..., 1], distance[..., 0])
        return alike, other

    def _around(self, positions: Float[np.ndarray, "a 3"]) -> tuple[Int[np.ndarray, "a p 3"], Bool[np.ndarray, "a p"]]:
        """The points around each atom, and whether they are in the cube."""
        point = np.round(positions / self.spacing).astype(np.int64)[:, None] + self.around
        return point, ((point >= 0) & (point < self.n)).all(-1)

    def _neighbourhood(
        self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]
    ) -> tuple[Float[np.ndarray, "a p 3"], Float[np.ndarray, "a p"], Float[np.ndarray, "a p"]]:
        """Of the points around each atom: the way to them in Å, how surely near an atom, and whether they count.

        Points of other species and those nearer to another atom of the same one tell nothing.
        """
        point, within = self._around(positions)
        index = tuple(np.clip(point, 0, self.n - 1).transpose(2, 0, 1))
        found = self.species[index]
        offset = point * self.spacing - positions[:, None]
        mine = found == numbers[:, None]
        for z in np.unique(numbers):
            atoms = np.flatnonzero(numbers == z)
            which, where = np.nonzero(mine[atoms])
            _, nearest = cKDTree(positions[atoms]).query(point[atoms][which, where] * self.spacing)
            mine[atoms[which], where] = nearest == which
        return offset, self.near[index], (within & (mine | (found == 0))).astype(np.float64)

    def _worth(self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]) -> Bool[np.ndarray, " a"]:
        """Whether each ball covers points that no other does, more of its species than empty ones, and lies near."""
        offset, target, weight = self._neighbourhood(positions, numbers)
        inside = weight * (np.linalg.norm(offset, axis=-1) <= self.radius)
        edge = (self.n - 1) * self.spacing
        keep: Bool[np.ndarray, " a"] = np.all((positions > -self.radius) & (positions < edge + self.radius), axis=1)
        keep &= (inside * (target > 0.5)).sum(1) > (inside * (target <= 0.5)).sum(1)
        distance = np.linalg.norm(self.points[:, None] * self.spacing - positions, axis=-1)
        covers = (distance <= self.radius + SPARE) & (self.kind[:, None] == numbers)
        at_face = ((positions < self.radius) | (positions > edge - self.radius)).any(1)
        needed = np.where(at_face, 1, self.config.fewest)
        while keep.any():
            alone = (covers & (covers[:, keep].sum(1) == 1)[:, None]).sum(0) - needed
            least = int(np.where(keep, alone, len(self.points)).argmin())
            if alone[least] >= 0:
                break
            keep[least] = False  # one at a time: of two balls on one place, the other stays
        return keep

    def _agreement(
        self, positions: Float[np.ndarray, "a 3"], numbers: Int[np.ndarray, " a"]
    ) -> Float[np.ndarray, " a"]:
        """Share of each ball's points, as far as they count, that are labelled."""
        if not len(positions):
            return np.zeros(0)
        offset, target, weight = self._neighbourhood(positions, numbers)
        inside = weight * (np.linalg.norm(offset, axis=-1) <= self.radius)
        return (inside * target).sum(1) / np.maximum(inside.sum(1), 1)

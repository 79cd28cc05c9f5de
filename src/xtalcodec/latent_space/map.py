"""Vectors of crystals laid out in a plane, and which vectors are nearest to each."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int

Method = Literal["pca", "umap"]
"""How vectors are laid out: by principal components, or by UMAP, which keeps neighbours together."""

FEWEST = 4
"""Crystals that UMAP can lay out."""

BLOCK = 1024
"""Vectors that are compared with all others at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Places of vectors in a plane."""

    places: Float[np.ndarray, "n 2"]
    """Across and up, in no unit; distances mean the same along both."""
    axes: tuple[str, str]
    """What each axis is."""


def lay_out(vectors: Float[np.ndarray, "n size"], method: Method = "pca", seed: int = 0) -> Layout:
    """Lay vectors out in a plane.

    Parameters
    ----------
    vectors
        Of length 1, as `Codec.embed` returns them.
    method
        "pca": the two directions in which the vectors vary most (Hotelling 1933), the same at every call. "umap":
        neighbours stay together, and distances between groups mean little (McInnes, Healy & Melville 2018).
    seed
        Of UMAP.

    Raises
    ------
    ValueError
        No vector, a method that there is not, or too few vectors for it.
    ModuleNotFoundError
        UMAP without the library `umap-learn`.
    """
    if not len(vectors):
        raise ValueError("there is no crystal to lay out")
    check_method(method)
    if method == "umap" and len(vectors) < FEWEST:
        raise ValueError(f"UMAP lays out {FEWEST} crystals or more, not {len(vectors)}: take pca")
    return _principal(vectors) if method == "pca" else _neighbourly(vectors, seed)


def check_method(method: Method) -> None:
    """Refuse a layout that cannot be made here, before anything is computed.

    Raises
    ------
    ValueError
        One that there is not.
    ModuleNotFoundError
        UMAP without the library `umap-learn`.
    """
    if method not in get_args(Method):
        raise ValueError(f"no layout {method!r}; have {', '.join(get_args(Method))}")
    if method == "umap" and find_spec("umap") is None:
        raise ModuleNotFoundError("umap-learn is not installed", name="umap")


def _principal(vectors: Float[np.ndarray, "n size"]) -> Layout:
    """Put vectors on their two principal axes; of either sign of an axis, the one with the larger component."""
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    variances, axes = np.linalg.eigh(centred.T @ centred)
    two = axes[:, [-1, -2]]
    two = two * np.sign(two[abs(two).argmax(0), [0, 1]])
    shares = variances[[-1, -2]] / (variances.sum() or 1.0)
    names = [
        f"principal component {k + 1} ({100 * max(0.0, share):.0f} % of the variance)" for k, share in enumerate(shares)
    ]
    return Layout(centred @ two, (names[0], names[1]))


def _neighbourly(vectors: Float[np.ndarray, "n size"], seed: int) -> Layout:
    """Lay vectors out by UMAP, on one thread, so that the same seed gives the same places."""
    import umap

    neighbours = min(15, len(vectors) - 1)
    start = "spectral" if len(vectors) > neighbours + 1 else "random"
    method = umap.UMAP(n_neighbors=neighbours, metric="cosine", random_state=seed, n_jobs=1, init=start)
    return Layout(np.asarray(method.fit_transform(vectors), dtype=np.float64), ("UMAP 1", "UMAP 2"))


def most_alike(
    vectors: Float[np.ndarray, "n size"], count: int
) -> tuple[Int[np.ndarray, "n k"], Float[np.ndarray, "n k"]]:
    """Return the vectors that are most alike to each, the likest first, and their scalar products with it.

    Parameters
    ----------
    vectors
        Of length 1.
    count
        How many of the others, at most.
    """
    count = min(count, len(vectors) - 1)
    found = np.zeros((len(vectors), count), dtype=np.int64)
    likeness = np.zeros((len(vectors), count), dtype=np.float64)
    if not count:
        return found, likeness
    for start in range(0, len(vectors), BLOCK):
        scores = (vectors[start : start + BLOCK] @ vectors.T).astype(np.float64)
        rows = np.arange(len(scores))
        scores[rows, start + rows] = -np.inf
        few = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        order = np.lexsort((few, -np.take_along_axis(scores, few, 1)), axis=1)
        few = np.take_along_axis(few, order, 1)
        found[start : start + BLOCK], likeness[start : start + BLOCK] = few, np.take_along_axis(scores, few, 1)
    return found, likeness

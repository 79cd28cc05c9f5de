"""Codes of samples, kept as they are drawn: a run that was killed goes on, and one of more samples begins with them."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xtalcodec.codecs.latents import CrystalCode, LatentsError, code_of
from xtalcodec.evaluation.generation.memo import Memo
from xtalcodec.latent_space.sample import Kept
from xtalcodec.priors.base import Prior
from xtalcodec.priors.plan import Composition


class MemoCodes:
    """Codes of one prior, asked in one way and of one seed, by the numbers of the samples."""

    def __init__(self, memo: Memo, prior: Prior, seed: int, temperature: float) -> None:
        """Keep codes in a memo.

        Parameters
        ----------
        memo
            Where they are kept.
        prior
            A flow, with what it is asked.
        seed, temperature
            Of the samples.
        """
        self.memo = memo
        self.what = f"codes 3 of {prior.flow.digest} seed {seed} temperature {temperature!r}"

    def known(self, numbers: Sequence[int]) -> dict[int, Kept]:
        """Return those that were drawn before.

        Raises
        ------
        LatentsError
            A code that was damaged.
        """
        found = self.memo.known(self.what, [str(number) for number in numbers])
        try:
            return {int(key): _read(value) for key, value in found.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise LatentsError(f"{self.memo.path}: a code that was kept is damaged: {error}") from error

    def keep(self, samples: Mapping[int, Kept]) -> None:
        """Keep codes; they are on disk when this returns."""
        self.memo.keep(self.what, {str(number): _written(*one) for number, one in samples.items()})


def _written(composition: Composition, code: CrystalCode) -> dict[str, Any]:
    z = base64.b64encode(code.z.astype("<f4").tobytes()).decode()
    way = {"origin": code.origin.tolist(), "basis": code.basis.ravel().tolist(), "given_as": code.given_as}
    about = {"name": code.name, "patches": list(code.patches), "lattice": code.lattice.ravel().tolist()}
    holding = {"elements": list(composition.elements), "counts": list(composition.counts)}
    return {**about, **way, **holding, "noise": code.noise, "plain": code.plain, "z": z}


def _read(value: dict[str, Any]) -> Kept:
    code = code_of({**value, "z": np.frombuffer(base64.b64decode(value["z"]), dtype="<f4")})
    return Kept(Composition(tuple(map(int, value["elements"])), tuple(map(int, value["counts"]))), code)

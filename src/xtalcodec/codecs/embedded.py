"""Codecs with an embedding: one vector per crystal, the same however the crystal is written down."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from xtalcodec.codecs.identity import same
from xtalcodec.codecs.stored import Stored
from xtalcodec.embedding import files
from xtalcodec.embedding.embedding import Embedding, EmbeddingError, Of
from xtalcodec.io.atomic import copy_files
from xtalcodec.io.materials import named_crystals

if TYPE_CHECKING:
    from xtalcodec.io.materials import Material


class Embedded(Stored):
    """A codec that may have an embedding beside it."""

    _embedding: Embedding | None = None

    @property
    def embedding(self) -> Embedding:
        """The embedding in the codec's folder, read when it is first asked for.

        Raises
        ------
        EmbeddingError
            The codec has none, or one of another codec lies beside it.
        """
        if self._embedding is None:
            self._embedding = self._read_embedding()
        return self._embedding

    def _read_embedding(self) -> Embedding:
        if self.channels is None:
            raise EmbeddingError(f"the codec {self.config.name!r} has no learnt density channels to embed crystals by")
        folder = self.provenance.folder / files.FOLDER if self.provenance else Path()
        if self.provenance is None or not (folder / files.ABOUT).is_file():
            raise EmbeddingError(f"the codec {self.identity} has no embedding: `xtalcodec train-embedding` makes one")
        found = files.read(folder, self.channels)
        if not self.owns(found.about.codec):
            raise EmbeddingError(f"{folder} belongs to the codec {found.about.codec}, not to {self.identity}")
        return found

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:  # type: ignore[override]
        """Write the codec, see `Stored.save_pretrained`, and take the embedding along, if it has one still.

        Parameters
        ----------
        save_directory
            Made if it is not there.
        options
            `licence`, `training` and others of `Stored.save_pretrained`.
        """
        super().save_pretrained(save_directory, **options)
        known = self.provenance
        if known and same(known.identity, self.identity) and (known.folder / files.FOLDER / files.ABOUT).is_file():
            copy_files(files.FILES, known.folder / files.FOLDER, Path(save_directory) / files.FOLDER)

    def embed(
        self,
        materials: "Material | Iterable[Material]",
        *,
        of: Of = "crystal",
        progress: Callable[[int], None] = lambda _: None,
    ) -> Float[np.ndarray, "n size"]:
        """One vector of length 1 for each crystal: the scalar product of two says how alike the crystals are.

        It is the same for every origin, orientation, order of sites and choice of cell, and for supercells.

        Parameters
        ----------
        materials
            One or several of: pymatgen structures, ASE atoms, paths of files and folders.
        of
            "crystal"; or "structure", which tells elements apart but knows neither which they are nor the volume.
        progress
            Called with the number of crystals done since the last call.

        Raises
        ------
        EmbeddingError
            The codec has no embedding.
        CrystalError
            The first crystal with an element that was never seen, or file that cannot be read, by name.
        """
        return self.embedding.vectors(named_crystals(materials), of, progress)

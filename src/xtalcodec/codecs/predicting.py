"""Codecs with heads: properties of crystals, from what surrounds their sites."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.codecs.embedded import Embedded
from xtalcodec.codecs.identity import same
from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.embedding.surroundings import SurroundingsConfig
from xtalcodec.heads import files
from xtalcodec.heads.head import Head, HeadError, Look, Predictions, Seen, look
from xtalcodec.io.atomic import copy_files
from xtalcodec.io.materials import named_crystals

if TYPE_CHECKING:
    from xtalcodec.io.materials import Material


class Predicting(Embedded):
    """A codec that may have heads beside it, each of which predicts a property."""

    @property
    def heads(self) -> list[str]:
        """Properties that the heads in the codec's folder predict."""
        return list(files.available(self.provenance.folder)) if self.provenance else []

    def head(self, name: str | Path) -> Head:
        """Read a head.

        Parameters
        ----------
        name
            A property that a head in the codec's folder predicts, or the folder of any head.

        Raises
        ------
        HeadError
            There is none; the message lists those there are. One that is broken, or of another codec.
        """
        known = files.available(self.provenance.folder) if self.provenance else {}
        folder = known.get(str(name), Path(name))
        if not (folder / files.ABOUT).is_file():
            hint = "A folder of `xtalcodec train-head` will do too."
            if not known:
                raise HeadError(f"no head for {str(name)!r}: the codec {self.identity} has none. {hint}")
            raise HeadError(f"{unknown('head for the property', str(name), list(known))} {hint}")
        head = files.read(folder)
        if not self.owns(head.about.codec):
            raise HeadError(f"the head in {folder} belongs to the codec {head.about.codec}, not to {self.identity}")
        return head

    def look(self, at: SurroundingsConfig) -> Look:
        """Return what heads look at crystals by.

        It refuses crystals with elements that the codec does not know, or with atoms nearer than any two of real ones.

        Parameters
        ----------
        at
            Radii.

        Raises
        ------
        HeadError
            The codec has no learnt density channels.
        """
        channels = self.channels
        if channels is None:
            raise HeadError(f"the codec {self.config.name!r} has no learnt density channels to look at crystals by")

        def seen(crystal: Crystal) -> Seen:
            self.check_elements(crystal)
            self.check_apart(crystal)
            return look(crystal, channels, at)

        return seen

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:  # type: ignore[override]
        """Write the codec, see `Embedded.save_pretrained`, and take its heads along, if they are its own still.

        Parameters
        ----------
        save_directory
            Made if it is not there.
        options
            `licence`, `training` and others of `Stored.save_pretrained`.
        """
        super().save_pretrained(save_directory, **options)
        known = self.provenance
        if known and same(known.identity, self.identity):
            for name, folder in files.available(known.folder).items():
                copy_files(files.FILES, folder, Path(save_directory) / files.FOLDER / name)

    def predict(
        self,
        materials: "Material | Iterable[Material]",
        name: str | Path,
        *,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Predictions:
        """Predict a property of crystals: the same for every setting of a crystal, and for its supercells.

        Parameters
        ----------
        materials
            One or several of: pymatgen structures, ASE atoms, paths of files and folders.
        name
            A property that the codec has a head for, see `heads`; or the folder of a head.
        progress
            Called with the number of crystals done since the last call.

        Returns
        -------
        Values, uncertainties that hold the true value of 90 % of crystals like those of the training, and their unit.

        Raises
        ------
        HeadError
            There is no such head, or it belongs to another codec.
        CrystalError
            The first crystal with an element that was never seen, or file that cannot be read, by name.
        """
        head = self.head(name)
        return head.predict(named_crystals(materials), self.look(head.about.looks), progress)

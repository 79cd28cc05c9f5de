"""Eleven disordered crystals from the literature: doped, mixed and deficient ones, as their average structures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import Progress, Source, SourceError, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable
from xtalcodec.io.symmetry.orbits import expand
from xtalcodec.io.symmetry.space_groups import Named, resolve

Site = tuple[dict[str, float], tuple[float, float, float]]
"""Elements of a site with their occupancies, what is missing to 1 being empty, and its fractional coordinates."""


DIGIT = 0.001
"""Of a cell edge: how far a coordinate may be off."""


@dataclass(frozen=True, slots=True)
class Published:
    """An average structure, rounded to 0.001 of a cell edge; occupancies are those of the formula."""

    name: str
    group: str
    """Hermann-Mauguin symbol, in the standard setting of International Tables A; of Fd-3m, origin choice 2."""
    cell: tuple[float, float, float, float, float, float]
    """a, b, c in Å; α, β, γ in degrees."""
    sites: tuple[Site, ...]
    """One of each orbit."""
    reference: str

    def crystal(self) -> Crystal:
        """Return the crystal on its conventional cell, its reference among its properties."""
        from pymatgen.core import Lattice, Structure

        species, positions = zip(*self.sites, strict=True)
        rows, lattice = np.array(positions), Lattice.from_parameters(*self.cell).matrix
        operations, _ = resolve(Named(self.group), lattice @ lattice.T)
        labels = ["".join(elements) for elements in species]
        found = expand(rows, np.full(rows.shape, DIGIT), labels, operations, lattice, MAX_SITES)
        structure = Structure(lattice, [species[row] for row in found.rows], found.frac_coords)
        return replace(Crystal.from_pymatgen(structure), properties={"reference": self.reference})


def _cubic(a: float) -> tuple[float, float, float, float, float, float]:
    return (a, a, a, 90.0, 90.0, 90.0)


EXAMPLES = (
    Published(
        "La1.85Sr0.15CuO4",
        "I4/mmm",
        (3.779, 3.779, 13.226, 90.0, 90.0, 90.0),
        (
            ({"La": 0.925, "Sr": 0.075}, (0.0, 0.0, 0.360)),
            ({"Cu": 1.0}, (0.0, 0.0, 0.0)),
            ({"O": 1.0}, (0.0, 0.5, 0.0)),
            ({"O": 1.0}, (0.0, 0.0, 0.182)),
        ),
        "Cava, Santoro, Johnson and Rhodes, Phys. Rev. B 35, 6716 (1987)",
    ),
    Published(
        "YBa2Cu3O6.9",
        "Pmmm",
        (3.823, 3.886, 11.681, 90.0, 90.0, 90.0),
        (
            ({"Y": 1.0}, (0.5, 0.5, 0.5)),
            ({"Ba": 1.0}, (0.5, 0.5, 0.184)),
            ({"Cu": 1.0}, (0.0, 0.0, 0.0)),
            ({"Cu": 1.0}, (0.0, 0.0, 0.355)),
            ({"O": 1.0}, (0.0, 0.0, 0.158)),
            ({"O": 1.0}, (0.5, 0.0, 0.377)),
            ({"O": 1.0}, (0.0, 0.5, 0.378)),
            ({"O": 0.9}, (0.0, 0.5, 0.0)),  # in the chains of copper, whose oxygen leaves on heating
        ),
        "Beno et al., Appl. Phys. Lett. 51, 57 (1987)",
    ),
    Published(
        "Si0.7Ge0.3",
        "Fd-3m:2",
        _cubic(5.493),
        (({"Si": 0.7, "Ge": 0.3}, (0.125, 0.125, 0.125)),),
        "Dismukes, Ekstrom and Paff, J. Phys. Chem. 68, 3021 (1964)",
    ),
    Published(
        "CuAu",
        "Fm-3m",
        _cubic(3.873),  # quenched: below 410 °C copper and gold would order in layers
        (({"Cu": 0.5, "Au": 0.5}, (0.0, 0.0, 0.0)),),
        "Okamoto, Chakrabarti, Laughlin and Massalski, Bull. Alloy Phase Diagrams 8, 454 (1987)",
    ),
    Published(
        "KCl0.5Br0.5",
        "Fm-3m",
        _cubic(6.446),
        (({"K": 1.0}, (0.0, 0.0, 0.0)), ({"Cl": 0.5, "Br": 0.5}, (0.5, 0.5, 0.5))),
        "Slagle and McKinstry, Acta Cryst. 21, 1013 (1966)",
    ),
    Published(
        "FeAl2O4",
        "Fd-3m:2",
        _cubic(8.156),
        (  # a spinel of inversion 0.163: that share of the tetrahedra holds aluminium
            ({"Fe": 0.837, "Al": 0.163}, (0.125, 0.125, 0.125)),
            ({"Al": 0.9185, "Fe": 0.0815}, (0.5, 0.5, 0.5)),
            ({"O": 1.0}, (0.263, 0.263, 0.263)),
        ),
        "Hill, Am. Mineral. 69, 937 (1984)",
    ),
    Published(
        "Na0.74CoO2",
        "P6_3/mmc",
        (2.840, 2.840, 10.811, 90.0, 90.0, 120.0),
        (
            ({"Na": 0.23}, (0.0, 0.0, 0.25)),  # never both of two sites so near, 1.64 Å
            ({"Na": 0.51}, (2 / 3, 1 / 3, 0.25)),
            ({"Co": 1.0}, (0.0, 0.0, 0.0)),
            ({"O": 1.0}, (1 / 3, 2 / 3, 0.091)),
        ),
        "Balsys and Davis, Solid State Ionics 93, 279 (1996)",
    ),
    Published(
        "MgCoNiCuZnO5",
        "Fm-3m",
        _cubic(4.236),
        (({"Mg": 0.2, "Co": 0.2, "Ni": 0.2, "Cu": 0.2, "Zn": 0.2}, (0.0, 0.0, 0.0)), ({"O": 1.0}, (0.5, 0.5, 0.5))),
        "Rost et al., Nat. Commun. 6, 8485 (2015)",
    ),
    Published(
        "Fe0.94O",
        "Fm-3m",
        _cubic(4.305),
        (({"Fe": 0.94}, (0.0, 0.0, 0.0)), ({"O": 1.0}, (0.5, 0.5, 0.5))),
        "McCammon and Liu, Phys. Chem. Minerals 10, 106 (1984)",
    ),
    Published(
        "Co2FeAl0.5Si0.5",
        "Fm-3m",
        _cubic(5.690),
        (({"Co": 1.0}, (0.25, 0.25, 0.25)), ({"Fe": 1.0}, (0.5, 0.5, 0.5)), ({"Al": 0.5, "Si": 0.5}, (0.0, 0.0, 0.0))),
        "Nakatani et al., J. Appl. Phys. 102, 033916 (2007)",
    ),
    Published(
        "Zr0.82Y0.18O1.91",
        "Fm-3m",
        _cubic(5.144),
        (({"Zr": 0.82, "Y": 0.18}, (0.0, 0.0, 0.0)), ({"O": 0.955}, (0.25, 0.25, 0.25))),
        "Ingel and Lewis, J. Am. Ceram. Soc. 69, 325 (1986)",
    ),
)


class DisorderedExamples(Source):
    """Crystals with shared and partly empty sites, named by their composition."""

    name = "disordered-examples"
    description = "Eleven disordered crystals: cuprates, alloys, salts, spinel, oxides; nothing is fetched."
    example = "disordered-examples"
    licence = "MIT, with xtalcodec"
    size = "11 crystals"
    citation = "the reference that each crystal has as a property"

    @classmethod
    def parse(cls, query: str) -> "DisorderedExamples":
        """Accept no query: the examples are always all of them."""
        if query:
            raise SourceError(f"{cls.name} takes no query, not {query!r}")
        return cls()

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the examples in the order of this file."""
        for done, published in enumerate(EXAMPLES, start=1):
            yield self.item(published.name, published, max_sites, lambda record, _: record.crystal())
            progress(done, len(EXAMPLES))


SOURCE = DisorderedExamples

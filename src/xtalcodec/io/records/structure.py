"""Crystals of pymatgen: the mapping of a `Structure`."""

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError, check_periodic
from xtalcodec.io.carried import carrying, columns
from xtalcodec.io.found import check_size
from xtalcodec.io.records.columns import Record
from xtalcodec.io.records.values import atomic_numbers, own_notes


def crystal_of_structure(value: Record, max_sites: int) -> Crystal:
    """Build from the mapping of a pymatgen `Structure`."""
    from pymatgen.core import Lattice

    check_size(len(value["sites"]), max_sites)
    if not isinstance(value.get("lattice"), dict):
        raise CrystalError("it has sites but no lattice: a molecule")
    lattice = Lattice.from_dict({k: v for k, v in value["lattice"].items() if not k.startswith("@")})
    check_periodic(lattice.pbc)
    frac_coords, shares = [], []
    notes: tuple[str, ...] = ()
    for site in value["sites"]:
        species = site["species"]
        elements, isotopes = atomic_numbers([str(entry["element"]) for entry in species])
        notes += tuple(note for note in isotopes if note not in notes)
        shares.append([(z, float(entry["occu"])) for z, entry in zip(elements, species, strict=True)])
        frac_coords.append(site["abc"] if site.get("abc") is not None else lattice.get_fractional_coords(site["xyz"]))
    properties = value.get("properties")
    notes = (own_notes(properties) if isinstance(properties, dict) else ()) + notes
    crystal = Crystal.of_shares(lattice.matrix, np.array(frac_coords, dtype=float), shares, notes=notes)
    beside = {key: field for key, field in value.items() if key not in ("lattice", "sites") and field is not None}
    if not beside.get("charge"):
        beside.pop("charge", None)  # pymatgen writes 0 where none was given
    return carrying(crystal, beside, columns(_beside_site(site) for site in value["sites"]))


def _beside_site(site: Record) -> Record:
    """Return the properties of a pymatgen site, with the oxidation state and spin that all of its species have."""
    species = [{**(one.get("properties") or {}), **one} for one in site["species"]]
    values = {key: species[0].get(key) for key in ("oxidation_state", "spin")}
    own = {k: x for k, x in values.items() if x is not None and all(one.get(k) == x for one in species)}
    return {**own, **(site.get("properties") or {})}

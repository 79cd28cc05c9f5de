"""Crystals of OPTIMADE: the attributes of an entry of `structures`."""

from collections.abc import Sequence

from xtalcodec.crystal import Crystal, CrystalError, check_periodic
from xtalcodec.io.found import check_size
from xtalcodec.io.records.arrays import from_positions
from xtalcodec.io.records.columns import Record
from xtalcodec.io.records.values import atomic_numbers, field_of, repeats


def optimade(record: Record, max_sites: int) -> Crystal:
    """Build by the OPTIMADE specification, 7.2: `species_at_sites` names entries of `species`."""
    names = field_of(record, ["species_at_sites"])
    check_size(len(names), max_sites)
    directions = record.get("dimension_types")
    if directions is not None:
        check_periodic(repeats(field_of(record, ["dimension_types"])))
    if record.get("assemblies"):
        raise CrystalError("some of its sites are alternatives to others (assemblies)")
    species = field_of(record, ["species"]) if record.get("species") else []
    shares, notes = _of_species(names, [entry for entry in species if isinstance(entry, dict)])
    cell, places = field_of(record, ["lattice_vectors"], 3), field_of(record, ["cartesian_site_positions"], 3)
    full = from_positions([site[0][0] for site in shares], places, cell, [True] * 3)
    return Crystal.of_shares(full.lattice, full.frac_coords, shares, notes=notes)


def _of_species(
    names: Sequence[str], species: Sequence[Record]
) -> tuple[list[list[tuple[int, float]]], tuple[str, ...]]:
    """Elements and occupancies of sites by the names of their species, and what was assumed; vacancies are empty."""
    known: dict[str, list[tuple[int, float]]] = {}
    assumed: tuple[str, ...] = ()
    for entry in species:
        if any(entry.get("nattached") or []):
            name = entry["name"][:30]
            raise CrystalError(f"atoms without positions of their own are attached to species {name!r}")
        given = entry["chemical_symbols"]
        pairs = zip(given, entry.get("concentration") or [1.0] * len(given), strict=True)
        some = [(s, float(x)) for s, x in pairs if s != "vacancy" and x > 0]
        elements, notes = atomic_numbers([s for s, _ in some])
        assumed += tuple(note for note in notes if note not in assumed)
        known[entry["name"]] = [(z, x) for z, (_, x) in zip(elements, some, strict=True)]
    missing = [name for name in dict.fromkeys(names) if name not in known]
    elements, notes = atomic_numbers(missing)
    known |= {name: [(z, 1.0)] for name, z in zip(missing, elements, strict=True)}
    empty = next((name for name in names if not known[name]), None)
    if empty is not None:
        raise CrystalError(f"species {empty[:30]!r} is nothing but a vacancy")
    return [known[name] for name in names], assumed + tuple(note for note in notes if note not in assumed)

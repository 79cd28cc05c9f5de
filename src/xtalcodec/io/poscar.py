"""VASP's POSCAR, and the crystal at the head of its volumetric files (CHGCAR, LOCPOT, AECCAR, PARCHG)."""

import re
from collections.abc import Iterator
from functools import partial

import numpy as np

from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.io.found import Found, check_size

_FORTRAN = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
"""The exponent of 1.0D0."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


def read_poscar(text: str, name: str, max_sites: int) -> Iterator[Found]:
    """Yield the crystal of a POSCAR or CONTCAR, or of what VASP writes below one.

    Parameters
    ----------
    text
        Of the file.
    name
        What its crystals are called.
    max_sites
        Larger crystals are refused.
    """
    yield name, partial(poscar_crystal, text, max_sites)


def poscar_crystal(text: str, max_sites: int) -> Crystal:
    """Build the crystal of POSCAR text; comments behind ! or #, or behind the numbers, are passed over."""
    from pymatgen.core import Element
    from pymatgen.io.vasp.inputs import Poscar

    lines = text.splitlines()
    if len(lines) < 8:
        raise CrystalError("it ends too early for a POSCAR")
    cell = [_words(line) for line in lines[1:5]]
    if len(cell[0]) >= 3 and all(map(_NUMBER.fullmatch, cell[0][:3])):
        raise CrystalError("it has three scaling factors, which are not supported; multiply them into the cell")
    first = next((k for k in range(5, len(lines)) if re.match(r"\s*[-+]?\d", lines[k])), len(lines))
    rows = max(first - 5, 1)
    counts = _counts(lines[first : first + rows])
    if not counts or min(counts) < 0:
        raise CrystalError("it does not give the numbers of sites")
    species = [re.split("[_/]", word)[0] for line in lines[5:first] for word in _words(line)]
    if first > 5 and len(species) != len(counts):
        raise CrystalError("it does not give one number of sites per element")
    check_size(sum(counts), max_sites)
    comment = lines[0].split()
    if first == 5 and len(comment) == len(counts) and all(map(Element.is_valid_symbol, comment)):
        species = comment  # VASP 4 writes the elements into the comment
    head = ["crystal", _scale(cell[0][0], cell[1:]), *(" ".join(words[:3]) for words in cell[1:])]
    head += [" ".join(species)] if species else []
    try:
        sites = _sites(lines[first + rows :], sum(counts))
        poscar = Poscar.from_str("\n".join([*head, " ".join(map(str, counts)), *sites]), read_velocities=False)
    except KeyError as error:
        raise CrystalError(f"it names {error}, which is no element") from error
    if not poscar.true_names:  # pymatgen has made up H, He, Li, …
        raise CrystalError("it does not name its elements")
    return Crystal.from_pymatgen(poscar.structure)


def looks_like_poscar(text: str) -> bool:
    """Tell whether a scaling factor and three vectors follow the first line."""
    lines = [_words(line) for line in text.splitlines()[1:5]]
    if len(lines) < 4 or not lines[0]:
        return False
    numbers = [lines[0][0], *(word for line in lines[1:] for word in line[:3])]
    return len(numbers) == 10 and all(map(_NUMBER.fullmatch, numbers))


def _scale(word: str, vectors: list[list[str]]) -> str:
    """Return the scaling factor of the cell; a negative one is its volume in Å³, by which Cartesian sites go too."""
    scale = float(word)
    if scale >= 0:
        return word
    volume = abs(np.linalg.det(np.array([words[:3] for words in vectors], dtype=float)))
    return repr(float(np.cbrt(-scale / volume)))


def _words(line: str) -> list[str]:
    return [_FORTRAN.sub("E", word) for word in re.split("[!#]", line)[0].split()]


def _counts(lines: list[str]) -> list[int]:
    """Read the numbers of sites; words behind them are a comment."""
    counts = []
    for line in lines:
        for word in _words(line):
            if not re.fullmatch(r"[-+]?\d{1,15}", word):
                break
            counts.append(int(word))
    return counts


def _sites(lines: list[str], count: int) -> list[str]:
    """Return the line of the kind of coordinates, and the rows, without flags and comments."""
    if lines[:1] and lines[0].strip()[:1] in ("S", "s"):
        lines = lines[1:]
    if not lines or not re.match(r"\s*[A-Za-z]", lines[0]):
        raise CrystalError("the line that says Direct or Cartesian cannot be read, or it ends too early")
    rows = []
    for line in lines[1 : count + 1]:
        words = _words(line)
        label = next((word for word in words[3:] if re.fullmatch("[A-Z][a-z]?", word) and word not in "TF"), "")
        rows.append(" ".join([*words[:3], label]).strip())
    if len(rows) < count or any(len(row.split()) < 3 for row in rows):
        raise CrystalError(f"it ends too early for its {count} sites")
    return [lines[0].strip(), *rows]

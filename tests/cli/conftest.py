"""A terminal, and a folder of two crystals. The package is imported inside, as in the fixtures of all tests."""

import pytest


@pytest.fixture
def run():
    """The command line."""
    from typer.testing import CliRunner

    from xtalcodec.cli import app

    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def cifs(tmp_path):
    """A folder of two metals."""
    from pymatgen.core import Lattice, Structure

    folder = tmp_path / "cifs"
    folder.mkdir()
    for name, a in (("cu", 3.61), ("al", 4.05)):
        cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [name.title()], [[0, 0, 0]])
        cell.to(str(folder / f"{name}.cif"))
    return folder

"""Windows encoded from the paper's density and nothing else."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from xtalcodec.cli import app
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.codecs.windows import encode_densities
from xtalcodec.crystal import Crystal
from xtalcodec.evaluation.windows import measure, nearest
from xtalcodec.networks.hoffmann import HoffmannConfig
from xtalcodec.representations.unit_cell import UnitCellConfig

IODIDE = Crystal(
    3.53 * (np.ones((3, 3)) - np.eye(3)), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), np.array([19, 53]), "KI"
)


def placed(codec, code):
    """The batch that the code is of."""
    return codec.representation.collate([codec.place(IODIDE).crystal.translated(code.origin)])


@pytest.mark.parametrize("name", ["mp-unit-cell", "mp-repeating"])
def test_the_density_alone_gives_the_latent_of_its_atoms(name):
    codec = Codec.from_pretrained(name)
    (code,) = codec.encode([IODIDE.to_pymatgen()], refine=False)
    row = measure(codec, [IODIDE], from_density=True)[0]
    distance, index = nearest(row.true.positions, row.decoded.positions)
    inside = ((row.true.positions > 0) & (row.true.positions < 10)).all(1)  # beyond the faces only a tail shows
    assert distance[inside].max() < 0.1
    np.testing.assert_array_equal(row.decoded.numbers[index[inside]], row.true.numbers[inside])
    if name == "mp-unit-cell":
        density = codec.representation.density(placed(codec, code)).numpy()
        np.testing.assert_allclose(encode_densities(codec, list(density))[0], code.z, atol=0.05)


def test_the_papers_network_takes_the_density_as_it_is():
    space = UnitCellConfig(patches=1, skin=0.0, reach=5.7)
    codec = open_codec(CodecConfig("small", space, HoffmannConfig(scale=1 / 16)))
    (code,) = codec.encode([IODIDE.to_pymatgen()])
    density = codec.representation.density(placed(codec, code)).numpy()
    np.testing.assert_allclose(encode_densities(codec, list(density))[0], code.z, atol=1e-5)


def test_a_codec_of_cells_has_no_window(mp):
    with pytest.raises(TypeError, match="of no window"):
        encode_densities(mp, [np.zeros((30, 30, 30), dtype=np.float32)])


def evaluate(*words):
    return CliRunner().invoke(app, ["evaluate", "aflow-prototypes", "--from-density", *map(str, words)])


def test_evaluate_from_densities(tmp_path):
    result = evaluate("--codec", "mp-unit-cell", "--limit", 3, "--json", tmp_path / "scores.json")
    assert result.exit_code == 0, result.output
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["from_density"]
    assert not scores["refined"]
    assert scores["species_per_atom"] == 1


def test_evaluate_of_cells_has_no_densities():
    result = evaluate("--codec", "mp", "--limit", 1)
    assert result.exit_code == 2
    assert "--from-density is for codecs of windows" in result.output

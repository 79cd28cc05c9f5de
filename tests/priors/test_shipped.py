"""Priors that ship: found by their names and by their codecs, with a card that says what they are."""

import json

import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard

from xtalcodec import priors
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.facts import CardError, provenance, read
from xtalcodec.codecs.hub import named_in
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.crystal import Crystal
from xtalcodec.latent_space.sample import draw
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.priors import card, open_prior, prior_for, shipped
from xtalcodec.priors.about import PriorError
from xtalcodec.priors.flow.prior import FlowPrior
from xtalcodec.priors.flow.settings import FlowConfig, SamplerConfig
from xtalcodec.representations.periodic import PeriodicConfig

SIZES = {"width": 16, "heads": 2, "layers": 1, "cell_width": 16, "cell_layers": 1, "composition_width": 16}
CONFIG = FlowConfig(**SIZES, composition_layers=1, most_sites=6, most_elements=3)
CELL = 4 * (np.ones((3, 3)) - np.eye(3)) / np.sqrt(2)
SALTS = [
    Crystal(CELL * scale, np.array([[0.1, 0, 0], [0.6, 0.5, 0.5]]), np.array([11, 17]), "salt") for scale in (1, 1.02)
]
FACTS = {"data": "salts.parquet", "recipe": "tiny flow.width=16", "command": "xtalcodec train-prior tiny", "seed": 3}
FACTS |= {"licence": "cc-by-4.0", "source": "grown by hand (CC BY 4.0)", "step": 2, "crystals": 8, "seconds": 120.0}
FACTS |= {"crystals_used": 2, "samples": {"good": 0.25, "valid": 0.5, "as_planned": 0.75}}


def tiny_codec(name, seed):
    torch.manual_seed(seed)
    return open_codec(CodecConfig(name, PeriodicConfig(), PatchConfig(width=24, heads=2, decoder_layers=1, noise=0.5)))


@pytest.fixture(scope="module")
def codec():
    return tiny_codec("tiny", 0)


@pytest.fixture(scope="module")
def flow(codec):
    return FlowPrior.fit(codec, SALTS, CONFIG, steps=1, batch_patches=64)


@pytest.fixture
def box(tmp_path, monkeypatch, flow):
    """A box that holds one prior, `tiny`."""
    monkeypatch.setattr(priors, "WEIGHTS", tmp_path / "weights")
    flow.save(tmp_path / "weights" / "tiny", training=provenance(**FACTS))
    (tmp_path / "weights" / "README.md").write_text("what is here\n")
    return tmp_path / "weights"


def check_shipped(name, codec):
    """A prior of the box is its codec's, is as its card says, and makes crystals."""
    prior, folder = open_prior(name), priors.folder_of(name)
    codec.check_owns(prior.codec)
    facts = read(folder / "training.json")
    text = (folder / "README.md").read_text()
    assert text == card.make(name, read(folder / "prior.json"), facts)
    assert facts["licence"], "a prior that ships has a licence"
    assert facts["source"], "and says where its data are from"
    assert ModelCard(text).data.license == "cc-by-4.0"
    assert f"`{prior.codec}`" in text
    made = list(draw(codec, prior.flow.sampled_by(SamplerConfig(steps=2)), 2, seed=5))
    assert len(made) == 2
    assert all(one.code.z.shape[1] == prior.about.latent for one in made)


@pytest.mark.parametrize("name", shipped())
def test_a_prior_of_the_package(name):
    check_shipped(name, Codec.from_pretrained(named_in(name, open_prior(name).codec)))


def test_a_prior_of_the_box(box, codec):
    assert shipped() == [folder.name for folder in box.iterdir() if folder.is_dir()] == ["tiny"]
    check_shipped("tiny", codec)


def test_an_unknown_name_lists_those_there_are(box, tmp_path):
    with pytest.raises(PriorError, match=r"no prior 'tony'; have tiny\. Did you mean 'tiny'\? A folder"):
        open_prior("tony")
    with pytest.raises(PriorError, match="holds no prior that can be read"):
        open_prior(tmp_path)
    (box / "tiny" / "prior.json").write_text("[]")
    with pytest.raises(PriorError, match="holds no facts by name"):
        open_prior("tiny")


def test_without_any_that_is_said(tmp_path, monkeypatch, codec):
    monkeypatch.setattr(priors, "WEIGHTS", tmp_path / "nothing")
    assert shipped() == []
    with pytest.raises(PriorError, match=r"no prior 'mp'; none ships\. A folder"):
        open_prior("mp")
    with pytest.raises(PriorError, match=f"no prior for the codec '{codec.identity}' among those that ship: none"):
        prior_for(codec)


def test_a_codec_gets_the_prior_of_its_latents(box, codec, flow):
    assert prior_for(codec).codec == codec.identity
    other = tiny_codec("other", 1)
    with pytest.raises(PriorError, match=rf"no prior for the codec '{other.identity}'.*tiny \(of {codec.identity}\)"):
        prior_for(other)
    flow.save(box / "again")
    assert prior_for(codec).codec == codec.identity, "the one of its name"
    (box / "tiny").rename(box / "once")
    with pytest.raises(PriorError, match="several priors for the codec"):
        prior_for(codec)


def test_a_card_tells_what_is_known(box):
    text = (box / "tiny" / "README.md").read_text()
    assert text.split("---")[2].strip().startswith("# tiny\n")
    for line in (
        "| licence | cc-by-4.0 |",
        "| training data | salts.parquet: 2 crystals |",
        "| licence and source of the data | grown by hand (CC BY 4.0) |",
        "| recipe | tiny flow.width=16 |",
        "| seed | 3 |",
        "| training | 2 min, 2 steps, 8 crystals seen |",
        "| hold just the atoms that their cell was to hold | 75.0 % |",
        "xtalcodec sample tiny -n 100 --out samples",
    ):
        assert line in text.splitlines()
    assert "held-out data" not in text
    assert "novel |" not in text.replace("valid, unique, novel", ""), "what was not scored has no line"


def test_a_card_goes_with_its_facts(box, flow):
    folder = box / "tiny"
    training = json.loads((folder / "training.json").read_text())
    (folder / "training.json").write_text(json.dumps(training | {"seed": 4}))
    card.renew(folder)
    assert "| seed | 4 |" in (folder / "README.md").read_text()
    flow.save(folder)
    assert {path.name for path in folder.iterdir()} == {"prior.json", "prior.safetensors"}, "nothing is claimed"
    with pytest.raises(CardError, match=r"training\.json"):
        card.renew(folder)


def test_a_grid_that_is_none_of_a_cell_is_refused(box):
    for kind, message in (("unit_cell", "its grid is that of a window"), ("cubic", "no grid.kind 'cubic'")):
        about = json.loads((box / "tiny" / "prior.json").read_text())
        (box / "tiny" / "prior.json").write_text(json.dumps(about | {"grid": {"kind": kind}}))
        with pytest.raises(PriorError, match=message):
            open_prior("tiny")

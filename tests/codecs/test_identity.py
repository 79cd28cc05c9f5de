"""An identity changes with what decoding reads, and with nothing else."""

import copy
import json
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from xtalcodec.codecs import identity as rules
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.hub import pretrained
from xtalcodec.codecs.identity import accepts, decoding, former, identity, refusal, same, shipped
from xtalcodec.codecs.latents import LatentsError, LatentSet
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig

WEIGHTS = {"a": torch.eye(2), "b": torch.arange(3.0)}


def config(name: str) -> dict:
    return json.loads(files("xtalcodec").joinpath("weights", name, "config.json").read_text())


def changed(name: str, key: str, value: object) -> bool:
    """Whether another value of a setting gives another identity."""
    before = config(name)
    after = copy.deepcopy(before)
    *groups, last = key.split(".")
    target = after
    for group in groups:
        target = target[group]
    assert target.get(last) != value
    target[last] = value
    return identity("x", decoding(before), WEIGHTS) != identity("x", decoding(after), WEIGHTS)


NOT_READ = {
    "mp": [
        "name",
        "refine.steps",
        "refine.new",
        "representation.pitch",
        "representation.patches_per_site",
        "representation.max_patches",
        "representation.sigma",
        "network.new",
    ],
    "hoffmann-unit-cell": [
        "refine.origins",
        "network.kl_weight",
        "network.segmentation_weight",
        "network.start_logit",
        "network.empty_share",
        "representation.sigma",
        "representation.reach",
        "atom_finder.threshold",
    ],
    "mp-unit-cell": [
        "refine.tolerance",
        "representation.reach",
        "representation.sigma",
        "representation.window.points",
    ],
}
READ = {
    "mp": ["representation.heat_sigma", "network.heads", "atom_finder.threshold", "atom_finder.nearest", "elements"],
    "hoffmann-unit-cell": [
        "representation.window.edge",
        "representation.window.points",
        "representation.window.label_radius",
        "representation.gap",
    ],
    "mp-unit-cell": [
        "representation.skin",
        "representation.gap",
        "representation.window.edge",
        "representation.heat_sigma",
    ],
    "linear-unit-cell": ["network.spread", "network.latent", "representation.window.sigma"],
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in NOT_READ.items() for key in keys])
def test_what_decoding_does_not_read_changes_no_identity(name, key):
    assert not changed(name, key, 77)


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in READ.items() for key in keys])
def test_what_decoding_reads_changes_the_identity(name, key):
    assert changed(name, key, [1, 8] if key == "elements" else 77)


def test_a_codec_keeps_its_identity_when_its_refinement_and_name_change(mp):
    other = open_codec(replace(mp.config, name="mine", refine=replace(mp.config.refine, steps=7)))
    other.network.load_state_dict(mp.network.state_dict())
    assert same(other.identity, mp.identity)
    assert other.owns(mp.identity)


def test_names_of_settings_and_modules_do_not_count_but_weights_do():
    old = asdict(CodecConfig())
    new = {{"representation": "space", "atom_finder": "sites"}.get(key, key): value for key, value in old.items()}
    renamed = {"module.z": WEIGHTS["a"], "module.y": WEIGHTS["b"]}
    mine = identity("x", decoding(old), WEIGHTS)
    assert identity("x", decoding(new), renamed) == mine
    assert identity("x", decoding(old), {**WEIGHTS, "a": 2 * WEIGHTS["a"]}) != mine
    assert identity("x", decoding(json.loads(json.dumps(old))), WEIGHTS) == mine


def test_a_new_setting_with_the_value_it_always_had_is_left_out(monkeypatch):
    old = asdict(CodecConfig())
    before = identity("x", decoding(old), WEIGHTS)
    needs = copy.deepcopy(rules.DECODING)
    needs["patch", "periodic"]["atom_finder"]["votes"] = 27
    monkeypatch.setattr(rules, "DECODING", needs)
    assert identity("x", decoding(old | {"atom_finder": old["atom_finder"] | {"votes": 27}}), WEIGHTS) == before
    assert identity("x", decoding(old | {"atom_finder": old["atom_finder"] | {"votes": 8}}), WEIGHTS) != before


@pytest.mark.parametrize("name", pretrained())
def test_every_codec_in_the_box_is_in_the_table_of_identities(name):
    """Fails where an identity changes: old latents would not open. New weights get a new entry of the table."""
    codec = Codec.from_pretrained(name)
    known = shipped()[name][-1]
    assert codec.identity in known.values()
    assert all(codec.owns(one) for one in known.values())


def test_latents_of_weights_that_were_replaced_name_the_release_that_has_them(mp, monkeypatch):
    entries = [{"0.1.0": "mp-0123456789ab", "0.2.0": "mp-ba9876543210"}, {"0.3.0": mp.identity}]
    monkeypatch.setattr(rules, "shipped", lambda: {"mp": entries})
    assert former(mp.identity) == ()
    with pytest.raises(LatentsError, match=r"release 0\.2\.0 has its weights \(pip install 'xtalcodec==0\.2\.0'\)"):
        mp.decode(LatentSet((), "mp-0123456789ab"))
    assert "give --codec mp" in refusal(mp.identity, "mine-0")
    assert not accepts("mp-0123456789ab", [mp.identity])


def test_latents_of_a_codec_that_ships_no_more_name_the_release_that_has_it(mp):
    message = refusal("hoffmann-narrow-411f69484004", mp.identity)
    assert "release 0.1.0 has its weights (pip install 'xtalcodec==0.1.0')" in message


def test_weights_that_are_trained_on_lose_the_identities_that_they_had(tmp_path):
    codec = Codec.from_pretrained(Path(__file__).parents[1] / "fixtures" / "release-0.1" / "tiny")
    assert codec.owns("tiny-fd97e9cdb432")
    with torch.no_grad():
        next(iter(codec.network.parameters())).add_(1)
    assert not codec.owns("tiny-fd97e9cdb432")
    codec.save_pretrained(tmp_path)
    assert not Codec.from_pretrained(tmp_path).owns("tiny-fd97e9cdb432")

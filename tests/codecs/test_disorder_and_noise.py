"""What a codec that knows disorder and noise does, and what others refuse by name."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from xtalcodec.atom_finders.heat import read_species
from xtalcodec.codecs import patch as patch_codec
from xtalcodec.codecs.latents import LatentsError
from xtalcodec.codecs.misfit import Misfit
from xtalcodec.codecs.refine import RefineConfig
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.config import SettingsError
from xtalcodec.crystal import Crystal, CrystalError
from xtalcodec.networks import patch
from xtalcodec.networks.decoded_field import SpeciesLogits
from xtalcodec.networks.patch import PatchConfig
from xtalcodec.representations.batch import CrystalBatch
from xtalcodec.representations.unit_cell import UnitCellConfig

SIZES = {"channels": 3, "width": 24, "heads": 2, "encoder_layers": 1, "decoder_layers": 1, "latent": 3, "features": 5}
SALT = Crystal.of_shares(
    4.2 * np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), [[(11, 0.6), (19, 0.3)], [(17, 1.0)]], "salt"
)
ORDERED = Crystal(SALT.lattice, SALT.frac_coords, SALT.numbers, "ordered")
ALLOWED = torch.zeros(1, 101, dtype=torch.bool)
ALLOWED[0, [11, 17, 19]] = True


def codec(**settings):
    torch.manual_seed(0)
    return open_codec(CodecConfig(network=PatchConfig(**SIZES, **settings)))


def logits(element, shared, sure):
    """What a network says of one site: shares by Z, and how it is shared and sure."""
    table = torch.full((1, 101), 1e-9)
    for z, share in element.items():
        table[0, z] = share
    return SpeciesLogits(table.log(), torch.tensor([shared]), torch.tensor([sure]))


def test_a_shared_site_is_read_with_its_occupancies_and_what_is_empty():
    site = read_species(logits({0: 0.1, 11: 0.6, 19: 0.3}, 9.0, 2.0), ALLOWED)
    assert site.numbers.tolist() == [11]
    torch.testing.assert_close(site.shares[0, [0, 11, 19]], torch.tensor([0.1, 0.6, 0.3]).double(), atol=1e-6, rtol=0)
    assert site.confidence.item() == pytest.approx(torch.tensor(2.0).sigmoid().sqrt().item(), rel=1e-3)


def test_an_uncertain_site_is_not_a_shared_one():
    site = read_species(logits({11: 0.6, 19: 0.4}, -9.0, 9.0), ALLOWED)
    assert site.shares[0, 11] == 1
    assert site.confidence.item() == pytest.approx(0.6, rel=1e-3)


def test_small_shares_are_none_and_nearly_full_is_full():
    small = read_species(logits({11: 0.6, 19: 0.375, 17: 0.025}, 9.0, 9.0), ALLOWED)
    assert small.shares[0, 17] == 0
    assert small.shares.sum() == pytest.approx(1)
    full = read_species(logits({11: 0.985, 19: 0.015}, 9.0, 9.0), ALLOWED)
    assert full.shares[0, 11] == 1


def test_what_is_left_out_makes_a_site_less_sure():
    few = {11: 0.6, 19: 0.34, 17: 0.02, 3: 0.02, 9: 0.02}
    allowed = torch.ones(1, 101, dtype=torch.bool)
    clean, littered = (read_species(logits(x, 9.0, 9.0), allowed).confidence for x in ({11: 0.64, 19: 0.36}, few))
    assert littered.item() == pytest.approx(clean.item() * (1 - 0.06 / 0.15), rel=1e-3)
    many = {11: 0.5, 19: 0.3} | dict.fromkeys(range(20, 30), 0.02)
    assert read_species(logits(many, 9.0, 9.0), allowed).confidence.item() == pytest.approx(0, abs=1e-6)


def test_only_elements_that_the_codec_knows_are_read():
    site = read_species(logits({11: 0.2, 19: 0.2, 26: 0.6}, 9.0, 9.0), ALLOWED)
    assert site.shares[0, 26] == 0
    assert site.shares[0, 11] == pytest.approx(0.5)


def test_the_field_is_the_sum_of_the_shares():
    """An element's own weight times its occupancy, and nothing for what is empty."""
    network = codec(mixtures=True)
    weights = network._weights(CrystalBatch.collate([SALT]))
    table = network.network.weights.weight
    torch.testing.assert_close(weights[0, 0], 0.6 * table[11] + 0.3 * table[19])
    ordered = network._weights(CrystalBatch.collate([ORDERED]))
    torch.testing.assert_close(weights[0, 1], ordered[0, 1])


def test_disorder_is_encoded_where_it_is_known_and_refused_by_name_elsewhere():
    (code,) = codec(mixtures=True).encode([SALT], refine=False)
    (other,) = codec(mixtures=True).encode([ORDERED], refine=False)
    assert abs(code.z - other.z).max() > 1e-4
    with pytest.raises(CrystalError, match=r"^salt: .* ordered crystals only, and site 0 \(Na0\.6K0\.3\)"):
        codec().encode([SALT])
    with pytest.raises(CrystalError, match="never saw K"):
        open_codec(CodecConfig(network=PatchConfig(**SIZES, mixtures=True), elements=(11, 17))).place(SALT)


def test_windows_show_ordered_crystals():
    with pytest.raises(SettingsError, match="kind=periodic"):
        open_codec(CodecConfig(network=PatchConfig(**SIZES, mixtures=True), representation=UnitCellConfig()))


def test_training_lowers_the_loss_of_a_shared_site():
    model = codec(mixtures=True, noise=0.5)
    placed = model.place(SALT)
    batch = CrystalBatch.collate([placed.crystal] * 4)
    optimiser = torch.optim.AdamW(model.network.parameters(), lr=3e-3)
    model.network.train()
    losses = []
    for _ in range(60):
        terms, metrics = model.loss(batch, placed.patches, LossConfig(kl=0.0))
        losses.append(sum(terms.values()).item())
        optimiser.zero_grad()
        sum(terms.values()).backward()
        optimiser.step()
    assert set(terms) == {"heat", "offset", "species", "shared", "sure"}
    assert set(metrics) == {"right_species", "right_without_noise"}
    assert np.mean(losses[-5:]) < 0.6 * np.mean(losses[:5])


def test_a_decoder_is_told_the_noise_and_none_is_no_noise():
    model = codec(noise=0.5)
    torch.nn.init.normal_(model.network.level.mlp[2].weight)  # as after training
    z, lattice = torch.randn(2, 8, 3), torch.eye(3).expand(2, 3, 3) * 4

    def heat(noise):
        return model.network.decode(z, lattice, (2, 2, 2), noise).heat

    torch.testing.assert_close(heat(torch.zeros(2)), heat(None))
    one = heat(torch.tensor([0.0, 0.4]))
    torch.testing.assert_close(one[0], heat(None)[0])
    assert abs(one[1] - heat(None)[1]).max() > 1e-3


def test_codes_with_noise_go_to_codecs_that_know_of_it():
    model = codec(noise=0.3)
    latents = model.encode([ORDERED], refine=False)

    def noisy(level):
        return replace(latents, codes=(replace(latents[0], noise=level),))

    assert len(model.decode_crystals(noisy(0.3))) == 1
    with pytest.raises(LatentsError, match=r"ordered: its latent has noise of 0\.4, more than 0\.3"):
        model.decode_crystals(noisy(0.4))
    plain = codec()
    latents = plain.encode([ORDERED], refine=False)
    with pytest.raises(LatentsError, match=r"its latent has noise of 0\.1, more than 0"):
        plain.decode_crystals(noisy(0.1))


@pytest.mark.parametrize("what", ["decode_crystals", "found_on_grid", "cycle_consistency"])
def test_whatever_decodes_tells_the_decoder_the_noise(what, monkeypatch):
    model = codec(noise=0.5)
    latents = model.encode([ORDERED], refine=False)
    told, decode = [], model.network.decode_each

    def decoding(z, lattice, grids, noise=None):
        told.append(noise)
        return decode(z, lattice, grids, noise)

    monkeypatch.setattr(model.network, "decode_each", decoding)
    getattr(model, what)(replace(latents, codes=(replace(latents[0], noise=0.25),)))
    assert told
    assert all(noise.tolist() == [0.25] for noise in told)


def test_the_latent_follows_the_encoder_to_unit_variance(monkeypatch):
    monkeypatch.setattr(patch, "MEMORY", 0.1)  # ten times as fast as in training
    model = codec(noise=0.5)
    batch = CrystalBatch.collate(
        [model.place(ORDERED).crystal.translated(np.random.default_rng(k).random(3)) for k in range(32)]
    )
    model.network.train()
    for _ in range(120):
        with torch.no_grad():
            z = model.encode_batch(batch, (2, 2, 2)).mean
    torch.testing.assert_close(z.std((0, 1)), torch.ones(3), atol=0.05, rtol=0)
    assert abs(z.mean((0, 1))).max() < 0.05
    model.network.eval()
    before = model.network.latent_mean.clone()
    model.encode_batch(batch, (2, 2, 2))
    assert (model.network.latent_mean == before).all()


@pytest.mark.parametrize(("largest", "calls"), [(7, [False]), (8, [False, False, True, True])])
def test_cells_too_large_for_refinement_are_corrected_on_one_origin(monkeypatch, largest, calls):
    model = codec(noise=0.5)
    assert np.prod(model.place(ORDERED).patches) == 8
    small, seen = open_codec(replace(model.config, refine=RefineConfig(largest=largest, origins=2))), []

    def closest(self, crystals, grids):
        seen.append(False)
        return self.latents(crystals, grids), [Misfit(2.0, np.inf)]

    def descend(_, crystals, __, z):
        seen.append(True)
        return z, [Misfit(2.0, np.inf)] * len(crystals)

    monkeypatch.setattr(type(small), "closest", closest)
    monkeypatch.setattr(type(small), "descend", descend)
    assert len(small.encode([ORDERED])) == 1
    assert seen == calls


@pytest.mark.parametrize(("crystal", "more"), [(ORDERED, 0.0), (SALT, patch_codec.SHARED_WEIGHT - 1)])
def test_refinement_weighs_the_species_of_disordered_crystals_more(crystal, more):
    model = codec(mixtures=True)
    truth = patch_codec._Reconstruction(model, model.representation.collate([crystal]), (2, 2, 2))
    z = torch.randn(1, 8, SIZES["latent"], generator=torch.Generator().manual_seed(0))
    errors, _ = truth.errors(z)
    terms = {name: error.mean() for name, error in errors.items()}
    torch.testing.assert_close(truth.loss(z), sum(terms.values()) + more * terms["species"])


@pytest.mark.parametrize("settings", [{}, {"mixtures": True, "noise": 0.5}])
def test_no_crystal_is_refined_otherwise_for_those_beside_it(settings):
    model, patches = codec(**settings), (2, 2, 2)
    many = Crystal(ORDERED.lattice, np.random.default_rng(0).random((9, 3)), np.arange(3, 12))
    crystals = [SALT if settings else ORDERED, many]
    z = torch.randn(2, 8, SIZES["latent"], generator=torch.Generator().manual_seed(0))

    def gradient(rows):
        latent = z[rows].requires_grad_()
        batch = model.representation.collate([crystals[k] for k in rows])
        (slope,) = torch.autograd.grad(patch_codec._Reconstruction(model, batch, patches).loss(latent), [latent])
        return slope

    alone = torch.cat([gradient([0]), gradient([1])])
    torch.testing.assert_close(gradient([0, 1]), alone, rtol=1e-4, atol=1e-6)

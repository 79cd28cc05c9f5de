"""The paper's networks on 16³ points."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from xtalcodec.networks.hoffmann import CompactConfig, Hoffmann, HoffmannConfig
from xtalcodec.networks.hoffmann.compact import BRIGHT, folded, unfolded
from xtalcodec.networks.hoffmann.losses import excluding, segmentation_loss
from xtalcodec.networks.hoffmann.periodic_table import SpeciesLogits, places
from xtalcodec.networks.modes import Linear, LinearConfig
from xtalcodec.networks.waves import Periodic
from xtalcodec.representations.waves import Waves
from xtalcodec.representations.window_field import View, ViewBatch, WindowConfig, density, species_map

SMALL = HoffmannConfig(
    points=16, scale=0.125, latent=60, exclusive=True, kl_weight=1e-6, sharp_weight=0.1, density_floor=0.3
)
WINDOW = WindowConfig(points=16, label_radius=0.9)
ROUNDING = 1e-4
"""Of densities up to some ten e/Å³ in float32."""


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    nowhere = (np.arange(5), np.eye(3), np.zeros(3), np.eye(3))
    cells = [View(rng.uniform(3, 7, (5, 3)), rng.integers(1, 90, 5), *nowhere) for _ in range(4)]
    atoms = ViewBatch.collate(cells)
    return density(atoms, WINDOW), species_map(atoms, WINDOW)


def test_training_begins_at_the_linear_code(views):
    torch.manual_seed(0)
    network = Hoffmann(SMALL, WINDOW).eval()
    linear = Linear(LinearConfig(latent=60), WINDOW)
    decoded = network(views[0])
    torch.testing.assert_close(decoded.density, linear.decode(linear.encode(views[0])).relu(), atol=ROUNDING, rtol=0)
    assert decoded.latent.mean.shape == (4, 60)
    assert not any("vectors" in name for name in network.state_dict()), "modes are no weights"


def test_training_begins_at_the_structure_factors_of_lattices():
    torch.manual_seed(0)
    config = replace(SMALL, latent=300, compact=CompactConfig(shortcut="lattice"))
    network = Hoffmann(config, WINDOW).eval()
    cells = torch.stack([4.0 * torch.eye(3), torch.diag(torch.tensor([3.0, 5.0, 6.0]))])
    fields = Waves.of(cells, WINDOW, 300).restore(0.3 * torch.randn(2, 300)) + 2
    fields = fields.clamp_min(0)
    periodic = Periodic(300, WINDOW)
    expected = periodic.decode(periodic.encode(fields, cells), cells).relu()
    torch.testing.assert_close(network(fields, cells).density, expected, atol=ROUNDING, rtol=0)
    with pytest.raises(TypeError, match="told the crystal's lattice"):
        network(fields)


def test_without_modes_nothing_is_known_at_the_start(views):
    network = Hoffmann(replace(SMALL, compact=CompactConfig(shortcut="none")), WINDOW).eval()
    error = (network(views[0]).density - views[0]).square().mean()
    assert error > 0.3 * views[0].square().mean()


def test_folding_keeps_neighbours_and_comes_undone():
    x = torch.arange(2 * 3 * 64.0).view(2, 3, 4, 4, 4)
    small = folded(x)
    assert small.shape == (2, 24, 2, 2, 2)
    assert set(small[1, 8:16, 1, 0, 1].tolist()) == set(x[1, 1, 2:, :2, 2:].flatten().tolist())
    assert torch.equal(unfolded(small), x)


def test_the_unet_classifies_as_its_logits_say(views):
    torch.manual_seed(0)
    network = Hoffmann(SMALL, WINDOW).eval()
    features = network.segment.features(views[0])
    some = network.segment.classify_some(features[2, :, 3, 4, 5][None])
    torch.testing.assert_close(some[0], network.segment(views[0])[2, :, 3, 4, 5])
    assert features.shape[2:] == (16, 16, 16)


def test_every_weight_learns_and_a_few_densities_are_learnt(views):
    torch.manual_seed(0)
    network = Hoffmann(SMALL, WINDOW).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    history = []
    for _ in range(14):
        optimiser.zero_grad()
        losses = network.loss(network(views[0]), *views)
        sum(losses.values()).backward()
        optimiser.step()
        history.append({name: term.item() for name, term in losses.items()})
    assert set(history[0]) == {"density", "kl", "sharp", "segmentation"}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    for name in ("density", "sharp", "segmentation"):
        assert history[-1][name] < 0.8 * history[0][name], name


def test_terms_of_the_density_against_their_formulas(views):
    network = Hoffmann(SMALL, WINDOW).eval()
    decoded = network(views[0])
    error, terms = decoded.density - views[0], network.loss(decoded, *views)
    expected = (error**2 * 0.3 / (views[0] + 0.3)).mean()
    torch.testing.assert_close(terms["density"], expected)
    plain = replace(SMALL, density_floor=0.0, sharp_weight=0.0)
    network.config = plain
    terms = network.loss(decoded, *views)
    torch.testing.assert_close(terms["density"], (error**2).mean())
    assert "sharp" not in terms


def test_nats_within_the_allowance_are_free(views):
    network = Hoffmann(replace(SMALL, kl_weight=1.0), WINDOW).eval()
    decoded = network(views[0])
    latent = decoded.latent
    each = (0.5 * (latent.mean**2 + latent.log_var.exp() - 1 - latent.log_var)).mean(0)
    torch.testing.assert_close(network.loss(decoded, *views)["kl"], each.mean())
    network.config = replace(network.config, free_nats=3.0)
    torch.testing.assert_close(network.loss(decoded, *views)["kl"], (each - 3).clamp_min(0).mean())


def test_species_that_exclude_each_other_are_a_softmax_with_none():
    torch.manual_seed(0)
    logits = 10 * torch.randn(2, 95, 3, 3, 3)
    with_none = torch.cat([torch.zeros(2, 1, 3, 3, 3), logits], 1).double().softmax(1)
    torch.testing.assert_close(excluding(logits.double()).sigmoid(), with_none[:, 1:])
    rows, numbers = logits.movedim(1, -1).reshape(-1, 95), torch.arange(54, dtype=torch.uint8)
    truth = F.nll_loss(with_none.movedim(1, -1).reshape(-1, 96).log(), numbers.long())
    loss = segmentation_loss(rows, numbers, torch.ones(54), exclusive=True)
    assert loss.item() == pytest.approx(truth.item() / 95, rel=1e-5)


def test_places_in_the_periodic_table_are_those_of_pymatgen():
    from pymatgen.core import Element

    table = places(94).tolist()
    assert len({tuple(place) for place in table}) == 94
    for z, (row, column) in enumerate(table, 1):
        element = Element.from_Z(z)
        assert row + 1 == element.row or element.is_rare_earth or element.is_actinoid
        if not (element.is_rare_earth or element.is_actinoid):
            helium = z == 2
            assert column == (31 if helium else element.group - 1 + 14 * (element.group > 2))


def test_neighbours_in_a_column_share_a_logit():
    logits = SpeciesLogits(4, HoffmannConfig(points=16))
    torch.nn.init.zeros_(logits.own.weight)
    shared = logits.shared(torch.relu(logits.hidden(x := torch.randn(3, 4))))
    y = logits(x)
    column = 7 + int(places(95)[10, 1])
    torch.testing.assert_close(y[:, 10], shared[:, 2] + shared[:, column] + logits.own.bias[10])
    torch.testing.assert_close(y[:, 18], shared[:, 3] + shared[:, column] + logits.own.bias[18])
    alone = SpeciesLogits(4, HoffmannConfig(points=16, compact=CompactConfig(periodic_table=False)))
    assert alone.shared is None


def test_convolutions_see_the_density_sharpened(views):
    network = Hoffmann(SMALL, WINDOW)
    seen = network.vae.views(views[0])
    assert seen.shape == (4, 3, 16, 16, 16)
    torch.testing.assert_close(seen[:, 0] * BRIGHT, views[0])
    assert (seen[:, 1].flatten(1).amax(1) > seen[:, 0].flatten(1).amax(1)).all()

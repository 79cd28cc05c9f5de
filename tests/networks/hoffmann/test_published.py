import dataclasses
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from xtalcodec.networks.diagonal_gaussian import DiagonalGaussian
from xtalcodec.networks.hoffmann import DecodedDensity, Discriminator, Hoffmann, HoffmannConfig
from xtalcodec.networks.hoffmann.losses import segmentation_loss
from xtalcodec.networks.hoffmann.published import VAE, Ascent, AttentionGate, AttentionUNet, mirrored

few = settings(max_examples=10, deadline=None, derandomize=True)

ROUNDING = 1e-5
"""Of activations of about 1, after a few layers in float32."""

PAPER = HoffmannConfig()
NARROW = HoffmannConfig(scale=1 / 16, latent=8)

# Kernel, stride, channels out, voxels along an edge of what comes out; or the numbers that come out.
ENCODER = [("conv", 5, 2, 16, 23), ("conv", 3, 1, 32, 21), ("conv", 3, 1, 64, 19)]
ENCODER += [("conv", 3, 2, 128, 9), ("conv", 3, 2, 256, 4), ("linear", 3000), ("linear", 300), ("linear", 300)]
DECODER = [("linear", 3200), ("linear", 16384), ("conv", 4, 1, 128, 5), ("conv", 5, 1, 64, 10)]
DECODER += [("conv", 5, 1, 32, 18), ("conv", 4, 1, 16, 33), ("conv", 4, 1, 1, 30)]
DISCRIMINATOR = [("conv", 7, 1, 16, 24), ("conv", 5, 1, 32, 20), ("conv", 5, 1, 64, 16), ("conv", 3, 1, 128, 14)]
DISCRIMINATOR += [("conv", 3, 2, 256, 6), ("conv", 3, 1, 512, 4), ("linear", 1000), ("linear", 100), ("linear", 2)]
UNET = [("conv", 3, 1, w, n) for w, n in ((64, 32), (128, 16), (256, 8), (512, 4), (1024, 2)) for _ in range(2)]
for w, n in ((512, 4), (256, 8), (128, 16), (64, 32)):
    # Up, the gate's two projections and its score, then the two convolutions of the level.
    UNET += [("conv", 3, 1, w, n), ("conv", 1, 1, w // 2, n), ("conv", 1, 1, w // 2, n), ("conv", 1, 1, 1, n)]
    UNET += [("conv", 3, 1, w, n)] * 2 if w > 64 else [("conv", 4, 1, 64, 31), ("conv", 4, 1, 64, 30)]
UNET += [("conv", 1, 1, 95, 30)]


def record(module, into):
    """Have the module's layers write down what they are and make."""

    def note(layer, _, output):
        if isinstance(layer, nn.Linear):
            into.append(("linear", *output.shape[1:]))
        else:
            assert len(set(output.shape[2:])) == len(set(layer.kernel_size)) == len(set(layer.stride)) == 1
            into.append(("conv", layer.kernel_size[0], layer.stride[0], *output.shape[1:3]))

    for layer in module.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            layer.register_forward_hook(note)


def parameters(module):
    return sum(p.numel() for p in module.parameters())


def parameters_of(layers, channels, features):
    """Count by hand: a convolution and its BatchNorm, or a linear layer, fed by the one before."""
    total = 0
    for kind, *sizes in layers:
        if kind == "conv":
            kernel, _, out, edge = sizes
            total += channels * kernel**3 * out + out + 2 * out
            channels, features = out, out * edge**3
        else:
            total += features * sizes[0] + sizes[0]
            features = sizes[0]
    return total


def test_layers_of_the_autoencoder_are_the_papers():
    with torch.device("meta"):
        vae, density = VAE(PAPER), torch.empty(2, 30, 30, 30)
    layers = []
    record(vae, layers)
    latent = vae.encode(density)
    assert layers == ENCODER
    assert latent.mean.shape == latent.log_var.shape == (2, 300)
    layers.clear()
    assert vae.decode(latent.mean).shape == density.shape
    assert layers == DECODER
    encoder = parameters_of(ENCODER[:-2], 1, None) + 2 * 3001 * 300
    assert parameters(vae) == encoder + parameters_of(DECODER[:2], None, 300) + parameters_of(DECODER[2:], 256, None)
    assert parameters(vae) == 108_954_179


def test_layers_of_the_unet_are_the_papers():
    with torch.device("meta"):
        unet, density = AttentionUNet(PAPER), torch.empty(2, 30, 30, 30)
    layers = []
    record(unet, layers)
    assert unet(density).shape == (2, 95, 30, 30, 30)
    assert layers == UNET
    total, widths = parameters_of(UNET[:10], 1, None), (1024, 512, 256, 128, 64)
    for above, w in itertools.pairwise(widths):
        kernel = 64 if w == 64 else 27
        gate = 2 * (w * w // 2 + 3 * w // 2) + w // 2 + 3
        total += above * 27 * w + 3 * w + gate + 2 * w * kernel * w + 3 * w + w * kernel * w + 3 * w
    assert parameters(unet) == total + 65 * 95 == 104_348_747


def test_layers_of_the_discriminator_are_the_papers():
    with torch.device("meta"):
        discriminator, density = Discriminator(PAPER), torch.empty(2, 30, 30, 30)
    layers = []
    record(discriminator, layers)
    assert discriminator(density).shape == (2, 2)
    assert layers == DISCRIMINATOR
    assert parameters(discriminator) == parameters_of(DISCRIMINATOR, 1, None) == 37_842_678


def test_one_number_scales_every_width_but_the_latent_and_the_species():
    with torch.device("meta"):
        half, density = Hoffmann(dataclasses.replace(PAPER, scale=0.5)), torch.empty(1, 30, 30, 30)
        discriminator = Discriminator(half.config)
    for module, run, full, kept in (
        (half.vae, lambda: half.vae.decode(half.vae.encode(density).mean), ENCODER + DECODER, {1, 300}),
        (half.segment, lambda: half.segment(density), UNET, {1, 95}),
        (discriminator, lambda: discriminator(density), DISCRIMINATOR, {2}),
    ):
        layers = []
        record(module, layers)
        run()
        for layer, (kind, *sizes) in zip(layers, full, strict=True):
            place = 2 if kind == "conv" else 0
            sizes[place] = sizes[place] if sizes[place] in kept else {100: 48}.get(sizes[place], sizes[place] // 2)
            assert layer == (kind, *sizes)
    assert [HoffmannConfig(scale=s).width(64) for s in (2.0, 1.0, 0.3, 0.125, 0.01)] == [128, 64, 20, 8, 4]


def test_densities_are_mirrored_as_numpy_does():
    density = torch.rand(2, 30, 30, 30)
    truth = np.pad(density.numpy(), ((0, 0), (10, 10), (10, 10), (10, 10)), "symmetric")
    assert (mirrored(density).numpy() == truth).all()


def test_a_density_of_another_size_is_refused():
    with torch.device("meta"):
        vae = VAE(PAPER)
    with pytest.raises(ValueError, match=r"30 × 30 × 30 voxels, not 30 × 30 × 32"):
        vae.encode(torch.zeros(1, 30, 30, 32))


def test_the_details_are_those_of_the_published_networks():
    """Slopes, epsilons and upsampling cannot be told from the shapes."""
    with torch.device("meta"):
        vae, unet = VAE(PAPER), AttentionUNet(PAPER)
    norms = [
        [m.eps for m in part.modules() if isinstance(m, nn.BatchNorm3d)] for part in (vae.encoder, vae.decoder, unet)
    ]
    assert [set(eps) for eps in norms] == [{1e-5}, {1e-3}, {1e-5}]
    assert {m.negative_slope for m in vae.modules() if isinstance(m, nn.LeakyReLU)} == {0.01}
    assert {m.mode for m in vae.modules() if isinstance(m, nn.Upsample)} == {"trilinear"}
    assert {m.mode for m in unet.modules() if isinstance(m, nn.Upsample)} == {"nearest"}
    assert isinstance(vae.decoder[-1][-1], nn.ReLU)


def test_the_unet_repeats_the_outermost_voxels():
    unet, density, padded = AttentionUNet(NARROW), torch.rand(1, 30, 30, 30), []
    unet.descent[0].register_forward_pre_hook(lambda _, inputs: padded.append(inputs[0]))
    with torch.no_grad():
        unet(density)
    assert (padded[0][0, 0].numpy() == np.pad(density[0].numpy(), 1, "edge")).all()


def test_without_attention_the_gates_are_gone():
    with torch.device("meta"):
        gated, plain = AttentionUNet(PAPER), AttentionUNet(dataclasses.replace(PAPER, attention=False))
        assert plain(torch.empty(1, 30, 30, 30)).shape == (1, 95, 30, 30, 30)
    gates = sum(parameters(m) for m in gated.modules() if isinstance(m, AttentionGate))
    assert parameters(gated) - parameters(plain) == gates > 0


def test_a_gate_weighs_each_voxel_of_the_skip_by_one_number():
    torch.manual_seed(0)
    gate, skip, coarse = AttentionGate(8), torch.randn(2, 8, 4, 4, 4), torch.randn(2, 8, 4, 4, 4)
    weight = gate(skip, coarse) / skip
    torch.testing.assert_close(weight, weight[:, :1].expand_as(weight))
    assert 0 < weight.min() < weight.max() < 1
    assert not torch.allclose(gate(skip, coarse), gate(skip, coarse.flip(0)))


def test_an_ascent_doubles_the_grid_and_joins_the_skip():
    torch.manual_seed(0)
    ascent = Ascent(8, 4, 3, attention=False)
    coarse, skip = torch.randn(2, 8, 2, 2, 2), torch.randn(2, 4, 4, 4, 4)
    joined = []
    ascent.merge.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0]))
    assert ascent(coarse, skip).shape == skip.shape
    assert (joined[0][:, :4] == skip).all()
    torch.testing.assert_close(
        joined[0][:, 4:], ascent.up[1](coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).repeat_interleave(2, 4))
    )


@few
@given(st.integers(1, 95), st.integers(0, 9))
def test_the_segmentation_loss_is_torchs_with_the_one_hot_map(species, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = (30 * torch.randn(40, species, generator=generator)).requires_grad_()
    numbers = torch.randint(species + 1, (40,), generator=generator, dtype=torch.uint8)
    target = torch.zeros_like(logits)
    for voxel, z in enumerate(numbers.tolist()):
        if z:
            target[voxel, z - 1] = 1
    loss, truth = (
        segmentation_loss(logits, numbers, torch.full((40,), 3.0)),
        F.binary_cross_entropy_with_logits(logits, target),
    )
    torch.testing.assert_close(loss, truth)
    gradients = [torch.autograd.grad(x, logits)[0] for x in (loss, truth)]
    torch.testing.assert_close(*gradients, atol=1e-7, rtol=ROUNDING)


def test_a_species_without_a_channel_is_an_error():
    logits, numbers, weight = torch.zeros(8, 95), torch.zeros(8, dtype=torch.uint8), torch.ones(8)
    numbers[0] = 95
    segmentation_loss(logits, numbers, weight)
    numbers[1] = 96
    with pytest.raises(ValueError, match="atomic number 96; the network tells 1 to 95 apart"):
        segmentation_loss(logits, numbers, weight)


def test_some_empty_voxels_speak_for_all():
    torch.manual_seed(0)
    network, (density, species_map) = Hoffmann(dataclasses.replace(NARROW, segmentation_weight=1.0)).eval(), samples(1)
    few = Hoffmann(dataclasses.replace(network.config, empty_share=1 / 16))
    few.load_state_dict(network.state_dict())
    nn.init.normal_(network.segment.classify.weight, std=3.0)
    few.segment.classify.weight = network.segment.classify.weight
    decoded = network(density)
    whole = network.loss(decoded, density, species_map)["segmentation"].item()
    drawn = [few.loss(decoded, density, species_map)["segmentation"].item() for _ in range(20)]
    assert len(set(drawn)) == 20
    assert np.mean(drawn) == pytest.approx(whole, rel=0.02)
    logits = network.segment(decoded.density).movedim(1, -1).reshape(-1, 95)
    ones = torch.ones(len(logits))
    assert whole == pytest.approx(segmentation_loss(logits, species_map.flatten(), ones).item(), rel=1e-4)


def samples(count, seed=0):
    """Densities of a few Gaussians, and the species near their middles."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 10, 30)
    density, species_map = np.zeros((count, 30, 30, 30)), np.zeros((count, 30, 30, 30), dtype=np.uint8)
    for k in range(count):
        for center, z in zip(rng.uniform(2, 8, (3, 3)), rng.integers(1, 96, 3), strict=True):
            grids = np.meshgrid(*(axis - x for x in center), indexing="ij")
            square = np.square(grids).sum(0)
            density[k] += z * (2 * np.pi) ** -1.5 * np.exp(-square / 2)
            species_map[k][square < 0.667**2] = z
    return torch.from_numpy(density).float(), torch.from_numpy(species_map)


def step(network, density, species_map):
    decoded = network(density)
    return decoded, network.loss(decoded, density, species_map)


def test_the_terms_of_the_loss_are_the_papers():
    torch.manual_seed(0)
    network = Hoffmann(NARROW)
    density, species_map = samples(2)
    latent = DiagonalGaussian(torch.randn(2, 8), torch.randn(2, 8))
    decoded = DecodedDensity(density + 0.5, torch.randn(2, NARROW.width(64), 30, 30, 30), latent)
    loss = network.loss(decoded, density, species_map)
    assert set(loss) == {"density", "kl", "segmentation"}
    assert loss["density"].item() == pytest.approx(0.25, rel=1e-4)
    kl = -0.5 * torch.mean(1 + latent.log_var - latent.mean.pow(2) - latent.log_var.exp())
    torch.testing.assert_close(loss["kl"], 5 * kl)
    logits = network.segment.classify(decoded.features).movedim(1, -1).reshape(-1, 95)
    crossed = segmentation_loss(logits, species_map.flatten(), torch.ones(len(logits)))
    torch.testing.assert_close(loss["segmentation"], 0.1 * crossed)
    other = Hoffmann(dataclasses.replace(NARROW, kl_weight=0.5, segmentation_weight=1.0))
    other.segment = network.segment
    weighted = other.loss(decoded, density, species_map)
    torch.testing.assert_close(weighted["kl"], 0.1 * loss["kl"])
    torch.testing.assert_close(weighted["segmentation"], 10 * loss["segmentation"])


def test_each_term_reaches_what_it_should():
    torch.manual_seed(0)
    network = Hoffmann(NARROW)
    _, loss = step(network, *samples(1))
    reached = {}
    for name, term in loss.items():
        network.zero_grad()
        term.backward(retain_graph=True)
        reached[name] = {n for n, p in network.named_parameters() if p.grad is not None and p.grad.any()}
    everything = {name for name, _ in network.named_parameters()}
    assert reached["segmentation"] == everything
    assert reached["density"] == {name for name in everything if name.startswith("vae.")}
    # A BatchNorm removes what the convolution before it adds everywhere: rounding alone reaches those biases.
    assert "vae.mean.weight" in reached["kl"]
    assert not any(name.startswith(("vae.decoder", "segment.")) for name in reached["kl"])


def test_a_seed_decides_the_step():
    def gradients():
        torch.manual_seed(3)
        network = Hoffmann(NARROW)
        sum(step(network, *samples(1))[1].values()).backward()
        return [p.grad for p in network.parameters()]

    assert all((a == b).all() for a, b in zip(gradients(), gradients(), strict=True))


def test_evaluation_takes_the_mean_and_sees_each_density_alone():
    torch.manual_seed(0)
    network, (density, _) = Hoffmann(NARROW), samples(2)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm3d):
            layer.momentum = 1.0  # normalises in evaluation as it did in the last batch
    with torch.no_grad():
        assert not torch.equal(network(density).density, network(density).density)
        network.eval()
        together, again = network(density), network(density)
        alone = network(density[1:2])
    assert torch.equal(together.density, again.density)
    torch.testing.assert_close(together.density, network.vae.decode(together.latent.mean))
    torch.testing.assert_close(together.density[1], alone.density[0], atol=ROUNDING, rtol=0)
    # The lowest level's BatchNorms divide by the deviation of 16 numbers, and rounding with them.
    torch.testing.assert_close(together.features[1], alone.features[0], atol=1e-2, rtol=0)
    assert together.density.min() >= 0
    assert together.density.std() > 0.01


def test_a_few_densities_are_learnt():
    torch.manual_seed(0)
    network, (density, species_map) = Hoffmann(dataclasses.replace(NARROW, kl_weight=1e-4)), samples(2)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    history = []
    for _ in range(8):
        optimiser.zero_grad()
        loss = step(network, density, species_map)[1]
        sum(loss.values()).backward()
        optimiser.step()
        history.append({name: term.item() for name, term in loss.items()})
    assert history[-1]["density"] < 0.5 * history[0]["density"]
    assert history[-1]["segmentation"] < 0.9 * history[0]["segmentation"]


def test_the_discriminator_learns_to_tell():
    torch.manual_seed(0)
    network, (density, _) = Discriminator(HoffmannConfig(scale=1 / 16)), samples(4)
    density[2:] += 0.2 * torch.rand_like(density[2:])
    true = torch.tensor([True, True, False, False])
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3)
    first = network.loss(density, true).item()
    torch.testing.assert_close(
        network.loss(density, true), -network(density).log_softmax(1)[range(4), [1, 1, 0, 0]].mean()
    )
    for _ in range(8):
        optimiser.zero_grad()
        network.loss(density, true).backward()
        optimiser.step()
    assert network.loss(density, true).item() < 0.2 * first
    assert (network(density).argmax(1) == true).all()


def test_an_autoencoder_that_learns_alone_leaves_the_segmentation_as_it_is():
    torch.manual_seed(0)
    network = Hoffmann(HoffmannConfig(scale=1 / 32, segmentation_weight=0.0)).train()
    density, species = torch.rand(2, 30, 30, 30), torch.ones(2, 30, 30, 30, dtype=torch.uint8)
    terms = network.loss(network(density), density, species)
    assert set(terms) == {"density", "kl"}
    torch.stack([*terms.values()]).sum().backward()
    assert all(p.grad is None for p in network.segment.parameters())
    assert all(p.grad is not None for p in network.vae.parameters())
    assert network.eval()(density).features is not None

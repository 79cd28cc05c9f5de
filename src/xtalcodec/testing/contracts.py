"""What every representation, codec, prior and source must do: checks that raise AssertionError where it does not.

Run over whatever is registered, so that a new one is tested unasked; and over one's own before it is.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xtalcodec.atom_finders.found import FoundAtoms
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.misfit import deviation
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig, LossConfig
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.source import Source
from xtalcodec.priors import ABOUT
from xtalcodec.priors.base import Prior
from xtalcodec.representations.base import RepresentationConfig


def check_representation(config: RepresentationConfig, crystal: Crystal) -> None:
    """A crystal placed on the grid is painted whole, where it can be found again.

    Parameters
    ----------
    config
        Of the representation; closed windows and tori of the cell show every atom once.
    crystal
        One that it can show.
    """
    representation = config.open()
    placed = representation.place(crystal)
    np.testing.assert_allclose(placed.basis @ placed.crystal.lattice, crystal.lattice, atol=1e-8)
    lying = placed.crystal.translated(representation.origin(placed.crystal, 0))
    batch = representation.collate([lying])
    field = representation.paint(batch, torch.ones(*batch.numbers.shape, 1), placed.patches)
    assert tuple(field.shape[1:4]) == representation.grid(placed.patches)
    assert abs(float(field.sum()) - int(batch.mask.sum())) < 1e-3 * int(batch.mask.sum()), "each atom is painted once"
    assert bool(representation.shows(batch.frac_coords[batch.mask]).all()), "what is painted may be decoded"
    atoms = batch.frac_coords[batch.mask].double().numpy(), batch.numbers[batch.mask].numpy()
    sites = representation.sites_of_cell(*atoms, np.ones(len(atoms[1])), placed.crystal.lattice)
    found = sorted(sites[1].tolist())
    assert found == sorted(crystal.numbers.tolist()), f"{found} were found of {sorted(crystal.numbers.tolist())}"


def check_codec(config: CodecConfig, crystals: Sequence[Crystal], folder: Path) -> None:
    """An untrained codec encodes in any batch alike, decodes without a fault, learns, and is saved whole.

    Parameters
    ----------
    config
        Of the codec.
    crystals
        At least two of one grid that it can hold.
    folder
        An empty one.
    """
    codec = open_codec(config)
    latents = codec.encode(list(crystals), refine=False)
    for crystal, code in zip(crystals, latents, strict=True):
        assert code.z.shape == (int(np.prod(code.patches)), config.network.latent)
        np.testing.assert_allclose(code.z, codec.encode([crystal], refine=False)[0].z, atol=1e-4)
        lying = code.on_grid(crystal)
        back = code.in_given_cell(lying.frac_coords, lying.numbers)
        assert deviation(crystal, FoundAtoms.known(back.frac_coords, back.numbers)) < 1e-6
    for decoded in codec.decode_crystals(latents):
        if decoded is not None:
            coordinates = decoded.crystal.frac_coords
            assert ((coordinates >= 0) & (coordinates < 1)).all()
            assert 0 <= decoded.confidence <= 1
    if codec.window is not None and codec.decodes_density:
        z, lattice = (torch.tensor(x).float()[None] for x in (latents[0].z, latents[0].lattice))
        assert codec.decode_density(z, lattice).shape[1:] == (codec.window.field.points,) * 3
    if codec.trainable:
        _check_learns(codec, crystals)
    _check_saved(codec, crystals, folder)


def _check_learns(codec: Codec, crystals: Sequence[Crystal]) -> None:
    """Losses are finite and reach the weights; metrics need no gradient."""
    placed = [codec.place(c) for c in crystals]
    lying = [p.crystal.translated(codec.representation.origin(p.crystal, 0)) for p in placed]
    codec.network.train()
    losses, metrics = codec.loss(codec.representation.collate(lying), placed[0].patches, LossConfig())
    codec.network.eval()
    total = torch.stack([*losses.values()]).sum()
    assert bool(torch.isfinite(total))
    assert not any(value.requires_grad for value in metrics.values()), "a metric is no loss"
    total.backward()
    assert any(w.grad is not None and bool(w.grad.abs().sum() > 0) for w in codec.network.parameters())
    codec.network.zero_grad(set_to_none=True)


def _check_saved(codec: Codec, crystals: Sequence[Crystal], folder: Path) -> None:
    """What is saved is the codec; its settings survive JSON."""
    codec.save_pretrained(folder)
    back = Codec.from_pretrained(folder)
    assert back.identity == codec.identity
    assert back.config == codec.config
    once, again = (c.encode(list(crystals), refine=False) for c in (codec, back))
    for a, b in zip(once, again, strict=True):
        np.testing.assert_allclose(a.z, b.z, atol=3e-2, rtol=3e-2)  # matrices are saved in half precision


def check_prior(
    kind: type[Prior], codec: Codec, crystals: Sequence[Crystal], folder: Path, settings: Mapping[str, Any]
) -> None:
    """Samples follow from the seed, more of them begin with the same but for rounding, and a saved prior repeats them.

    Processors round products of matrices differently with the number of their rows.

    Parameters
    ----------
    kind
        The class.
    codec, crystals
        What it can be fitted to.
    folder
        An empty one.
    settings
        Of the fit.
    """
    prior = kind.fit(codec, crystals, **settings)
    assert prior.codec == codec.identity
    assert prior.crystals == len(crystals)
    few, many, other = prior.sample(2, 1), prior.sample(4, 1), prior.sample(2, 2)
    prior.save(folder)
    about = json.loads((folder / ABOUT).read_text())
    assert (about["format"], about["codec"]) == (kind.format, prior.codec), "by which `open_prior` finds the class"
    again = kind.load(folder).sample(2, 1)
    for k in range(2):
        np.testing.assert_array_equal(few[k].z, again[k].z)
        np.testing.assert_array_equal(few[k].lattice, again[k].lattice)
        np.testing.assert_allclose(few[k].z, many[k].z, atol=1e-5)
        np.testing.assert_allclose(few[k].lattice, many[k].lattice, atol=1e-5)
        assert not np.array_equal(few[k].z, other[k].z)
        assert np.linalg.det(few[k].lattice) > 0


def check_source(source: Source) -> None:
    """A source says what it is, streams one crystal at a time in one order, goes on, and refuses what is no query.

    Parameters
    ----------
    source
        One that asks for at least three crystals of different numbers of sites; it is asked several times.
    """
    kind = type(source)
    for what in ("description", "example", "licence", "size", "citation"):
        assert getattr(kind, what, "").strip(), f"{kind.__name__} has no {what}"
    assert isinstance(kind.parse(kind.example.removeprefix(kind.name).removeprefix(":")), kind)
    told: list[tuple[int, int | None]] = []
    begun = source.stream(progress=lambda done, total: told.append((done, total)))
    assert not told, "nothing is read before the first crystal is asked for"
    first = [*islice(begun, 2)]
    del begun  # as an interrupted run
    items = list(source.stream(progress=lambda done, total: told.append((done, total))))
    crystals = [item for item in items if isinstance(item, Crystal)]
    assert all(isinstance(item, Crystal) or (item.name and item.reason) for item in items)
    assert told, "it tells its progress"
    assert all(total is None or 0 < done <= total for done, total in told)
    assert len({crystal.name.casefold() for crystal in crystals}) == len(crystals) > 2, "names of their own"
    for again in (first, [*source.stream()]):
        assert [item.name for item in again] == [item.name for item in items[: len(again)]], "always in one order"
    _check_limit(source, crystals)


def _check_limit(source: Source, crystals: Sequence[Crystal]) -> None:
    """Crystals of too many sites are unusable, each by itself."""
    limit = max(len(crystal) for crystal in crystals) - 1
    kept = [item for item in source.stream(limit) if isinstance(item, Crystal)]
    assert [c.name for c in kept] == [c.name for c in crystals if len(c) <= limit] != [c.name for c in crystals]

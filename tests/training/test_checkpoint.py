import json
import struct

import pytest
import torch
from torch import nn

from xtalcodec.networks.patch import PatchConfig, PatchNetwork
from xtalcodec.training.checkpoint import CheckpointError, data_of, load, save

TINY = PatchConfig(channels=2, width=12, heads=1, encoder_layers=1, decoder_layers=1, latent=2, features=3, species=5)


def start(seed=0, config=TINY):
    """A network and its two optimisers."""
    torch.manual_seed(seed)
    network = PatchNetwork(config)
    matrices = [p for n, p in network.named_parameters() if p.ndim == 2 and n.startswith(("encoder.", "decoder."))]
    chosen = {id(p) for p in matrices}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    return network, {"muon": torch.optim.Muon(matrices, lr=0.02), "adamw": torch.optim.AdamW(rest, lr=1e-3)}


def work(network, optimisers, steps, first=0):
    """Train towards nothing in particular."""
    for step in range(first, first + steps):
        torch.manual_seed(step)
        field, lattice = torch.rand(2, 4, 4, 8, 2), torch.eye(3).expand(2, 3, 3) * 4
        latent = network.encode(field, lattice, (1, 1, 2))
        decoded = network.decode(latent.sample(), lattice, (1, 1, 2))
        species = network.species(decoded.features).element
        (decoded.heat.square().mean() + decoded.offset.square().mean() + species.square().mean()).backward()
        for optimiser in optimisers.values():
            optimiser.step()
            optimiser.zero_grad()


def tensors(network, optimisers):
    """Everything that training goes on from."""
    found = dict(network.state_dict())
    for name, optimiser in optimisers.items():
        for k, state in optimiser.state_dict()["state"].items():
            found |= {f"{name} {k} {key}": value for key, value in state.items()}
    return {k: v.clone() for k, v in found.items()}


def assert_equal(a, b):
    assert a.keys() == b.keys()
    for key, value in a.items():
        assert value.dtype == b[key].dtype, key
        assert torch.equal(value, b[key]), key


@pytest.fixture
def path(tmp_path):
    """A good checkpoint."""
    network, optimisers = start()
    work(network, optimisers, 3)
    save(tmp_path / "c.safetensors", network, optimisers, {"step": 3, "seconds": 0.1}, {"data": 7})
    return tmp_path / "c.safetensors"


def test_network_and_optimisers_come_back_to_the_bit(path):
    network, optimisers = start()
    work(network, optimisers, 3)
    other, others = start(seed=9)
    assert load(path, other, others) == {"step": 3, "seconds": 0.1}
    assert data_of(path) == {"data": 7}
    assert_equal(tensors(other, others), tensors(network, optimisers))


def test_training_goes_on_as_if_never_interrupted(path):
    network, optimisers = start()
    work(network, optimisers, 6)
    other, others = start(seed=9)
    load(path, other, others)
    work(other, others, 3, first=3)
    assert_equal(tensors(other, others), tensors(network, optimisers))


def test_learning_rates_are_those_of_the_new_optimisers(path):
    network, optimisers = start()
    for optimiser in optimisers.values():
        optimiser.param_groups[0]["lr"] = 0.7
    load(path, network, optimisers)
    assert [o.param_groups[0]["lr"] for o in optimisers.values()] == [0.7, 0.7]


def test_a_training_that_has_not_begun_comes_back(tmp_path):
    network, optimisers = start()
    save(tmp_path / "c.safetensors", network, optimisers, {}, {})
    other, others = start(seed=9)
    assert load(tmp_path / "c.safetensors", other, others) == {}
    assert_equal(tensors(other, others), tensors(network, optimisers))


def test_a_failure_leaves_the_older_checkpoint(path):
    before = path.read_bytes()
    network, optimisers = start()
    with pytest.raises(TypeError):
        save(path, network, optimisers, {"step": object()}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_safetensors_that_anyone_reads(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert json.loads(header["__metadata__"]["about"])["step"] == 3
    assert {key.split(".")[0] for key in header} == {"__metadata__", "network", "muon", "adamw"}


def refuse(path, message, config=TINY):
    network, optimisers = start(config=config)
    with pytest.raises(CheckpointError, match=message):
        load(path, network, optimisers)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_told(path, share):
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    refuse(path, r"c\.safetensors cannot be resumed from")


class Mischief:
    """What a pickle can do to whom it is read by."""

    done = False

    def __reduce__(self):
        return setattr, (Mischief, "done", True)


def test_a_pickle_is_never_opened(tmp_path):
    torch.save({"network": Mischief()}, tmp_path / "c.safetensors")
    refuse(tmp_path / "c.safetensors", "cannot be resumed from")
    assert not Mischief.done


def test_another_safetensors_file_is_told(tmp_path):
    from safetensors.torch import save_file

    network, _ = start()
    state = {f"network.{k}": v for k, v in network.state_dict().items()}
    for metadata in (None, {"kind": "other"}):
        save_file(state, tmp_path / "c.safetensors", metadata=metadata)
        refuse(tmp_path / "c.safetensors", "is no xtalcodec-training-1 checkpoint")


def test_a_missing_file_is_told(tmp_path):
    refuse(tmp_path / "c.safetensors", "cannot be resumed from")


def test_another_network_is_told(path):
    wider = PatchConfig(channels=2, width=24, heads=1, encoder_layers=1, decoder_layers=1, latent=2, features=3)
    deeper = PatchConfig(channels=2, width=12, heads=1, encoder_layers=2, decoder_layers=1, latent=2, features=3)
    for config in (wider, deeper):
        refuse(path, "cannot be resumed from", config)
    with pytest.raises(CheckpointError, match="cannot be resumed from"):
        load(path, nn.Linear(2, 2), {})

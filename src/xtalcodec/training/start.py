"""Where training starts from: the weights of another codec, also of a smaller one."""

import torch
from torch import Tensor

from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.patch import PatchCodec
from xtalcodec.training.crystals import TrainingCrystals
from xtalcodec.training.painted import PaintedViews

State = dict[str, Tensor]

BATCHES = 40
"""From which the scale of the latent is taken."""


def take_over(codec: Codec, other: Codec) -> None:
    """Take over what another codec's network has learnt, where it fits.

    A patch network with more layers or features says at first what the other says: what is new adds nothing.

    Raises
    ------
    ValueError
        No weight fits.
    """
    own, given = codec.network.state_dict(), other.network.state_dict()
    if isinstance(codec, PatchCodec) and isinstance(other, PatchCodec):
        given = _grown(codec, other, own, given)
    fits = {k: v for k, v in given.items() if k in own and v.shape == own[k].shape}
    if not fits:
        raise ValueError("no weight of the codec to start from fits this network")
    codec.network.load_state_dict(own | fits)


def _grown(codec: PatchCodec, other: PatchCodec, own: State, given: State) -> State:
    """The other network's state with layers and features that add nothing after its own."""
    new, old = codec.network.config, other.network.config
    given = {key: value.to(codec.device) for key, value in given.items()}
    if old.features < new.features and old.patch == new.patch:
        given |= _more_features(own, given, new.features, old.features)
    for part, more, fewer in (
        ("encoder", new.encoder_layers, old.encoder_layers),
        ("decoder", new.decoder_layers, old.decoder_layers),
    ):
        for layer in range(fewer, more):
            for name in ("attention.out", "mlp.2"):
                for kind in ("weight", "bias"):
                    key = f"{part}.{layer}.{name}.{kind}"
                    given[key] = torch.zeros_like(own[key])
    for key in ("to_latent.weight", "to_latent.bias"):  # a network with noise says no variances
        given[key] = given[key][: len(own[key])]
    if old.heads == new.heads:
        shared = [(k, k) for k in range(min(old.encoder_layers, new.encoder_layers))]
        shared += [
            (old.encoder_layers + k, new.encoder_layers + k) for k in range(min(old.decoder_layers, new.decoder_layers))
        ]
        theirs, ours = (list(layers) for layers in zip(*shared, strict=True))
        for key in ("bias.mlp.2.weight", "bias.mlp.2.bias"):
            rows = own[key].clone().unflatten(0, (-1, new.heads))
            rows[ours] = given[key].unflatten(0, (-1, old.heads))[theirs]
            given[key] = rows.flatten(0, 1)
    return given


def _more_features(own: State, given: State, new: int, old: int) -> State:
    """What makes and reads features of voxels: the new ones are made at random, and not read yet."""
    result = {}
    for key in ("appearance.weight", "appearance.bias"):
        made = own[key].clone().unflatten(0, (-1, new))
        made[:, :old] = given[key].unflatten(0, (-1, old))
        result[key] = made.flatten(0, 1)
    for key in ("species_head.0.weight", "sharing_head.0.weight"):
        if key in own and key in given:
            result[key] = torch.zeros_like(own[key])
            result[key][:, :old] = given[key]
    return result


@torch.no_grad()
def calibrate(codec: Codec, source: TrainingCrystals | PaintedViews, seed: int) -> None:
    """Give the latent of a network that knows of noise unit variance, by the training crystals.

    Parameters
    ----------
    codec
        Whose encoder and decoder are scaled; what it decodes stays the same. Any other codec is left as it is, and one
        whose encoder does not learn.
    source
        Batches to take the scale from.
    seed
        Of the batches.
    """
    if not (isinstance(codec, PatchCodec) and codec.network.config.noise and isinstance(source, TrainingCrystals)):
        return
    if not codec.network.to_latent.weight.requires_grad:
        return
    training = codec.network.training
    codec.network.eval()
    latents = []
    for k in range(BATCHES):
        batch, patches = source.batch([seed, k, 3])
        latents.append(codec.encode_batch(batch.to(codec.device), patches).mean.flatten(0, 1))
    codec.network.calibrate(torch.cat(latents))
    codec.network.train(training)

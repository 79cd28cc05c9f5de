"""Codecs on disk and on the hub: saving, and which latents a codec owns."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from huggingface_hub import ModelHubMixin

from xtalcodec.codecs import hub
from xtalcodec.codecs.contract import Contract
from xtalcodec.codecs.identity import accepts, decoding, former, identity, refusal, same
from xtalcodec.codecs.latents import LatentsError

CURVE = "curve.jsonl"
"""Learning curve that training leaves beside a codec's own files."""


class Stored(Contract, ModelHubMixin, library_name="xtalcodec", tags=["materials", "crystal", "autoencoder"]):
    """A codec that knows where it came from and can be saved."""

    provenance: hub.Provenance | None = None
    """Where it was loaded from; None for a new one."""

    def save_pretrained(  # type: ignore[override]
        self,
        save_directory: str | Path,
        *,
        licence: str | None = None,
        training: Mapping[str, Any] | None = None,
        model_card_kwargs: Mapping[str, Any] | None = None,
        config: Any = None,
    ) -> None:
        """Write settings, weights and model card to a folder; on failure the folder stays as it was.

        A codec that was loaded and not changed since takes its card along.

        Parameters
        ----------
        save_directory
            Made if it is not there.
        licence
            What the card says of the licence, as "cc-by-4.0"; without it, what it said before, or "unknown".
        training
            How it was trained, from `codecs.facts.provenance`; the card is made afresh from it.
        model_card_kwargs
            `licence`, as `push_to_hub` passes it on.
        config
            Not used; `ModelHubMixin` passes it. The codec's own settings are written.
        """
        licence = licence or (model_card_kwargs or {}).get("licence")
        config = json.loads(json.dumps(asdict(self.config)))
        known = self.provenance if self.provenance and same(self.provenance.identity, self.identity) else None
        if training is None and known and hub.CARD in known.papers:
            papers = hub.carried(known, licence)
        else:
            papers = hub.make_papers(config, training, licence)
        weights = self.network.state_dict()
        hub.write(save_directory, config, weights, former=known.former if known else (), papers=papers)

    def push_to_hub(self, repo_id: str, *, licence: str | None = None, **hub_options: Any) -> str:  # type: ignore[override]
        """Upload settings, weights and card to a repository of the Hugging Face hub, and return its address.

        Parameters
        ----------
        repo_id
            "user/repository"; made if it is not there.
        licence
            What the card says of the licence, as "cc-by-4.0".
        hub_options
            `private`, `token`, `branch` and others of `huggingface_hub.ModelHubMixin.push_to_hub`.
        """
        return super().push_to_hub(repo_id, model_card_kwargs={"licence": licence}, **hub_options)

    @property
    def identity(self) -> str:
        """Name, and hash of weights and what decoding needs: latents carry it, and no other codec decodes them."""
        return identity(self.config.name, decoding(asdict(self.config)), self.network.state_dict())

    def owns(self, latents: str) -> bool:
        """Whether latents that carry this identity are decoded by this codec, by this release's rule or an earlier."""
        own = self.identity
        known = self.provenance if self.provenance and same(self.provenance.identity, own) else None
        return accepts(latents, [own, *(known.former if known else former(own))])

    def check_owns(self, latents: str, what: str = "these latents belong") -> None:
        """Refuse latents that carry the identity of another codec.

        Parameters
        ----------
        latents
            The identity that they carry.
        what
            Carries it, with its verb, as "this prior belongs".

        Raises
        ------
        LatentsError
            The message says whose they are.
        """
        if not self.owns(latents):
            raise LatentsError(refusal(latents, self.identity, what))

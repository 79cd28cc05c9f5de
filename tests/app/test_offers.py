"""What readers may draw from is told by the prior, and one of another codec is refused at the start."""

import shutil
from pathlib import Path

import pytest

from xtalcodec.app.offers import PROTOTYPES, offers
from xtalcodec.codecs.latents import LatentsError
from xtalcodec.priors.about import PriorError

RELEASE = Path(__file__).parents[1] / "fixtures" / "release-0.1"


def test_a_flow_comes_first_and_says_what_it_can_be_asked_for(flow):
    first, ships, plain = offers("mp", str(flow)).values()
    assert (first.name, first.source, first.flow) == ("titanates", str(flow), True)
    assert first.limits.elements == (8, 20, 22, 56)
    assert first.limits.most_sites == 8
    assert (ships.name, ships.source, ships.flow) == ("mp", "mp", True)
    assert (plain.source, plain.limits, plain.flow) == (PROTOTYPES, None, False)


def test_a_file_of_latents_can_be_asked_for_nothing(tmp_path):
    first, _ = offers(str(RELEASE / "tiny"), str(RELEASE / "tiny.parquet")).values()
    assert (first.name, first.limits, first.flow) == ("tiny.parquet", None, False)
    (tmp_path / "empty.parquet").touch()
    with pytest.raises(LatentsError, match="empty"):
        offers("mp", str(tmp_path / "empty.parquet"))


def test_a_prior_of_another_codec_and_a_broken_one_are_refused(flow, tmp_path):
    with pytest.raises(LatentsError, match="mp"):
        offers(str(RELEASE / "tiny"), str(flow))
    shutil.copytree(flow, tmp_path / "broken")
    (tmp_path / "broken" / "prior.json").write_text("{")
    with pytest.raises(PriorError, match="broken"):
        offers("mp", str(tmp_path / "broken"))

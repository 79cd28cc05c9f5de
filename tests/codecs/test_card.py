"""Cards say what is known, and claim nothing else."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import HfApi, ModelCard

from xtalcodec.codecs import card, facts, hub
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.facts import CardError
from xtalcodec.codecs.hub import folder_of, pretrained
from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.networks.patch import PatchConfig

TINY = Path(__file__).parents[1] / "fixtures" / "release-0.1" / "tiny"
SMALL = CodecConfig(network=PatchConfig(channels=2, width=8, heads=1, encoder_layers=1, decoder_layers=1))
SCORES = {"n": 2, "match_rate": 0.5, "rmse": 0.01, "rmse_angstrom": None, "composition_rate": 1.0}
SCORES |= {"code_length": 100.0}


@pytest.mark.parametrize("name", pretrained())
def test_cards_in_the_box_are_what_the_facts_make_and_keep_their_licence(name):
    folder = folder_of(name)
    told = [facts.read(folder / file) for file in ("config.json", "training.json", "scores.json")]
    text = (folder / "README.md").read_text()
    assert text == card.make(*told)
    data = ModelCard(text).data
    assert data.license == "cc-by-4.0"
    rates = [r.metric_value for r in data.eval_results if r.metric_type == "match_rate"]
    assert rates == [row["match_rate"] for row in told[2].values()]


def test_a_new_codec_gets_a_card_that_claims_nothing(tmp_path):
    open_codec(SMALL).save_pretrained(tmp_path)
    text = (tmp_path / "README.md").read_text()
    data = ModelCard(text).data
    assert (data.license, data.license_name) == ("other", "unknown")
    assert "cc-by" not in text.lower()
    assert "More Information Needed" not in text
    assert "# unnamed" in text


@pytest.mark.parametrize(
    ("said", "data"),
    [("CC-BY-SA-4.0", ("cc-by-sa-4.0", None)), ("mit", ("mit", None)), ("ours alone", ("other", "ours alone"))],
)
def test_the_licence_is_what_the_user_says(tmp_path, said, data):
    open_codec(SMALL).save_pretrained(tmp_path, licence=said)
    found = ModelCard((tmp_path / "README.md").read_text())
    assert (found.data.license, found.data.to_dict().get("license_name")) == data
    assert f"| licence | {said} |" in found.text
    assert json.loads((tmp_path / "training.json").read_text()) == {"licence": said}


def test_a_codec_of_the_box_takes_its_card_along(tmp_path, mp):
    mp.save_pretrained(tmp_path / "as it is")
    for name in hub.PAPERS:
        assert (tmp_path / "as it is" / name).read_text() == (folder_of("mp") / name).read_text()
    mp.save_pretrained(tmp_path / "mine", licence="mit")
    mine = ModelCard((tmp_path / "mine" / "README.md").read_text())
    assert mine.data.license == "mit"
    assert len(mine.data.eval_results) == len(ModelCard((folder_of("mp") / "README.md").read_text()).data.eval_results)


def test_scores_and_facts_of_other_weights_are_not_taken_along(tmp_path):
    codec = Codec.from_pretrained("linear-unit-cell")
    codec.config = replace(codec.config, network=replace(codec.config.network, spread=9.0))
    codec.save_pretrained(tmp_path)
    assert "788" not in (tmp_path / "README.md").read_text()
    assert not (tmp_path / "scores.json").exists()


def test_pushing_uploads_the_card(mp, monkeypatch):
    seen = {}
    monkeypatch.setattr(HfApi, "create_repo", lambda _, repo_id, **__: type("Repo", (), {"repo_id": repo_id}))

    def upload(_, *, folder_path, **__):
        seen.update({p.name: p.read_bytes() for p in Path(folder_path).iterdir() if p.is_file()})
        return "https://hub/user/mp"

    monkeypatch.setattr(HfApi, "upload_folder", upload)
    assert mp.push_to_hub("user/mp", licence="cc-by-nc-4.0") == "https://hub/user/mp"
    found = ModelCard(seen["README.md"].decode())
    assert found.data.license == "cc-by-nc-4.0"
    assert "Held-out scores" in found.text
    assert {"config.json", "model.safetensors", "training.json", "scores.json"} <= set(seen)


def test_scores_are_noted_in_a_folder_of_the_user(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    for rate in (0.5, 0.75):
        card.note_scores(hub.writable(tmp_path / "tiny"), "val.parquet", SCORES | {"match_rate": rate})
    text = (tmp_path / "tiny" / "README.md").read_text()
    assert "| val.parquet | 2 | 75.00 % | 0.0100 | – | 100.00 % | 100 |" in text
    assert [r.metric_value for r in ModelCard(text).data.eval_results] == [0.75, 0.01, 1.0]


def test_scores_are_noted_nowhere_else(tmp_path, monkeypatch):
    with pytest.raises(CardError, match="mp ships with the package"):
        hub.writable("mp")
    monkeypatch.setattr(facts, "checkout", lambda: None)
    with pytest.raises(CardError, match="part of the installed package"):
        hub.writable(folder_of("mp"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CardError, match="is no folder"):
        hub.writable("user/mp")


def test_broken_facts_are_named(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    (tmp_path / "tiny" / "scores.json").write_text("{")
    with pytest.raises(CardError, match=r"scores\.json cannot be read"):
        card.note_scores(tmp_path / "tiny", "x", SCORES)
    (tmp_path / "tiny" / "README.md").write_text("---\n: [\n---\n")
    codec = Codec.from_pretrained(tmp_path / "tiny")
    with pytest.raises(CardError, match=r"README\.md: its metadata cannot be read"):
        codec.save_pretrained(tmp_path / "out", licence="mit")

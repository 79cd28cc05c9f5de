"""Codecs in the box, in folders and on the hub: what is resolved, what is written, what is left of a cut save."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from xtalcodec.codecs import hub
from xtalcodec.codecs.base import Codec
from xtalcodec.codecs.latents import LatentsError, LatentSet

RELEASE = Path(__file__).parents[1] / "fixtures" / "release-0.1"
EXPECTED = json.loads((RELEASE / "expected.json").read_text())


def test_latents_of_weights_that_were_replaced_say_where_those_are(mp):
    latents = LatentSet.from_parquet(RELEASE / "mp.parquet")
    assert latents.codec == EXPECTED["mp.parquet"]["identity"]
    with pytest.raises(LatentsError, match=r"mp-e483dac410d4, not to mp-[0-9a-f]{12}: release 0\.1\.0 has its weights"):
        mp.decode_crystals(latents)


def test_what_release_0_1_wrote_opens_for_ever(tmp_path):
    file = "tiny.parquet"
    latents = LatentSet.from_parquet(RELEASE / file)
    assert latents.codec == EXPECTED[file]["identity"]
    model = Codec.from_pretrained(RELEASE / "tiny")
    assert [d.crystal.formula for d in model.decode_crystals(latents)] == EXPECTED[file]["formulas"]
    model.save_pretrained(tmp_path)  # and after it is saved by this release
    again = Codec.from_pretrained(tmp_path)
    assert again.identity == model.identity
    assert [d.crystal.formula for d in again.decode_crystals(latents)] == EXPECTED[file]["formulas"]


@pytest.mark.parametrize("name", ["evil/repository", "../mp", "/etc", "tiny", ""])
def test_a_name_that_a_file_says_is_one_in_the_box_or_asked_for(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(RELEASE / "tiny", tmp_path / "tiny")
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: pytest.fail("a file made it download"))
    with pytest.raises(FileNotFoundError, match=r"z\.parquet belongs to the codec .* give --codec"):
        hub.named_in("z.parquet", f"{name}-0123456789ab")
    assert hub.named_in("z.parquet", "mp-unit-cell-0123456789ab") == "mp-unit-cell"


def test_a_repository_that_the_user_names_is_downloaded(tmp_path, monkeypatch):
    wanted = {}

    def download(name, **options):
        wanted.update(options, name=name)
        return str(RELEASE / "tiny")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", download)
    assert Codec.from_pretrained("user/tiny", revision="v1").config.name == "tiny"
    assert (wanted["name"], wanted["revision"]) == ("user/tiny", "v1")
    assert set(wanted["allow_patterns"]) == {"config.json", "model.safetensors", "embedding/*", "heads/*", *hub.PAPERS}


KILLED = """
import os, signal, sys
from dataclasses import replace
import torch
from xtalcodec.codecs.base import Codec
codec = Codec.from_pretrained(sys.argv[1])
for parameter in codec.network.parameters():
    parameter.data += 1
codec.config = replace(codec.config, name="new")
count, real = int(sys.argv[3]), getattr(os, sys.argv[2])
def killed(*arguments):
    global count
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count -= 1
    return real(*arguments)
setattr(os, sys.argv[2], killed)
codec.save_pretrained(sys.argv[1])
"""


@pytest.mark.parametrize(
    ("die", "count", "left"),
    [("fsync", 1, "tiny"), ("rename", 0, "tiny"), ("replace", 0, "new"), ("replace", 1, "new")],
)
def test_a_save_that_is_killed_leaves_the_old_codec_or_the_new_one(tmp_path, die, count, left):
    folder = tmp_path / "tiny"
    shutil.copytree(RELEASE / "tiny", folder)
    before = Codec.from_pretrained(folder)
    command = [sys.executable, "-c", KILLED, str(folder), die, str(count)]
    run = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert run.returncode == -signal.SIGKILL
    codec = Codec.from_pretrained(folder)
    assert codec.config.name == left
    assert codec.owns(before.identity) == (left == "tiny")
    assert f"# {left}\n" in (folder / "README.md").read_text()
    assert (folder / "training.json").exists() == (left == "tiny")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", r"config\.json cannot be read"),
        ("config.json", "[1]", r"config\.json holds no settings"),
        ("config.json", '{"spaces": {}}', r"config\.json: no setting 'spaces'"),
        ("config.json", '{"name": "x"}', r"model\.safetensors does not hold this codec's weights"),
        ("model.safetensors", "PK pickle", r"model\.safetensors does not hold this codec's weights"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, text, message):
    shutil.copytree(RELEASE / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        Codec.from_pretrained(tmp_path / "tiny")


def test_other_files_of_a_folder_stay(tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"mine")
    Codec.from_pretrained(RELEASE / "tiny").save_pretrained(tmp_path)
    names = {"checkpoint.safetensors", "config.json", "model.safetensors", "README.md", "training.json"}
    assert {p.name for p in tmp_path.iterdir()} == names
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == b"mine"

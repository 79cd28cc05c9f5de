"""The wheel, installed into an environment of its own, does the main job from outside of the repository."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from ase.build import bulk

from xtalcodec.priors import shipped

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT], check=True)
    (path,) = folder.glob("xtalcodec-*.whl")
    return path


def test_it_holds_the_weights_and_is_small(wheel):
    names = ZipFile(wheel).namelist()
    for name in (
        "weights/mp/model.safetensors",
        "weights/mp/README.md",
        "py.typed",
        "training/recipes/mp.yaml",
        "weights/mp/embedding/embedding.safetensors",
        "weights/mp/heads/band_gap/head.safetensors",
        "training/embedding_recipes/mp.yaml",
    ):
        assert f"xtalcodec/{name}" in names
    assert "xtalcodec/priors/weights/README.md" in names
    for prior in shipped():
        for name in ("prior.json", "prior.safetensors", "training.json", "README.md"):
            assert f"xtalcodec/priors/weights/{prior}/{name}" in names
    assert wheel.stat().st_size < 95e6


def test_a_crystal_comes_back_in_a_fresh_environment(wheel, tmp_path):
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, wheel], check=True)
    # Its dependencies are those of the environment that tests; a path in a .pth brings no editable package along.
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    bulk("NaCl", "rocksalt", a=5.64).write(tmp_path / "salt.cif")
    where = subprocess.run(
        [python, "-c", "import xtalcodec; print(xtalcodec.__file__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert str(environment) in where.stdout, where.stderr
    command = [environment / "bin" / "xtalcodec", "reconstruct", "salt.cif", "--out", "back"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "matched 100.00 %" in done.stdout
    assert [path.name for path in (tmp_path / "back").iterdir()] == ["salt.cif"]

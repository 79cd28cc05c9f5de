"""The command line as a user types it: statuses, messages, files."""

import subprocess
import sys

import pytest

from xtalcodec.parallel import WorkersLostError


def test_help_of_every_verb_has_an_example(run):
    for verb in (
        ["reconstruct"],
        ["encode"],
        ["decode"],
        ["evaluate"],
        ["train"],
        ["info"],
        ["generate"],
        ["evaluate-samples"],
        ["hull"],
        ["data", "show"],
        ["data", "convert"],
    ):
        result = run(*verb, "--help")
        assert result.exit_code == 0
        assert "Example: xtalcodec" in " ".join(result.output.split())


def test_wrong_usage_is_status_2(run, cifs, tmp_path):
    assert run("reconstruct").exit_code == 2
    assert run("evaluate", cifs, "--codec", "mpp").exit_code == 2
    result = run("evaluate", cifs, "--codec", "linear-unit-cell", "--reader", "density")
    assert result.exit_code == 2
    assert "has one way to decode atoms" in result.output
    assert run("encode", cifs).exit_code == 2
    assert run("decode", cifs / "cu.cif", "--out", tmp_path).exit_code == 2
    result = run("train", "mpp", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "no recipe 'mpp'" in result.output
    result = run("train", "mp", "seeed=1", "--data", cifs, "--val", cifs, "--out", tmp_path / "run")
    assert "Did you mean 'seed'" in result.output


@pytest.mark.parametrize(
    "words",
    [
        ["complete", "a.cif"],
        ["alter", "a.cif"],
        ["sample"],
        ["evaluate", "a.cif"],
        ["evaluate-samples", "a.cif", "--reference", "b.cif"],
        ["data", "split", "a.cif", "--train", "t.parquet", "--val", "v.parquet"],
    ],
)
def test_no_seed_is_negative(run, words):
    result = run(*words, "--seed", "-1")
    assert result.exit_code == 2
    assert "--seed" in result.output


def test_the_version_is_told(run):
    from xtalcodec import __version__

    assert run("--version").output == f"{__version__}\n"


def test_a_verb_that_is_interrupted_says_so(run, cifs, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("xtalcodec.datasets.load", interrupted)
    result = run("data", "show", cifs)
    assert result.exit_code == 130
    assert "xtalcodec: stopped" in result.output


def test_a_worker_that_dies_is_told_in_one_line(run, cifs, tmp_path, monkeypatch):
    def killed(*_):
        raise WorkersLostError("a worker died (killed, or out of memory)")

    monkeypatch.setattr("xtalcodec.evaluation.generation.hull.hull_energies", killed)
    result = run("hull", cifs, "--out", tmp_path / "hull.parquet", "--workers", 1)
    assert result.exit_code == 2
    assert "xtalcodec: a worker died (killed, or out of memory)" in result.output


def test_importing_the_package_is_quick_and_leaves_torch_alone():
    code = "import sys, time; t = time.perf_counter(); import xtalcodec\n"
    code += "print(time.perf_counter() - t, 'torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert float(output[0]) < 0.3
    assert output[1] == "False"

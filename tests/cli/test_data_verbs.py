"""`data` as a user types it."""


def test_data_verbs(run, cifs, tmp_path):
    assert "aflow-prototypes" in run("data", "list").output
    result = run("data", "convert", cifs, "--out", tmp_path / "c.parquet")
    assert result.exit_code == 0, result.output
    assert "crystals  2" in run("data", "show", tmp_path / "c.parquet").output

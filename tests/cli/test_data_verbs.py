"""`data` as a user types it."""


def test_data_verbs(run, cifs, tmp_path):
    assert "aflow-prototypes" in run("data", "list").output
    result = run("data", "convert", cifs, "--out", tmp_path / "c.parquet")
    assert result.exit_code == 0, result.output
    assert "crystals  2" in run("data", "show", tmp_path / "c.parquet").output


KNOWN = """2
Lattice="4.2 0 0 0 4.2 0 0 0 4.2" Properties=species:S:1:pos:R:3:initial_magmoms:R:1 energy=-3.5 pbc="T T T"
Fe 0 0 0 4.0
O 2.1 2.1 2.1 0.5
"""


def test_properties_go_through_parquet_into_files_and_poscar_says_it_holds_none(run, tmp_path):
    (tmp_path / "x.extxyz").write_text(KNOWN)
    assert not run("data", "convert", tmp_path / "x.extxyz", "--out", tmp_path / "c.parquet").stderr
    assert not run("data", "convert", tmp_path / "c.parquet", "--out", tmp_path / "f", "--format", "extxyz").stderr
    assert "-3.5" in (tmp_path / "f/x.extxyz").read_text()
    assert "initial_magmoms:R:1" in (tmp_path / "f/x.extxyz").read_text()
    result = run("data", "convert", tmp_path / "c.parquet", "--out", tmp_path / "g", "--format", "poscar")
    assert "POSCAR holds cell, species and positions only; left out, of 1 crystals: energy, magmom" in result.stderr


def test_encode_says_once_that_codes_hold_no_properties(run, tmp_path):
    (tmp_path / "x.extxyz").write_text(KNOWN * 2)
    result = run("encode", tmp_path / "x.extxyz", "--out", tmp_path / "l.parquet", "--no-refine")
    assert result.stderr.count("codes hold cell, species and positions only") == 1
    assert "left out, of 2 crystals: energy, magmom" in result.stderr

import os
import stat

import pytest

from xtalcodec.io.atomic import atomic


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "new" / "folder" / "x.bin"
    with atomic(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.parent == path.parent  # moving within a folder is one step of the file system
        assert temporary.suffix == ".bin"  # writers choose formats by it
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def fail():
        with atomic(path) as temporary:
            temporary.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_older_file_is_replaced(tmp_path):
    path = tmp_path / "x.txt"
    for text in ("old", "new"):
        with atomic(str(path)) as temporary:
            temporary.write_text(text)
    assert path.read_text() == "new"


def test_others_may_read_the_file_as_any_new_one(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic(tmp_path / "x.txt") as temporary:
            temporary.write_text("x")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.txt").stat().st_mode) == 0o640

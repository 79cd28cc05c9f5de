import os
import signal
import stat
import subprocess
import sys

import pytest

from xtalcodec.io.atomic import SAVED, atomic, atomic_folder, settle


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


def test_a_folder_is_refused_by_its_own_name(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised, atomic(tmp_path / "folder"):
        pytest.fail("nothing is written for a place that is taken")
    assert raised.value.filename == str(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


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


def test_permissions_are_the_kernels_without_a_moment_of_another_umask(tmp_path, monkeypatch):
    before = os.umask(0o027)
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask is the whole process's"))
    try:
        with atomic(tmp_path / "x.txt") as temporary:
            temporary.unlink()  # some writers make a file of their own, for its owner alone
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        with atomic_folder(tmp_path / "y") as temporary:
            os.close(os.open(temporary / "z.txt", os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        monkeypatch.undo()
        os.umask(before)
    for path in (tmp_path / "x.txt", tmp_path / "y" / "z.txt"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_file_is_on_disk_before_its_name_is(tmp_path, monkeypatch):
    steps = []
    real = {name: getattr(os, name) for name in ("fsync", "replace", "rename")}

    def spy(name):
        def call(*arguments):
            kind = "folder" if name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else "file"
            steps.append(f"{name} {kind}" if name == "fsync" else name)
            return real[name](*arguments)

        return call

    for name in real:
        monkeypatch.setattr(os, name, spy(name))
    with atomic(tmp_path / "x.txt") as temporary:
        temporary.write_text("x")
    assert steps == ["fsync file", "replace", "fsync folder"]
    steps.clear()
    with atomic_folder(tmp_path / "y") as temporary:
        (temporary / "a").write_text("a")
        (temporary / "b").write_text("b")
    start = ["fsync file", "fsync file", "fsync folder", "rename", "fsync folder"]
    assert steps == [*start, "replace", "replace", "fsync folder"]


KILLED = """
import os, signal, sys
from pathlib import Path
from xtalcodec.io.atomic import atomic_folder
folder, die, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
real = getattr(os, die)
def killed(*arguments):
    global count
    if count == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    count -= 1
    return real(*arguments)
setattr(os, die, killed)
with atomic_folder(folder, remove=["gone"]) as temporary:
    (temporary / "a").write_text("new")
    (temporary / "b").write_text("new")
"""


@pytest.mark.parametrize(
    ("die", "count", "left"),
    [
        ("fsync", 0, "old"),
        ("fsync", 1, "old"),
        ("fsync", 3, "old"),
        ("rename", 0, "old"),
        ("fsync", 4, "new"),
        ("replace", 0, "new"),
        ("replace", 1, "new"),
        ("rmdir", 0, "new"),
    ],
)
def test_a_process_killed_while_it_saves_leaves_all_old_files_or_all_new_ones(tmp_path, die, count, left):
    for name in ("a", "b", "gone", "other"):
        (tmp_path / name).write_text("old")
    run = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), die, str(count)], check=False)
    assert run.returncode == -signal.SIGKILL
    settle(tmp_path)
    assert {(tmp_path / name).read_text() for name in ("a", "b")} == {left}
    assert (tmp_path / "gone").exists() == (left == "old")
    assert (tmp_path / "other").read_text() == "old"
    with atomic_folder(tmp_path) as temporary:  # and the next save goes through
        (temporary / "a").write_text("newer")
    assert (tmp_path / "a").read_text() == "newer"
    assert not (tmp_path / SAVED).exists()


def test_files_that_fail_leave_the_folder_as_it_was(tmp_path):
    (tmp_path / "a").write_text("old")

    def fail():
        with atomic_folder(tmp_path) as temporary:
            (temporary / "a").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]

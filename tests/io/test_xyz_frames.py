"""Frames that come one after the other are those of the whole text."""

import re
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xtalcodec.crystal import CrystalError
from xtalcodec.io import xyz_frames
from xtalcodec.io.xyz_frames import frames

LINES = st.lists(st.sampled_from(["0", "1", "2", "3", "", " ", 'Lattice="1 0 0"', "lattice =3", "x", "H 0 0 0"]))


def frames_of_the_whole(lines: list[str]) -> list[tuple[list[str], str]]:
    """Cut with all lines at hand: every place is known where a frame begins for sure."""
    heads = [k - 1 for k, line in enumerate(lines) if k and re.search(r"(?i)\blattice\W*=", line)]
    found: list[tuple[list[str], str]] = []
    start = 0
    while start < len(lines):
        next_head = min((head for head in heads if head > start), default=len(lines))
        text = lines[start].strip()
        if not text:
            start += 1
        elif text.isdecimal():
            end = min(start + int(text) + 2, next_head)
            found.append((lines[start:end], ""))
            start = end
        else:
            wrong = f"line {start + 1} is {text!r}, not a number of sites"
            if found and not found[-1][1] and start not in heads:
                found[-1] = (found[-1][0], wrong)
            else:
                found.append(([], wrong))
            start = next_head
    return found


@settings(max_examples=300)
@given(LINES)
def test_frames_are_those_of_the_whole_text(lines):
    whole = frames_of_the_whole(lines)
    if whole:
        assert list(frames(lines, len(lines))) == whole
        assert list(frames(lines, 2)) == [(rows[:2], wrong) for rows, wrong in whole]
    else:
        with pytest.raises(CrystalError, match="it has no frames"):
            list(frames(lines, 2))


def test_no_more_is_read_than_the_next_frame():
    taken = 0

    def endless():
        nonlocal taken
        for k in count():
            for line in ("2", f'Lattice="{k}"', "H 0 0 0", "H 1 1 1"):
                taken += 1
                yield line

    found = frames(endless(), 100)
    for k in range(1, 5):
        assert next(found)[0][1] == f'Lattice="{k - 1}"'
        assert taken <= 4 * (k + 1) + 2  # of the frame behind the next one, what tells that it begins


def test_a_frame_without_end_takes_no_memory(monkeypatch):
    monkeypatch.setattr(xyz_frames, "MAX_BYTES", 1 << 10)
    lines = ["999999999999", "Lattice", *["H 0 0 0"] * 1000]
    ((rows, reason),) = frames(lines, 5)
    assert (rows, reason) == (lines[:5], "")
    with pytest.raises(CrystalError, match="one of its frames holds more than"):
        list(frames(lines, 5000))

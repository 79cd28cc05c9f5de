"""All figures of one codec."""

import pytest
from PIL import Image

from xtalcodec.codecs.registry import open_codec
from xtalcodec.codecs.settings import CodecConfig
from xtalcodec.representations.repeating import RepeatingConfig
from xtalcodec.viz.figures.draw import COUNT, About, draw_windows

ABOUT = About("mine-0123", "unit cells", 10.0, own_density=False, paper=True, data="things.parquet")


@pytest.mark.slow
@pytest.mark.usefixtures("coarse")
def test_every_figure_in_every_format_and_the_page(rows, tmp_path):
    done = []
    paths = draw_windows([*rows[:2], rows[-1]], ABOUT, tmp_path, ("png", "pdf"), done.append)
    names = ["counts-and-species", "distances", "density", "slices", "isosurfaces"]
    assert [p.name for p in paths] == [*(f"{n}.{s}" for n in names for s in ("png", "pdf")), "windows.html"]
    assert sum(done) == COUNT
    assert {p.name for p in tmp_path.iterdir()} == {p.name for p in paths}
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert min(image.size) > 150
                assert len(image.convert("RGB").getcolors(2**24)) > 50
        elif path.suffix == ".pdf":
            assert path.read_bytes().startswith(b"%PDF")


def test_caption_tells_codec_length_data_and_how_many_fit(rows):
    told = ABOUT.caption(rows)
    for part in ("mine-0123", "unit cells, cube of 10 Å", "321 numbers per crystal", "things.parquet", "6 of 7 fit"):
        assert part in told


def test_nothing_that_fits_is_an_error_with_the_reason(rows, tmp_path):
    with pytest.raises(ValueError, match=r"no crystal of things\.parquet fits the window: its cell does not fit"):
        draw_windows([row for row in rows if not row.fits], ABOUT, tmp_path)


def test_what_is_told_of_a_codec(mp):
    repeating = About.of(open_codec(CodecConfig("x", RepeatingConfig())), "data")
    assert (repeating.kind, repeating.edge, repeating.own_density, repeating.paper) == (
        "repeating windows",
        10.0,
        False,
        False,
    )
    with pytest.raises(TypeError, match="no window"):
        About.of(mp, "data")

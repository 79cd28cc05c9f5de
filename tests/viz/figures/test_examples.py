"""Crystals side by side."""

import numpy as np

from xtalcodec.evaluation.windows import density_mse
from xtalcodec.viz.figures.examples import examples, isosurfaces, slices
from xtalcodec.viz.figures.scene import levels


def test_examples_go_from_the_best_to_the_worst_and_none_twice(rows):
    chosen = examples(rows, 10.0, (0, 5, 50, 100))
    assert [x.row.reconstruction.original.name for x in chosen] == ["good0", "good2", "bad"]
    assert [x.rank for x in chosen] == [17, 50, 100]
    errors = [density_mse(row) for row in rows if row.fits]
    assert chosen[-1].mse == max(errors)
    assert "Si\nMSE" in chosen[0].label
    assert examples([row for row in rows if not row.fits], 10.0) == []


def test_slices_show_true_decoded_and_their_difference(rows):
    chosen = examples(rows, 10.0, (0, 50, 100))
    images = [axes.images[0] for axes in slices(chosen, "caption").axes if axes.images]
    assert len(images) == 27
    for x, line in zip(chosen, np.reshape(images, (3, 9)), strict=True):
        true, decoded, difference = (image.get_array() for image in line[3:6])
        np.testing.assert_array_equal(true, x.true.density[:, :, 14].T)
        np.testing.assert_allclose(difference, decoded - true, atol=1e-12)
    densities, differences = ([i.get_clim() for k, i in enumerate(images) if (k % 3 == 2) == odd] for odd in (0, 1))
    assert len(set(densities)) == len(set(differences)) == 1
    assert differences[0][0] == -differences[0][1]


def test_isosurfaces_of_both_are_at_the_true_density_s_values(rows, monkeypatch):
    from xtalcodec.viz.figures import frames

    asked = []
    surfaces = frames.surfaces
    monkeypatch.setattr(frames, "surfaces", lambda d, e, v: asked.append(tuple(v)) or surfaces(d, e, v))
    (worst,) = examples(rows, 10.0, (100,))
    figure = isosurfaces([worst], "caption")
    assert asked == [levels(worst.true.density)] * 2
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert {"3 atoms", "2 atoms"} <= set(texts)

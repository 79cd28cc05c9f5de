"""Colours and sectors of sites."""

import numpy as np

from xtalcodec.viz.elements import in_order


def test_sectors_begin_with_the_largest_share_and_equal_ones_are_in_the_order_of_z():
    shares = np.zeros(119)
    shares[[0, 12, 29, 30]] = 0.3, 0.2001, 0.1999, 0.3
    assert in_order(shares) == [30, 12, 29, 0]
    shares[[12, 29]] = 0.1999, 0.2001
    assert in_order(shares) == [30, 12, 29, 0]

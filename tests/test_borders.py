"""Borders of one color: cut off where they are, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from media_made import photo
from visfeat.borders import without_border


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (30, 90, 160)])
@pytest.mark.parametrize("bars", [(20, 25, 0, 0), (0, 0, 12, 30), (9, 14, 11, 7), (0, 0, 0, 0)])
def test_what_was_put_around_a_picture_is_cut_off(color, bars):
    picture = photo(120, 160)
    top, bottom, left, right = bars
    framed = np.empty((120 + top + bottom, 160 + left + right, 3), np.uint8)
    framed[:] = color
    framed[top : top + 120, left : left + 160] = picture
    noise = np.random.default_rng(0).integers(-3, 4, framed.shape)
    noisy = np.clip(framed + noise, 0, 255).astype(np.uint8)
    assert np.array_equal(without_border(framed), picture)
    assert np.array_equal(without_border(noisy), noisy[top : top + 120, left : left + 160])


def test_a_picture_of_one_color_or_with_little_in_it_stays_whole():
    for picture in (np.zeros((50, 60, 3), np.uint8), np.full((1, 1, 3), 9, np.uint8)):
        assert without_border(picture).shape == picture.shape
    dark = np.zeros((100, 100, 3), np.uint8)
    dark[45:55, 45:55] = 255
    assert without_border(dark).shape == (100, 100, 3)

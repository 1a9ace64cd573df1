"""Videos whose frames spell their number: which frames clips take, at any rate."""

from __future__ import annotations

from contextlib import closing
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.made_videos import RATES, VARIABLE, Made, make, number_in, spell
from visfeat.card import InputSpec
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.extraction.inputs import NetworkInput, network_inputs
from visfeat.media import MediaItem, identify, uri_of
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

WHOLE = InputSpec(size_px=(120, 160), resize_px=120, fit="squash", mean=(0, 0, 0), std=(1, 1, 1))
CLIP, STRIDE = 8, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


def clips_of(video: Made, folder, **options) -> list[NetworkInput]:
    """Clips of whole pictures, so that the strip with the number is seen."""
    recipe = Recipe(clip=CLIP, stride=STRIDE, **options)
    item, content = identify(MediaItem(uri_of(make(video, folder)), 0, 0))
    with closing(open_decoder(item, content, DecodeOptions())) as decoder:
        return list(network_inputs(decoder, recipe, Preprocessor(WHOLE)))


def test_a_number_comes_back():
    picture = np.full((120, 160, 3), 90, dtype=np.uint8)
    for number in (0, 1, 90_000, 2**20 - 1):
        spell(picture, number)
        assert number_in(picture) == number


@pytest.mark.parametrize("rate", [*RATES, VARIABLE])
def test_clips_hold_the_frames_on_display_at_their_times(folder, rate):
    video = Made(rate, 3, 120, 160)
    starts = list(video.times_s())
    found = clips_of(video, folder, clip_fps=Fraction(15, 2))
    assert found
    for clip in found:
        numbers = [number_in(picture) for picture in clip.pixels[0]]
        assert numbers == clip.frame_index.tolist()
        times = [Fraction(clip.start_s).limit_denominator(1000) + k * Fraction(2, 15) for k in range(CLIP)]
        assert numbers == [sum(start <= time for start in starts) - 1 for time in times]


def test_the_same_scene_at_any_rate_gives_the_same_windows_and_moments(folder):
    windows, moments = {}, {}
    for rate in ("25", "30", "29.97", VARIABLE):
        video = Made(rate, 3, 120, 160)
        starts = [float(start) for start in video.times_s()]
        found = clips_of(video, folder, clip_fps=Fraction(15, 2), tail="drop")
        windows[rate] = [(clip.start_s, clip.end_s) for clip in found]
        moments[rate] = np.array([[starts[index] for index in clip.frame_index] for clip in found])
    assert windows["30"] == windows["29.97"] == windows["25"]
    # Nothing says for how long the last frame of a variable rate is shown.
    assert windows[VARIABLE] == windows["25"][:3]
    assert len(windows["25"]) == 4
    longest_s = {"25": 1 / 25, "30": 1 / 30, "29.97": 1001 / 30000, VARIABLE: 5 / 60}
    for rate in moments:
        asked = np.array([[start + k * 2 / 15 for k in range(CLIP)] for start, _ in windows[rate]])
        late = asked - moments[rate]
        assert late.min() >= -1e-6
        assert late.max() < longest_s[rate] + 1e-6


def test_consecutive_frames_are_all_of_them(folder):
    found = clips_of(Made(VARIABLE, 3, 120, 160), folder, consecutive=True, tail="drop")
    assert [number_in(clip.pixels[0, 0]) for clip in found] == list(range(0, STRIDE * len(found), STRIDE))

"""Clips through the whole path, with a small network that sees the mean color of a clip."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from extract_made import CARD, RECIPE, MeanColor, run_pipeline
from media_made import write_video
from visfeat.engine.prepare import resolve
from visfeat.errors import UsageError
from visfeat.recipe import Recipe

CLIP_CARD = CARD.model_copy(update={"input": CARD.input.model_copy(update={"clip_frames": 4, "clip_fps": 10.0})})


def clip_recipe(**options) -> Recipe:
    """The resolved recipe of a network of clips of 4 frames at 10 a second."""
    recipe = RECIPE.but(pool=None, **options)
    return resolve(recipe, CLIP_CARD, engine="fake", device="cpu").but(
        layers=RECIPE.layers, pool=RECIPE.pool, input_size_px=(8, 8)
    )


def write_levels(path: Path, duration_s: int, rate: Fraction | int) -> Path:
    """A grey video whose level is 20 for each second that has passed, the same at any rate."""
    count = int(duration_s * rate)
    pictures = [np.full((32, 32, 3), 20 + 20 * int(n / rate), dtype=np.uint8) for n in range(count)]
    return write_video(path, pictures, rate=rate, options={"crf": "0"})


def rows(tmp_path: Path, name: str, recipe: Recipe):
    store, progress, _ = run_pipeline(tmp_path / name, tmp_path / f"{name}.vf", MeanColor(2), recipe=recipe)
    assert progress.failed == 0
    return (*store.features(), store)


def test_the_same_video_at_two_rates_gives_the_same_clips(tmp_path):
    found = {}
    for rate in (25, 30):
        (tmp_path / str(rate)).mkdir()
        write_levels(tmp_path / str(rate) / "v.mp4", 2, rate)
        values, table, _ = rows(tmp_path, str(rate), clip_recipe())
        found[rate] = (table["start_s"].to_pylist(), table["end_s"].to_pylist(), values[:, 0].round().tolist())
    assert found[25][:2] == found[30][:2]
    # Windows of 0.4 s: the third one spans the change of level at 1 s, by 2 of its 4 frames.
    assert np.allclose(found[25][0], [0, 0.4, 0.8, 1.2, 1.6])
    assert np.allclose(found[25][1], [0.4, 0.8, 1.2, 1.6, 2.0])
    assert np.allclose(found[25][2], [20, 20, 30, 40, 40], atol=2)
    assert np.allclose(found[25][2], found[30][2], atol=1)


def test_rows_name_all_their_frames(tmp_path):
    (tmp_path / "a").mkdir()
    write_levels(tmp_path / "a" / "v.mp4", 1, 25)
    _, table, _ = rows(tmp_path, "a", clip_recipe(stride=3))
    # Times 0, .1, .2, ... s at 25 frames a second: the frames on display are 0, 2, 5, 7, 10, 12, 15, 17, 20, 22.
    frames = [0, 2, 5, 7, 10, 12, 15, 17, 20, 22]
    assert table["frame_indices"].to_pylist() == [frames[k : k + 4] for k in (0, 3, 6)]
    assert table["frame_index"].to_pylist() == [0, 7, 15]


def test_consecutive_frames_whatever_their_times(tmp_path):
    (tmp_path / "a").mkdir()
    write_levels(tmp_path / "a" / "v.mp4", 1, 10)
    _, table, _ = rows(tmp_path, "a", clip_recipe(consecutive=True, tail="drop"))
    assert table["frame_indices"].to_pylist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert np.allclose(table["end_s"].to_pylist(), [0.4, 0.8])


def test_a_short_video_is_filled_and_marked(tmp_path):
    (tmp_path / "a").mkdir()
    write_video(tmp_path / "a" / "v.mp4", [np.full((32, 32, 3), 50, dtype=np.uint8)] * 5, rate=25)
    values, table, store = rows(tmp_path, "a", clip_recipe())
    assert len(values) == 1
    assert table["frame_indices"].to_pylist() == [[0, 2, 2, 2]]
    assert any("repeated" in note for note in store.items()["notes"].to_pylist()[0])


@pytest.mark.parametrize(
    ("card", "options", "message"),
    [
        (CARD, {"clip": 8}, "one picture at a time"),
        (CARD, {"consecutive": True}, "--clip-frames"),
        (CLIP_CARD, {"every_s": 2}, "--every: .* looks at clips"),
        (CLIP_CARD, {"keyframes": True}, "--keyframes"),
    ],
)
def test_options_of_the_other_kind_are_refused(card, options, message):
    with pytest.raises(UsageError, match=message):
        resolve(RECIPE.but(**options), card, engine="fake", device="cpu")


def test_a_length_that_the_network_does_not_take_is_refused():
    fixed = CLIP_CARD.model_copy(update={"input": CLIP_CARD.input.model_copy(update={"clip_lengths": (4, 16)})})
    with pytest.raises(UsageError, match="--clip 8: .* takes 4, 16 frames"):
        resolve(RECIPE.but(clip=8), fixed, engine="fake", device="cpu")
    assert resolve(RECIPE.but(clip=16), fixed, engine="fake", device="cpu").stride == 16

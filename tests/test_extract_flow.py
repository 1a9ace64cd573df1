"""From frames to a network's fields of flow: which pairs, each once, at which times; windows, views, pads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

import visfeat as vf
from extract_made import CARD
from flow_made import moved, similarity
from media_made import encoded, opened, photo, write_numbered, write_video
from visfeat.card import InputSpec, ModelCard
from visfeat.engine.prepare import resolve
from visfeat.errors import ModelError
from visfeat.extraction.flow import resized_whole, windows
from visfeat.extraction.inputs import network_inputs
from visfeat.flow.field import MEAN, STD, STILL, from_bytes, to_bytes
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

SPEC = InputSpec(kind="flow", size_px=(16, 16), resize_px=16, mean=MEAN, std=STD, clip_frames=4, clip_fps=10)


@dataclass
class Counting:
    """An estimator whose flow says which pair it was: x is how many there were before it."""

    calls: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)

    facts = {"flow": "counting"}

    def __call__(self, before, after):
        self.calls.append((before, after))
        flow = np.zeros((*before.shape[:2], 2), np.float32)
        flow[..., 0] = len(self.calls) - 1
        return flow


def inputs_of(path, estimator, **options):
    """What a network of clips of 4 fields at 10 a second is given of a file."""
    card = CARD.model_copy(update={"input": SPEC})
    recipe = resolve(Recipe(layers=("mean",), pool="none", **options), card, engine="fake", device="cpu")
    preprocess = Preprocessor(SPEC.model_copy(update={"clip_frames": recipe.clip}), flow=estimator)
    with closing(opened(path)) as decoder:
        return list(network_inputs(decoder, recipe, preprocess))


def numbers_of(given):
    """The numbers of the fields of an input."""
    return from_bytes(given.pixels)[0, :, 8, 8, 0].round().astype(int).tolist()


def test_four_fields_need_five_frames_and_each_is_estimated_once(tmp_path):
    video = write_numbered(tmp_path / "v.mp4", 10, rate=10)
    estimator = Counting()
    found = inputs_of(video, estimator, stride=2)
    assert len(estimator.calls) == 9
    assert [given.pixels.shape for given in found] == [(1, 4, 16, 16, 2)] * 4
    assert [numbers_of(given) for given in found] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    assert [given.frame_index.tolist() for given in found] == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    # A clip lasts until the frame to which its last field leads.
    assert np.allclose([given.start_s for given in found], [0, 0.2, 0.4, 0.5])
    assert np.allclose([given.end_s for given in found], [0.4, 0.6, 0.8, 0.9])


def test_between_clips_that_lie_apart_nothing_is_estimated(tmp_path):
    video = write_numbered(tmp_path / "v.mp4", 25, rate=10)
    estimator = Counting()
    found = inputs_of(video, estimator, stride=10, tail="drop")
    assert [given.frame_index[0] for given in found] == [0, 10, 20]
    assert len(estimator.calls) == 12


def test_windows_of_time_are_those_of_a_network_of_pixels(tmp_path):
    """25 frames a second, clips at 10: rows of both streams lie at the same places."""
    video = write_numbered(tmp_path / "v.mp4", 60, rate=25)
    flow = inputs_of(video, Counting())
    rgb = CARD.model_copy(update={"input": CARD.input.model_copy(update={"clip_frames": 4, "clip_fps": 10.0})})
    recipe = resolve(Recipe(layers=("mean",), pool="none"), rgb, engine="fake", device="cpu")
    with closing(opened(video)) as decoder:
        pixels = list(network_inputs(decoder, recipe, Preprocessor(rgb.input)))
    assert [(each.start_s, each.end_s) for each in flow[:-1]] == [(each.start_s, each.end_s) for each in pixels[:5]]
    assert [each.frame_index.tolist() for each in flow[:-1]] == [each.frame_index.tolist() for each in pixels[:5]]


def test_a_frame_that_is_sampled_twice_does_not_move(tmp_path):
    video = write_numbered(tmp_path / "v.mp4", 5, rate=5)
    estimator = Counting()
    (first, *_) = inputs_of(video, estimator)
    # At 10 a second each frame stands for two samples.
    assert first.frame_index.tolist() == [0, 0, 1, 1]
    assert len(estimator.calls) == 4
    assert numbers_of(first) == [0, 0, 0, 1]


def test_consecutive_frames(tmp_path):
    video = write_numbered(tmp_path / "v.mp4", 9, rate=25)
    found = inputs_of(video, Counting(), consecutive=True)
    assert [numbers_of(given) for given in found] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert np.allclose([(given.start_s, given.end_s) for given in found], [(0, 0.16), (0.16, 0.32)])


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_short_video_is_filled_and_marked(tmp_path, frames):
    video = write_numbered(tmp_path / "v.mp4", frames, rate=10)
    (given,) = inputs_of(video, Counting())
    fields = max(1, frames - 1)
    assert numbers_of(given) == [*range(fields), *[fields - 1] * (4 - fields)]
    assert given.repeated == 4 - fields
    assert given.end_s == pytest.approx(fields / 10)


def test_a_still_image_does_not_move(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(photo(), "PNG"))
    estimator = Counting()
    (given,) = inputs_of(tmp_path / "a.png", estimator)
    assert np.isnan(given.start_s)
    assert (given.pixels == STILL).all()
    assert estimator.calls == []


def test_flow_is_that_of_the_whole_resized_picture(tmp_path):
    video = write_video(tmp_path / "v.mp4", [moved(similarity(n)) for n in range(6)], rate=10)
    estimator = Counting()
    inputs_of(video, estimator)
    assert {picture.shape for pair in estimator.calls for picture in pair} == {(16, 21, 3)}
    # What comes after in one pair comes before in the next: no frame is resized twice.
    assert all(first[1] is second[0] for first, second in pairwise(estimator.calls))


def field_of(height, width):
    """A field whose vectors say where they are."""
    y, x = np.mgrid[0:height, 0:width]
    return to_bytes(np.stack([x / 4, y / 4], axis=2).astype(np.float32))


def test_the_center_is_cut_out_as_of_pictures():
    coded = field_of(20, 33)
    (found,) = windows(coded, Preprocessor(SPEC))
    assert np.array_equal(found, coded[2:18, 8:24])


def test_outside_of_the_picture_nothing_moves():
    coded = field_of(10, 16)
    (found,) = windows(coded, Preprocessor(SPEC.model_copy(update={"fit": "pad"})))
    assert np.array_equal(found[3:13], coded)
    assert (found[:3] == STILL).all()
    assert (found[13:] == STILL).all()


def test_in_the_mirror_what_moves_right_moves_left():
    coded = field_of(20, 24)
    found = windows(coded, Preprocessor(SPEC, crops=10))
    assert found.shape == (10, 16, 16, 2)
    plain, mirrored = from_bytes(found[:5]), from_bytes(found[5:])
    # The mirrored views of the picture's left corners are its right corners, seen from the other side.
    for view, other in ((0, 1), (1, 0), (2, 3), (3, 2), (4, 4)):
        expected = plain[other][:, ::-1] * (-1, 1)
        assert np.abs(mirrored[view] - expected).max() < 0.16


def test_a_part_of_the_picture_is_cut_out_first():
    picture = photo(60, 80)
    whole = resized_whole(Preprocessor(SPEC, crop=(0.5, 0, 0.5, 1), method="reference"), picture)
    assert whole.shape == (24, 16, 3)
    expected = resized_whole(Preprocessor(SPEC, method="reference"), np.ascontiguousarray(picture[:, 40:]))
    assert np.array_equal(whole, expected)


def test_numbers_of_mean_and_std_are_those_of_the_channels():
    fields = {"size_px": (8, 8), "resize_px": 8, "kind": "flow", "std": (1, 1)}
    with pytest.raises(ValueError, match="mean must have 2 numbers"):
        InputSpec.model_validate(fields | {"mean": (0, 0, 0)})
    with pytest.raises(ValueError, match="mean must have 3 numbers"):
        InputSpec.model_validate(fields | {"mean": (0, 0), "kind": None})


def test_cards_of_pictures_say_nothing_of_flow():
    text = CARD.to_toml()
    assert "kind" not in text.split("[[layers]]")[0]
    flow = CARD.model_copy(update={"input": SPEC})
    assert ModelCard.from_toml(flow.to_toml(), subject="card") == flow
    with pytest.raises(ModelError, match="mean must have 3"):
        ModelCard.from_toml(flow.to_toml().replace('kind = "flow"\n', ""), subject="card")


def test_pictures_in_a_list_stand_still():
    found = vf.Extractor("classic/hof", layers=("magnitude",), clip=2)([photo(), photo(seed=1)])
    assert found.tolist() == [[0, 0], [0, 0]]


def test_a_clip_of_a_video_of_variable_rate(tmp_path):
    """Frames at 0, 0.1, 0.4, 0.5 s: fields lie between what is on display at each tenth of a second."""
    video = write_numbered(tmp_path / "v.mp4", 4, rate=10, stamps=[0, 100, 400, 500], time_base=Fraction(1, 1000))
    (given, *_) = inputs_of(video, Counting())
    assert given.frame_index.tolist() == [0, 1, 1, 1]
    assert numbers_of(given) == [0, 0, 0, 1]


@pytest.fixture(scope="module")
def pan(tmp_path_factory):
    """33 frames at 15 a second that go 2 pixels to the right from each to the next."""
    path = tmp_path_factory.mktemp("pan") / "pan.mp4"
    return write_video(path, [moved(similarity(2 * n)) for n in range(33)], rate=15, options={"crf": "5"})


def test_a_stream_of_flow_gives_the_rows_of_the_file(pan):
    of_file = vf.Extractor("classic/hof", stride=5).video(pan)
    stream = vf.Stream(model="classic/hof", stride=5)
    with closing(opened(pan)) as decoder:
        rows = [row for frame in decoder.frames() for row in stream.feed(frame)]
    rows += stream.finish()
    assert [row.start_s for row in rows] == of_file.start_s.tolist()
    assert np.array_equal(np.stack([row.vectors["hof"] for row in rows]), of_file.values)


def test_flow_and_pixels_of_one_decode_are_those_of_runs_of_their_own(pan, tmp_path):
    recipes = [Recipe(model="classic/hof"), Recipe(model="classic/hof", stride=4), Recipe(every_s=Fraction(1, 2))]
    together = vf.extract_many(pan, recipes, store=tmp_path / "many.vf")
    for run, recipe in zip(together, recipes, strict=True):
        alone = vf.extract(pan, recipe=recipe, store=tmp_path / "one.vf")
        assert run.recipe.digest == alone.recipe.digest
        found, expected = (
            vf.open_store(tmp_path / name).features(recipe=alone.recipe.digest)[0] for name in ("many.vf", "one.vf")
        )
        assert np.array_equal(found, expected)


def test_rows_of_flow_are_pooled_over_time(pan):
    mean = vf.Extractor("classic/hof", layers=("magnitude",), temporal="mean").video(pan)
    rows = vf.Extractor("classic/hof", layers=("magnitude",)).video(pan)
    assert np.allclose(mean.values, rows.values.mean(axis=0, keepdims=True))

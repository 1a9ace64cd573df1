"""Presets: the windows of other tools by their formula, their files by their names."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from extract_made import CARD, RECIPE, SPEC, MeanColor, run_pipeline
from media_made import write_video
from store_made import done, item_of, rows_for, writer_of
from visfeat.engine.prepare import resolve
from visfeat.errors import UsageError
from visfeat.extraction.inputs import InputAssembler
from visfeat.extraction.run import extract
from visfeat.frames import Frame
from visfeat.media.item import Kind
from visfeat.preprocess import Preprocessor
from visfeat.presets import preset_names, preset_of, presets, recipes_of
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.per_video import PerVideoExporter
from visfeat.store.records import LayerShape


def windows(frames: int, stack: int, step: int) -> list[tuple[int, int]]:
    """Where the tools' windows lie: full ones only, half-open."""
    number = (frames - stack) // step + 1
    return [(k * step, k * step + stack) for k in range(number)]


def rows_of(tmp_path, name: str, frames: int, **options):
    """The rows that a preset gives of a video of so many frames, with a network that sees the mean color."""
    (recipe,) = presets(name, options)
    clip = recipe.clip or 1
    card = CARD.model_copy(update={"input": CARD.input.model_copy(update={"clip_frames": clip})})
    plain = recipe.but(name=None, model=RECIPE.model, layers=("mean",), pool=("none",), mean=None, std=None)
    resolved = resolve(plain.but(input_size_px=(8, 8), input_resize_px=8), card, engine="fake", device="cpu")
    folder = tmp_path / f"{frames}"
    folder.mkdir()
    write_video(folder / "v.mp4", [np.full((16, 16, 3), 40 + n, dtype=np.uint8) for n in range(frames)], rate=25)
    store, progress, _ = run_pipeline(folder, tmp_path / f"{frames}.vf", MeanColor(2), recipe=resolved)
    assert progress.failed == 0
    return store.features()[1]


@pytest.mark.parametrize("frames", [16, 17, 31, 32, 47, 50])
def test_r21d_has_the_windows_of_the_formula(tmp_path, frames):
    table = rows_of(tmp_path, "video_features/r21d", frames)
    found = [(indices[0], indices[-1] + 1) for indices in table["frame_indices"].to_pylist()]
    assert found == windows(frames, 16, 16)


@pytest.mark.parametrize(("frames", "stack", "step"), [(40, 16, 8), (41, 10, 7), (15, 15, 1)])
def test_another_stack_and_step(tmp_path, frames, stack, step):
    table = rows_of(tmp_path, "video_features/r21d", frames, clip=stack, stride=step)
    found = [(indices[0], indices[-1] + 1) for indices in table["frame_indices"].to_pylist()]
    assert found == windows(frames, stack, step)


@pytest.mark.parametrize("name", ["video_features/s3d", "video_features/i3d_rgb"])
@pytest.mark.parametrize("frames", [64, 127, 130])
def test_stacks_of_64(tmp_path, name, frames):
    table = rows_of(tmp_path, name, frames)
    assert [indices[0] for indices in table["frame_indices"].to_pylist()] == [a for a, _ in windows(frames, 64, 64)]


class NoFlow:
    """An estimator that finds no motion."""

    facts: dict[str, str] = {}

    def __call__(self, before, after):
        return np.zeros((*before.shape[:2], 2), dtype=np.float32)


@pytest.mark.parametrize("frames", [17, 32, 33, 50])
def test_stacks_of_flow_need_one_frame_more(tmp_path, frames):
    (recipe,) = presets("video_features/i3d_flow", {"clip": 16, "stride": 16})
    spec = SPEC.model_copy(update={"kind": "flow", "mean": (0.5, 0.5), "std": (0.5, 0.5), "clip_frames": 16})
    assembler = InputAssembler(recipe, Preprocessor(spec, flow=NoFlow()))
    found = []
    for n in range(frames):
        times = (Fraction(n, 25), Fraction(n + 1, 25))
        frame = Frame(n, *times, is_keyframe=False, rgb=lambda: np.zeros((16, 16, 3), dtype=np.uint8))
        found += assembler.feed(frame)
    found += assembler.finish()
    assert [clip.frame_index[0] for clip in found] == [start for start, _ in windows(frames - 1, 16, 16)]


@pytest.mark.parametrize("frames", [1, 25, 26, 60])
def test_clip_retrieval_takes_each_25th_frame(tmp_path, frames):
    table = rows_of(tmp_path, "clip-retrieval/video", frames)
    assert table["frame_index"].to_pylist() == list(range(0, frames, 25))


def test_resnet_takes_every_frame(tmp_path):
    assert rows_of(tmp_path, "video_features/resnet", 7)["frame_index"].to_pylist() == list(range(7))


def test_a_preset_of_two_streams_hands_each_its_own_options():
    rgb, flow = presets("video_features/i3d", {"flow": "dis", "weights": "random:1", "clip": 16})
    assert [(each.model, each.flow, each.weights, each.clip) for each in (rgb, flow)] == [
        ("i3d/rgb", None, "random:1", 16),
        ("i3d/flow", "dis", "random:1", 16),
    ]


def test_another_rate_takes_the_place_of_all_frames():
    (recipe,) = presets("video_features/r21d", {"clip_fps": 15})
    assert (recipe.clip_fps, recipe.consecutive) == (15, None)
    (recipe,) = presets("video_features/s3d", {"consecutive": True})
    assert (recipe.clip_fps, recipe.consecutive) == (None, True)


def test_a_file_names_a_preset_and_changes_it(tmp_path):
    file = tmp_path / "r21d.toml"
    file.write_text('preset = "video_features/r21d"\nweights = "random:3"\nclip = 32\nclip-fps = 15\n')
    assert recipes_of(file, {}) == presets("video_features/r21d", {"weights": "random:3", "clip": 32, "clip_fps": 15})
    assert recipes_of(file, {"clip": 8, "layers": None})[0].clip == 8
    with pytest.raises(UsageError, match="only visfeat extract takes it"):
        Recipe.from_toml(file)


def test_sampling_said_beside_a_file_takes_the_place_of_its_own(tmp_path):
    file = tmp_path / "often.toml"
    file.write_text('preset = "clip-retrieval/video"\nevery = "2s"\n')
    (slow,), (fast,) = recipes_of(file, {}), recipes_of(file, {"fps": 3})
    assert (slow.every_s, slow.every_nth) == (2, None)
    assert (fast.every_s, fast.every_nth, fast.fps) == (None, None, 3)


def test_a_file_may_name_two_streams_where_several_recipes_go(tmp_path):
    file = tmp_path / "i3d.toml"
    file.write_text('preset = "video_features/i3d"\nflow = "dis"\n')
    assert [recipe.name for recipe in recipes_of(file, {})] == ["video_features/i3d_rgb", "video_features/i3d_flow"]
    with pytest.raises(UsageError, match="several streams; use extract_many"):
        extract(tmp_path, recipe=file)
    file.write_text('preset = "video_features/i4d"\n')
    with pytest.raises(UsageError, match="i3d.toml: --preset video_features/i4d: there is none"):
        recipes_of(file, {})


def test_an_unknown_preset_names_the_others():
    with pytest.raises(UsageError, match="video_features/r21d"):
        presets("video_features/r2d1")


def test_every_preset_is_known_by_the_name_of_its_recipes():
    for name in preset_names():
        for recipe in presets(name):
            assert preset_of(recipe) is not None
            assert recipe.normalize is name.startswith("visfeat/")  # other tools' rows keep their length


def test_files_have_the_names_and_keys_of_the_tool(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    item = item_of("/videos/cat.mp4", kind=Kind.VIDEO)
    layer = LayerShape("avg_pool", (4,))
    for recipe in presets("video_features/i3d"):
        with writer_of(store, recipe.but(layers=("avg_pool",), clip=None), (layer,)) as writer:
            rows = rows_for(item, [0, 1, 2], layer)
            writer.add(rows)
            writer.finish(done(item), 3)
    paths = PerVideoExporter().export(store, tmp_path / "out")
    assert {path.name for path in paths} == {f"cat_{key}.npy" for key in ("rgb", "flow", "fps", "timestamps_ms")}
    out = tmp_path / "out"
    assert np.load(out / "cat_rgb.npy").shape == (3, 4)
    assert np.load(out / "cat_fps.npy").shape == ()
    assert np.array_equal(np.load(out / "cat_timestamps_ms.npy"), 1000 * rows.end_s)


def test_two_videos_of_one_name_are_refused(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    (recipe,) = presets("video_features/r21d", {"layers": "avgpool"})
    layer = LayerShape("avgpool", (4,))
    with writer_of(store, recipe.but(clip=None), (layer,)) as writer:
        for uri in ("/a/cat.mp4", "/b/cat.mp4"):
            item = item_of(uri, kind=Kind.VIDEO)
            writer.add(rows_for(item, [0], layer))
            writer.finish(done(item), 1)
    with pytest.raises(UsageError, match=r"cat_r21d.npy: /a/cat.mp4 and /b/cat.mp4 would both"):
        PerVideoExporter().export(store, tmp_path / "out")


def test_two_recipes_of_one_video_are_refused_before_anything_is_written(tmp_path):
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    layer, item = LayerShape("avgpool", (4,)), item_of("/a/cat.mp4", kind=Kind.VIDEO)
    (recipe,) = presets("video_features/r21d", {"layers": "avgpool"})
    for seed in (1, 2):
        with writer_of(
            store, recipe.but(clip=None, weights=f"random:{seed}", weights_digest=f"{seed}"), (layer,)
        ) as one:
            one.add(rows_for(item, [0], layer))
            one.finish(done(item), 1)
    digests = [stored.digest for stored in store.recipes()]
    with pytest.raises(UsageError, match=f"cat_r21d.npy: the recipes {digests[0]} and {digests[1]} would both"):
        PerVideoExporter().export(store, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (path,) = PerVideoExporter().export(store, tmp_path / "out", recipe=digests[1])
    assert np.load(path).shape == (1, 4)

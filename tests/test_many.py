"""Many recipes in one decode: the rows of each are those of a run of its own."""

from __future__ import annotations

import _thread
import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visfeat as vf
from extract_made import CARD, RECIPE, MeanColor, run_lanes
from media_made import encoded, photo, write_video
from plugin_made import SMALL_MEMORY, python, write_package
from test_extract_clips import clip_recipe
from visfeat.decode.decoder import DecodeOptions
from visfeat.engine.prepare import Prepared
from visfeat.errors import EngineError, UsageError
from visfeat.extraction.feature_lane import FeatureLane
from visfeat.extraction.progress import Progress
from visfeat.media.item import Kind, MediaItem
from visfeat.shots.run import find_shots
from visfeat.store.shots import ShotTable

RECIPES = {
    "every": RECIPE.but(every_s=Fraction(1, 3)),
    "all": RECIPE.but(every_frame=True),
    "three": RECIPE.but(frames=3),
    "keyframes": RECIPE.but(keyframes=True),
    "clips": clip_recipe(stride=3),
    "consecutive": clip_recipe(consecutive=True, tail="pad"),
    "reference": RECIPE.but(preprocess="reference", frames=2),
}


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """Two videos of two shots each, a copy, an animation, photographs of two sizes, and what is none of these."""
    folder = tmp_path_factory.mktemp("media")
    for name, seed in (("a.mp4", 0), ("b.mkv", 5)):
        pictures = [photo(108, 192, seed=seed + n // 30) for n in range(60)]
        write_video(folder / name, pictures, keyframe_every=12, rate=25)
    (folder / "copy.mp4").write_bytes((folder / "a.mp4").read_bytes())
    frames = [photo(20, 30, seed=n) for n in range(4)]
    first, *others = (Image.fromarray(frame) for frame in frames)
    first.save(folder / "moving.gif", save_all=True, append_images=others, duration=200)
    (folder / "large.jpg").write_bytes(encoded(photo(900, 1300), "JPEG"))
    (folder / "small.jpg").write_bytes(encoded(photo(90, 130), "JPEG"))
    (folder / "broken.mp4").write_bytes((folder / "a.mp4").read_bytes()[:3000])
    (folder / "notes.txt").write_text("no picture")
    return folder


def rows(store: vf.FeatureStore, digest: str) -> list[tuple]:
    """All rows of a recipe with everything that belongs to them, bit by bit."""
    values, table = store.features(recipe=digest)
    about = table.to_pylist()
    return sorted(
        (one["uri"], repr(one["start_s"]), repr(one["end_s"]), one["frame_index"], row.tobytes())
        for one, row in zip(about, values, strict=True)
    )


@pytest.fixture(scope="module")
def alone(media, tmp_path_factory) -> dict[str, tuple]:
    """Rows and counts of each recipe in a run and a store of its own."""
    found = {}
    for name, recipe in RECIPES.items():
        path = tmp_path_factory.mktemp("alone") / "s.vf"
        ((store, progress, _),) = run_lanes(media, path, [(MeanColor(4), recipe)])
        found[name] = (rows(store, recipe.digest), progress.by_outcome, progress.rows)
    return found


TOGETHER = [
    ("every", "all"),
    ("three", "clips"),
    ("consecutive", "keyframes"),
    ("clips", "reference"),
    ("reference", "every"),
    tuple(RECIPES),
]


@pytest.mark.parametrize("names", TOGETHER, ids="-".join)
def test_recipes_together_give_the_rows_of_their_own_runs(media, alone, names, tmp_path):
    networks = [(MeanColor(2 + number), RECIPES[name]) for number, name in enumerate(names)]
    found = run_lanes(media, tmp_path / "s.vf", networks)
    for name, (store, progress, completed) in zip(names, found, strict=True):
        assert completed
        assert (rows(store, RECIPES[name].digest), progress.by_outcome, progress.rows) == alone[name]


def test_real_networks_of_different_sizes_and_layers(media, tmp_path):
    recipes = [
        vf.Recipe(name="a", frames=3),
        vf.Recipe(
            name="b", size=96, every_s=Fraction(1, 2), layers=("blocks.2.0", "global_pool"), preprocess="reference"
        ),
        vf.Recipe(name="c", every_s=1, animations="video", normalize=True),
    ]
    runs = vf.extract_many(media, recipes, store=tmp_path / "all.vf")
    assert [run.recipe.name for run in runs] == ["a", "b", "c"]
    together = vf.open_store(tmp_path / "all.vf")
    for recipe, run in zip(recipes, runs, strict=True):
        own = vf.extract(media, recipe=recipe, store=tmp_path / f"{recipe.name}.vf")
        assert (run.recipe.digest, run.items, run.rows) == (own.recipe.digest, own.items, own.rows)
        store = vf.open_store(own.store)
        for layer in run.recipe.layers:
            expected, about = store.features(recipe=own.recipe.digest, layer=layer)
            values, table = together.features(recipe=own.recipe.digest, layer=layer)
            assert np.array_equal(values, expected)
            # The kind of an animation is what the last recipe took it for.
            assert table.drop_columns(["kind"]).equals(about.drop_columns(["kind"]))


def test_each_recipe_resumes_on_its_own(media, alone, tmp_path):
    run_lanes(media, tmp_path / "s.vf", [(MeanColor(4), RECIPES["every"])])
    again, new = MeanColor(4), MeanColor(4)
    found = run_lanes(media, tmp_path / "s.vf", [(again, RECIPES["every"]), (new, RECIPES["clips"])])
    assert again.batches == 0
    assert new.batches > 0
    for name, (store, _, _) in zip(("every", "clips"), found, strict=True):
        assert rows(store, RECIPES[name].digest) == alone[name][0]
    third = MeanColor(4)
    run_lanes(media, tmp_path / "s.vf", [(third, RECIPES["clips"]), (MeanColor(4), RECIPES["every"])])
    assert third.batches == 0


def test_an_interrupt_keeps_what_each_has_finished(media, alone, tmp_path):
    def press_ctrl_c(number: int) -> None:
        if number == 30:
            _thread.interrupt_main()
            time.sleep(0.5)

    names = ("all", "clips")
    found = run_lanes(
        media,
        tmp_path / "s.vf",
        [(MeanColor(1, on_batch=press_ctrl_c), RECIPES["all"]), (MeanColor(2), RECIPES["clips"])],
    )
    assert [completed for _, _, completed in found] == [False, False]
    found = run_lanes(media, tmp_path / "s.vf", [(MeanColor(4), RECIPES[name]) for name in names])
    for name, (store, _, completed) in zip(names, found, strict=True):
        assert completed
        assert rows(store, RECIPES[name].digest) == alone[name][0]


def test_a_lane_that_breaks_leaves_the_others_at_work(media, alone, tmp_path):
    with pytest.raises(EngineError, match="breaks here"):
        run_lanes(
            media, tmp_path / "s.vf", [(MeanColor(4, breaks_after=1), RECIPES["all"]), (MeanColor(4), RECIPES["every"])]
        )
    store = vf.open_store(tmp_path / "s.vf")
    assert rows(store, RECIPES["every"].digest) == alone["every"][0]
    ((store, _, _), _) = run_lanes(
        media, tmp_path / "s.vf", [(MeanColor(4), RECIPES[name]) for name in ("all", "every")]
    )
    assert rows(store, RECIPES["all"].digest) == alone["all"][0]


def test_shots_beside_a_recipe_are_those_of_the_command(media, tmp_path):
    reasons: list[str] = []
    runs = vf.extract_many(media, [vf.Recipe(frames=2), "shots"], store=tmp_path / "a.vf", report=reasons.append)
    features, shots = runs
    expected = {"done": 3, "partial": 0, "failed": 1, "unchanged": 0, "ignored": 4}
    assert (shots.recipe.title, shots.items, shots.rows) == ("shots", expected, 4)
    assert features.items["done"] == 6
    assert any("broken.mp4" in reason for reason in reasons)
    list(find_shots([media], store=tmp_path / "b.vf"))
    tables = [ShotTable.create_or_open(tmp_path / name).read() for name in ("a.vf", "b.vf")]
    assert tables[0].num_rows == 4
    assert tables[0].equals(tables[1])
    (again,) = vf.extract_many(media, ["shots"], store=tmp_path / "a.vf")
    # The animation is a video to the store, and so looked at again.
    assert again.items == {"done": 0, "partial": 0, "failed": 1, "unchanged": 3, "ignored": 4}
    assert again.rows == 0


def test_frames_of_every_shot(media, tmp_path):
    run = vf.extract(media, frames_per_shot=2, store=tmp_path / "s.vf")
    assert run.recipe.shots_digest
    _, table = vf.open_store(run.store).features()
    by_name: dict[str, list[int]] = {}
    for row in table.to_pylist():
        by_name.setdefault(Path(row["uri"]).name, []).append(row["frame_index"])
    # Two shots of 1.2 s each: the frames on display at 0.3, 0.9, 1.5 and 2.1 s.
    assert by_name["a.mp4"] == by_name["b.mkv"] == by_name["copy.mp4"] == [7, 22, 37, 52]
    assert by_name["small.jpg"] == [None]
    assert ShotTable.create_or_open(run.store).read().num_rows == 4
    extractor = vf.Extractor()
    found = extractor.video(media / "a.mp4", frames_per_shot=2)
    assert found.frame_index.tolist() == [7, 22, 37, 52]
    assert found.recipe_digest == run.recipe.digest
    # A frame at whose very beginning a shot's middle lies is the one that is taken, whatever floats say.
    assert extractor.video(media / "a.mp4", frames_per_shot=1).frame_index.tolist() == [15, 45]
    vf.extract(media / "a.mp4", frames_per_shot=1, store=run.store)
    digest = vf.open_store(run.store).recipes()[-1].digest
    assert vf.open_store(run.store).features(recipe=digest)[1]["frame_index"].to_pylist() == [15, 45] * 2


def test_recipes_of_the_same_rows_share_a_lane(media, tmp_path):
    runs = vf.extract_many(
        media / "a.mp4", [vf.Recipe(frames=2), vf.Recipe(name="same", frames=2)], store=tmp_path / "s.vf"
    )
    assert [run.rows for run in runs] == [2, 2]
    assert [run.recipe.name for run in runs] == [None, "same"]
    assert len(vf.open_store(tmp_path / "s.vf").recipes()) == 1


COUNTING = """
import os
from visfeat.decode.pyav import PyavDecoder


class Counting(PyavDecoder):
    name = "counting"

    def frames(self):
        for frame in super().frames():
            with open(os.environ["DECODED"], "a") as file:
                print(self._item.path, file=file)
            yield frame


class Told(SmallMemory):
    def compile(self, model, options):
        with open(os.environ["COMPILED"], "a") as file:
            print(options.batch_size, file=file)
        return super().compile(model, options)
"""
POINTS = {"visfeat.decoders": {"counting": "others:Counting"}, "visfeat.engines": {"small": "others:Told"}}


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run visfeat extract where frames are counted and an engine has little memory."""
    package = tmp_path / "site"
    package.mkdir()
    write_package(package, "others", SMALL_MEMORY + COUNTING, POINTS)
    monkeypatch.setenv("DECODED", str(tmp_path / "decoded"))
    monkeypatch.setenv("COMPILED", str(tmp_path / "compiled"))
    (tmp_path / "frames.toml").write_text('every = "0.5s"')
    (tmp_path / "few.toml").write_text("frames = 3")
    (tmp_path / "small.toml").write_text('every = "0.1s"\nengine = "small"\nbatch-size = 4')

    def run(*arguments: object):
        done = python(
            package, "-m", "visfeat.cli.main", "extract", *map(str, arguments), "--json", "-s", tmp_path / "s.vf"
        )
        decoded = (tmp_path / "decoded").read_text().splitlines() if (tmp_path / "decoded").exists() else []
        (tmp_path / "decoded").unlink(missing_ok=True)
        return done.returncode, json.loads(done.stdout or "null"), done.stderr, len(decoded)

    return run


def test_a_video_is_decoded_once_for_all(media, tmp_path, command):
    recipes = [word for name in ("frames.toml", "few.toml") for word in ("-r", tmp_path / name)]
    code, found, _, decoded = command(media / "a.mp4", *recipes, "-r", "shots")
    assert code == 0
    assert [(one["recipe"]["name"], one["rows"]) for one in found] == [("frames", 5), ("few", 3), ("shots", 2)]
    assert decoded == 60
    code, found, _, decoded = command(media / "a.mp4", *recipes, "-r", "shots")
    assert [one["items"]["unchanged"] for one in found] == [1, 1, 1]
    assert decoded == 0
    _, found, _, _ = command(media / "a.mp4", "-r", tmp_path / "few.toml")
    assert found["recipe"]["name"] == "few"


def test_pictures_that_no_decoder_reduces_are_decoded_once_whatever_the_size(tmp_path):
    networks = [MeanColor(1), MeanColor(1)]
    lanes = [
        FeatureLane(Prepared(recipe, CARD, network, {}), None, {}, Progress())
        for network, recipe in zip(networks, (RECIPE, RECIPE.but(size=300)), strict=True)
    ]
    for format_name, number in (("png", 1), ("jpeg", 2)):
        item = MediaItem("file:///a", 0, 0, kind=Kind.IMAGE, format=format_name)
        assert len({lane.options(item, DecodeOptions()) for lane in lanes}) == number


def test_out_of_memory_starts_that_recipe_anew_and_no_other(media, tmp_path, command):
    recipes = [word for name in ("small.toml", "few.toml") for word in ("-r", tmp_path / name)]
    code, found, remarks, decoded = command(media / "a.mp4", *recipes)
    assert code == 0, remarks
    assert "anew with 2 at a time" in remarks
    assert [(one["recipe"]["name"], one["items"]["done"], one["rows"]) for one in found] == [
        ("small", 1, 24),
        ("few", 1, 3),
    ]
    assert decoded == 120
    code, found, remarks, _ = command(media / "a.mp4", *recipes, "--redo")
    assert code == 0, remarks
    assert [(one["items"]["done"], one["rows"]) for one in found] == [(1, 24), (1, 3)]


def test_after_an_error_the_other_networks_are_not_compiled(media, tmp_path, command):
    (tmp_path / "none.toml").write_text('model = "bundled/none"')
    code, _, error, decoded = command(media / "a.mp4", "-r", tmp_path / "none.toml", "-r", tmp_path / "small.toml")
    assert code == 2
    assert "bundled/none" in error
    assert decoded == 0
    assert not (tmp_path / "compiled").exists()


def test_shots_of_a_chosen_stream_never_get_among_those_of_a_store(media, tmp_path):
    for recipes in (["shots"], [vf.Recipe(temporal="mean", segments="shots")]):
        with pytest.raises(UsageError, match="--stream 0: a store has the shots"):
            vf.extract_many(media / "a.mp4", recipes, stream=0, store=tmp_path / "s.vf")
    with pytest.raises(UsageError, match="--stream 0: --store keeps"):
        list(find_shots([media / "a.mp4"], stream=0, store=tmp_path / "s.vf"))
    # A recipe of frames may look at another stream beside them.
    assert (
        vf.extract_many(media / "a.mp4", [vf.Recipe(stream=0, frames=1), "shots"], store=tmp_path / "s.vf")[1].rows == 2
    )


def test_files_that_disagree_about_the_run_are_refused(media, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(f'store = "{name}.vf"')
    with pytest.raises(UsageError, match="--store: the recipes say a.vf and b.vf"):
        vf.extract_many(media, [tmp_path / "a.toml", tmp_path / "b.toml"])


def test_a_run_needs_a_thread_and_a_pixel(media, tmp_path):
    (tmp_path / "a.toml").write_text("threads = 0")
    with pytest.raises(UsageError, match="--threads 0: must be at least 1"):
        vf.extract(media, recipe=tmp_path / "a.toml", store=tmp_path / "s.vf")
    with pytest.raises(UsageError, match="--max-pixels -1: must be at least 1"):
        vf.extract(media, max_pixels=-1, store=tmp_path / "s.vf")

"""Pooling over time through the whole path: rows first where they are missing, then no file is touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tomli_w
from PIL import Image
from safetensors.numpy import save_file

import visfeat as vf
from media_made import encoded, photo, write_video
from visfeat.cli.main import main
from visfeat.errors import ModelError, StoreError, UsageError
from visfeat.extraction.run import extract_many
from visfeat.search import neighbors
from visfeat.temporal.lstm import lstm_of, random_lstm
from visfeat.temporal.weights import digest_of

LSTM = {"temporal": "lstm", "temporal_model": "random:1,hidden=8,layers=2,bidirectional"}


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """Two videos of two shots each, and a photograph."""
    folder = tmp_path_factory.mktemp("media")
    for name, seed in (("a.mp4", 0), ("b.mp4", 5)):
        pictures = [photo(108, 192, seed=seed + n // 30) for n in range(60)]
        write_video(folder / name, pictures, rate=25)
    (folder / "c.jpg").write_bytes(encoded(photo(seed=9), "JPEG"))
    return folder


@pytest.fixture
def unreadable(media, tmp_path) -> tuple[Path, Path]:
    """A store with the rows of a copy of the media, whose bytes are gone since: size and time are as they were."""
    folder, store = tmp_path / "media", tmp_path / "s.vf"
    shutil.copytree(media, folder)
    vf.extract(folder, store=store, every_s=0.5)
    for path in folder.iterdir():
        before = path.stat()
        path.write_bytes(b"\0" * before.st_size)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return folder, store


def by_uri(store: Path, digest: str) -> dict[str, np.ndarray]:
    values, table = vf.open_store(store).features(recipe=digest)
    names = [Path(uri).name for uri in table["uri"].to_pylist()]
    return {name: values[[n for n, other in enumerate(names) if other == name]] for name in names}


def test_rows_that_are_there_are_pooled_without_a_file(unreadable):
    folder, store = unreadable
    rows = by_uri(store, vf.open_store(store).recipes()[0].digest)
    run = vf.extract(folder, store=store, every_s=0.5, temporal="mean")
    assert run.items == {"done": 3, "partial": 0, "failed": 0, "unchanged": 0, "ignored": 0}
    assert run.rows == 3
    pooled = by_uri(store, run.recipe.digest)
    assert pooled.keys() == rows.keys() == {"a.mp4", "b.mp4", "c.jpg"}
    for name, values in rows.items():
        np.testing.assert_allclose(pooled[name][0], values.astype(np.float64).mean(axis=0), rtol=1e-6)
    assert len(rows["a.mp4"]) == 5
    np.testing.assert_array_equal(pooled["c.jpg"], rows["c.jpg"])


def test_a_store_is_pooled_without_naming_its_files(unreadable, capsys):
    _, store = unreadable
    with pytest.raises(SystemExit) as ended:
        main(["extract", "--store", str(store), "--every", "0.5", "--temporal", "max", "--json"])
    assert ended.value.code in (0, None)
    assert '"done": 3' in capsys.readouterr().out


def test_missing_rows_are_extracted_first_and_only_once(media, tmp_path):
    store = tmp_path / "s.vf"
    first = vf.extract(media, store=store, frames=3, temporal="std")
    assert first.items["done"] == 3
    assert first.items == vf.extract(media, store=store, frames=3, temporal="max").items
    again = vf.extract(media, store=store, frames=3, temporal="std")
    assert (again.items["unchanged"], again.items["done"], again.rows) == (3, 0, 0)
    recipes = {stored.digest: stored for stored in vf.open_store(store).recipes()}
    assert len(recipes) == 3
    assert first.recipe.rows_recipe.digest in recipes
    assert recipes[first.recipe.digest].facts["pooled_rows"] == first.recipe.rows_recipe.digest
    assert recipes[first.recipe.digest].card_toml == recipes[first.recipe.rows_recipe.digest].card_toml


@pytest.mark.parametrize(
    "options",
    [
        {"temporal": "mean"},
        {"temporal": "attention", "dtype": "float16"},
        LSTM,
        LSTM | {"temporal_rows": "steps"},
        {"segments": "shots"},
        {"segments": "shots", "temporal": "max", "frames_per_shot": 2, "every_s": None},
        {"temporal": "mean", "pool": "none", "layers": ("blocks.6.0.bn3",)},
    ],
)
def test_an_extractor_gives_the_rows_of_the_store(media, tmp_path, options):
    options = {"every_s": 0.5} | options
    run = vf.extract(media, store=tmp_path / "s.vf", **options)
    assert run.items["done"] == 3
    extractor = vf.Extractor(**options)
    assert extractor.recipe.digest == run.recipe.digest
    values, table = vf.open_store(tmp_path / "s.vf").features(recipe=run.recipe.digest)
    mine = [n for n, uri in enumerate(table["uri"].to_pylist()) if uri.endswith("a.mp4")]
    found = extractor.video(media / "a.mp4")
    np.testing.assert_array_equal(found.values, values[mine])
    for column in ("start_s", "end_s", "frame_index"):
        np.testing.assert_allclose(getattr(found, column), table[column].take(mine).to_numpy())
    (picture,) = extractor([media / "c.jpg"])
    np.testing.assert_array_equal(picture, values[-1])


def test_each_shot_of_a_video_is_a_row(media, tmp_path):
    run = vf.extract(media, store=tmp_path / "s.vf", every_s=0.2, segments="shots")
    _, table = vf.open_store(tmp_path / "s.vf").features(recipe=run.recipe.digest)
    assert [Path(uri).name for uri in table["uri"].to_pylist()] == ["a.mp4", "a.mp4", "b.mp4", "b.mp4", "c.jpg"]
    assert table["start_s"].to_pylist() == [0, 1.2, 0, 1.2, None]
    assert table["end_s"].to_pylist() == [1.2, 2.4, 1.2, 2.4, None]


def test_an_animation_is_one_shot(tmp_path):
    first, *others = (Image.fromarray(photo(40, 60, seed=n)) for n in range(4))
    first.save(tmp_path / "a.gif", save_all=True, append_images=others, duration=250)
    options = {"animations": "video", "every_frame": True, "segments": "shots"}
    run = vf.extract(tmp_path / "a.gif", store=tmp_path / "s.vf", **options)
    assert run.items["done"] == 1
    values, table = vf.open_store(tmp_path / "s.vf").features(recipe=run.recipe.digest)
    assert (table["start_s"].to_pylist(), table["end_s"].to_pylist()) == ([0.0], [1.0])
    np.testing.assert_array_equal(vf.Extractor(**options).video(tmp_path / "a.gif").values, values)


def test_pooled_recipes_share_the_rows_of_a_run(media, tmp_path):
    recipes = [vf.Recipe(frames=2), vf.Recipe(frames=2, temporal="mean"), vf.Recipe(frames=2, temporal="std")]
    runs = extract_many(media, recipes, store=tmp_path / "s.vf")
    assert [run.rows for run in runs] == [5, 3, 3]
    assert len({run.recipe.digest for run in runs}) == 3
    rows, mean = (by_uri(tmp_path / "s.vf", run.recipe.digest) for run in runs[:2])
    np.testing.assert_allclose(mean["a.mp4"][0], rows["a.mp4"].mean(axis=0), rtol=1e-5)


def test_a_video_that_was_cut_short_is_partial_in_its_pooled_row_too(tmp_path):
    path = write_video(tmp_path / "v.mkv", [photo(64, 64, seed=n // 10) for n in range(100)], rate=25)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    run = vf.extract(path, store=tmp_path / "s.vf", every_s=0.5, temporal="mean")
    assert (run.items["partial"], run.exit_code) == (1, 3)
    assert {one["recipe"] for one in vf.open_store(tmp_path / "s.vf").failures()} == {
        run.recipe.digest,
        run.recipe.rows_recipe.digest,
    }


def test_pooled_rows_are_searched_and_exported_like_any(media, tmp_path):
    run = vf.extract(media, store=tmp_path / "s.vf", every_s=0.5, temporal="mean", name="videos")
    # The same pictures as another content: what follows the last box of a file is passed over.
    (tmp_path / "twin.mp4").write_bytes((media / "b.mp4").read_bytes() + b"\0\0\0\x08free")
    vf.extract(tmp_path / "twin.mp4", store=tmp_path / "s.vf", every_s=0.5, temporal="mean", name="videos")
    store = vf.open_store(tmp_path / "s.vf")
    best, *_ = neighbors(store, str(media / "b.mp4"), recipe="videos")
    assert best.uri.endswith("twin.mp4")
    assert best.score > 0.9999
    assert store.to_arrow(recipe=run.recipe.digest).num_rows == 4


def test_a_trained_lstm_is_a_model(media, tmp_path):
    weights = random_lstm(1280, hidden=6, layers=1, bidirectional=False, seed=0)
    (tmp_path / "moves").mkdir()
    save_file({f"lstm.{name}": value for name, value in weights.items()}, tmp_path / "moves" / "sequence.safetensors")
    card = {
        "sequence": {
            "kind": "lstm",
            "features": 1280,
            "hidden": 6,
            "layers": 1,
            "bidirectional": False,
            "pool": "last",
        },
        "recipe": {"model": "bundled/efficientnet_lite0", "frames": 4},
    }
    (tmp_path / "moves" / "model.toml").write_text(tomli_w.dumps(card))
    run = vf.extract(media, store=tmp_path / "s.vf", model=f"lstm:{tmp_path / 'moves'}")
    assert run.items["done"] == 3
    values = by_uri(tmp_path / "s.vf", run.recipe.digest)["a.mp4"]
    frames = vf.Extractor().video(media / "a.mp4", frames=4).values
    states, _ = lstm_of(weights, subject="x").run(frames)
    np.testing.assert_allclose(values[0], states[-1], atol=1e-6)
    assert digest_of({"global_pool": {f"lstm.{k}": v for k, v in weights.items()}}) == run.recipe.temporal_model_digest


def test_a_dry_run_counts_and_writes_nothing(media, tmp_path):
    def todo(**options) -> int:
        return vf.extract(media, store=tmp_path / "s.vf", frames=2, dry_run=True, **options).items["todo"]

    vlad = {"temporal": "vlad", "temporal_model": "kmeans:0,centers=2"}
    assert todo(temporal="mean") == 3
    assert not (tmp_path / "s.vf").exists()
    vf.extract(media / "a.mp4", store=tmp_path / "s.vf", frames=2, temporal="mean")
    files = sorted((tmp_path / "s.vf").rglob("*"))
    # Two whose rows are missing, and of the other the pooled row.
    assert (todo(temporal="mean"), todo(temporal="std"), todo(**vlad)) == (2, 3, 3)
    assert sorted((tmp_path / "s.vf").rglob("*")) == files


@pytest.mark.parametrize("options", [{"temporal": "mean"}, {"temporal": "vlad"}, {"segments": "shots"}])
def test_files_that_give_no_rows_are_counted_and_pool_nothing(tmp_path, options):
    (tmp_path / "media").mkdir()
    assert vf.extract(tmp_path / "media", store=tmp_path / "a.vf", **options).exit_code == 0
    (tmp_path / "media" / "a.mp4").write_bytes(b"no video")
    run = vf.extract(tmp_path / "media", store=tmp_path / "b.vf", **options)
    assert (run.exit_code, run.items["failed"], run.rows) == (3, 1, 0)


def test_wrong_use_is_said(media, tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        vf.extract([], store=tmp_path / "s.vf", temporal="mean")
    assert not (tmp_path / "s.vf").exists()
    vf.extract(media / "c.jpg", store=tmp_path / "s.vf", frames=2)
    with pytest.raises(UsageError, match="has no rows of bundled/efficientnet_lite0 to pool"):
        vf.extract([], store=tmp_path / "s.vf", frames=3, temporal="mean")
    with pytest.raises(UsageError, match="say --temporal-model"):
        vf.extract(media, store=tmp_path / "s.vf", temporal="lstm")
    save_file(random_lstm(7, hidden=2, layers=1, bidirectional=False, seed=0), tmp_path / "w.safetensors")
    with pytest.raises(ModelError, match="reads rows of 7 values, but those of global_pool have 1280"):
        vf.extract(media, store=tmp_path / "t.vf", temporal="lstm", temporal_model=str(tmp_path / "w.safetensors"))
    assert not (tmp_path / "t.vf").exists()
    with pytest.raises(UsageError, match="learned from a store's rows"):
        vf.Extractor(temporal="vlad")

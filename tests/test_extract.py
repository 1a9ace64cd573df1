"""Extraction with the bundled network on real files made here: the whole way from file to feature."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visfeat as vf
from media_made import encoded, photo, write_numbered, write_sound
from visfeat.errors import UsageError

PHOTOS = 6


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    """Photos, a copy, a video, and what is none of these."""
    folder = tmp_path_factory.mktemp("media")
    for n in range(PHOTOS):
        (folder / f"{n}.jpg").write_bytes(encoded(photo(seed=n), "JPEG", quality=92))
    (folder / "more").mkdir()
    shutil.copy(folder / "0.jpg", folder / "more" / "0.jpg")
    write_numbered(folder / "v.mp4", 60)
    (folder / "notes.txt").write_text("no picture")
    (folder / "page.jpg").write_text("<html><body>404</body></html>")
    (folder / "cut.jpg").write_bytes(encoded(photo(seed=9), "JPEG")[:3000])
    (folder / "empty.png").write_bytes(b"")
    write_sound(folder / "sound.mp4")
    return folder


@pytest.fixture(scope="module")
def extracted(media, tmp_path_factory) -> tuple[vf.Run, vf.FeatureStore]:
    store = tmp_path_factory.mktemp("stores") / "a.vf"
    run = vf.extract(media, store=store)
    return run, vf.open_store(store)


def test_every_file_is_accounted_for(extracted, media):
    run, store = extracted
    # Six photos, the copy, the video; four that claim to be media and are not; one that claims nothing.
    assert run.items == {"done": 8, "partial": 0, "failed": 4, "unchanged": 0, "ignored": 1}
    assert run.exit_code == 3
    reasons = {Path(row["uri"]).name: row["reason"] for row in store.failures()}
    assert set(reasons) == {"page.jpg", "cut.jpg", "empty.png", "sound.mp4"}
    assert "HTML" in reasons["page.jpg"]
    assert "empty" in reasons["empty.png"]
    assert "no video stream" in reasons["sound.mp4"]


def test_rows_have_the_times_of_their_frames(extracted, media):
    run, store = extracted
    x, meta = store.features()
    assert x.dtype == np.float32
    assert x.shape == (PHOTOS + 1 + 3, 1280)
    # The copy shares its rows: they are written once.
    assert run.rows == len(x) - 1
    rows = [row for row in meta.to_pylist() if row["uri"] == str(media / "v.mp4")]
    assert [(row["start_s"], row["end_s"], row["frame_index"]) for row in rows] == [
        (0.0, 0.04, 0),
        (1.0, 1.04, 25),
        (2.0, 2.04, 50),
    ]
    assert {row["kind"] for row in rows} == {"video"}
    assert all(row["start_s"] is None for row in meta.to_pylist() if row["kind"] == "image")


def test_the_same_command_again_does_nothing(extracted, media):
    run, store = extracted
    before = store.features()[0]
    again = vf.extract(media, store=run.store)
    assert again.items == {"done": 0, "partial": 0, "failed": 4, "unchanged": 8, "ignored": 1}
    assert again.rows == 0
    assert again.exit_code == 3
    assert np.array_equal(store.features()[0], before)


def test_order_neighbors_and_batch_size_change_no_bit(extracted, media, tmp_path):
    _, store = extracted
    x, meta = store.features()
    expected = dict(zip(meta["uri"].to_pylist(), x, strict=True))
    photos = [media / f"{n}.jpg" for n in range(PHOTOS)]
    for number, (paths, options) in enumerate(
        [(photos[::-1], {}), (photos[:1], {}), (photos[2:5], {"batch_size": 1, "threads": 1})]
    ):
        run = vf.extract(paths, store=tmp_path / f"{number}.vf", **options)
        assert run.recipe.digest == store.recipes()[0].digest
        y, meta = vf.open_store(run.store).features()
        for uri, row in zip(meta["uri"].to_pylist(), y, strict=True):
            assert np.array_equal(row, expected[uri])


def test_the_extractor_gives_the_rows_of_the_store(extracted, media):
    run, store = extracted
    x, meta = store.features()
    ex = vf.Extractor("bundled/efficientnet_lite0", batch_size=4)
    assert ex.recipe.digest == run.recipe.digest
    by_uri = dict(zip(meta["uri"].to_pylist(), x, strict=True))
    path = media / "3.jpg"
    as_pil, as_array = Image.open(path), np.asarray(Image.open(path))
    for row in ex([path, as_pil, as_array]):
        assert np.array_equal(row, by_uri[str(path)])
    video = ex.video(media / "v.mp4")
    mask = np.array([uri == str(media / "v.mp4") for uri in meta["uri"].to_pylist()])
    assert np.array_equal(video.values, x[mask])
    assert video.start_s.tolist() == [0, 1, 2]
    assert ex.video(media / "v.mp4", frames=4).frame_index.tolist() == [7, 22, 37, 52]


def test_changed_settings_never_reuse_and_recipes_live_side_by_side(media, tmp_path):
    path = media / "1.jpg"
    first = vf.extract(path, store=tmp_path / "s.vf")
    second = vf.extract(
        path,
        store=tmp_path / "s.vf",
        layers=["blocks.2.0", "global_pool"],
        pool="max",
        normalize=True,
        dtype="float16",
        top=2,
    )
    assert first.recipe.digest != second.recipe.digest
    store = vf.open_store(tmp_path / "s.vf")
    with pytest.raises(UsageError, match="blocks.2.0"):
        store.features()
    x, meta = store.features(recipe=second.recipe.digest, layer="blocks.2.0")
    assert x.shape == (1, 40)
    assert np.isclose(np.linalg.norm(x), 1, atol=1e-3)
    labels = meta["labels"].to_pylist()[0]
    assert len(labels) == 2
    assert labels[0]["probability"] >= labels[1]["probability"]
    plain, _ = store.features(recipe=first.recipe.digest)
    unit, _ = store.features(recipe=second.recipe.digest, layer="global_pool")
    assert np.allclose(unit, plain / np.linalg.norm(plain), atol=1e-3)


def test_a_changed_file_is_done_again_and_redo_does_all(media, tmp_path):
    folder, store = tmp_path / "media", tmp_path / "s.vf"
    folder.mkdir()
    for n in (0, 1):
        shutil.copy(media / f"{n}.jpg", folder)
    vf.extract(folder, store=store)
    before, _ = vf.open_store(store).features()
    (folder / "0.jpg").write_bytes((media / "2.jpg").read_bytes())
    run = vf.extract(folder, store=store)
    assert (run.items["done"], run.items["unchanged"]) == (1, 1)
    after, _ = vf.open_store(store).features()
    assert not np.array_equal(after[0], before[0])
    assert np.array_equal(after[1], before[1])
    redone = vf.extract(folder, store=store, redo=True)
    assert (redone.items["done"], redone.rows) == (2, 2)
    assert np.array_equal(vf.open_store(store).features()[0], after)


def test_redo_takes_new_paths_too_and_a_moved_file_leaves_its_old_name(media, tmp_path):
    folder, store = tmp_path / "media", tmp_path / "s.vf"
    folder.mkdir()
    for n in (0, 1):
        shutil.copy(media / f"{n}.jpg", folder)
    vf.extract(folder, store=store)
    (folder / "0.jpg").rename(folder / "moved.jpg")
    run = vf.extract(folder, store=store)
    assert run.items["unchanged"] == 2
    assert [Path(uri).name for uri in vf.open_store(store).features()[1]["uri"].to_pylist()] == ["1.jpg", "moved.jpg"]
    (folder / "moved.jpg").rename(folder / "again.jpg")
    run = vf.extract(folder / "again.jpg", store=store, redo=True)
    assert (run.items["done"], run.items["unchanged"], run.rows) == (1, 0, 1)


def test_evenly_spaced_frames_of_a_damaged_video_are_partial(tmp_path):
    whole = write_numbered(tmp_path / "whole.mkv", 250)
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    run = vf.extract(path, store=tmp_path / "s.vf", frames=3)
    assert (run.items["partial"], run.rows) == (1, 3)


def test_an_extractor_may_be_called_by_several_threads(media):
    ex = vf.Extractor()
    paths = [[media / f"{n}.jpg"] * 3 for n in range(4)]
    alone = [ex(each) for each in paths]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for expected, found in zip(alone, pool.map(ex, paths), strict=True):
                assert np.array_equal(expected, found)


def test_an_extractor_takes_no_other_recipe_for_a_video(media):
    with pytest.raises(UsageError, match="normalize: video\\(\\) takes"):
        vf.Extractor().video(media / "v.mp4", normalize=True)


def test_dry_run_writes_nothing(media, tmp_path):
    run = vf.extract(media, store=tmp_path / "s.vf", dry_run=True)
    assert run.items["todo"] == 13
    assert not (tmp_path / "s.vf").exists()


def test_maps_stay_maps_and_crop_and_fit_are_obeyed(media, tmp_path):
    ex = vf.Extractor(layers=["blocks.0.0"], pool="none", size=64)
    assert ex([media / "0.jpg"]).shape[1:] == (16, 32, 32)
    picture = photo(seed=3)
    part = np.ascontiguousarray(picture[50:150, 40:200])
    cropped = vf.Extractor(crop=(40, 50, 160, 100), fit="squash")
    assert np.array_equal(cropped([picture]), vf.Extractor(fit="squash")([part]))


def test_a_video_that_was_cut_short_is_partial(tmp_path):
    whole = write_numbered(tmp_path / "whole.mkv", 250)
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "a.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    run = vf.extract(tmp_path / "cut", store=tmp_path / "s.vf")
    assert (run.items["partial"], run.exit_code) == (1, 3)
    store = vf.open_store(tmp_path / "s.vf")
    starts = store.features()[1]["start_s"].to_pylist()
    assert starts == [float(second) for second in range(len(starts))]
    assert 2 <= len(starts) < 10
    # It stays partial without being decoded again.
    again = vf.extract(tmp_path / "cut", store=tmp_path / "s.vf")
    assert (again.items["partial"], again.rows) == (1, 0)


def test_too_many_pixels_are_a_failure_that_a_higher_limit_mends(media, tmp_path):
    run = vf.extract(media / "0.jpg", store=tmp_path / "s.vf", max_pixels=1000)
    assert run.items["failed"] == 1
    assert "--max-pixels" in vf.open_store(tmp_path / "s.vf").failures()[0]["reason"]
    assert vf.extract(media / "0.jpg", store=tmp_path / "s.vf").items["done"] == 1
    assert vf.open_store(tmp_path / "s.vf").failures() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission_is_a_reason(media, tmp_path):
    path = tmp_path / "a.jpg"
    shutil.copy(media / "0.jpg", path)
    path.chmod(0)
    vf.extract(path, store=tmp_path / "s.vf")
    assert "no permission" in vf.open_store(tmp_path / "s.vf").failures()[0]["reason"]


def test_wrong_use_is_said_before_anything_is_written(tmp_path, media):
    for sources, options, message in [
        ([tmp_path / "nowhere"], {}, "nowhere"),
        ([media], {"layers": ["blocks.9.9"]}, "no layer 'blocks.9.9'"),
        ([media], {"model": "bundled/efficientnet"}, "did you mean efficientnet_lite0"),
        ([media], {"pool": "cls"}, "no class token"),
        ([media], {"device": "gpu"}, "--device gpu"),
    ]:
        with pytest.raises(UsageError, match=message):
            vf.extract(sources, store=tmp_path / "s.vf", **options)
    assert not (tmp_path / "s.vf").exists()


def test_torch_is_never_imported_by_the_core(media, tmp_path):
    code = (
        "import sys, visfeat as vf\n"
        f"vf.extract({str(media / '0.jpg')!r}, store={str(tmp_path / 's.vf')!r})\n"
        "print(sorted(name for name in sys.modules if name in ('torch', 'timm', 'torchvision', 'transformers')))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom visfeat.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'openvino', 'lance', 'av', 'pyarrow', 'numpy', 'PIL', 'pydantic')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stderr.strip() == "[]"


def test_a_run_as_json_is_plain(extracted):
    run, _ = extracted
    data = json.loads(json.dumps(run.to_json()))
    assert set(data) == {"store", "recipe", "items", "rows", "elapsed_s"}
    assert set(data["recipe"]) == {"name", "digest"}

"""Audits: measures against scikit-image and formulas, findings against collections whose faults are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from media_made import photo, write_video
from space_made import blobs, images_of, store_of
from store_made import RECIPE, done, item_of, writer_of
from visfeat.audit import Limits, audit
from visfeat.audit.neighbors import ItemVectors, contradicted, item_vectors, outliers
from visfeat.audit.pixels import blur, information, measures, median
from visfeat.cli.main import main
from visfeat.errors import UsageError
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Status
from visfeat.store.unit_rows import all_unit_rows


def test_blur_is_that_of_scikit_image():
    reference = pytest.importorskip("skimage.measure").blur_effect
    sharp = Image.fromarray(photo(120, 160))
    for radius in (0, 1, 3, 6):
        gray = np.asarray(sharp.filter(ImageFilter.GaussianBlur(radius)).convert("L"), np.float32) / 255
        assert blur(gray) == pytest.approx(reference(gray), abs=2e-3)


def test_blur_grows_with_the_radius_and_says_nothing_of_a_blank_picture():
    sharp = Image.fromarray(photo(200, 300))
    found = [measures(np.asarray(sharp.filter(ImageFilter.GaussianBlur(radius)))).blur for radius in (0, 1, 2, 4, 8)]
    assert found == sorted(found)
    assert blur(np.full((50, 60), 0.5, np.float32)) == 0
    assert blur(np.ones((3, 300), np.float32)) == 0


def test_information_brightness_and_white():
    levels = np.repeat(np.arange(64), 10).reshape(64, 10).astype(np.float32) / 64
    assert information(levels) == pytest.approx(6)
    assert information(np.zeros((9, 9), np.float32)) == 0
    half = np.zeros((10, 10, 3), np.uint8)
    half[:5] = 255
    found = measures(half)
    assert (found.white, found.information) == (0.5, 1.0)
    assert found.brightness == pytest.approx(0.5, abs=1e-6)
    dark = measures(np.zeros((8, 8, 3), np.uint8))
    assert median([found, dark, dark]) == dark


def test_the_one_far_from_all_is_an_outlier_and_few_items_have_none():
    rows, _ = blobs(3, 30, spread=0.1)
    stray = np.eye(16, dtype=np.float32)[[9]]
    uris = tuple(f"/{n}" for n in range(91))
    (one,) = outliers(ItemVectors(np.concatenate([rows, stray]), uris), 4.0)
    near = np.sort(rows @ stray[0])[::-1][:5]
    assert (one.what, one.uri) == ("outlier", "/90")
    assert one.score == pytest.approx(1 - near.mean(), abs=1e-5)
    assert one.score > one.threshold
    assert list(outliers(ItemVectors(rows[:19], uris[:19]), 0.0)) == []


def test_a_label_that_neighbors_contradict():
    rows, truth = blobs(3, 20)
    uris = tuple(f"/{n}" for n in range(60))
    labels = {uri: "abc"[kind] for uri, kind in zip(uris, truth, strict=True)}
    assert list(contradicted(ItemVectors(rows, uris), labels, 0.7)) == []
    wrong = next(n for n in range(60) if truth[n] == 0)
    (one,) = contradicted(ItemVectors(rows, uris), labels | {uris[wrong]: "b"}, 0.7)
    assert (one.uri, one.score) == (uris[wrong], 1.0)
    assert "'b'" in one.note


def test_labels_of_equal_files():
    rows, truth = blobs(3, 20)
    uris = tuple(f"/{n}" for n in range(60))
    labels = {uri: "abc"[kind] for uri, kind in zip(uris, truth, strict=True)}
    wrong = next(n for n in range(60) if truth[n] == 0)
    vectors = ItemVectors(rows, uris, {uris[wrong]: ("/copy",)})
    del labels[uris[wrong]]
    (one,) = contradicted(vectors, labels | {"/copy": "b"}, 0.7)
    assert (one.uri, one.score) == ("/copy", 1.0)
    (one,) = contradicted(vectors, labels | {uris[wrong]: "a", "/copy": "b"}, 0.7)
    assert (one.uri, one.note) == ("/copy", f"labeled 'b'; its equal {uris[wrong]} is 'a'")
    (one,) = contradicted(ItemVectors(rows[:2], ("/x", "/y"), {"/y": ("/z",)}), {"/y": "a", "/z": "b"}, 0.7)
    assert one.uri == "/z"


def test_equal_files_of_a_store_are_one_item_with_all_its_names(tmp_path):
    pytest.importorskip("cv2")
    picture = Image.fromarray(sharp(1))
    for name in ("b.png", "a.png", "c.png"):
        picture.save(tmp_path / name)
    Image.fromarray(sharp(2)).save(tmp_path / "aa.png")
    with pytest.raises(SystemExit) as ended:
        main(["extract", str(tmp_path), "--store", str(tmp_path / "s.vf"), "-m", "classic/color_histogram", "-q"])
    assert ended.value.code == 0
    reader = FeatureStore.open(tmp_path / "s.vf").reader()
    found = item_vectors(reader, all_unit_rows(reader))
    assert [Path(uri).name for uri in found.uris] in (["a.png", "aa.png"], ["aa.png", "a.png"])
    ((first, others),) = found.others.items()
    assert [Path(uri).name for uri in (first, *others)] == ["a.png", "b.png", "c.png"]


def sharp(seed, height=160, width=200):
    """Blocks of random colors with hard edges."""
    blocks = np.random.default_rng(seed).integers(20, 230, (height // 10, width // 10, 3))
    return np.kron(blocks, np.ones((10, 10, 1))).astype(np.uint8)


def collection(tmp_path):
    """Files with one fault each among sound ones, in a store whose rows put one pair and one label wrong."""
    sound = [sharp(seed) for seed in range(24)]
    faults = {
        "blurred.png": np.asarray(Image.fromarray(sound[0]).filter(ImageFilter.GaussianBlur(9))),
        "dark.png": (sound[1] * 0.08).astype(np.uint8),
        "white.png": np.where(np.arange(200)[None, :, None] < 140, 255, sound[2]).astype(np.uint8),
        "blank.png": np.full((160, 200, 3), 120, np.uint8),
        "strip.png": sharp(99, 40, 400),
    }
    pictures = {f"{n:02d}.png": one for n, one in enumerate(sound)} | faults
    rows, truth = blobs(2, 15)
    vectors, labels = {}, []
    for n, (name, picture) in enumerate(pictures.items()):
        folder = tmp_path / ("train" if n % 3 else "test")
        folder.mkdir(exist_ok=True)
        Image.fromarray(picture).save(folder / name)
        vectors[str(folder / name)] = rows[n : n + 1]
        labels.append((name, "ab"[truth[n]]))
    first, second = list(vectors)[:2]
    vectors[second] = vectors[first]
    labels[1] = ("01.png", labels[0][1])
    labels[5] = ("05.png", "b" if labels[5][1] == "a" else "a")
    table = tmp_path / "labels.csv"
    table.write_text("uri,label\n" + "".join(f"{name},{label}\n" for name, label in labels), "utf-8")
    return (
        store_of(tmp_path / "s.vf", vectors),
        table,
        {name: path for path in vectors for name in [path.split("/")[-1]]},
    )


def test_each_fault_is_found_and_nothing_else(tmp_path):
    store, _, paths = collection(tmp_path)
    found = audit(store, limits=Limits(outlier=50.0))
    faults = {(one.what, one.uri.split("/")[-1]) for one in found.findings}
    assert faults == {
        ("blurred", "blurred.png"),
        ("dark", "dark.png"),
        ("overexposed", "white.png"),
        ("low_information", "blank.png"),
        ("odd_aspect", "strip.png"),
    } | ({("low_information", "dark.png")} & faults)
    assert found.items == found.looked_at == len(paths)


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["audit", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_the_command_tells_leaks_and_labels_and_writes_reports(capsys, tmp_path):
    store, table, paths = collection(tmp_path)
    options = ["--labels", table, "--split", "folders", "--threshold", 0.9999]
    code, out, _ = run(capsys, store.path, *options, "--json", "--out", tmp_path / "a.html")
    report = json.loads(out)
    assert code == 0
    (leak,) = [one for one in report["findings"] if one["what"] == "leak"]
    assert (leak["uri"], leak["other"]) == (paths["00.png"], paths["01.png"])
    assert leak["score"] == pytest.approx(1, abs=1e-5)
    assert [one["uri"] for one in report["findings"] if one["what"] == "label"] == [paths["05.png"]]
    for one in report["findings"]:
        assert set(one) >= {"uri", "what", "score", "threshold", "meaning"}
    page = (tmp_path / "a.html").read_text("utf-8")
    assert "Near-duplicates between splits (1)" in page
    assert page.count("<figure") == len(report["findings"]) + 1
    code, out, _ = run(capsys, store.path, *options, "--out", tmp_path / "a.json")
    assert (code, json.loads((tmp_path / "a.json").read_text("utf-8"))) == (0, report)
    assert "Near-duplicates between splits" in out


def test_splits_of_a_table(capsys, tmp_path):
    store, _, paths = collection(tmp_path)
    table = tmp_path / "splits.csv"
    lines = [f"{name},{'val' if n == 0 else 'train'}" for n, name in enumerate(paths)]
    table.write_text("\n".join(["uri,split", *lines]), "utf-8")
    _, out, _ = run(capsys, store.path, "--split", table, "--threshold", 0.9999, "--json")
    (leak,) = [one for one in json.loads(out)["findings"] if one["what"] == "leak"]
    assert leak["uri"] == paths["00.png"]


def test_videos_and_files_that_cannot_be_read(tmp_path):
    rows, _ = blobs(2, 4)
    dark = write_video(tmp_path / "night.mp4", [(sharp(n, 100, 120) * 0.05).astype(np.uint8) for n in range(30)])
    store = store_of(tmp_path / "s.vf", {str(dark): rows[:4], str(tmp_path / "gone.png"): rows[4:5]})
    with writer_of(store, layers=(LayerShape("pool", (16,)),)) as writer:
        writer.finish(done(item_of("/broken.png"), Status.FAILED, "it is damaged"), 0)
    found = audit(store, recipe=RECIPE.digest)
    assert [one.uri for one in found.of("dark")] == [str(dark)]
    assert {one.uri: one.note.split(",")[0] for one in found.of("unreadable")} == {
        str(tmp_path / "gone.png"): "no such file",
        "/broken.png": "it is damaged",
    }


def test_what_cannot_be_audited_is_said(tmp_path):
    store = images_of(tmp_path / "s.vf", np.eye(3, dtype=np.float32))
    with pytest.raises(UsageError, match="all items are of one split"):
        audit(store, splits={"/p/0000.png": "train"})

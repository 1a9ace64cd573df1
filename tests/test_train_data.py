"""Training data: IDX files, labeled folders and tables, splits, and what is refused. No torch."""

from __future__ import annotations

import struct
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media_made import encoded, photo
from train_made import moving_squares, write_idx
from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.train.data.ahead import ahead
from visfeat.train.data.examples import folder_examples, table_examples
from visfeat.train.data.idx import idx_pairs, read_idx, read_pair
from visfeat.train.data.loading import load_samples
from visfeat.train.data.pixels import FilePixels, Growing
from visfeat.train.data.splits import Unit, split_units
from visfeat.train.settings import Settings

SPEC = InputSpec(size_px=(16, 16), resize_px=16, interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)


def picture(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(photo(20, 24, seed), "PNG"))
    return path


@pytest.fixture
def photos(tmp_path):
    for n in range(12):
        picture(tmp_path / f"photos/{'cat' if n % 3 else 'dog'}/{n}.png", n)
    return tmp_path / "photos"


def load(data, scratch=Path("unused"), spec=SPEC, **options):
    return load_samples(Settings.from_options(data=(str(data),), **options), spec, scratch)


# IDX


@pytest.mark.parametrize("gz", [False, True])
def test_idx_values_come_back(tmp_path, gz):
    values = np.arange(60, dtype=np.uint8).reshape(5, 3, 4)
    write_idx(tmp_path / "a", values, gz=gz)
    assert np.array_equal(read_idx(tmp_path / "a", 3), values)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not an IDX file: it begins with nothing"),
        (b"\x89PNG....", "not an IDX file: it begins with 89504e47"),
        (bytes([0, 0, 8, 1]) + struct.pack(">I", 3) + b"abc", "type 8 with 1 axes; needed are unsigned bytes"),
        (bytes([0, 0, 13, 3]) + bytes(12), "type 13 with 3 axes"),
        (bytes([0, 0, 8, 3]) + bytes(5), "ends within its header"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 2, 2, 2) + bytes(7), "says 2 x 2 x 2, which is 8 bytes, but holds 7"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", 1, 2, 2) + bytes(5), "which is 4 bytes, but holds 5"),
        (b"\x1f\x8b\x08 cut off", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_idx_file_is_said(tmp_path, content, complaint):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(UsageError, match=complaint) as raised:
        read_idx(tmp_path / "broken", 3)
    assert "broken" in str(raised.value)


def test_pairs_of_idx_files_and_their_splits(tmp_path):
    for prefix in ("train-", "t10k-"):
        write_idx(tmp_path / f"{prefix}images-idx3-ubyte", np.zeros((2, 3, 3), np.uint8))
        write_idx(tmp_path / f"{prefix}labels-idx1-ubyte.gz", np.zeros(2, np.uint8), gz=True)
    assert [(split, images.name) for split, images, _ in idx_pairs(tmp_path)] == [
        ("test", "t10k-images-idx3-ubyte"),
        ("train", "train-images-idx3-ubyte"),
    ]
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(UsageError, match="there is no file t10k-labels-idx1-ubyte beside it"):
        idx_pairs(tmp_path)


def test_as_many_labels_as_pictures(tmp_path):
    write_idx(tmp_path / "images", np.zeros((2, 3, 3), np.uint8))
    write_idx(tmp_path / "labels", np.zeros(3, np.uint8))
    with pytest.raises(UsageError, match="images has 2 pictures, labels 3 labels"):
        read_pair(tmp_path / "images", tmp_path / "labels")


# Folders and tables


def test_a_folder_per_class(photos):
    assert Counter(one.label for one in folder_examples(photos)) == {"cat": 8, "dog": 4}


def test_folders_of_splits_with_a_folder_per_class_each(tmp_path):
    for split in ("train", "validation", "test"):
        for label in ("a", "b"):
            picture(tmp_path / split / label / "1.png", 1)
    found = {(one.split, one.label) for one in folder_examples(tmp_path)}
    assert found == {(split, label) for split in ("train", "val", "test") for label in ("a", "b")}


def test_an_empty_class_is_named(photos):
    (photos / "bird").mkdir()
    with pytest.raises(UsageError, match="the class bird is empty"):
        folder_examples(photos)


def test_tables_of_labels(photos):
    rows = [{"uri": f"dog/{n}.png", "label": "dog", "split": "train", "group": "g"} for n in (0, 3)]
    (photos / "labels.csv").write_text("uri,label,split,group\n" + "".join(f"{','.join(r.values())}\n" for r in rows))
    pq.write_table(pa.Table.from_pylist(rows), photos / "labels.parquet")
    from_csv = table_examples(photos / "labels.csv")
    assert from_csv == table_examples(photos / "labels.parquet")
    assert [(one.uri, one.label, one.split, one.group) for one in from_csv] == [
        (str(photos / f"dog/{n}.png"), "dog", "train", "g") for n in (0, 3)
    ]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ("uri,class\na.png,1\n", "has no column label"),
        ("uri,label\ndog/0.png,\n", "row 1 has no label"),
        ("uri,label\n,dog\n", "row 1 has no uri"),
        ("uri,label,split\ndog/0.png,dog,holdout\n", "the split 'holdout' is none of train, val and test"),
        ("uri,label\ndog/0.png,dog\nnowhere.png,cat\n", "1 of 2 labels are without a file; the first, row 2"),
        ("uri,label\ndog/0.png,dog\ndog/0.png,cat\n", "has several rows"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(photos, table, complaint):
    (photos / "labels.csv").write_text(table)
    with pytest.raises(UsageError, match=complaint):
        table_examples(photos / "labels.csv")


# Splits


@given(st.integers(1, 60), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([0.0, 0.2]), st.integers(0, 5))
def test_each_class_gives_its_share(number, val, test, seed):
    units = [Unit(f"{label}{n}", label, None) for label in "ab" for n in range(number)]
    splits = split_units(units, val=val, test=test, seed=seed)
    for label in "ab":
        counts = Counter(split for unit, split in zip(units, splits, strict=True) if unit.label == label)
        assert counts["train"] >= 1
        if number >= 3:
            assert counts["val"] == (max(1, round(val * number)) if val else 0)
            assert counts["test"] == (max(1, round(test * number)) if test else 0)


@given(st.integers(0, 100), st.randoms())
def test_splits_depend_on_content_and_seed_alone(seed, random):
    units = [Unit(f"{n}", "ab"[n % 2], None) for n in range(40)]
    first = dict(zip(units, split_units(units, val=0.2, test=0.2, seed=seed), strict=True))
    random.shuffle(units)
    assert dict(zip(units, split_units(units, val=0.2, test=0.2, seed=seed), strict=True)) == first


def test_files_of_a_group_stay_together():
    units = [Unit(f"group{n // 5}", "ab"[n // 50], None) for n in range(100)]
    splits = split_units(units, val=0.3, test=0.2, seed=0)
    assert all(len(set(splits[n : n + 5])) == 1 for n in range(0, 100, 5))
    assert Counter(splits) == {"train": 50, "val": 30, "test": 20}


def test_splits_that_the_data_say_hold():
    units = [Unit(str(n), "ab"[n % 2], "test" if n < 4 else "train") for n in range(24)]
    splits = split_units(units, val=0.2, test=0.5, seed=0)
    assert splits[:4] == ["test"] * 4
    assert Counter(splits[4:]) == {"train": 16, "val": 4}
    with pytest.raises(UsageError, match="some of the data say their split"):
        split_units([*units, Unit("x", "a", None)], val=0.2, test=0, seed=0)


# Decoding


def test_pixels_labels_and_splits(photos, tmp_path):
    samples = load(photos, val=0.25)
    assert samples.classes == ("cat", "dog")
    assert samples.pixels.take([0, 1]).shape == (2, 1, 16, 16, 3)
    assert samples.balance("train") == {"cat": 6, "dog": 3}
    assert samples.balance("val") == {"cat": 2, "dog": 1}
    targets = samples.targets()
    assert [samples.classes[n] for n in targets] == [one.label for one in samples.sources]


def test_a_bad_file_is_recorded_and_left_out(photos, tmp_path):
    (photos / "cat/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"junk" * 20)
    (photos / "cat/notes.txt").write_text("no picture")
    samples = load(photos)
    assert len(samples.sources) == len(samples.pixels) == 12
    assert {Path(uri).name for uri, _, _ in samples.rejected} == {"broken.png", "notes.txt"}
    samples.save(tmp_path)
    assert "neither an image nor a video" in (tmp_path / "rejected.csv").read_text()


def test_a_class_of_bad_files_alone_is_named(photos):
    (photos / "bird").mkdir()
    (photos / "bird/a.png").write_text("no picture")
    with pytest.raises(UsageError, match="none of the files of the class bird could be read"):
        load(photos)


def test_copies_of_a_file_stay_in_one_split(tmp_path):
    for label in ("a", "b"):
        for n in range(6):
            for copy in range(2):
                picture(tmp_path / f"{label}/{n}-{copy}.png", 10 * (label == "b") + n)
    samples = load(tmp_path, val=0.4)
    by_content = {}
    for source in samples.sources:
        by_content.setdefault(source.content_hash, set()).add(source.split)
    assert len(by_content) == 12
    assert all(len(splits) == 1 for splits in by_content.values())


def test_one_class_is_refused(tmp_path):
    picture(tmp_path / "only/1.png", 1)
    with pytest.raises(UsageError, match="one class only \\(only\\)"):
        load(tmp_path)


def test_classes_that_training_never_sees_are_named(tmp_path):
    for split, labels in {"train": "ab", "val": "abc"}.items():
        for n, label in enumerate(labels):
            picture(tmp_path / split / label / "1.png", n)
    with pytest.raises(UsageError, match=r"classes of the val split that training never sees \(1\): c"):
        load(tmp_path)


def test_clips_of_videos_and_no_pictures(tmp_path):
    moving_squares(tmp_path / "videos", each=2, frames=8)
    picture(tmp_path / "videos/left/still.png", 0)
    spec = SPEC.model_copy(update={"clip_frames": 4, "clip_fps": 8.0})
    samples = load(tmp_path / "videos", spec=spec)
    assert samples.pixels.take([0]).shape == (1, 4, 16, 16, 3)
    assert np.bincount(samples.source_of).tolist() == [2, 2, 2, 2]
    assert samples.rejected[0][2] == "a still image, where the network sees clips"


def test_without_a_cache_each_file_is_decoded_once_a_batch():
    decoded = []

    def decode(file):
        decoded.append(file)
        return np.full((3, 1, 2, 2, 3), 10 * file, np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None, None, None]

    pixels = FilePixels(decode, [(file, number) for file in range(2) for number in range(3)])
    assert pixels.take(np.array([5, 0, 4, 1]))[:, 0, 0, 0, 0].tolist() == [12, 0, 11, 1]
    assert decoded == [1, 0]


def test_a_cache_that_outgrows_memory_goes_to_disk(tmp_path):
    parts = [np.full((2, 1, 4, 4, 3), n, np.uint8) for n in range(5)]
    in_memory, on_disk = Growing(tmp_path / "a.npy", limit_bytes=1e9), Growing(tmp_path / "b.npy", limit_bytes=200)
    for part in parts:
        in_memory.append(part)
        on_disk.append(part)
    kept = in_memory.finish(), on_disk.finish()
    assert not (tmp_path / "a.npy").exists()
    assert (tmp_path / "b.npy").stat().st_size == 5 * 2 * 48
    assert all(np.array_equal(one.array, np.concatenate(parts)) for one in kept)


def test_what_an_interrupted_run_left_in_the_cache_is_no_part_of_it(tmp_path):
    parts = [np.full((2, 1, 4, 4, 3), n, np.uint8) for n in range(3)]
    for limit_bytes in (0, 1e9):
        (tmp_path / "pixels.part").write_bytes(b"\x07" * 100)
        growing = Growing(tmp_path / "pixels.npy", limit_bytes=limit_bytes)
        for part in parts:
            growing.append(part)
        assert np.array_equal(growing.finish().array, np.concatenate(parts))


def test_what_the_labels_tell_is_said_before_anything_is_decoded(photos, tmp_path):
    said = []
    for path in list((photos / "cat").iterdir()):
        path.rename(photos / "dog" / f"cat{path.name}")
    (photos / "cat").rmdir()
    with pytest.raises(UsageError, match="one class only"):
        load_samples(Settings.from_options(data=(str(photos),)), SPEC, tmp_path / "cache", report=said.append)
    assert said == []


def test_nothing_readable_is_said(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.png").write_text("nothing")
    with pytest.raises(UsageError, match="none of the files could be read"):
        load(tmp_path)


# Settings and threads


def test_settings_go_through_toml(tmp_path):
    said = Settings.from_options(
        data=("/data/photos",), model="c3d", clip_fps="12.5", augment=("flip", "shift:2"), mean=(0.1, 0.2, 0.3), out="r"
    )
    (tmp_path / "run.toml").write_text(said.to_toml())
    assert Settings.from_toml(tmp_path / "run.toml") == said


def test_a_file_in_the_words_of_the_command_line(tmp_path):
    (tmp_path / "digits.toml").write_text('data = "idx"\nmodel = "cnn"\nbatch-size = 16\naugment = "flip,shift:1"\n')
    said = Settings.from_toml(tmp_path / "digits.toml", epochs=3)
    assert said.data == (str(tmp_path / "idx"),)
    assert (said.batch_size, said.epochs, said.augment, said.out) == (16, 3, ("flip", "shift:1"), "runs/digits")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"epoch": 3}, "there is no option 'epoch'; did you mean epochs"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"val": 0.6, "test": 0.4}, "val and test are shares"),
        ({"dropout": 1.0}, "dropout is a share"),
        ({"lr": 0}, "lr and clip_norm must be more than 0"),
        ({"schedule": "step"}, "--schedule"),
    ],
)
def test_wrong_options_are_named(options, complaint):
    with pytest.raises(UsageError, match=complaint):
        Settings.from_options(**options)


def test_device_and_cache_change_nothing_that_is_learned():
    one, other = Settings(), Settings(device="cpu", cache="disk", threads=1, out="elsewhere")
    assert one.digest == other.digest != Settings(seed=1).digest
    assert Settings(seed=1, clip=4).differing(one) == ["--clip", "--seed"]


def test_results_come_in_order_and_errors_where_they_belong():
    assert list(ahead(range(50), lambda n: n * n, threads=4)) == [n * n for n in range(50)]
    results = ahead(range(10), lambda n: 1 // (5 - n), threads=2)
    assert [next(results) for _ in range(5)] == [0, 0, 0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)

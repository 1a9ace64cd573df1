"""Recording a live source: the store holds the file's rows, readable while they come, and nothing that is secret."""

from __future__ import annotations

import _thread
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from extract_made import RECIPE, MeanColor
from media_made import opened
from servers_made import http_videos, serving
from stream_made import CLIPS, COMMAND, gray, prepared_with, write_levels
from visfeat.cli.live import is_live
from visfeat.errors import MediaError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.frames import Frame
from visfeat.media.address import LiveAddress
from visfeat.store.feature_store import FeatureStore
from visfeat.streaming.drive import Drive
from visfeat.streaming.record import RUNNING, record
from visfeat.streaming.source import live_source
from visfeat.streaming.stream import Stream

PIPE = LiveAddress("-", "pipe")
SMALL = ["--size", "64", "--every", "0.2s"]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_levels(tmp_path_factory.mktemp("record") / "a.ts", 100, keyframe_every=10)


def only_item(store: FeatureStore) -> dict:
    (item,) = store.items().to_pylist()
    return item


@pytest.mark.parametrize("recipe", [RECIPE.but(every_s="1/3"), CLIPS], ids=["frames", "clips"])
def test_the_stores_rows_are_the_files(tmp_path, video, pipe, recipe):
    prepared = prepared_with(recipe=recipe)
    run = record("-", store=tmp_path / "s.vf", prepared=prepared, pipe=pipe(video.read_bytes(), (700, 1)))
    wanted = Extractor(prepared=prepared).video(video)
    store = FeatureStore.open(tmp_path / "s.vf")
    values, table = store.features()
    assert values.tobytes() == wanted.values.tobytes()
    assert table["start_s"].to_pylist() == wanted.start_s.tolist()
    assert table["end_s"].to_pylist() == wanted.end_s.tolist()
    assert (run.exit_code, run.rows, run.items["done"]) == (0, len(wanted), 1)
    item = only_item(store)
    assert re.fullmatch(r"stream:stdin@\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["uri"])
    assert (item["status"], item["kind"], item["format"], item["notes"]) == ("done", "video", "mpegts", ["live"])
    assert (item["num_frames"], item["duration_s"]) == (100, 4.0)


def test_each_run_is_an_item_of_its_own(tmp_path, video, pipe):
    for _ in range(2):
        record("-", store=tmp_path / "s.vf", prepared=prepared_with(), pipe=pipe(video.read_bytes()), max_frames=30)
    items = FeatureStore.open(tmp_path / "s.vf").items().to_pylist()
    assert len({item["uri"] for item in items}) == 2
    assert len({item["content_hash"] for item in items}) == 2
    values, _ = FeatureStore.open(tmp_path / "s.vf").features()
    assert len(values) == 2 * 2


def test_what_was_dropped_is_told(tmp_path, video, pipe):
    slow = MeanColor(1, on_batch=lambda _: time.sleep(0.02))
    prepared = prepared_with(slow, RECIPE.but(every_frame=True))
    run = record("-", store=tmp_path / "s.vf", prepared=prepared, pipe=pipe(video.read_bytes()), on_full="drop")
    item = only_item(FeatureStore.open(tmp_path / "s.vf"))
    assert item["status"] == "partial"
    dropped = int(re.match(r"(\d+) rows dropped: the network was slower", item["reason"])[1])
    assert run.rows + dropped == 100
    assert run.exit_code == 3


def test_rows_of_several_layers_and_labels_reach_the_store(tmp_path, video, pipe):
    store = tmp_path / "s.vf"
    options = {"size": 64, "every_s": 1, "top": 2, "layers": ("pool", "fc")}
    names = [spec.name for spec in Extractor(size=64)._prepared.card.layers]
    options["layers"] = (names[0], names[-1])
    record("-", store=store, pipe=pipe(video.read_bytes()), **options)
    extractor = Extractor(**options)
    wanted = extractor.video(video)
    for layer in options["layers"]:
        values, table = FeatureStore.open(store).features(layer=layer)
        assert values.tobytes() == wanted[layer].values.astype(np.float32).tobytes()
        assert [len(labels) for labels in table["labels"].to_pylist()] == [2] * 4


def test_secrets_of_an_address_never_reach_the_store(tmp_path, video):
    content = video.read_bytes()
    with serving(http_videos([(content, len(content))])) as port:
        url = f"http://me:pa55word@127.0.0.1:{port}/cam.ts?token=pa55word"
        record(url, store=tmp_path / "s.vf", prepared=prepared_with())
    item = only_item(FeatureStore.open(tmp_path / "s.vf"))
    assert item["uri"].startswith(f"stream:http://127.0.0.1:{port}/cam.ts@")
    written = [path for path in (tmp_path / "s.vf").rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if b"pa55word" in path.read_bytes()] == []


def test_a_source_that_cannot_be_opened_leaves_no_store(tmp_path):
    with pytest.raises(MediaError, match="Connection refused"):
        record("rtsp://127.0.0.1:1/", store=tmp_path / "s.vf", prepared=prepared_with())
    assert not (tmp_path / "s.vf").exists()


@pytest.mark.parametrize(
    ("given", "match"),
    [({"live_s": 0}, "--for 0"), ({"max_frames": 0}, "--max-frames 0"), ({"frames": 3}, "needs the end")],
)
def test_bounds_and_recipes_that_make_no_sense_are_refused(tmp_path, given, match):
    with pytest.raises(UsageError, match=match):
        record("-", store=tmp_path / "s.vf", **given)
    with pytest.raises(UsageError, match="no live source"):
        record("a.mp4", store=tmp_path / "s.vf")


NOTHING = {"live_s": None, "max_frames": None, "list_": None, "redo": False, "dry_run": False, "recipe": None}


@pytest.mark.parametrize(
    ("media", "given", "match"),
    [
        (["a.mp4"], {"live_s": "3s"}, "--for: bounds a live source"),
        (["a.mp4"], {"max_frames": 3}, "--max-frames: bounds a live source"),
        (["-", "a.mp4"], {}, "-: a live source is extracted alone"),
        (["-"], {"list_": "files.txt"}, "alone"),
        (["-"], {"redo": True}, "--redo"),
        (["-"], {"dry_run": True}, "--dry-run"),
        (["-"], {"recipe": ["a.toml", "b.toml"]}, "--recipe"),
        (["-"], {"recipe": ["shots"]}, "--recipe"),
    ],
)
def test_options_that_do_not_go_with_the_source_are_refused(media, given, match):
    with pytest.raises(UsageError, match=match):
        is_live(media, NOTHING | given)
    assert is_live(["-"], NOTHING)
    assert not is_live(["a.mp4"], NOTHING)


def test_a_source_that_falls_silent_is_ended(video):
    content, got = video.read_bytes(), []
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb") as stays_open:
        stays_open.write(content[: len(content) // 2])
        stays_open.flush()
        source = live_source(PIPE, RECIPE, pipe=file)
        assert Drive(Stream(prepared=prepared_with()), source, got.extend).run(silence_s=0.5)
    assert len(got) >= 1


def test_a_slow_network_is_no_silence_of_the_source(video, pipe):
    slow, got = MeanColor(1, on_batch=lambda _: time.sleep(0.5)), []
    stream = Stream(prepared=prepared_with(slow, RECIPE.but(every_s="1/2")))
    source = live_source(PIPE, RECIPE, pipe=pipe(video.read_bytes()))
    assert Drive(stream, source, got.extend).run(silence_s=0.3)
    assert len(got) == 8


# The command, in a process of its own.


def started(store: Path, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "extract", "-", "-s", str(store), *SMALL, *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def rows_seen(path: Path, process: subprocess.Popen[bytes]) -> int:
    """How many rows a reader sees once there are some."""
    limit_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit_s and process.poll() is None:
        if (path / "visfeat-store.json").exists():
            store = FeatureStore.open(path)
            if store.items().num_rows and store.recipes():
                return len(store.features()[0])
        time.sleep(0.1)
    raise AssertionError(process.communicate()[1].decode())


def test_the_command_records_what_is_piped_into_it(tmp_path, video):
    process = started(tmp_path / "s.vf", "--json", "--for", "2s")
    out, errors = process.communicate(video.read_bytes(), PATIENCE_S)
    assert process.returncode == 0, errors.decode()
    summary = json.loads(out)
    assert (summary["items"]["done"], summary["rows"]) == (1, 10)
    values, _ = FeatureStore.open(tmp_path / "s.vf").features()
    wanted = Extractor(size=64, every_s=Fraction(1, 5)).video(video)
    assert values.tobytes() == wanted.values[:10].tobytes()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_reader_sees_the_rows_while_they_come_and_an_interrupt_keeps_them(tmp_path, video, ending):
    content = video.read_bytes()
    process = started(tmp_path / "s.vf")
    assert process.stdin is not None
    process.stdin.write(content[: len(content) // 2])
    process.stdin.flush()
    seen = rows_seen(tmp_path / "s.vf", process)
    store = FeatureStore.open(tmp_path / "s.vf")
    item = only_item(store)
    assert (item["status"], item["reason"]) == ("partial", RUNNING)
    assert store.failures()[0]["reason"] == RUNNING
    assert 0 < seen <= 10
    process.send_signal(ending)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors.decode()
    assert b"what was seen is in the store" in errors
    assert only_item(store)["status"] == "done"
    values, table = store.features()
    assert seen <= len(values) <= 10
    assert table["start_s"].to_pylist() == [n / 5 for n in range(len(values))]
    assert values.tobytes() == Extractor(size=64, every_s=0.2).video(video).values[: len(values)].tobytes()


def test_what_a_killed_recording_committed_counts_and_says_so(tmp_path, video):
    process = started(tmp_path / "s.vf")
    assert process.stdin is not None
    process.stdin.write(video.read_bytes())
    process.stdin.flush()
    seen = rows_seen(tmp_path / "s.vf", process)
    process.kill()
    process.communicate(timeout=PATIENCE_S)
    store = FeatureStore.open(tmp_path / "s.vf")
    assert len(store.features()[0]) >= seen
    assert only_item(store)["reason"] == RUNNING
    assert store.info()["recipes"][0]["contents"] == {"partial": 1}


def test_opened_frames_are_one_a_period(video):
    assert [frame.start_s for frame in opened(video).frames()] == [Fraction(n, 25) for n in range(100)]


class InterruptedSource:
    """Frames without an end, with Ctrl-C pressed as soon as the first one is asked for."""

    silent_s = 0.0

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def frames(self) -> Iterator[Frame]:
        _thread.interrupt_main()
        for n in count():
            if self.stopped.wait(0.01):
                return
            yield Frame(n, Fraction(n, 100), Fraction(n + 1, 100), is_keyframe=True, rgb=lambda: gray(7))

    def stop(self) -> None:
        self.stopped.set()


def test_an_interrupt_while_the_threads_are_started_leaves_none_behind():
    stream, source = Stream(prepared=prepared_with()), InterruptedSource()
    assert not Drive(stream, source, lambda _: None).run()
    assert source.stopped.is_set()
    for thread in threading.enumerate():
        if thread.name in ("visfeat-rows", "visfeat-frames"):
            thread.join(20)
            assert not thread.is_alive()

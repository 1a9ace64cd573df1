"""watch: an intruder in a quiet room is one event, told on stdout, to a webhook and to a command."""

from __future__ import annotations

import json
import signal
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from media_made import photo, write_video
from servers_made import http_receiver, serving
from store_made import done, item_of
from stream_made import COMMAND
from visfeat.engine.prepare import prepare
from visfeat.errors import MediaError, ModelError, UsageError
from visfeat.extraction.extractor import Extractor
from visfeat.extraction.run import extract
from visfeat.frames import Features
from visfeat.recipe import Recipe
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows
from visfeat.streaming.watch import watch

ROOM, INTRUDER = photo(96, 128, seed=1), photo(96, 128, seed=5)[::-1]
CALM_FIRST, INTRUDED, CALM_AFTER = 40, 30, 40
RATE = 10


def day(count: int, seed: int) -> list[np.ndarray]:
    """A room whose light changes, with some noise."""
    rng = np.random.default_rng(seed)
    shades = [ROOM * (0.85 + 0.15 * np.sin(n / 30)) + rng.normal(0, 4, ROOM.shape) for n in range(count)]
    return [np.clip(shade, 0, 255).astype(np.uint8) for shade in shades]


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Path:
    """Yesterday in a store, today with an intruder from 4 to 7 s as a video, the intruder as a picture."""
    folder = tmp_path_factory.mktemp("watch")
    write_video(folder / "yesterday.mp4", day(400, seed=0), rate=RATE)
    pictures = [*day(CALM_FIRST, 1), *[INTRUDER] * INTRUDED, *day(CALM_AFTER, 2)]
    write_video(folder / "today.ts", pictures, rate=RATE)
    Image.fromarray(INTRUDER).save(folder / "intruder.png")
    extract(folder / "yesterday.mp4", store=folder / "day.vf", size=64, every_s="1/2")
    return folder


def ends(documents) -> list[tuple[float, float]]:
    return [(one["start_s"], one["end_s"]) for one in documents if one["phase"] == "end"]


def test_what_is_unlike_the_store_is_one_event(room):
    documents, lines = [], []
    watched = watch(str(room / "today.ts"), room / "day.vf", on_event=documents.append, report=lines.append)
    assert [one["phase"] for one in documents] == ["begin", "end"]
    begin, end = documents
    assert (begin["start_s"], end["start_s"], end["end_s"]) == (4.0, 4.0, 6.6)
    assert (end["moments"], end["looks_for"]) == (6, "unlike")
    assert end["score"] < watched.threshold == end["threshold"]
    assert (watched.moments, watched.events, watched.problem) == (22, 1, None)
    assert f"below {watched.threshold:.3f}: 1 % of the store's own 80 rows do" in lines[0]


def test_its_score_is_the_cosine_with_the_nearest_row(room):
    documents = []
    watch(str(room / "today.ts"), room / "day.vf", on_event=documents.append, top=2)
    known, table = FeatureStore.open(room / "day.vf").features()
    today = Extractor(size=64, every_s=0.5).video(room / "today.ts")
    assert isinstance(today, Features)
    seen = today.values[today.start_s.tolist().index(documents[0]["start_s"])]
    cosines = known @ seen / np.linalg.norm(known, axis=1) / np.linalg.norm(seen)
    assert documents[0]["score"] == pytest.approx(cosines.max(), abs=1e-5)
    first, second = documents[0]["nearest"]
    assert first["uri"] == str(room / "yesterday.mp4")
    assert first["start_s"] == table["start_s"][int(cosines.argmax())].as_py()
    assert second["score"] == pytest.approx(np.sort(cosines)[-2], abs=1e-5)


def test_what_is_like_a_picture_or_a_stored_moment_is_one_event(room):
    documents = []
    watched = watch(
        str(room / "today.ts"), room / "day.vf", like=room / "intruder.png", threshold=0.95, on_event=documents.append
    )
    assert ends(documents) == [(4.0, 6.6)]
    assert documents[0]["looks_for"] == watched.looks_for == "like"
    assert documents[0]["score"] > 0.95
    documents.clear()
    calm = {"item": str(room / "yesterday.mp4"), "at_s": 3.0, "threshold": 0.87, "hold_s": 1.0}
    watch(str(room / "today.ts"), room / "day.vf", on_event=documents.append, **calm)
    assert [start for start, _ in ends(documents)] == [0.0, 7.0]


def test_the_threshold_of_an_example_is_what_few_rows_reach(room):
    lines = []
    watched = watch(str(room / "today.ts"), room / "day.vf", like=room / "intruder.png", report=lines.append)
    known, _ = FeatureStore.open(room / "day.vf").features()
    example = Extractor(size=64)([room / "intruder.png"])[0]
    cosines = known @ example / np.linalg.norm(known, axis=1) / np.linalg.norm(example)
    assert watched.threshold == pytest.approx(np.percentile(cosines, 99), abs=1e-5)
    assert "like is what scores" in lines[0]
    assert watched.events == 1


def test_bounds_and_other_sampling(room):
    watched = watch(str(room / "today.ts"), room / "day.vf", every_s=Fraction(1, 5), live_s=2)
    assert (watched.moments, watched.events) == (10, 0)


def test_the_webhook_hears_of_it_and_what_fails_ends_nothing(room):
    posted, lines = [], []
    with serving(http_receiver(posted)) as port:
        hook = f"http://127.0.0.1:{port}/alarm"
        watched = watch(
            str(room / "today.ts"), room / "day.vf", webhook=hook, command="/no/such {time_s}", report=lines.append
        )
    assert [one["phase"] for one in posted] == ["begin", "end"]
    assert posted[0]["source"].endswith("today.ts")
    assert posted[1]["threshold"] == watched.threshold
    assert "/no/such: cannot be run (No such file or directory)" in lines


def test_the_command_watches_a_pipe(room):
    process = subprocess.run(
        [*COMMAND, "watch", "-", "--against", str(room / "day.vf"), "--json", "--command", "echo {time_s}"],
        input=(room / "today.ts").read_bytes(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    documents = [json.loads(line) for line in process.stdout.splitlines()]
    assert ends(documents) == [(4.0, 6.6)]
    assert documents[0]["source"] == "stdin"
    assert b"\n4\n" in process.stderr
    assert b"unlike is what scores below" in process.stderr


def test_an_interrupt_ends_the_event_that_goes_on(room):
    content = (room / "today.ts").read_bytes()
    process = subprocess.Popen(
        [*COMMAND, "watch", "-", "--against", str(room / "day.vf"), "--threshold", "0.99", "--hold", "1h"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(content)
    process.stdin.flush()
    assert b"unlike" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors.decode()
    assert b"over  score" in out
    assert b"1 event (unlike)" in errors


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"like": "a.png", "item": "b"}, UsageError, "exclude each other"),
        ({"at_s": 3.0}, UsageError, "--at"),
        ({"threshold": 2.0}, UsageError, "--threshold 2.0"),
        ({"item": "nowhere.mp4"}, UsageError, "nowhere.mp4: the store has no features"),
        ({"like": "nowhere.png"}, MediaError, "nowhere.png: no such file"),
        ({"model": "timm/resnet18"}, UsageError, "no features of model timm/resnet18"),
        ({"max_frames": 0}, UsageError, "--max-frames"),
        ({"webhook": "nowhere"}, UsageError, "--webhook"),
    ],
)
def test_what_makes_no_sense_is_refused(room, options, error, match):
    with pytest.raises(error, match=match):
        watch(str(room / "today.ts"), room / "day.vf", **options)


def test_rows_of_another_model_of_the_same_name_are_refused(room, tmp_path):
    prepared = prepare(Recipe(size=64))
    recipe = prepared.recipe.but(weights_digest="0" * 64)
    store = FeatureStore.create_or_open(tmp_path / "s.vf")
    layers = [LayerShape(name, shape) for name, shape in prepared.row_shapes.items()]
    with store.writer(recipe, layers=layers, facts={}, card_toml="") as writer:
        item = item_of("a")
        values = np.ones((1, *layers[0].shape), np.float32)
        nan = np.array([np.nan])
        writer.add(Rows(item.content_hash, layers[0].layer, 0, values, nan, nan, np.array([-1])))
        writer.finish(done(item), 1)
    with pytest.raises(ModelError, match="no longer the one that made these rows"):
        watch(str(room / "today.ts"), tmp_path / "s.vf", threshold=0.5)

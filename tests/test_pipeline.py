"""The pipeline with a small network: batches, copies, failures, interrupts."""

from __future__ import annotations

import _thread
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extract_made import MeanColor, run_pipeline
from media_made import write_numbered
from visfeat.decode.decoder import DecodeOptions
from visfeat.errors import EngineError
from visfeat.extraction.pipeline import Pipeline
from visfeat.extraction.progress import Progress
from visfeat.extraction.work import Task
from visfeat.media.find import find_media
from visfeat.media.item import MediaItem


def write_grey(folder: Path, values: list[int]) -> None:
    folder.mkdir(exist_ok=True)
    for value in values:
        Image.new("RGB", (9, 9), (value, value, value)).save(folder / f"{value:03}.png")


def test_batches_fill_across_files_and_the_last_is_padded(tmp_path):
    write_grey(tmp_path / "media", list(range(10)))
    network = MeanColor(batch_size=4)
    store, progress, completed = run_pipeline(tmp_path / "media", tmp_path / "s.vf", network)
    values, table = store.features()
    assert completed
    assert network.batches == 3
    assert (progress.done, progress.rows, progress.frames) == (10, 10, 10)
    assert values[:, 0].tolist() == list(range(10))
    assert [Path(uri).stem for uri in table["uri"].to_pylist()] == [f"{value:03}" for value in range(10)]


def test_copies_are_computed_once_and_given_twice(tmp_path):
    write_grey(tmp_path / "media", [1, 2])
    for name in ("a", "b", "c"):
        shutil.copy(tmp_path / "media" / "001.png", tmp_path / "media" / f"copy-{name}.png")
    network = MeanColor(batch_size=1)
    store, progress, _ = run_pipeline(tmp_path / "media", tmp_path / "s.vf", network)
    values, _ = store.features()
    assert network.batches == 2
    assert progress.done == 5
    assert sorted(values[:, 0].tolist()) == [1, 1, 1, 1, 2]


def test_a_moved_file_is_known_by_its_content(tmp_path):
    write_grey(tmp_path / "media", [1, 2])
    run_pipeline(tmp_path / "media", tmp_path / "s.vf", MeanColor())
    (tmp_path / "media" / "001.png").rename(tmp_path / "media" / "moved.png")
    network = MeanColor()
    store, progress, _ = run_pipeline(tmp_path / "media", tmp_path / "s.vf", network)
    assert network.batches == 0
    assert (progress.done, progress.unchanged) == (0, 2)
    uris = store.features()[1]["uri"].to_pylist()
    assert str(tmp_path / "media" / "moved.png") in uris


def test_a_feature_that_is_not_finite_is_a_failure_of_its_item_alone(tmp_path):
    def spoil(values: np.ndarray) -> None:
        values[values[:, 0] == 7] = np.nan

    write_grey(tmp_path / "media", list(range(5, 10)))
    store, progress, _ = run_pipeline(tmp_path / "media", tmp_path / "s.vf", MeanColor(spoil=spoil))
    assert (progress.done, progress.failed) == (4, 1)
    (failure,) = store.failures()
    assert failure["uri"].endswith("007.png")
    assert "not finite" in failure["reason"]
    assert 7 not in store.features()[0]


def test_a_video_with_one_bad_frame_fails_whole(tmp_path):
    (tmp_path / "media").mkdir()
    write_numbered(tmp_path / "media" / "a.mp4", 30)
    seen: list[int] = []

    def spoil(values: np.ndarray) -> None:
        seen.append(len(values))
        if len(seen) == 3:
            values[0] = np.inf

    store, progress, _ = run_pipeline(
        tmp_path / "media",
        tmp_path / "s.vf",
        MeanColor(2, spoil=spoil),
        recipe=_every_frame(),
    )
    assert progress.failed == 1
    assert store.failures()[0]["status"] == "failed"


def test_a_network_that_breaks_keeps_what_was_finished_and_resumes(tmp_path):
    write_grey(tmp_path / "media", list(range(40)))
    with pytest.raises(EngineError, match="breaks here"):
        run_pipeline(tmp_path / "media", tmp_path / "s.vf", MeanColor(breaks_after=5), workers=1)
    network = MeanColor()
    store, progress, _ = run_pipeline(tmp_path / "media", tmp_path / "s.vf", network)
    assert progress.unchanged + progress.done == 40
    assert progress.unchanged > 0
    assert store.features()[0][:, 0].tolist() == list(range(40))


def test_an_interrupt_commits_and_the_next_run_completes(tmp_path):
    write_grey(tmp_path / "media", list(range(120)))

    def press_ctrl_c(number: int) -> None:
        if number == 20:
            _thread.interrupt_main()
            time.sleep(0.5)

    network = MeanColor(1, on_batch=press_ctrl_c)
    store, progress, completed = run_pipeline(tmp_path / "media", tmp_path / "s.vf", network, workers=1)
    assert not completed
    assert 20 <= progress.done < 120
    assert len(store.features()[0]) == progress.done
    _, after, completed = run_pipeline(tmp_path / "media", tmp_path / "s.vf", MeanColor())
    assert completed
    assert after.unchanged == progress.done
    assert store.features()[0][:, 0].tolist() == list(range(120))


class SlowLane:
    """A lane whose only feed is slow, and during whose first frame Ctrl-C is pressed."""

    def __init__(self, interrupts_after_s: float) -> None:
        self._interrupts_after_s = interrupts_after_s
        self.progress = Progress()
        self.error: BaseException | None = None
        self.closed = False

    def options(self, item: MediaItem, base: DecodeOptions) -> DecodeOptions:
        return base

    def take(self, item: MediaItem, header: object) -> SlowLane:
        return self

    def refuse(self, *_: object) -> None:
        raise AssertionError("the item can be read")

    def start(self, decoding: object) -> list[threading.Thread]:
        return []

    def abort(self) -> None:
        pass

    def begin(self, shared: object) -> None:
        pass

    def feed(self, frame: object) -> None:
        time.sleep(self._interrupts_after_s)
        _thread.interrupt_main()
        time.sleep(0.5)

    def finish(self, decoder: object) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass

    def breaks(self, error: BaseException) -> None:
        raise error

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("interrupts_after_s", [0, 0.2])
def test_an_interrupt_waits_for_what_is_being_decoded(tmp_path, interrupts_after_s):
    """Also one that comes while the threads are being started."""
    write_grey(tmp_path, [1])
    lane = SlowLane(interrupts_after_s)
    (item,) = find_media([tmp_path])
    assert not Pipeline([lane], options=DecodeOptions(), workers=1).run([Task(item, (lane,))])
    assert lane.closed


def _every_frame():
    from extract_made import RECIPE

    return RECIPE.but(every_frame=True)

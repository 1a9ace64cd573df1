"""What every exporter must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from visfeat.errors import UsageError
from visfeat.frames import StreamInfo
from visfeat.media.item import Kind, MediaItem
from visfeat.recipe import Recipe
from visfeat.store import FeatureStore
from visfeat.store.exporter import Exporter
from visfeat.store.records import ItemRecord, LayerShape, Rows, Status
from visfeat.testing.expect import raised

URIS = ("/photos/a.jpg", "/photos/more/a.jpg", "/videos/it's \u00fc.mp4")
FRAMES = 3


def small_store(folder: Path) -> FeatureStore:
    """A store of two images of the same stem and a video of three frames, with layers ``one`` (4) and ``two`` (2)."""
    store = FeatureStore.create_or_open(folder / "small.vf")
    recipe = Recipe(name="small", model="made/up", layers=("one", "two"), pool=("none", "none"))
    shapes = [LayerShape("one", (4,)), LayerShape("two", (2,))]
    rng = np.random.default_rng(0)
    with store.writer(recipe, layers=shapes, facts={"engine": "none"}, card_toml="") as writer:
        for number, uri in enumerate(URIS):
            is_video = uri.endswith(".mp4")
            count = FRAMES if is_video else 1
            item = MediaItem(uri, 1, 1, Kind.VIDEO if is_video else Kind.IMAGE, "made", f"{number:032x}")
            times = np.arange(count, dtype=float) if is_video else np.full(count, np.nan)
            for shape in shapes:
                writer.add(
                    Rows(
                        content_hash=item.content_hash,
                        layer=shape.layer,
                        first_position=0,
                        values=rng.standard_normal((count, *shape.shape)).astype(np.float32),
                        start_s=times,
                        end_s=times + 1,
                        frame_index=np.arange(count) if is_video else np.full(count, -1),
                    )
                )
            writer.finish(ItemRecord(item, StreamInfo(10, 20), Status.DONE), count)
    return store


class ExporterSuite:
    """Inherit and make the exporter."""

    def exporter(self) -> Exporter:
        """The exporter under test."""
        raise NotImplementedError

    def test_it_writes_files_and_says_which(self, tmp_path: Path) -> None:
        """All spaces of a store, into a folder that need not be there."""
        out = tmp_path / "deep" / "out"
        paths = self.exporter().export(small_store(tmp_path), out)
        assert paths
        assert len(set(paths)) == len(paths)
        assert all(path.is_file() and path.stat().st_size for path in paths)
        assert all(out in path.parents for path in paths)

    def test_one_layer_alone(self, tmp_path: Path) -> None:
        """Fewer files, or smaller ones, than all layers."""
        store = small_store(tmp_path)
        whole = self.exporter().export(store, tmp_path / "all")
        part = self.exporter().export(store, tmp_path / "part", layer="two")
        assert part
        assert sum(path.stat().st_size for path in part) < sum(path.stat().st_size for path in whole)

    def test_exporting_again_replaces(self, tmp_path: Path) -> None:
        """The same files, of the same size."""
        store = small_store(tmp_path)
        first = {path: path.stat().st_size for path in self.exporter().export(store, tmp_path / "out")}
        again = {path: path.stat().st_size for path in self.exporter().export(store, tmp_path / "out")}
        assert first == again

    def test_a_layer_that_is_not_there_is_said_so(self, tmp_path: Path) -> None:
        """With the ones that are."""
        store = small_store(tmp_path)
        message = raised(UsageError, lambda: self.exporter().export(store, tmp_path / "out", layer="three"))
        assert "two" in message

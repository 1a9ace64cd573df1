"""The built-in plugins pass the suites that other people's inherit."""

from __future__ import annotations

from pathlib import Path

import pytest

from media_made import encoded, photo, write_numbered
from visfeat.decode.jpeg import JpegDecoder
from visfeat.decode.pillow import PillowDecoder
from visfeat.decode.pyav import PyavDecoder
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.media.item import Kind, MediaItem, uri_of
from visfeat.models.bundled import BundledModels
from visfeat.models.source import ModelRequest
from visfeat.plugins import plugin, plugins
from visfeat.store.csv import CsvExporter
from visfeat.store.npy import NpyExporter
from visfeat.store.parquet import ParquetExporter
from visfeat.store.per_video import PerVideoExporter
from visfeat.testing import DecoderSuite, EngineSuite, ExporterSuite, ModelSourceSuite


class TestJpeg(DecoderSuite):
    decoder = JpegDecoder
    format = "jpeg"

    def make_file(self, folder: Path) -> Path:
        path = folder / "a.jpg"
        path.write_bytes(encoded(photo(), "JPEG", quality=90))
        return path


class TestPillow(DecoderSuite):
    decoder = PillowDecoder
    format = "png"

    def make_file(self, folder: Path) -> Path:
        path = folder / "a.png"
        path.write_bytes(encoded(photo(), "PNG"))
        return path


class TestPyav(DecoderSuite):
    decoder = PyavDecoder
    format = "matroska"

    def make_file(self, folder: Path) -> Path:
        return write_numbered(folder / "a.mkv", 60)

    def _open(self, path, options=None):
        # Videos are told by their kind.
        item = MediaItem(uri_of(path), path.stat().st_size, 1, kind=Kind.VIDEO, format=self.format)
        return self.decoder(item, None, options or self.options)


class TestBundled(ModelSourceSuite):
    model = "efficientnet_lite0"

    def source(self):
        return BundledModels()


class TestOpenvino(EngineSuite):
    layers = ("blocks.0.0", "blocks.4.2", "global_pool")

    def engine(self):
        return OpenvinoEngine()

    def model(self):
        return BundledModels().load(ModelRequest("efficientnet_lite0"))


class TestParquet(ExporterSuite):
    def exporter(self):
        return ParquetExporter()


class TestNpy(ExporterSuite):
    def exporter(self):
        return NpyExporter()


class TestPerVideo(ExporterSuite):
    def exporter(self):
        return PerVideoExporter()


class TestCsv(ExporterSuite):
    def exporter(self):
        return CsvExporter()

    # The metadata of a row are as long whatever its layer.
    test_one_layer_alone = None


@pytest.mark.parametrize("group", ["visfeat.decoders", "visfeat.engines", "visfeat.exporters", "visfeat.models"])
def test_every_name_of_the_table_leads_to_a_class(group):
    for name, entry in plugins(group).items():
        if entry.extra is None:
            assert isinstance(plugin(group, name).load(), type)

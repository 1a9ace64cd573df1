"""What every decoder must do."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.errors import MediaError, TooManyPixels
from visfeat.frames import NO_INDEX
from visfeat.media.item import MediaItem, uri_of
from visfeat.testing.expect import raised


class DecoderSuite:
    """Inherit, say which ``decoder`` and ``format``, and make a file."""

    decoder: type[Decoder]
    format: str
    """The item's format, as sniffing would say it."""
    options = DecodeOptions()

    def make_file(self, folder: Path) -> Path:
        """Write a whole file that the decoder reads, at least 8 x 8 pixels; of a video at least two frames."""
        raise NotImplementedError

    def _open(self, path: Path, options: DecodeOptions | None = None) -> Decoder:
        item = MediaItem(uri_of(path), path.stat().st_size, path.stat().st_mtime_ns, format=self.format)
        assert self.decoder.accepts(item, options or self.options)
        return self.decoder(item, None, options or self.options)

    def test_accepts_its_format_only(self) -> None:
        """A format that nobody knows is left to others."""
        item = MediaItem("/nowhere/file", 0, 0, format="no-such-format")
        assert not self.decoder.accepts(item, self.options)

    def test_the_header_gives_the_size_of_the_pixels(self, tmp_path: Path) -> None:
        """Upright and with square pixels, before anything is decoded."""
        decoder = self._open(self.make_file(tmp_path))
        picture = next(decoder.frames()).rgb()
        assert picture.shape == (decoder.info.height, decoder.info.width, 3)
        assert picture.dtype == np.uint8
        decoder.close()

    def test_times_are_contiguous_and_start_at_zero(self, tmp_path: Path) -> None:
        """A video's frames follow one another without gap; a still image has one frame without times."""
        decoder = self._open(self.make_file(tmp_path))
        frames = list(decoder.frames())
        if frames[0].start_s is None:
            assert [frame.index for frame in frames] == [NO_INDEX]
            assert frames[0].end_s is None
            return
        assert frames[0].start_s == 0
        assert [frame.index for frame in frames] == list(range(len(frames)))
        for one, following in pairwise(frames):
            assert one.end_s == following.start_s
        assert all(frame.start_s is not None and frame.end_s is not None for frame in frames)
        assert all(frame.start_s < frame.end_s for frame in frames)  # type: ignore[operator]
        assert decoder.measure_duration_s() == frames[-1].end_s

    def test_pixels_are_the_same_when_read_again(self, tmp_path: Path) -> None:
        """And whatever was decoded in between."""
        path = self.make_file(tmp_path)
        first, second = self._open(path), self._open(path)
        for one, again in zip(first.frames(), second.frames(), strict=True):
            assert np.array_equal(one.rgb(), again.rgb())
        assert first.problem is None

    def test_a_picture_that_is_scaled_has_the_size_asked_for(self, tmp_path: Path) -> None:
        """And does not change what ``rgb`` gives; a decoder need not scale."""
        for frame in self._open(self.make_file(tmp_path)).frames():
            before = frame.rgb().copy()
            if frame.scaled is None:
                continue
            small = frame.scaled((9, 16))
            assert small.shape == (9, 16, 3)
            assert small.dtype == np.uint8
            assert np.array_equal(frame.rgb(), before)

    def test_content_stands_in_for_the_file(self, tmp_path: Path) -> None:
        """Where the bytes were read already the file need not be there any more, for still images."""
        path = self.make_file(tmp_path)
        expected = next(self._open(path).frames())
        if expected.start_s is not None:
            return
        item = MediaItem(uri_of(tmp_path / "gone"), path.stat().st_size, 0, format=self.format)
        decoder = self.decoder(item, path.read_bytes(), self.options)
        assert np.array_equal(next(decoder.frames()).rgb(), expected.rgb())

    def test_too_many_pixels_are_refused_before_decoding(self, tmp_path: Path) -> None:
        """The header decides."""
        path = self.make_file(tmp_path)
        assert raised(TooManyPixels, lambda: self._open(path, replace(self.options, max_pixels=10)))

    def test_damage_is_a_media_error(self, tmp_path: Path) -> None:
        """Half of a file gives an error with a reason or a problem, never another exception, never silence."""
        path = self.make_file(tmp_path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        try:
            decoder = self._open(path)
            for frame in decoder.frames():
                frame.rgb()
            said = decoder.problem
        except MediaError as error:
            said = str(error)
        assert said, "half of the file was read without a word"

    def test_close_may_be_called_twice(self, tmp_path: Path) -> None:
        """Also before anything was decoded."""
        decoder = self._open(self.make_file(tmp_path))
        decoder.close()
        decoder.close()

"""Decoding one video stream through damage: what was lost is counted, and decoding resumes at the next keyframe."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction

from av.container import InputContainer
from av.error import EOFError as EndOfFile
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream


class DecodedFrames:
    """The frames of a stream in presentation order.

    A packet that cannot be decoded spoils those that refer to it, so the ones up to the next keyframe are not decoded:
    they would give smeared pictures. With frame threads an error shows late; frames of the packets sent meanwhile are
    dropped for the same reason. ``lost`` counts packets, ``lost_from`` is the time stamp of the first, ``reason`` the
    codec's word.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.lost = 0
        self.lost_from: int | None = None
        self.reason = ""
        self._packets = container.demux(stream)
        self._stream = stream
        self._in_flight: deque[int | None] = deque(maxlen=1)
        self._spoiled: set[int] = set()
        self._seeking_keyframe = False
        self._resumed_at: int | None = None
        self._gap = False

    def __iter__(self) -> Iterator[tuple[VideoFrame, bool]]:
        """Frames, each with whether some before it were lost since the last one."""
        for packet in self._demuxed():
            if packet.size and not self._is_wanted(packet):
                continue
            for frame in self._decode(packet):
                if frame.is_corrupt or (frame.pts is not None and frame.pts in self._spoiled):
                    self._lose(frame.pts, "damaged picture")
                    continue
                yield frame, self._gap
                self._gap = False

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        """All packets, the last one empty; a container that breaks off ends them."""
        try:
            yield from self._packets
        except FFmpegError as error:
            self._lose(None, error.strerror or str(error))

    def _is_wanted(self, packet: Packet[VideoStream]) -> bool:
        """Whether a packet is to be decoded; notes it as lost where it is not."""
        if packet.is_corrupt:
            self._lose(packet.pts, "damaged packet")
            self._seeking_keyframe = True
            return False
        if self._seeking_keyframe:
            if not packet.is_keyframe:
                self._lose(packet.pts, self.reason)
                return False
            self._seeking_keyframe, self._resumed_at = False, packet.pts
        # Pictures shown before the keyframe of an open group refer to what was lost.
        if self._resumed_at is not None and packet.pts is not None and packet.pts < self._resumed_at:
            self._lose(packet.pts, self.reason)
            return False
        return True

    def _decode(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        if packet.size:
            self._in_flight.append(packet.pts)
        try:
            frames = packet.decode()
        except EndOfFile:
            return []
        except FFmpegError as error:
            self._lose(packet.pts, error.strerror or str(error))
            self._seeking_keyframe = True
            self._spoiled = {stamp for stamp in self._in_flight if stamp is not None}
            return []
        if self._in_flight.maxlen == 1 and self._stream.codec_context.thread_count > 1:
            self._in_flight = deque(self._in_flight, maxlen=self._stream.codec_context.thread_count)
        return frames

    def _lose(self, stamp: int | None, reason: str) -> None:
        self.lost += 1
        self._gap = True
        self.reason = self.reason or reason
        if stamp is not None and (self.lost_from is None or stamp < self.lost_from):
            self.lost_from = stamp


def describe_loss(frames: DecodedFrames, time_base: Fraction, origin: int | None) -> str | None:
    """What was lost and from when on, for people; None where nothing was."""
    if not frames.lost:
        return None
    packets = "1 packet" if frames.lost == 1 else f"{frames.lost} packets"
    if frames.lost_from is None or origin is None:
        return f"{packets} could not be decoded ({frames.reason})"
    since_s = float((frames.lost_from - origin) * time_base)
    return f"{packets} could not be decoded from {max(since_s, 0):.1f} s on ({frames.reason})"

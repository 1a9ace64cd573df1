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

_MOST_IN_FLIGHT = 64
"""More packets than any codec holds back for reordering and its threads."""


class DecodedFrames:
    """The frames of a stream in presentation order.

    A packet that cannot be decoded spoils those that refer to it: they would give smeared pictures. So at the first
    error the codec is emptied, what it held from that packet on is dropped, and it starts anew at the next keyframe.
    ``lost`` counts packets, ``lost_from`` is the earliest time stamp of them, ``reason`` the codec's first word. Damage
    that a codec conceals without a word stays unnoticed. ``broke_off`` says why the container ended before its end.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.lost = 0
        self.lost_from: int | None = None
        self.reason = ""
        self.broke_off: str | None = None
        self._packets = container.demux(stream)
        self._codec = stream.codec_context
        self._in_flight: deque[int | None] = deque(maxlen=_MOST_IN_FLIGHT)
        """Time stamps of packets whose frames did not come out yet, in decoding order."""
        self._seeking_keyframe = False
        self._resumed_at: int | None = None
        self._unreported: list[int | None] = []

    def __iter__(self) -> Iterator[tuple[VideoFrame, int]]:
        """Frames, each with how many were lost between the one before and itself."""
        for packet in self._demuxed():
            if packet.size and not self._is_wanted(packet):
                continue
            for frame in self._decode(packet):
                yield frame, self._lost_before(frame.pts)

    def _demuxed(self) -> Iterator[Packet[VideoStream]]:
        """All packets, the last one empty; a container that breaks off ends them."""
        try:
            yield from self._packets
        except FFmpegError as error:
            self.broke_off = _reason(error)
            self._lose(None, self.broke_off)

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
        """The sound frames that come out when a packet goes in."""
        if packet.size:
            self._in_flight.append(packet.pts)
        try:
            frames = packet.decode()
        except EndOfFile:
            return []
        except FFmpegError as error:
            # With frame threads an error shows as many packets late as there are threads.
            return self._start_anew([], max(1, self._codec.thread_count), _reason(error))
        for place, frame in enumerate(frames):
            if frame.is_corrupt:
                since = self._in_flight.index(frame.pts) if frame.pts in self._in_flight else len(self._in_flight)
                return self._start_anew(frames[:place], len(self._in_flight) - since, "damaged picture")
            self._came_out(frame)
        return frames

    def _start_anew(self, sound: list[VideoFrame], spoiled: int, reason: str) -> list[VideoFrame]:
        """Empty the codec: the sound frames and those before the last ``spoiled`` packets; the rest is lost."""
        lost = list(self._in_flight)[-spoiled:] if spoiled else [None]
        for stamp in lost:
            self._lose(stamp, reason)
        for frame in self._drained():
            if not frame.is_corrupt and (frame.pts is None or frame.pts not in lost):
                sound.append(frame)
        self._codec.flush_buffers()
        self._in_flight.clear()
        self._seeking_keyframe = True
        return sound

    def _drained(self) -> Iterator[VideoFrame]:
        """What the codec still holds, past all its errors."""
        for _ in range(_MOST_IN_FLIGHT):
            try:
                frames = self._codec.decode(None)
            except EndOfFile:
                return
            except FFmpegError:  # counted already
                continue
            yield from frames
            if not frames:
                return

    def _came_out(self, frame: VideoFrame) -> None:
        if frame.pts in self._in_flight:
            self._in_flight.remove(frame.pts)

    def _lose(self, stamp: int | None, reason: str) -> None:
        self.lost += 1
        self._unreported.append(stamp)
        self.reason = self.reason or reason
        if stamp is not None and (self.lost_from is None or stamp < self.lost_from):
            self.lost_from = stamp

    def _lost_before(self, stamp: int | None) -> int:
        """How many frames shown before that time were lost and not counted yet; the codec may still hold older ones."""
        later: list[int | None] = [
            lost for lost in self._unreported if lost is not None and stamp is not None and lost >= stamp
        ]
        count = len(self._unreported) - len(later)
        self._unreported = later
        return count


def describe_loss(frames: DecodedFrames, time_base: Fraction, origin: int | None) -> str | None:
    """What was lost and from when on, for people; None where nothing was."""
    if not frames.lost:
        return None
    packets = "1 packet" if frames.lost == 1 else f"{frames.lost} packets"
    if frames.lost_from is None or origin is None:
        return f"{packets} could not be decoded ({frames.reason})"
    since_s = float((frames.lost_from - origin) * time_base)
    return f"{packets} could not be decoded from {max(since_s, 0):.1f} s on ({frames.reason})"


def _reason(error: FFmpegError) -> str:
    return error.strerror or str(error)

"""The exact end of a video's last frame, from its packets alone where their time stamps are sound."""

from __future__ import annotations

from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

_JUMP_S = 1
"""Stamps that run back further, in decoding order, belong to a clock that was started anew."""


def last_packet(container: InputContainer, stream: VideoStream) -> tuple[int, int | None] | None:
    """Presentation stamp and duration, in the stream's ticks, of the packet that is shown last; nothing is decoded.

    None where only decoding tells: stamps are missing, or the clock starts anew on the way.
    """
    jump = _JUMP_S / Fraction(stream.time_base or 1)
    last: tuple[int, int | None] | None = None
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if packet.pts is None or (last is not None and last[0] - packet.pts > jump):
            return None
        if last is None or packet.pts > last[0]:
            last = packet.pts, packet.duration
    return last

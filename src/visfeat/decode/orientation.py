"""The eight orientations of a stored picture, numbered as in EXIF, and how to make it upright."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

UPRIGHT = 1
"""The orientation of a picture that is stored as it is to be seen."""

_CLOCKWISE_DEGREES = {3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
_TAG_ORIENTATION = 0x0112
_EXIF = b"Exif\0\0"


def upright(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """A stored picture ``(H, W, 3)`` as it is to be seen, contiguous; 5 to 8 give ``(W, H, 3)``.

    Orientation as in EXIF 2.32, tag 0x0112: 2 mirrored, 3 upside down, 4 flipped, 5 transposed, 6 to be turned
    clockwise, 7 transposed along the other diagonal, 8 to be turned counterclockwise.
    """
    if orientation >= 5:
        picture = picture.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        picture = picture[::-1]
    if orientation in (2, 3, 6, 7):
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def is_sideways(orientation: int) -> bool:
    """Whether height and width change places on the way to the upright picture."""
    return orientation >= 5


def clockwise_degrees(orientation: int) -> int:
    """By how much the stored picture is turned clockwise (0, 90, 180, 270), mirroring left aside."""
    return _CLOCKWISE_DEGREES.get(orientation, 0)


def jpeg_orientation(jpeg: bytes) -> int:
    """The orientation in a JPEG's EXIF block, found without decoding; 1 where there is none or it is damaged."""
    at = 2
    while at + 4 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in (0xDA, 0xD9):  # pixels begin; nothing was said
            break
        body = at + 4
        if marker == 0xE1 and jpeg.startswith(_EXIF, body):
            return exif_orientation(jpeg[body + len(_EXIF) : at + 2 + length])
        at += 2 + length
    return UPRIGHT


def png_orientation(png: bytes) -> int:
    """The orientation in a PNG's eXIf chunk, before or behind the pixels; 1 where there is none."""
    at = 8
    while at + 12 <= len(png):
        length, name = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        if name == b"eXIf":
            return exif_orientation(png[at + 8 : at + 8 + length])
        at += length + 12
    return UPRIGHT


def exif_orientation(exif: bytes) -> int:
    """The orientation in an EXIF block (a TIFF header and its first directory); 1 where there is none."""
    exif = exif.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return UPRIGHT
    try:
        (directory,) = struct.unpack_from(order + "I", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            tag, _kind, _count, value = struct.unpack_from(order + "HHIH", exif, entry)
            if tag == _TAG_ORIENTATION:
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # the block ends early
        pass
    return UPRIGHT

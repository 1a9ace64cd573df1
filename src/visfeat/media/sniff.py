"""Telling what a file holds by its first bytes; its name is consulted only for what it claims to be.

A file that is neither image nor video is ignored. One whose name claims an image or video that its content is not
(an empty file, an HTML page named .jpg) is an error: its owner expects features from it.
"""

from __future__ import annotations

import os
import re

from visfeat.errors import BrokenMedia, UnsupportedMedia
from visfeat.media.item import Kind

HEAD_BYTES = 4096
"""How much of a file ``sniff`` wants to see."""

_IMAGES_ARE_NAMED = (
    "jpg jpeg jpe jfif png apng webp gif bmp dib tif tiff avif heic heif hif jp2 j2k jpx pgm ppm pbm pnm qoi"
)
_VIDEOS_ARE_NAMED = "mp4 m4v mov qt mkv webm avi ts m2ts mts mpg mpeg m2v vob flv wmv asf ogv y4m 3gp 3g2 mxf ivf"
_STREAMS_ARE_NAMED = "h264 264 avc hevc h265 265 obu"
_AUDIO_IS_NAMED = "mp3 wav m4a m4b aac flac ogg oga opus wma mka ac3 aiff aif amr weba"
_RAWS_ARE_NAMED = "cr2 cr3 nef nrw arw srf sr2 dng orf rw2 raf pef srw 3fr iiq rwl"
_IMAGE_ENDINGS = frozenset(_IMAGES_ARE_NAMED.split())
_VIDEO_ENDINGS = frozenset((_VIDEOS_ARE_NAMED + " " + _STREAMS_ARE_NAMED).split())
_AUDIO_ENDINGS = frozenset(_AUDIO_IS_NAMED.split())
_RAW_ENDINGS = frozenset(_RAWS_ARE_NAMED.split())
_OFTEN_TEXT = frozenset(("ts", "mts"))
"""Endings of videos that are also those of TypeScript sources."""

# Magic bytes at offset 0, most telling first.
_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jp2"),
    (b"\xff\x4f\xff\x51", "jp2"),
    (b"qoif", "qoi"),
)
_VIDEOS: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "mkv"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"YUV4MPEG2 ", "y4m"),
    (b"DKIF", "ivf"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02", "mxf"),
    (b"\0\0\x01\xba", "mpegps"),
    (b"\0\0\x01\xb3", "mpegvideo"),
)
_AUDIO: tuple[bytes, ...] = (b"ID3", b"fLaC", b"MThd", b"#!AMR", b".snd", b"FORM")
_UNREADABLE: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"8BPS", "Photoshop"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
)
_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)

_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))
_AUDIO_BRANDS = frozenset((b"M4A ", b"M4B ", b"M4P "))
_MP4_BOXES = frozenset((b"ftyp", b"moov", b"mdat", b"wide", b"pnot", b"free", b"skip"))


def sniff(head: bytes, name: str) -> tuple[Kind, str]:
    """Kind and format ("jpeg", "mp4", ...) from the first ``HEAD_BYTES`` bytes of a file and its name.

    Raises BrokenMedia for an empty file and UnsupportedMedia for other content under a name that claims an image
    or a video, and for pictures that no decoder reads (camera raw, JPEG XL, OpenEXR, Photoshop).
    """
    ending = os.path.splitext(name)[1].lower().lstrip(".")
    claims_media = ending in _IMAGE_ENDINGS or ending in _VIDEO_ENDINGS
    if ending in _OFTEN_TEXT and _is_text(head):
        return Kind.IGNORED, ""
    if not head:
        if claims_media or ending in _RAW_ENDINGS:
            raise BrokenMedia("empty file")
        return Kind.IGNORED, ""
    for magic, what in _UNREADABLE:
        if head.startswith(magic):
            raise UnsupportedMedia(f"{what} pictures are not read; convert it to TIFF, PNG or JPEG")
    found = _image(head) or _video(head, ending)
    if found:
        if found[1] == "tiff" and (ending in _RAW_ENDINGS or head[8:10] == b"CR"):
            raise UnsupportedMedia("camera raw pictures are not read; develop it to TIFF or JPEG")
        return found
    if not claims_media or _is_audio(head):
        return Kind.IGNORED, ""
    raise UnsupportedMedia(f"named .{ending} but holds {_describe(head)}")


def _image(head: bytes) -> tuple[Kind, str] | None:
    for magic, format_name in _IMAGES:
        if head.startswith(magic):
            return Kind.IMAGE, format_name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind.IMAGE, "webp"
    # Two letters are little to go by: a BMP also says its header's size, a PNM has a number or a comment next.
    if head[:2] == b"BM" and len(head) >= 18 and head[14:18] in _BMP_HEADERS:
        return Kind.IMAGE, "bmp"
    if _PNM_HEADER.match(head):
        return Kind.IMAGE, "pnm"
    if head[4:8] == b"ftyp":
        return _still_brand(_brands(head))
    return None


_PNM_HEADER = re.compile(rb"P[1-6]\s+(\d|#)")
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))


def _brands(head: bytes) -> list[bytes]:
    """Major brand and compatible brands of an ISO base media file."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12]] + [head[at : at + 4] for at in range(16, end - 3, 4)]


def _still_brand(brands: list[bytes]) -> tuple[Kind, str] | None:
    if brands[0] in _AVIF_BRANDS or (brands[0] in (b"mif1", b"msf1") and _AVIF_BRANDS.intersection(brands)):
        return Kind.IMAGE, "avif"
    if brands[0] in _HEIC_BRANDS:
        return Kind.IMAGE, "heic"
    if brands[0] == b"crx ":
        raise UnsupportedMedia("camera raw pictures are not read; develop it to TIFF or JPEG")
    return None


def _video(head: bytes, ending: str) -> tuple[Kind, str] | None:
    for magic, format_name in _VIDEOS:
        if head.startswith(magic):
            is_audio = ending in _AUDIO_ENDINGS
            webm = format_name == "mkv" and b"webm" in head[:64]
            return (Kind.IGNORED, "") if is_audio else (Kind.VIDEO, "webm" if webm else format_name)
    if head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"AVIX"):
        return Kind.VIDEO, "avi"
    if head[:4] == b"OggS":
        return (Kind.VIDEO, "ogg") if _ogg_holds_video(head) else (Kind.IGNORED, "")
    # Of a box that begins a text ("fat-free milk"), the length would be four letters.
    if head[4:8] in _MP4_BOXES and not _is_text(head[:4]):
        return _movie(head, ending)
    if _is_transport_stream(head):
        return Kind.VIDEO, "mpegts"
    return _elementary(head, ending)


def _movie(head: bytes, ending: str) -> tuple[Kind, str] | None:
    if ending in _AUDIO_ENDINGS:
        return Kind.IGNORED, ""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        if brand in _AUDIO_BRANDS:
            return Kind.IGNORED, ""
        return Kind.VIDEO, "mov" if brand == b"qt  " else "mp4"
    return Kind.VIDEO, "mov"


def _ogg_holds_video(head: bytes) -> bool:
    return any(mark in head for mark in (b"\x80theora", b"BBCD\0", b"OVP80", b"\x01video\0\0\0"))


def _is_transport_stream(head: bytes) -> bool:
    """Whether sync bytes stand where packets of 188 bytes (192 on Blu-ray, 204 with parity) begin."""
    for size, first in ((188, 0), (192, 4), (204, 0)):
        places = range(first, len(head), size)
        if len(places) >= 3 and all(head[at] == 0x47 for at in places):
            return True
    return False


def _elementary(head: bytes, ending: str) -> tuple[Kind, str] | None:
    """Bare streams: a start code says little, so the name must agree."""
    if not head.startswith((b"\0\0\x01", b"\0\0\0\x01", b"\x12\0\x0a")):
        return None
    if ending in ("h264", "264", "avc"):
        return Kind.VIDEO, "h264"
    if ending in ("hevc", "h265", "265"):
        return Kind.VIDEO, "hevc"
    if ending in ("m4v", "mpg", "mpeg", "m2v"):
        return Kind.VIDEO, "mpegvideo"
    if ending == "obu":
        return Kind.VIDEO, "obu"
    return None


def _is_audio(head: bytes) -> bool:
    return head.startswith(_AUDIO) or (head[:4] == b"RIFF" and head[8:12] == b"WAVE")


def _describe(head: bytes) -> str:
    """What strange content looks like, for people."""
    for magic, what in _OTHER:
        if head.startswith(magic):
            return what
    if not any(head):
        return "only zero bytes"
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return "HTML"
    if start.startswith(b"<svg") or (start.startswith(b"<?xml") and b"<svg" in start):
        return "an SVG drawing"
    if start.startswith(b"<?xml"):
        return "XML"
    return "text" if _is_text(head) else "data that no decoder knows"


def _is_text(head: bytes) -> bool:
    sample = head[:512]
    return b"\0" not in sample and sum(byte < 32 and byte not in (9, 10, 12, 13) for byte in sample) == 0

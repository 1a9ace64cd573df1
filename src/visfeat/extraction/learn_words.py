"""Learning the vocabulary of a model of SIFT from files: the same decoding and preprocessing as extraction."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from visfeat.decode.decoder import DecodeOptions
from visfeat.decode.open import open_decoder
from visfeat.engine.cpu import cores
from visfeat.errors import MediaError, UnknownModel, UsageError
from visfeat.extraction.inputs import network_inputs
from visfeat.media.find import find_media
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify
from visfeat.models.classic.encoding import Floats
from visfeat.models.classic.grey import grey_of
from visfeat.models.classic.learning import DEFAULT_WORDS, learn_vocabulary
from visfeat.models.classic.sift import DESCRIBE, PATCHES_PX
from visfeat.models.classic.sift_models import INPUT
from visfeat.models.classic.vocabulary import Vocabulary
from visfeat.models.resize import input_at
from visfeat.preprocess import Preprocessor
from visfeat.recipe import Recipe

MOST_FILES = 2000
"""Of more files, so many are drawn."""
MOST_DESCRIPTORS = 200_000
"""In all, for each layer; each picture gives its share of them."""
MOST_A_PICTURE = 2000
FRAMES_OF_A_VIDEO = 8
"""Evenly spaced."""

_RECIPE = Recipe(frames=FRAMES_OF_A_VIDEO)
"""What says which frames are seen."""
_Drawn = dict[str, Floats]
"""Layer -> descriptors of one picture."""


@dataclass(frozen=True)
class Learned:
    """A vocabulary, from how many pictures and frames it was learned, and what could not be read: URI and reason."""

    vocabulary: Vocabulary
    pictures: int
    failures: tuple[tuple[str, str], ...]


def learn_words(
    media: Sequence[str | os.PathLike[str]],
    *,
    model: str = "classic/sift_bow",
    words: int | None = None,
    seed: int = 0,
    size_px: int | None = None,
) -> Learned:
    """Learn the vocabulary of ``classic/sift_bow``, ``sift_vlad`` or ``sift_fisher`` from images and videos.

    ``words``: how many words, centers or Gaussians. ``size_px``: the side to which pictures are resized, as it will be
    said to ``extract``. Of videos ``FRAMES_OF_A_VIDEO`` frames are seen. The same files, by the same names,
    and the same seed give the same vocabulary. Raises UnknownModel, UsageError, MissingExtra.
    """
    name = model.removeprefix("classic/")
    if name not in DEFAULT_WORDS:
        known = ", ".join(f"classic/{one}" for one in DEFAULT_WORDS)
        raise UnknownModel(f"--model {model}: has no vocabulary; {known} have")
    words = DEFAULT_WORDS[name] if words is None else words
    if words < 1:
        raise UsageError(f"--words {words}: must be at least 1")
    if size_px is not None and size_px < max(PATCHES_PX):
        raise UsageError(f"--size {size_px}: classic/{name} takes {max(PATCHES_PX)} pixels or more")
    preprocess = Preprocessor(INPUT if size_px is None else input_at(INPUT, size_px))
    drawn, failures = _draw(_chosen(media, seed), preprocess, seed)
    notes = {"pictures": str(len(drawn)), "seed": str(seed), "visfeat": version("visfeat")}
    by_layer = {layer: [one[layer] for one in drawn] for layer in DESCRIBE}
    vocabulary = learn_vocabulary(name, by_layer, words=words, seed=seed, notes=notes)
    return Learned(vocabulary, len(drawn), tuple(failures))


def _chosen(media: Sequence[str | os.PathLike[str]], seed: int) -> list[MediaItem]:
    """All files, or so many of them drawn by the seed, in their order."""
    items = [item for item in find_media(media) if item.kind is not Kind.IGNORED]
    if len(items) <= MOST_FILES:
        return items
    places = np.random.default_rng(seed).choice(len(items), MOST_FILES, replace=False)
    return [items[place] for place in np.sort(places)]


def _draw(
    items: Sequence[MediaItem], preprocess: Preprocessor, seed: int
) -> tuple[list[_Drawn], list[tuple[str, str]]]:
    """The descriptors of every picture and frame, and what could not be read."""
    most = min(MOST_A_PICTURE, max(1, MOST_DESCRIPTORS // max(1, len(items))))
    drawn: list[_Drawn] = []
    failures: list[tuple[str, str]] = []

    def of_file(item: MediaItem) -> list[_Drawn] | str:
        try:
            return list(_of_file(item, preprocess, most, seed))
        except MediaError as error:
            return str(error)

    with ThreadPoolExecutor(cores(), "visfeat-words") as pool:
        for item, found in zip(items, pool.map(of_file, items), strict=True):
            if isinstance(found, str):
                failures.append((item.uri, found))
            else:
                drawn += found
    return drawn, failures


def _of_file(item: MediaItem, preprocess: Preprocessor, most: int, seed: int) -> Iterator[_Drawn]:
    """At most so many descriptors of each layer, drawn by the seed, of the picture or of all frames together."""
    item, content = identify(item)
    if item.kind is Kind.IGNORED:
        return
    options = DecodeOptions(reducible_to_px=preprocess.reducible_to_px)
    with closing(open_decoder(item, content, options)) as decoder:
        seen = [grey_of(given.pixels[0, 0]) for given in network_inputs(decoder, _RECIPE, preprocess)]
    random = np.random.default_rng([seed, int(item.content_hash[:8], 16)])
    for grey in seen:
        yield {layer: _some(describe(grey), -(-most // len(seen)), random) for layer, describe in DESCRIBE.items()}


def _some(descriptors: Floats, most: int, random: np.random.Generator) -> Floats:
    if len(descriptors) <= most:
        return descriptors
    return descriptors[np.sort(random.choice(len(descriptors), most, replace=False))]

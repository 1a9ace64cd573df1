"""From IDX files to samples: all pictures of some folders, or those that a run set aside."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.preprocess import Preprocessor
from visfeat.train.data.examples import Example, Split
from visfeat.train.data.idx import idx_pairs, picture_place, picture_uri, read_idx, read_pair
from visfeat.train.data.pixels import GrayPixels
from visfeat.train.data.samples import Samples, Source
from visfeat.train.data.splits import Unit, split_units
from visfeat.train.settings import Settings

Pictures = NDArray[np.uint8]


def idx_samples(paths: Sequence[Path], settings: Settings, spec: InputSpec) -> Samples:
    """All pairs of IDX files of the folders, split as they say; raises UsageError as ``read_pair`` does."""
    pictures: list[Pictures] = []
    units: list[Unit] = []
    uris: list[str] = []
    for path in paths:
        pairs = idx_pairs(path)
        for split, images, labels in pairs:
            found, numbers = read_pair(images, labels)
            found = _resized(found, spec)
            said: Split | None = "test" if split == "test" else "train" if len(pairs) > 1 else None
            pictures.append(found)
            units += [Unit(_hash(one), str(number), said) for one, number in zip(found, numbers.tolist(), strict=True)]
            uris += [picture_uri(images, n) for n in range(len(found))]
    splits = split_units(units, val=settings.val, test=settings.test, seed=settings.seed)
    sources = [Source(uri, unit.label, unit.key, split) for uri, unit, split in zip(uris, units, splits, strict=True)]
    return _samples(np.concatenate(pictures), sources)


def known_idx_samples(examples: Sequence[Example], spec: InputSpec) -> Samples:
    """These pictures, which say their split; raises UsageError where a file is damaged."""
    by_file: dict[Path, list[tuple[int, Example]]] = defaultdict(list)
    for example in examples:
        place = picture_place(example.uri)
        assert place is not None
        by_file[place[0]].append((place[1], example))
    pictures: list[Pictures] = []
    sources: list[Source] = []
    for path, wanted in by_file.items():
        found = _resized(read_idx(path, 3)[[number for number, _ in wanted]], spec)
        pictures.append(found)
        for (_, example), picture in zip(wanted, found, strict=True):
            assert example.split is not None
            sources.append(Source(example.uri, example.label, _hash(picture), example.split))
    return _samples(np.concatenate(pictures), sources)


def _samples(pictures: Pictures, sources: Sequence[Source]) -> Samples:
    classes = tuple(sorted({source.label for source in sources}, key=int))
    return Samples(GrayPixels(pictures), np.arange(len(sources)), tuple(sources), classes)


def _hash(picture: Pictures) -> str:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).hexdigest()


def _resized(pictures: Pictures, spec: InputSpec) -> Pictures:
    if pictures.shape[1:] == spec.size_px:
        return pictures
    prepare = Preprocessor(spec)
    return np.stack([prepare.picture(np.repeat(one[:, :, None], 3, axis=2))[:, :, 0] for one in pictures])

"""From files to samples: find what is labeled, decode it, split it, and refuse what cannot be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.class_groups import head_slices, labels_in
from visfeat.errors import UsageError
from visfeat.media.table import TABLES
from visfeat.train.data.ahead import ahead
from visfeat.train.data.decoding import Decoded, FileDecoder, sampling_recipe
from visfeat.train.data.examples import SPLITS, Example, folder_examples, labels_of, table_examples
from visfeat.train.data.idx import is_idx_folder, picture_place
from visfeat.train.data.idx_samples import idx_samples, known_idx_samples
from visfeat.train.data.known_split import KnownSplit
from visfeat.train.data.pixels import SHARE_OF_MEMORY, FilePixels, Growing, free_memory_bytes
from visfeat.train.data.samples import Samples, Source
from visfeat.train.data.splits import Unit, check_classes, split_units
from visfeat.train.settings import Settings

Report = Callable[[str], None]


def load_samples(
    settings: Settings, spec: InputSpec, scratch: Path, *, report: Report = lambda _: None, check: bool = True
) -> Samples:
    """Find, decode and split the data that the settings name; ``scratch`` is where a cache on disk may lie.

    Raises UsageError for data that cannot be learned from, unless ``check`` is False: one class, an empty one, classes
    of a validation or test split that training never sees, labels without a file.
    """
    if not settings.data:
        raise UsageError("nothing to learn from: name a folder, a table of labels or IDX files")
    paths = [Path(source).expanduser() for source in settings.data]
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        if path.is_dir() and settings.labels != ("label",):
            raise UsageError(f"--labels {','.join(settings.labels)}: columns of a table; {path} is a folder")
    if any(is_idx_folder(path) for path in paths):
        samples = idx_samples(paths, settings, spec)
    else:
        examples = [example for path in paths for example in _examples(path, settings.labels)]
        if check and not settings.multilabel and not settings.heads:
            _check_before(examples)
        samples = _file_samples(examples, settings, spec, scratch, report)
    return _checked(samples, settings.heads) if check else samples


def load_split(
    known: KnownSplit, settings: Settings, spec: InputSpec, scratch: Path, *, report: Report = lambda _: None
) -> Samples:
    """The samples of a finished run's split, and of no other file. Raises UsageError where none can be read."""
    if any(picture_place(example.uri) is not None for example in known.examples):
        return known_idx_samples(known.examples, spec)
    return _file_samples(known.examples, settings, spec, scratch, report)


def _examples(path: Path, labels: Sequence[str]) -> list[Example]:
    if path.is_dir():
        return folder_examples(path)
    if path.suffix.lower() in TABLES:
        return table_examples(path, labels)
    raise UsageError(
        f"{path}: data are a folder with a folder per class, a .csv or .parquet of uri,label, or IDX files"
    )


def _file_samples(
    examples: Sequence[Example], settings: Settings, spec: InputSpec, scratch: Path, report: Report
) -> Samples:
    decoder = FileDecoder(sampling_recipe(settings, spec), spec)
    limits = {"auto": SHARE_OF_MEMORY * free_memory_bytes(), "ram": float("inf"), "disk": 0.0, "none": 0.0}
    growing = Growing(scratch / "pixels.npy", limit_bytes=limits[settings.cache])
    kept: list[tuple[Example, str, int]] = []
    starts_s: list[float] = []
    rejected: list[tuple[str, str, str]] = []
    report(f"decoding {len(examples):,} files")
    results: Iterable[Decoded] = ahead((one.uri for one in examples), decoder, threads=settings.threads)
    for example, result in zip(examples, results, strict=True):
        if result.samples is None:
            rejected.append((example.uri, example.label, result.reason or ""))
            continue
        kept.append((example, result.content_hash, len(result.samples)))
        starts_s += result.starts_s
        if settings.cache != "none":
            growing.append(result.samples)
    if rejected:
        report(f"{len(rejected):,} files left out, the first: {rejected[0][0]}: {rejected[0][2]}")
    pixels = _on_demand(decoder, kept) if settings.cache == "none" and kept else growing.finish()
    sources = _split(kept, settings)
    several = settings.multilabel or bool(settings.heads)
    names = {name for one in sources for name in labels_of(Example("", one.label), multilabel=several)}
    source_of = np.repeat(np.arange(len(kept)), [count for _, _, count in kept])
    classes = tuple(sorted(names))
    return Samples(pixels, source_of, sources, classes, tuple(rejected), several, np.array(starts_s, np.float64))


def _on_demand(decoder: FileDecoder, kept: Sequence[tuple[Example, str, int]]) -> FilePixels:
    def decode(file: int) -> NDArray[np.uint8]:
        result = decoder(kept[file][0].uri)
        if result.samples is None:
            raise UsageError(f"{result.uri}: cannot be read any more ({result.reason}); was it changed during the run?")
        return result.samples

    return FilePixels(decode, [(n, k) for n, (_, _, count) in enumerate(kept) for k in range(count)])


def _split(kept: Sequence[tuple[Example, str, int]], settings: Settings) -> tuple[Source, ...]:
    units = [Unit(example.group or content, example.label, example.split) for example, content, _ in kept]
    splits = split_units(units, val=settings.val, test=settings.test, seed=settings.seed)
    return tuple(
        Source(example.uri, example.label, content, split, example.group)
        for (example, content, _), split in zip(kept, splits, strict=True)
    )


def _check_before(examples: Sequence[Example]) -> None:
    """Raise UsageError for what the labels alone tell, before hours of decoding."""
    counts = {split: Counter(one.label for one in examples if (one.split or "train") == split) for split in SPLITS}
    check_classes(counts.pop("train"), counts)


def _checked(samples: Samples, heads: Sequence[str]) -> Samples:
    """The samples, if they can be learned from; raises UsageError."""
    readable = {one.label for one in samples.sources}
    for uri, label, reason in samples.rejected:
        if label not in readable:
            raise UsageError(f"none of the files of the class {label} could be read; {uri}: {reason}")
    counts = {split: Counter({k: n for k, n in samples.balance(split).items() if n}) for split in SPLITS}
    check_classes(counts.pop("train"), counts)
    for head, part in head_slices(samples.classes, heads).items():
        if part.stop - part.start < 2:
            only = ", ".join(labels_in(samples.classes[part], head)) or "none"
            raise UsageError(f"the column {head} has one label only ({only}); a head needs two or more")
    return samples

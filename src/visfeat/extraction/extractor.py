"""Extractor: features of files, pictures and arrays without a store, for notebooks and other people's code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from visfeat.decode import open_decoder
from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.decode.pillow_rgb import rgb_of
from visfeat.engine.network import Outputs
from visfeat.engine.prepare import Prepared, prepare
from visfeat.engine.resolve_shots import shot_fields
from visfeat.errors import BrokenMedia, UsageError, naming
from visfeat.extraction.flow import no_motion
from visfeat.extraction.inputs import NetworkInput, network_inputs
from visfeat.extraction.moment import input_at
from visfeat.extraction.pooled_features import pooled_pictures, pooled_video
from visfeat.extraction.vectors import BatchVectors, vectors_of
from visfeat.frames import NO_INDEX, NO_TIME, Features, Frame, FrameBatch, Label
from visfeat.media.item import Kind, MediaItem
from visfeat.media.read import identify_path
from visfeat.models.lstm import with_run
from visfeat.recipe import SAMPLING_FIELDS, Recipe, recipe_of
from visfeat.sample import evenly_spaced
from visfeat.shots.detect import Shot, shots_of_item
from visfeat.shots.ensure import times_in_shots
from visfeat.shots.transnetv2 import ShotDetector
from visfeat.temporal.pooling import LearnVocabulary, PooledRecipe, resolve_pooled

_SAMPLING = (*SAMPLING_FIELDS, "stream", "stride", "clip_fps", "consecutive", "tail")
"""What may differ from video to video, as the network stays the same."""

Picture = str | os.PathLike[str] | Image.Image | NDArray[np.uint8]
Vectors = NDArray[np.floating[Any]]


class Extractor:
    """A compiled recipe that is called with pictures.

    >>> ex = Extractor("bundled/efficientnet_lite0")                         # doctest: +SKIP
    >>> ex(["cat.jpg", pil_image, uint8_array]).shape                        # doctest: +SKIP
    (3, 1280)
    >>> ex.video("a.mp4", every_s=1.0).start_s                               # doctest: +SKIP
    array([0., 1., 2.])
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        recipe: Recipe | str | Path | None = None,
        prepared: Prepared | None = None,
        learn: LearnVocabulary | None = None,
        **options: Any,
    ) -> None:
        """Load and compile. ``recipe`` and ``options`` as for ``extract``, in whose stead ``prepared`` may stand.

        ``learn``: as for ``resolve_pooled``, where a vocabulary is no file. Raises as ``extract`` does.
        """
        wanted = with_run(recipe_of(recipe, options | {"model": model}))
        self._prepared = prepared or prepare(wanted.rows_recipe)
        self._preprocess = self._prepared.preprocessor
        self._pooled: PooledRecipe | None = None
        if wanted.rows_recipe is not wanted:
            self._pooled = resolve_pooled(wanted, self._prepared.recipe, self._prepared.row_shapes, learn)

    @property
    def recipe(self) -> Recipe:
        """The recipe with every field filled in; its digest is that of a store's rows."""
        return self._prepared.recipe if self._pooled is None else self._pooled.recipe

    def __call__(self, pictures: Sequence[Picture]) -> Vectors | dict[str, Vectors]:
        """Features of paths, PIL images and uint8 arrays ``(H, W, 3)`` or ``(H, W)``.

        Returns ``(N, D)`` where the recipe has one layer, else layer -> ``(N, D)``. Raises MediaError that names the
        picture which cannot be read, and UsageError for anything else than a picture.
        """
        if isinstance(pictures, str | os.PathLike):
            raise UsageError("Extractor takes a list of pictures: [path], not path")
        inputs = (self._input(picture, index) for index, picture in enumerate(pictures))
        values, _, _ = self._run(inputs)
        if self._pooled is not None:
            values = pooled_pictures(values, self._pooled)
        return next(iter(values.values())) if len(values) == 1 else values

    def video(self, path: str | os.PathLike[str], **sampling: Any) -> Features | dict[str, Features]:
        """Features of a video's frames, or of what they are pooled to, with their times.

        ``sampling`` as for ``extract`` (``every_s=0.5``).

        Returns Features where the recipe has one layer, else layer -> Features. Raises MediaError where no frame can
        be decoded, or where the file holds no video.
        """
        unknown = sorted(set(sampling) - set(_SAMPLING))
        if unknown:
            raise UsageError(f"{unknown[0]}: video() takes {', '.join(_SAMPLING)}; make an Extractor for other options")
        recipe = recipe_of(self.recipe, sampling)
        recipe = recipe.but(**shot_fields(recipe))
        with naming(path):
            item, content = identify_path(path)
            if item.kind is Kind.IMAGE:
                recipe = recipe.but(animations="video")
            options = replace(self._options, stream=recipe.stream, animations=recipe.animations)
            shots = self._shots(item, recipe)
            with closing(open_decoder(item, content, options)) as decoder:
                times_s = _times_in_shots(shots, recipe, decoder)
                values, given, labels = self._run(network_inputs(decoder, recipe, self._preprocess, times_s=times_s))
            if not given:
                raise BrokenMedia("no frame to extract")
        columns = {
            "start_s": np.array([each.start_s for each in given]),
            "end_s": np.array([each.end_s for each in given]),
            "frame_index": np.array([each.frame_index[0] for each in given]),
        }
        found = {
            layer: Features(
                uri=item.uri, layer=layer, values=rows, recipe_digest=recipe.digest, labels=labels, **columns
            )
            for layer, rows in values.items()
        }
        if self._pooled is not None:
            found = pooled_video(path, found, replace(self._pooled, recipe=recipe), shots)
        return next(iter(found.values())) if len(found) == 1 else found

    def moment(self, path: str | os.PathLike[str], at_s: Fraction | float) -> Vectors | dict[str, Vectors]:
        """The vector ``(D,)`` of a video at a moment: of the frame on display, or the clip that begins then or next.

        Of rows that are pooled over time, the one that the moment falls into. Returns layer -> vector where the recipe
        has several layers. Raises MediaError as ``video`` does, UsageError for a moment that is not there.
        """
        said = f"{os.fspath(path)} at {float(at_s):g} s"
        if self._pooled is not None:
            return _at(self.video(path), float(at_s), said)
        with naming(path):
            item, content = identify_path(path)
            options = replace(self._options, stream=self.recipe.stream, animations="video")
            with closing(open_decoder(item, content, options)) as decoder:
                given = input_at(decoder, self.recipe, self._preprocess, Fraction(at_s), name=said)
        values, _, _ = self._run([given])
        rows = {layer: found[0] for layer, found in values.items()}
        return next(iter(rows.values())) if len(rows) == 1 else rows

    @property
    def _options(self) -> DecodeOptions:
        return DecodeOptions(reducible_to_px=self._preprocess.reducible_to_px)

    def _input(self, picture: Picture, index: int) -> NetworkInput:
        """One picture of any kind; for a network of clips as one that stands still."""
        if isinstance(picture, str | os.PathLike):
            with naming(picture):
                item, content = identify_path(picture)
                with closing(open_decoder(item, content, self._options)) as decoder:
                    frame = FrameBatch.of(next(decoder.frames()))
        else:
            rgb = _rgb_of(picture, index)
            frame = FrameBatch.of(Frame(index=-1, start_s=None, end_s=None, is_keyframe=True, rgb=lambda: rgb))
        seen = self._preprocess(frame) if self._preprocess.flow is None else no_motion(self._preprocess)[:, None]
        pixels = np.repeat(seen, self._input_shape[0], axis=1)
        return NetworkInput(pixels, NO_TIME, NO_TIME, np.full(pixels.shape[1], NO_INDEX))

    def _run(
        self, inputs: Iterable[NetworkInput]
    ) -> tuple[dict[str, Vectors], list[NetworkInput], tuple[tuple[Label, ...], ...]]:
        """Rows by layer in the order of the inputs, the inputs without their pixels, and labels."""
        seen: list[NetworkInput] = []
        results: dict[int, BatchVectors] = {}
        size, views = self._prepared.rows_per_batch, self._prepared.views
        nothing = np.zeros((0, 0, 0, 0, 3), dtype=np.uint8)

        def batches() -> Iterator[tuple[int, NDArray[np.uint8]]]:
            pixels = np.zeros((size * views, *self._input_shape), dtype=np.uint8)
            for count, given in enumerate(inputs, start=1):
                first = (count - 1) % size * views
                pixels[first : first + views] = given.pixels
                seen.append(replace(given, pixels=nothing))
                if count % size == 0:
                    yield count // size - 1, pixels
                    pixels = np.zeros_like(pixels)
            if len(seen) % size:
                yield len(seen) // size, pixels

        stream: Iterator[tuple[int, Outputs]] = self._prepared.network.stream(batches())
        for number, outputs in stream:
            results[number] = vectors_of(outputs, self._prepared)
        ordered = [results[number] for number in sorted(results)]
        return self._joined(ordered, len(seen)), seen, sum((batch.labels for batch in ordered), ())[: len(seen)]

    def _shots(self, item: MediaItem, recipe: Recipe) -> tuple[Shot, ...] | None:
        """The shots of a video, in a decode of their own; None where nobody asks, and of an animation, which is one."""
        if item.kind is not Kind.VIDEO or (recipe.frames_per_shot is None and recipe.segments is None):
            return None
        return shots_of_item(item, self._shot_detector, stream=recipe.stream).shots

    @cached_property
    def _shot_detector(self) -> ShotDetector:
        return ShotDetector()

    @property
    def _input_shape(self) -> tuple[int, ...]:
        spec = self._preprocess.spec
        return (spec.clip_frames, *spec.size_px, spec.channels)

    def _joined(self, batches: list[BatchVectors], rows: int) -> dict[str, Vectors]:
        """The batches' rows by layer, without the padding."""
        dtype = self.recipe.dtype
        return {
            layer: np.concatenate([batch.values[layer] for batch in batches])[:rows]
            if batches
            else np.zeros((0, *shape), dtype=dtype)
            for layer, shape in self._prepared.row_shapes.items()
        }


def _at(found: Features | dict[str, Features], at_s: float, said: str) -> Vectors | dict[str, Vectors]:
    """The row of each layer whose time a moment falls into; raises UsageError where there is none."""
    if isinstance(found, dict):
        return {layer: _row_at(features, at_s, said) for layer, features in found.items()}
    return _row_at(found, at_s, said)


def _row_at(features: Features, at_s: float, said: str) -> Vectors:
    """The last row that begins by then, as long as the rows go on."""
    begun = np.flatnonzero(features.start_s <= at_s)
    last_s = features.end_s.max()
    if not len(begun) or at_s >= last_s:
        raise UsageError(f"{said}: no row stands for it; they go from {features.start_s[0]:g} to {last_s:g} s")
    row: Vectors = features.values[begun[-1]]
    return row


def _times_in_shots(shots: Sequence[Shot] | None, recipe: Recipe, decoder: Decoder) -> Iterator[Fraction] | None:
    """When to look, for a recipe that takes frames by shot."""
    if recipe.frames_per_shot is None:
        return None
    if shots is None:
        return evenly_spaced(recipe.frames_per_shot, decoder.measure_duration_s())
    return times_in_shots(shots, recipe.frames_per_shot)


def _rgb_of(picture: Picture, index: int) -> NDArray[np.uint8]:
    """A PIL image or array as uint8 ``(H, W, 3)``; raises UsageError for anything else."""
    if isinstance(picture, np.ndarray):
        shaped = picture.ndim in (2, 3) and picture.shape[2:] in ((), (3,)) and picture.size > 0
        if picture.dtype != np.uint8 or not shaped:
            raise UsageError(
                f"picture {index}: an array must be uint8 (H, W, 3) or (H, W); got {picture.dtype} {picture.shape}"
            )
        return np.ascontiguousarray(np.repeat(picture[:, :, None], 3, axis=2) if picture.ndim == 2 else picture)
    if isinstance(picture, Image.Image):
        return rgb_of(ImageOps.exif_transpose(picture))
    raise UsageError(f"picture {index}: a path, a PIL image or a uint8 array, not {type(picture).__name__}")

"""Recipe: everything that decides what a feature's numbers are.

A recipe as the user writes it leaves most fields open; ``resolve`` in the engine fills them from the model's card.
A field that is None means "the model's own" or "the engine's own".
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from visfeat.durations import positive_fraction, seconds
from visfeat.errors import UsageError, nearest_names

DEFAULT_MODEL = "bundled/efficientnet_lite0"
LARGEST_MEAN = 256.0
RUN_OPTIONS: dict[str, type] = {"store": str, "max_pixels": int, "threads": int}
"""What may stand in a recipe file though it changes no number."""
_WORDS = {"every": "every_s", "clip_frames": "consecutive"}
_LISTS = ("layers", "pool", "crop", "mean", "std")
REVISION = 1
"""Raised when the same options come to give other numbers (a changed resize, a changed pooling)."""

Pool = Literal["avg", "max", "gem", "cls", "tokens", "flatten", "none"]
Fit = Literal["crop", "squash", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"]
TimePool = Literal["avg", "max", "none"]
Tail = Literal["overlap", "pad", "loop", "drop"]
InputKind = Literal["rgb", "flow"]
FlowMethod = Literal["dis", "raft"]
PerChannel = tuple[float, float, float] | tuple[float, float]
"""Of pixels three, of optical flow two."""
Temporal = Literal["mean", "max", "std", "vlad", "attention", "lstm"]
SAMPLING_FIELDS = ("every_s", "fps", "every_frame", "every_nth", "frames", "keyframes", "frames_per_shot")
_RATES = ("clip_fps", "consecutive")
TEMPORAL_FIELDS = ("segments", "temporal", "temporal_model", "temporal_model_digest", "temporal_rows")
"""What is done with the rows of a video once they are there; ``Recipe.rows_recipe`` has none of it."""


class Recipe(BaseModel):
    """Model, layers, sampling, preprocessing, pooling and precision; ``digest`` names all that changes a number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    """For people; not part of the digest."""

    # The model.
    model: str = DEFAULT_MODEL
    weights: str = "pretrained"
    """``pretrained``, ``random:SEED`` or a file; ``weights_digest`` stands in for it in the digest."""
    weights_digest: str | None = None
    layers: tuple[str, ...] | None = None

    # Which frames of a video; of the first five at most one is set, none means every second.
    every_s: Fraction | None = None
    fps: Fraction | None = None
    every_frame: bool = False
    every_nth: int | None = None
    """Each N-th decoded frame from the first on, whatever their times."""
    frames: int | None = None
    keyframes: bool = False
    stream: int | None = None
    animations: Literal["first", "video"] = "first"
    frames_per_shot: int | None = None
    """So many frames of each shot, evenly spaced."""

    # Clips, for networks that see several frames at once; None is the model's own.
    clip: int | None = None
    """Frames in a clip."""
    stride: int | None = None
    """Frames from the beginning of a clip to that of the next; a whole clip unless said otherwise."""
    clip_fps: Fraction | None = None
    """Frames a second of presentation time that a clip is made of."""
    consecutive: bool | None = None
    """True: a clip is made of consecutive decoded frames, whatever their times."""
    tail: Tail | None = None
    """What becomes of the frames after the last full clip."""

    # Preprocessing.
    preprocess: Literal["fast", "reference"] = "fast"
    size: int | None = None
    """Side in pixels that the network is fed with."""
    fit: Fit | None = None
    crop: tuple[float, float, float, float] | None = None
    """x, y, width, height of the part that is looked at: pixels, or fractions where all are <= 1."""
    trim: bool | None = None
    """True: borders of one color around a picture (letterbox bars, margins) are cut off first."""
    mirror: bool | None = None
    """True: the picture is seen in a mirror, left and right exchanged, before anything else is done with it."""
    interpolation: Interpolation | None = None
    mean: PerChannel | None = None
    std: PerChannel | None = None
    crops: Literal[3, 5, 10] | None = None
    """How many views of a picture the network sees; None is the center alone."""
    crops_apart: bool | None = None
    """True: a row holds the vector of each view, ``(crops, ...)``; else their mean."""
    input: InputKind | None = None
    """What the network sees: pixels, or the optical flow from frame to frame; None is the model's own."""
    flow: FlowMethod | None = None
    flow_weights: str | None = None
    """Of RAFT: a file or ``random:SEED``; ``flow_weights_digest`` stands in for it in the digest."""
    flow_weights_digest: str | None = None
    input_size_px: tuple[int, int] | None = None
    """Height and width of the network's input, filled on resolving."""
    input_resize_px: int | None = None
    """Short side before the center crop, filled on resolving."""

    # From activations to vectors.
    pool: Pool | tuple[Pool, ...] | None = None
    """One for all layers or one a layer."""
    pool_time: TimePool | None = None
    """Of a clip's map: over space first, then so over time; None pools over both at once."""
    normalize: bool | None = None
    dtype: Literal["float32", "float16"] = "float32"
    top: int = 0
    """How many of the network's own class names go with each row."""

    # From the rows of a video, or of each of its shots, to one.
    segments: Literal["shots"] | None = None
    """What is pooled to one row: each shot; None is the whole video."""
    shots_digest: str | None = None
    """Which network found the shots, at which threshold, filled on resolving."""
    temporal: Temporal | None = None
    temporal_model: str | None = None
    """What ``vlad``, ``attention`` and ``lstm`` have learned: a file, a trained run or ``random:SEED``."""
    temporal_model_digest: str | None = None
    temporal_rows: Literal["final", "steps"] | None = None
    """Of ``lstm``: its last state, or its state at every step."""

    # How it is computed.
    engine: Literal["auto"] | str = "auto"
    device: str = "auto"
    precision: Literal["f32", "bf16", "fp16"] = "f32"
    batch_size: int | None = None
    """Part of the digest only where the engine's numbers depend on it."""
    revision: int = REVISION

    @field_validator("every_s", mode="before")
    @classmethod
    def _seconds(cls, value: Any) -> Any:
        """Take a duration as people write it ("500ms"), 0.5 as one half."""
        if isinstance(value, str):
            return seconds(value)
        return None if value is None else positive_fraction(value)

    @field_validator("fps", "clip_fps", mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        """Take 29.97 as 2997/100, not as the nearest binary fraction."""
        return None if value is None else positive_fraction(value)

    @field_validator("weights", "flow_weights")
    @classmethod
    def _with_seed(cls, value: str | None) -> str | None:
        return "random:0" if value == "random" else value

    @field_validator("crops", mode="before")
    @classmethod
    def _views(cls, value: Any) -> Any:
        """Take the words of the command line: "center" is what None is, "10" is 10."""
        return {"center": None, "3": 3, "5": 5, "10": 10}.get(value, value) if isinstance(value, str) else value

    @field_validator("layers", mode="before")
    @classmethod
    def _one_layer(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("pool", mode="before")
    @classmethod
    def _list_of_pools(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_way_of_sampling(self) -> Self:
        chosen = [field for field in SAMPLING_FIELDS if getattr(self, field)]
        if len(chosen) > 1:
            raise ValueError(f"{' and '.join(chosen)} exclude each other: choose one way of sampling frames")
        if self.consecutive and self.clip_fps is not None:
            raise ValueError("clip_fps and consecutive exclude each other: clips by time or by decoded frames")
        for field in ("frames", "every_nth", "size", "batch_size", "clip", "stride", "frames_per_shot"):
            value = getattr(self, field)
            if value is not None and value < 1:
                raise ValueError(f"{field} must be at least 1, not {value}")
        if self.top < 0 or (self.stream is not None and self.stream < 0):
            raise ValueError("top and stream cannot be negative")
        return self

    @model_validator(mode="after")
    def _layers_that_fit(self) -> Self:
        if self.layers is not None and (not self.layers or len(set(self.layers)) != len(self.layers)):
            raise ValueError("layers must name at least one layer, and each once")
        if isinstance(self.pool, tuple) and len(self.pool) != len(self.layers or ()):
            raise ValueError("pool must be one for all layers, or as many as there are layers")
        return self

    @model_validator(mode="after")
    def _numbers_of_pictures(self) -> Self:
        for field in ("crop", "mean", "std"):
            if not all(math.isfinite(value) for value in getattr(self, field) or ()):
                raise ValueError(f"{field} must be finite numbers")
        if self.std is not None and min(self.std) <= 0:
            raise ValueError("std must be more than 0")
        if self.mean is not None and max(abs(value) for value in self.mean) > LARGEST_MEAN:
            raise ValueError(f"mean is of pixels from 0 to 1, at most {LARGEST_MEAN:g}")
        if self.crop is not None and (min(self.crop[:2]) < 0 or min(self.crop[2:]) <= 0):
            raise ValueError("crop is x,y,width,height with x, y >= 0 and width, height > 0")
        return self

    @property
    def sampling(self) -> str:
        """The sampling in words, always the same for the same frames: "every 1/2 s", "every frame", ...."""
        if self.every_frame:
            return "every frame"
        if self.every_nth is not None:
            return f"every {self.every_nth} frames"
        if self.keyframes:
            return "keyframes"
        if self.frames is not None:
            return f"{self.frames} frames"
        if self.frames_per_shot is not None:
            return f"{self.frames_per_shot} frames a shot"
        return f"every {self.interval_s} s"

    @property
    def interval_s(self) -> Fraction:
        """Seconds between samples where frames are sampled by time; one second unless said otherwise."""
        if self.fps is not None:
            return 1 / self.fps
        return self.every_s if self.every_s is not None else Fraction(1)

    @property
    def digest(self) -> str:
        """16 hex digits that name everything that changes a number; equal recipes have equal digests."""
        # An open field says nothing: an option that a later version adds leaves the digests of today as they are.
        data = self.model_dump(mode="json", exclude_none=True, exclude={"name", *SAMPLING_FIELDS})
        for named in ("weights", "flow_weights", "temporal_model"):
            if getattr(self, f"{named}_digest") is not None:
                data.pop(named, None)
        data["sampling"] = self.sampling
        text = json.dumps(data, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def rows_recipe(self) -> Recipe:
        """The recipe whose rows this one pools: the same without what ``TEMPORAL_FIELDS`` name."""
        if all(getattr(self, field) is None for field in TEMPORAL_FIELDS):
            return self
        shots = {} if self.frames_per_shot is not None else {"shots_digest": None}
        return self.but(name=None, **dict.fromkeys(TEMPORAL_FIELDS), **shots)

    @property
    def title(self) -> str:
        """The recipe's name, or its model where it has none."""
        return self.name or self.model

    @classmethod
    def from_options(cls, **options: Any) -> Recipe:
        """Build a recipe; raises UsageError that names the option."""
        try:
            return cls(**options)
        except ValidationError as error:
            raise UsageError(complaint(error, cls.model_fields)) from None

    @classmethod
    def from_toml(cls, path: str | os.PathLike[str]) -> Recipe:
        """Read a recipe file; its name is the file's stem unless it says another. Raises UsageError."""
        path = Path(path)
        fields = in_fields(read_options(path))
        if "preset" in fields:
            raise UsageError(f"recipe {path}: preset: only visfeat extract takes it from a file, of media with an end")
        try:
            return cls.model_validate({"name": path.stem} | fields)
        except ValidationError as error:
            raise UsageError(f"recipe {path}: {complaint(error, cls.model_fields)}") from None

    def to_toml(self) -> str:
        """The recipe as TOML that ``from_toml`` reads back; open fields are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def but(self, **changes: Any) -> Recipe:
        """This recipe with some fields changed, checked anew."""
        return Recipe.from_options(**(self.model_dump() | changes))


def recipe_of(recipe: Recipe | str | os.PathLike[str] | None, options: dict[str, Any]) -> Recipe:
    """A recipe, read from its file where it is one, with options on top; raises UsageError.

    An option that is None is not given. One way of sampling among the options replaces the recipe's own, and so do
    ``clip_fps`` and ``consecutive`` one another.
    """
    base = recipe if isinstance(recipe, Recipe) else Recipe() if recipe is None else Recipe.from_toml(recipe)
    given = {name: value for name, value in options.items() if value is not None}
    if not given:
        return base
    replaced: dict[str, Any] = dict.fromkeys(SAMPLING_FIELDS) if given.keys() & set(SAMPLING_FIELDS) else {}
    replaced |= {field: False for field in ("every_frame", "keyframes") if field in replaced}
    replaced |= dict.fromkeys(_RATES) if given.keys() & set(_RATES) else {}
    return base.but(**(replaced | given))


def run_options(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a recipe file says of the run and not of the numbers: store, max_pixels, threads. Raises UsageError."""
    found = {name.replace("-", "_"): value for name, value in read_options(Path(path)).items()}
    for name, kind in RUN_OPTIONS.items():
        if name in found and not isinstance(found[name], kind):
            raise UsageError(f"recipe {path}: {name}: must be of type {kind.__name__}, not {found[name]!r}")
    return {name: found[name] for name in RUN_OPTIONS if name in found}


def in_fields(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options in the words of the command line as Recipe's fields: ``every = "0.5s"``, ``crop = "0,0,64,64"``."""
    fields: dict[str, Any] = {}
    for option, value in options.items():
        word = option.replace("-", "_")
        name = _WORDS.get(word, word)
        if name in RUN_OPTIONS:
            continue
        parts = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else ()
        fields[name] = parts if name in _LISTS and len(parts) > 1 else value
    return fields


def read_options(path: Path, *, subject: str = "recipe ") -> dict[str, Any]:
    """What a file of options says, in its own words; raises UsageError, with ``subject`` before the path."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{subject}{path}: cannot be read ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{subject}{path}: not valid TOML ({error})") from None


def complaint(error: ValidationError, known: Iterable[str], called: Callable[[str], str] = str) -> str:
    """The first of pydantic's complaints as one line that names the option; ``called`` says how users call a field."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][:1])
    if first["type"] == "extra_forbidden":
        return f"there is no option {where!r}{nearest_names(where, known)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{called(where)}: {message}" if where else message

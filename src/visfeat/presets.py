"""Presets: recipes for a task, and recipes that give the rows of other tools, with the same windows, shapes and keys.

``visfeat/copies`` is for finding copies (docs/dedupe.md); with ``+mirrored`` also of pictures in a mirror.
``video_features`` is https://github.com/v-iashin/video_features at its defaults. ``clip-retrieval/video`` are the
embeddings of https://github.com/iejMac/clip-video-encode, which feeds clip-retrieval with videos. What is the same and
what is not stands in docs/presets.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visfeat.errors import UsageError
from visfeat.recipe import SAMPLING_FIELDS, Recipe, in_fields, read_options, recipe_of

_STACKS: dict[str, Any] = {"tail": "drop", "preprocess": "reference", "normalize": False}
_I3D: dict[str, Any] = _STACKS | {"clip": 64, "stride": 64, "consecutive": True}
_FLOW_FIELDS = ("input", "flow", "flow_weights")


@dataclass(frozen=True)
class Preset:
    """One stream of a tool: the options of its recipe, and what the tool writes beside the features.

    ``key``: what the tool calls the features. ``with_times``: it also writes ``fps`` and ``timestamps_ms``, the time at
    which a row ends where ``times_of_ends``, else at which it begins. ``of_own_model``: further options of the recipe,
    which go where another model is asked for.
    """

    options: dict[str, Any]
    key: str
    with_times: bool = False
    times_of_ends: bool = False
    of_own_model: dict[str, Any] = field(default_factory=dict)


COPIES = "visfeat/copies"
"""What ``visfeat dedupe`` compares: the whole picture, whatever its shape, and two frames a second of videos.

An early layer of a small input, which says what is where and not what it means: copies are found with twice the recall
of the network's last layer, among pictures that show the same kind of thing (benchmarks/copies.py).
"""
_COPIES: dict[str, Any] = {"fit": "squash", "trim": True, "normalize": True, "fps": 2, "dtype": "float16"}
_COPIES_NETWORK: dict[str, Any] = {"size": 48, "layers": ("blocks.2",), "pool": "flatten"}
"""Of the bundled network; of another model its own layer and size are taken."""

_PRESETS: dict[str, Preset] = {
    COPIES: Preset(_COPIES, "copies", of_own_model=_COPIES_NETWORK),
    f"{COPIES}_mirrored": Preset(_COPIES | {"mirror": True}, "copies_mirrored", of_own_model=_COPIES_NETWORK),
    "video_features/r21d": Preset(
        _STACKS | {"model": "torchvision/r2plus1d_18", "clip": 16, "stride": 16, "consecutive": True}, "r21d"
    ),
    "video_features/s3d": Preset(
        _STACKS
        | {"model": "torchvision/s3d", "clip": 64, "stride": 64, "clip_fps": 25}
        # Not normalized, as that network's makers say of its weights.
        | {"input_size_px": (224, 224), "input_resize_px": 224, "mean": (0, 0, 0), "std": (1, 1, 1)},
        "s3d",
    ),
    "video_features/i3d_rgb": Preset(_I3D | {"model": "i3d/rgb"}, "rgb", with_times=True, times_of_ends=True),
    "video_features/i3d_flow": Preset(
        _I3D | {"model": "i3d/flow", "input": "flow", "flow": "raft", "mean": (0.5, 0.5), "std": (0.5, 0.5)},
        "flow",
        with_times=True,
        times_of_ends=True,
    ),
    "video_features/resnet": Preset(
        {
            "model": "torchvision/resnet50/IMAGENET1K_V1",
            "every_frame": True,
            "preprocess": "reference",
            "normalize": False,
        },
        "resnet",
        with_times=True,
    ),
    "clip-retrieval/video": Preset(
        {
            "model": "open_clip/ViT-B-32/laion2b_s34b_b79k",
            "every_nth": 25,
            "preprocess": "reference",
            "normalize": False,
        },
        "",
    ),
}
_PAIRS = {
    "video_features/i3d": ("video_features/i3d_rgb", "video_features/i3d_flow"),
    "visfeat/copies+mirrored": (COPIES, f"{COPIES}_mirrored"),
}


def preset_names() -> list[str]:
    """All presets, in alphabetical order."""
    return sorted([*_PRESETS, *_PAIRS])


def presets(name: str, options: dict[str, Any] | None = None) -> tuple[Recipe, ...]:
    """The recipes of a preset, one a stream, with options on top; each recipe's name says its preset.

    What concerns flow goes to the recipe of flow alone. Raises UsageError for an unknown name or option.
    """
    if name not in preset_names():
        raise UsageError(f"--preset {name}: there is none of that name (there are {', '.join(preset_names())})")
    streams = _PAIRS.get(name, (name,))
    return tuple(_recipe(stream, options or {}, alone=len(streams) == 1) for stream in streams)


def recipes_of(recipe: Recipe | str | os.PathLike[str] | None, options: dict[str, Any]) -> tuple[Recipe, ...]:
    """What ``recipe_of`` gives; of a file that says ``preset``, that one's recipes with what else the file says.

    ``options`` have the last word. Raises UsageError.
    """
    if recipe is None or isinstance(recipe, Recipe):
        return (recipe_of(recipe, options),)
    fields = in_fields(read_options(Path(recipe)))
    if "preset" not in fields:
        return (recipe_of(recipe, options),)
    preset = fields.pop("preset")
    given = {name: value for name, value in options.items() if value is not None}
    if given.keys() & set(SAMPLING_FIELDS):
        fields = {name: value for name, value in fields.items() if name not in SAMPLING_FIELDS}
    try:
        return presets(preset, fields | given)
    except UsageError as error:
        raise UsageError(f"recipe {recipe}: {error}") from None


def preset_of(recipe: Recipe) -> Preset | None:
    """The preset that a recipe was made of, by its name; None where it was not."""
    return _PRESETS.get(recipe.name or "")


def _recipe(stream: str, options: dict[str, Any], *, alone: bool) -> Recipe:
    preset = _PRESETS[stream]
    own = {} if options.get("model") is not None else preset.of_own_model
    recipe = Recipe.from_options(name=stream, **preset.options, **own)
    left_out = () if alone or recipe.input == "flow" else _FLOW_FIELDS
    return recipe_of(recipe, {field: value for field, value in options.items() if field not in left_out})

"""Plugins: names that lead to classes, built in or from another package's entry points.

Groups: ``visfeat.decoders``, ``visfeat.models``, ``visfeat.engines``, ``visfeat.exporters``. A package adds to one
by an entry point ``name = "module:Class"``; the built-in ones stand in the same table below. Nothing is imported
before it is asked for.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from visfeat.errors import MissingExtra, UsageError, nearest_names

Group = Literal["visfeat.decoders", "visfeat.models", "visfeat.engines", "visfeat.exporters"]


@dataclass(frozen=True, slots=True)
class Plugin:
    """One name of a group: where its class stands, and which extra brings what it imports."""

    name: str
    target: str
    """``module:Class``."""
    extra: str | None = None
    needs: tuple[str, ...] = ()
    """Modules of the extra, whose absence means that the extra is missing."""

    def load(self) -> Any:
        """Import and return the class; raises MissingExtra with the pip line."""
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if self.extra is not None and missing in self.needs:
                raise MissingExtra(f"{self.name} ({missing})", extra=self.extra) from None
            raise


_TORCH = ("torch", "torchvision", "timm", "safetensors")

_BUILT_IN: dict[Group, tuple[Plugin, ...]] = {
    # In the order in which they are asked whether they accept an item.
    "visfeat.decoders": (
        Plugin("jpeg", "visfeat.decode.jpeg:JpegDecoder"),
        Plugin("pillow", "visfeat.decode.pillow:PillowDecoder"),
        Plugin("pyav", "visfeat.decode.pyav:PyavDecoder"),
    ),
    "visfeat.models": (
        Plugin("bundled", "visfeat.models.bundled:BundledModels"),
        Plugin("packed", "visfeat.models.files:PackedFiles"),
        Plugin("onnx", "visfeat.models.files:GraphFiles"),
        Plugin("timm", "visfeat.models.timm:TimmModels", "torch", _TORCH),
        Plugin("torchvision", "visfeat.models.torchvision:TorchvisionModels", "torch", _TORCH),
        Plugin("hf", "visfeat.models.hf:HuggingFaceModels", "hf", (*_TORCH, "transformers")),
        Plugin("open_clip", "visfeat.models.open_clip:OpenClipModels", "text", (*_TORCH, "open_clip")),
        Plugin("i3d", "visfeat.models.i3d:I3dModels", "torch", _TORCH),
        Plugin("classic", "visfeat.models.classic.source:ClassicModels", "classic", ("cv2",)),
        Plugin("own", "visfeat.models.own:OwnModels", "torch", _TORCH),
        Plugin("run", "visfeat.models.runs:TrainedRuns"),
    ),
    "visfeat.engines": (
        Plugin("openvino", "visfeat.engine.openvino:OpenvinoEngine"),
        Plugin("torch", "visfeat.engine.torch:TorchEngine", "torch", _TORCH),
        Plugin("classic", "visfeat.engine.classic:ClassicEngine"),
    ),
    "visfeat.exporters": (
        Plugin("parquet", "visfeat.store.parquet:ParquetExporter"),
        Plugin("npy", "visfeat.store.npy:NpyExporter"),
        Plugin("per_video", "visfeat.store.per_video:PerVideoExporter"),
        Plugin("csv", "visfeat.store.csv:CsvExporter"),
    ),
}


@lru_cache(maxsize=8)
def plugins(group: Group) -> dict[str, Plugin]:
    """All plugins of a group by name: other packages' first, so that they are asked first; a built-in name wins."""
    built_in = {plugin.name: plugin for plugin in _BUILT_IN[group]}
    found: tuple[EntryPoint, ...] = tuple(entry_points(group=group))
    others = {entry.name: Plugin(entry.name, entry.value) for entry in found if entry.name not in built_in}
    return others | built_in


def plugin(group: Group, name: str) -> Plugin:
    """The plugin of that name; raises UsageError with the names that there are."""
    table = plugins(group)
    if name not in table:
        kind = group.removeprefix("visfeat.").removesuffix("s")
        raise UsageError(f"no {kind} is called {name!r}{nearest_names(name, table)} (there are {', '.join(table)})")
    return table[name]

"""From a model's name to the form that an engine runs: packed for OpenVINO (once, then cached), a module for torch."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from visfeat.card import ModelCard
from visfeat.errors import CannotPack, UsageError
from visfeat.models.cache import cache_key, cached
from visfeat.models.cache import store as keep
from visfeat.models.lstm import rows_model
from visfeat.models.packed import SUFFIX, PackedModel
from visfeat.models.registry import load_model, source_of
from visfeat.models.source import FunctionModel, LoadedModel
from visfeat.recipe import Recipe

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?|mps|intel-gpu")
Report = Callable[[str], None]


def choose_device(recipe: Recipe) -> str:
    """The device meant by ``auto``: a GPU where torch can run the model on one, else the CPU. Raises UsageError."""
    if not _DEVICE.fullmatch(recipe.device):
        raise UsageError(f"--device {recipe.device}: there are auto, cpu, cuda, cuda:N, mps and intel-gpu")
    if recipe.device != "auto":
        return recipe.device
    if recipe.engine not in ("auto", "torch") or not source_of(recipe.model)[0].needs_torch:
        return "cpu"
    # Ask the driver first: importing torch only to learn that there is no GPU takes seconds.
    if Path("/dev/nvidiactl").exists() and importlib.util.find_spec("torch") is not None:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    return "mps" if platform.system() == "Darwin" and platform.machine() == "arm64" else "cpu"


def load_for_engine(recipe: Recipe, device: str, report: Report) -> tuple[LoadedModel, str]:
    """The model in the form that the chosen engine runs, and the engine's name."""
    needs_torch = source_of(recipe.model)[0].needs_torch
    engine = recipe.engine
    if engine == "auto":
        engine = "torch" if needs_torch and device.startswith(("cuda", "mps")) else "openvino"
    if engine == "openvino" and needs_torch:
        return _packed_or_module(recipe, report)
    model = load_model(recipe.model, weights=recipe.weights, size_px=recipe.size, clip_frames=recipe.clip)
    if isinstance(model, FunctionModel):
        if recipe.engine not in ("auto", "classic"):
            raise UsageError(f"--engine {recipe.engine}: {model.card.name} is no network; it runs on classic")
        return model, "classic"
    if engine == "torch" and isinstance(model, PackedModel):
        raise UsageError(f"--engine torch: {model.card.name} is a packed model, which runs on openvino")
    return model, engine


def _packed_or_module(recipe: Recipe, report: Report) -> tuple[LoadedModel, str]:
    """A model of torch's world as a packed one: from the cache, else packed now and cached.

    What cannot be packed runs on torch, which is reported once, unless the recipe insists on OpenVINO.
    """
    found = _from_cache(recipe.model, recipe.weights, recipe.size, recipe.layers, clip_frames=recipe.clip)
    if found is not None:
        return found, "openvino"
    key = cache_key(recipe.model, weights=recipe.weights, size_px=recipe.size, clip_frames=recipe.clip)
    model = load_model(recipe.model, weights=recipe.weights, size_px=recipe.size, clip_frames=recipe.clip)
    report(f"packing {recipe.model}" + (" (once; then it comes from the cache)" if key is not None else ""))
    try:
        packed = _pack(model, recipe.layers)
    except CannotPack as error:
        if recipe.engine == "openvino":
            raise
        report(f"{error}; it runs on torch")
        return model, "torch"
    if key is not None:
        keep(key, packed)
    return packed, "openvino"


def _from_cache(
    model: str,
    weights: str,
    size_px: int | None,
    layers: Sequence[str] | None = None,
    clip_frames: int | None = None,
) -> PackedModel | None:
    """The cached model where it has all the layers."""
    key = cache_key(model, weights=weights, size_px=size_px, clip_frames=clip_frames)
    packed = None if key is None else cached(key)
    if packed is None or set(layers or ()) - {spec.name for spec in packed.card.layers}:
        return None
    return packed


def _pack(model: LoadedModel, layers: Sequence[str] | None) -> PackedModel:
    if isinstance(model, PackedModel):
        return model
    if isinstance(model, FunctionModel):
        raise CannotPack(f"{model.card.name}: is computed and no network; there is nothing to pack")
    from visfeat.engine.pack import pack  # needs torch

    return pack(model, layers)


def pack_model(
    model: str,
    out: str | os.PathLike[str],
    *,
    weights: str = "pretrained",
    layers: Sequence[str] | None = None,
    size_px: int | None = None,
    clip_frames: int | None = None,
) -> PackedModel:
    """Pack a model into the file ``out`` (.vfmodel), with all its layers or only those named (and its embedding).

    Raises UsageError for another ending, CannotPack, UnknownModel, UnknownLayer, ModelError or MissingExtra.
    """
    path = Path(out)
    if path.suffix != SUFFIX:
        raise UsageError(f"-o {path}: a packed model's name ends in {SUFFIX}")
    packed = _from_cache(model, weights, size_px, clip_frames=clip_frames) if layers is None else None
    if packed is None:
        packed = _pack(load_model(model, weights=weights, size_px=size_px, clip_frames=clip_frames), layers)
    packed.save(path)
    return packed


def card_of(model: str, *, weights: str | None = None, size_px: int | None = None) -> ModelCard:
    """The card of a model, of ``lstm:RUN`` that of the network whose rows it reads.

    For names and shapes random weights will do, so that nothing is fetched.

    ``weights``: as for extract; None takes the pretrained ones where they are packed already, else random ones.
    """
    model = rows_model(model)
    if weights is None:
        found = _from_cache(model, "pretrained", size_px)
        if found is not None:
            return found.card
        weights = "random:0" if source_of(model)[0].needs_torch else "pretrained"
    return load_model(model, weights=weights, size_px=size_px).card

"""From a model's string to the model: which source has it, and what names there are."""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from visfeat.errors import MissingExtra, UnknownModel, nearest_names
from visfeat.models.bundled import BundledModels
from visfeat.models.lstm import PREFIX, sequence_runs
from visfeat.models.packed import SUFFIX
from visfeat.models.runs import is_run, names_run, run_folder
from visfeat.models.source import LoadedModel, ModelRequest, ModelSource, with_seed
from visfeat.plugins import Plugin, plugin, plugins

_BY_ENDING = {SUFFIX: "packed", ".onnx": "onnx", ".xml": "onnx"}
_ZOOS = ("timm", "torchvision")
_BARE = re.compile(r"[A-Za-z][\w.-]*")
_OF_WEIGHTS = {".pth", ".pt", ".bin", ".ckpt", ".safetensors"}
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def source_of(model: str) -> tuple[ModelSource, str]:
    """The source of a model and the model's name there.

    ``timm/resnet50`` names a source of the plugin table, a path that ends in .vfmodel, .onnx or .xml a file, the path
    of a trained run its folder, ``package.module:function`` your own network. Raises UnknownModel with the sources.
    """
    entry, name = _entry_of(model)
    return entry.load()(), name


def place_of(model: str) -> Path | None:
    """Where a model lies that is a file or a trained run: its absolute path. None where a source has it."""
    if PurePath(model).suffix.lower() in _BY_ENDING:
        return Path(model).expanduser().absolute()
    return run_folder(model).absolute() if names_run(model) else None


def load_model(
    model: str, *, weights: str = "pretrained", size_px: int | None = None, clip_frames: int | None = None
) -> LoadedModel:
    """Load a model, for another input size or number of frames where ``size_px`` or ``clip_frames`` says so.

    Raises UnknownModel, UsageError, ModelError, WeightsMismatch, or MissingExtra with the pip line.
    """
    entry, name = _entry_of(model)
    with _extra_of(entry):
        source: ModelSource = entry.load()()
        return source.load(ModelRequest(name, with_seed(weights), size_px, clip_frames))


def model_names(pattern: str = "*") -> list[str]:
    """All model names of the installed sources that match a shell pattern, as ``source/name``.

    A pattern without a slash is matched with the part after the source: ``resnet*`` finds ``timm/resnet50``.
    """
    found: list[str] = []
    for prefix, entry in plugins("visfeat.models").items():
        if not _may_have(prefix, pattern):
            continue
        try:
            with _extra_of(entry):
                names = entry.load()().names()
        except MissingExtra:
            continue
        for name in names:
            full = f"{prefix}/{name}"
            if fnmatchcase(full if "/" in pattern else name, pattern):
                found.append(full)
    return found + [name for name in sequence_runs() if fnmatchcase(name, pattern)]


def _may_have(prefix: str, pattern: str) -> bool:
    """Whether a source has to be asked: the zoos take seconds to import."""
    head, slash, _ = pattern.partition("/")
    if pattern.startswith(PREFIX):
        return False
    return not slash or any(sign in head for sign in "*?[") or head == prefix


def missing_sources() -> list[str]:
    """A line for each source whose extra is not installed, with its pip line."""
    lines = []
    for entry in plugins("visfeat.models").values():
        missing = [module for module in entry.needs if importlib.util.find_spec(module) is None]
        if missing:
            lines.append(f"{entry.name}/... needs {missing[0]}: pip install 'visfeat[{entry.extra}]'")
    return lines


def _entry_of(model: str) -> tuple[Plugin, str]:
    ending = _BY_ENDING.get(PurePath(model).suffix.lower())
    if ending is not None:
        return plugin("visfeat.models", ending), model
    if is_run(model):
        return plugin("visfeat.models", "run"), model
    if model.startswith(PREFIX):
        raise UnknownModel(
            f"{model}: an LSTM reads the rows of another model; visfeat extract --model {model} runs both"
        )
    prefix, slash, name = model.partition("/")
    table = plugins("visfeat.models")
    if slash and prefix in table and name:
        return table[prefix], name
    if _FUNCTION.fullmatch(model):
        return table["own"], model
    hint = (_runs_beside(model) or nearest_names(prefix, table)) if slash else _with_sources(model)
    raise UnknownModel(
        f"no model {model!r}{hint} (a model is SOURCE/NAME with a source of {', '.join(table)}, a file .vfmodel, .onnx "
        "or .xml, the folder of a trained run, or package.module:function; visfeat models PATTERN lists names)"
    )


def _runs_beside(model: str) -> str:
    """The nearest of the trained runs in the folder where this one would lie; empty where there are none."""
    path = PurePath(model)
    folder = Path(path.parent).expanduser()
    found = folder.iterdir() if folder.is_dir() else ()
    return nearest_names(model, [str(path.parent / entry.name) for entry in found if is_run(str(entry))])


def _with_sources(name: str) -> str:
    """A bare name with the sources that would have it: listing the zoos' own names would import torch."""
    if not _BARE.fullmatch(name) or PurePath(name).suffix.lower() in _OF_WEIGHTS:
        return ""
    close = difflib.get_close_matches(name, BundledModels().names(), n=1, cutoff=0.8)
    likely = [f"bundled/{one}" for one in close] or [f"{zoo}/{name}" for zoo in _ZOOS]
    return f"; did you mean {' or '.join(likely)}?"


@contextmanager
def _extra_of(entry: Plugin) -> Iterator[None]:
    """Sources import their libraries only when they load a model, so the missing extra may show up only then."""
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if entry.extra is None or missing not in entry.needs:
            raise
        raise MissingExtra(f"{entry.name} ({missing})", extra=entry.extra) from None

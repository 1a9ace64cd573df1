"""From a built module to a ModuleModel: the dry run, the weights digest and the card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import nn

from visfeat.card import InputSpec, ModelCard
from visfeat.errors import ModelError, UsageError
from visfeat.models.clip_length import with_clip
from visfeat.models.shapes import input_shape
from visfeat.models.source import ModelRequest, ModuleModel
from visfeat.models.survey import Survey, survey
from visfeat.models.taps import freeze
from visfeat.models.weights import random_seed, weights_digest

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
DEFAULT_CROP_SHARE = 0.875


@dataclass(frozen=True)
class Description:
    """What a source knows of its module; the dry run finds the rest."""

    name: str
    """As the user names it, with the source's prefix."""
    source: str
    input: InputSpec
    classifier: bool
    license: str = ""
    class_names: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    multilabel: bool = False
    prefix_tokens: int | None = None
    channels_last: bool = False
    normalize: bool = False
    default_layer: str | None = None
    libraries: tuple[str, ...] = ("torch",)


def describe(module: nn.Module, known: Description, request: ModelRequest) -> ModuleModel:
    """Look at the module and write its card; for clips of ``request.clip_frames`` where that is given.

    Raises UsageError where it does not take the input that was asked for; ModelError where it does not run.
    """
    known = replace(known, input=with_clip(known.input, request.clip_frames, model=known.name))
    module = freeze(module.float().cpu())
    seen = _survey(module, known, request)
    default = known.default_layer or seen.default_layer
    names = known.class_names if seen.logits_layer is not None else ()
    card = ModelCard(
        name=known.name,
        source=known.source,
        license=known.license,
        weights=request.weights,
        weights_digest=weights_digest(module),
        input=known.input,
        layers=seen.layers,
        default_layer=default,
        default_pool=seen.default_pool if default == seen.default_layer else None,
        normalize=known.normalize,
        logits_layer=seen.logits_layer,
        class_names=names,
        heads=known.heads,
        multilabel=known.multilabel,
        versions={name: _version(name) for name in known.libraries},
    )
    card.layer(card.default_layer)
    return ModuleModel(card, module)


def _survey(module: nn.Module, known: Description, request: ModelRequest) -> Survey:
    try:
        return survey(
            module,
            known.input.size_px,
            classifier=known.classifier,
            prefix_tokens=known.prefix_tokens,
            channels_last=known.channels_last,
            clip_frames=known.input.clip_frames,
            channels=known.input.channels,
        )
    except ModelError as error:
        raise ModelError(f"{known.name}: {error}") from None
    except (RuntimeError, AssertionError, ValueError, TypeError, IndexError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        asked = {"--size": request.size_px, "--clip": request.clip_frames}
        options = " ".join(f"{option} {value}" for option, value in asked.items() if value is not None)
        if options:
            raise UsageError(f"{options}: {known.name} does not take it ({reason})") from None
        shape = " x ".join(str(length) for length in input_shape(known.input)[1:])
        what = "clips of" if known.input.clip_frames > 1 else "pictures of"
        raise ModelError(f"{known.name}: does not run on {what} {shape} pixels ({reason})") from error


@contextmanager
def seeded(weights: str) -> Iterator[None]:
    """Within: torch's random numbers start from the seed of ``random:SEED``; afterwards they go on as before."""
    seed = random_seed(weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed or 0)
        yield


def center_crop(size_px: int, crop_share: float = DEFAULT_CROP_SHARE) -> tuple[tuple[int, int], int]:
    """Input size, and the short side before the crop of which it is that share."""
    return (size_px, size_px), int(size_px / crop_share)


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""

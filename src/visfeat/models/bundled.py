"""The models that come inside the package: packed, with real weights, for use without network and without torch."""

from __future__ import annotations

from pathlib import Path

from visfeat.card import ModelCard
from visfeat.errors import UnknownModel, UsageError, nearest_names
from visfeat.models.clip_length import with_clip
from visfeat.models.packed import SUFFIX, PackedModel
from visfeat.models.source import ModelRequest

DATA = Path(__file__).parent / "data"


class BundledModels:
    """The source ``bundled``: every ``NAME.vfmodel`` in the package's data folder."""

    needs_torch = False

    def names(self) -> list[str]:
        """The names of the packed models in the package."""
        return sorted(path.stem for path in DATA.glob(f"*{SUFFIX}"))

    def load(self, request: ModelRequest) -> PackedModel:
        """Read one, for any size from 32 pixels on; raises UnknownModel, and UsageError for other weights."""
        names = self.names()
        if request.name not in names:
            hint = nearest_names(request.name, names)
            raise UnknownModel(f"no model bundled/{request.name}{hint} (visfeat models 'bundled/*' lists them)")
        refuse_other_weights(f"bundled/{request.name}", request)
        packed = PackedModel.load(DATA / f"{request.name}{SUFFIX}")
        refuse_other_length(f"bundled/{request.name}", packed.card, request)
        if request.size_px is None:
            return packed
        if packed.card.input.clip_frames > 1:
            height, width = packed.card.input.size_px
            raise UsageError(f"--size {request.size_px}: bundled/{request.name} takes {height} x {width} pixels")
        from visfeat.models.resize import resized

        return resized(packed, request.size_px)


def refuse_other_weights(model: str, request: ModelRequest) -> None:
    """A packed graph has its weights inside: raises UsageError where others are asked for."""
    if request.weights != "pretrained":
        raise UsageError(
            f"{model} is packed with its weights; --weights {request.weights} needs a model of timm, torchvision, "
            "hf or open_clip, or your own"
        )


def refuse_other_length(model: str, card: ModelCard, request: ModelRequest) -> None:
    """A packed graph of clips has their length inside: raises UsageError where another is asked for."""
    own, wanted = card.input.clip_frames, request.clip_frames
    if wanted in (None, own):
        return
    with_clip(card.input, wanted, model=model)
    raise UsageError(
        f"--clip {wanted}: {model} is packed for {own} frames; pack it anew: visfeat pack {card.name} --clip {wanted} "
        "-o FILE"
    )

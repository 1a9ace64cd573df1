"""The models that come inside the package: packed, with real weights, for use without network and without torch."""

from __future__ import annotations

from pathlib import Path

from visfeat.errors import UnknownModel, UsageError, nearest_names
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
        if request.size_px is None:
            return packed
        from visfeat.models.resize import resized

        return resized(packed, request.size_px)


def refuse_other_weights(model: str, request: ModelRequest) -> None:
    """A packed graph has its weights inside: raises UsageError where others are asked for."""
    if request.weights != "pretrained":
        raise UsageError(
            f"{model} is packed with its weights; --weights {request.weights} needs a model of timm, torchvision, "
            "hf or open_clip, or your own"
        )

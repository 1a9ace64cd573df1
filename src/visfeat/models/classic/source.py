"""The source ``classic``: features that are computed and not learned, by NumPy and OpenCV."""

from __future__ import annotations

from collections.abc import Callable

from visfeat.errors import UnknownModel, nearest_names
from visfeat.models.classic import hof
from visfeat.models.classic.describe import Known, described
from visfeat.models.source import FunctionModel, ModelRequest

_MODELS: dict[str, Callable[[], Known]] = {"hof": hof.known}
"""Name -> what is known of it; a new feature is one more file and one more line."""


class ClassicModels:
    """The source ``classic``."""

    needs_torch = False

    def names(self) -> list[str]:
        """All features, whether OpenCV is there or not."""
        return sorted(_MODELS)

    def load(self, request: ModelRequest) -> FunctionModel:
        """Describe one for the size and number of frames asked for; raises UnknownModel or UsageError."""
        if request.name not in _MODELS:
            hint = nearest_names(request.name, _MODELS)
            raise UnknownModel(f"no model classic/{request.name}{hint} (there are {', '.join(self.names())})")
        return described(f"classic/{request.name}", _MODELS[request.name](), request)

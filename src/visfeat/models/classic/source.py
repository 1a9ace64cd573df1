"""The source ``classic``: features of the time before deep networks, by NumPy and OpenCV."""

from __future__ import annotations

from collections.abc import Callable

from visfeat.errors import UnknownModel, UsageError, nearest_names
from visfeat.models.classic import color_histogram, hof, hog, lbp, phash, sift_models
from visfeat.models.classic.describe import Known, described
from visfeat.models.source import FunctionModel, ModelRequest

_COMPUTED: dict[str, Callable[[], Known]] = {
    "color_histogram": color_histogram.known,
    "hof": hof.known,
    "hog": hog.known,
    "lbp": lbp.known,
    "phash": phash.known,
}
"""Name -> what is known of it; a new feature is one more file and one more line."""


class ClassicModels:
    """The source ``classic``."""

    needs_torch = False

    def names(self) -> list[str]:
        """All features, whether OpenCV is there or not."""
        return sorted([*_COMPUTED, *sift_models.SOURCES])

    def load(self, request: ModelRequest) -> FunctionModel:
        """Describe one for the size and number of frames asked for; raises UnknownModel, UsageError or ModelError."""
        names = self.names()
        if request.name not in names:
            hint = nearest_names(request.name, names)
            raise UnknownModel(f"no model classic/{request.name}{hint} (there are {', '.join(names)})")
        return described(f"classic/{request.name}", _known(request), request)


def _known(request: ModelRequest) -> Known:
    if request.name in sift_models.SOURCES:
        return sift_models.known(request.name, request.weights)
    if request.weights != "pretrained":
        raise UsageError(
            f"--weights {request.weights}: classic/{request.name} is computed, not learned, and has no weights"
        )
    return _COMPUTED[request.name]()

"""The models of SIFT: ``sift_bow``, ``sift_vlad`` and ``sift_fisher``, each with a vocabulary that was learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visfeat.card import InputSpec
from visfeat.errors import UsageError
from visfeat.models.classic.describe import Known
from visfeat.models.classic.grey import grey_of
from visfeat.models.classic.sift import DESCRIBE, PATCHES_PX
from visfeat.models.classic.vocabulary import Vocabulary, bundled_path, load_vocabulary
from visfeat.models.source import LayerFunction

SOURCES = {
    "sift_bow": "Sivic and Zisserman 2003",
    "sift_vlad": "Jegou et al. 2010",
    "sift_fisher": "Perronnin et al. 2010",
}
"""Model -> where it comes from."""

INPUT = InputSpec(
    size_px=(256, 256),
    resize_px=256,
    fit="squash",
    interpolation="bicubic",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


def known(model: str, weights: str) -> Known:
    """The layers ``grid`` (default) and ``keypoints`` with the vocabulary of ``weights``, a file or ``pretrained``.

    Raises ModelError for a file that is no vocabulary of the model, UsageError for ``random:SEED``.
    """
    if weights.startswith("random:"):
        raise UsageError(f"--weights {weights}: the vocabulary of classic/{model} is learned; say pretrained or a file")
    path = bundled_path(model) if weights == "pretrained" else Path(weights).expanduser()
    vocabulary = load_vocabulary(path, model)
    return Known(
        source=f"{SOURCES[model]}, over OpenCV's SIFT, computed by visfeat.models.classic.encoding",
        input=INPUT,
        layers={layer: _layer(vocabulary, layer) for layer in DESCRIBE},
        smallest_px=max(PATCHES_PX),
        learned_digest=vocabulary.digest,
    )


def _layer(vocabulary: Vocabulary, layer: str) -> LayerFunction:
    describe, encode = DESCRIBE[layer], vocabulary.encoder(layer)

    def compute(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return encode(describe(grey_of(pixels[0])))

    return compute

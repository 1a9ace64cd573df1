"""The classic engine: runs models that are functions and no networks, on the CPU, several inputs at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from numpy.typing import NDArray

from visfeat.card import LayerSpec
from visfeat.engine.cpu import cores, cpu_features
from visfeat.engine.network import NetworkOptions, Outputs, Tag
from visfeat.engine.plain_products import plain_products
from visfeat.errors import EngineError, UsageError
from visfeat.models.source import FunctionModel, LoadedModel

DEFAULT_BATCH_SIZE = 8
_OPENCV = "opencv-python-headless"


class ClassicEngine:
    """Runs the functions of a FunctionModel."""

    name = "classic"

    def compile(self, model: LoadedModel, options: NetworkOptions) -> ClassicNetwork:
        """Nothing is compiled.

        Raises EngineError for a network, UnknownLayer, UsageError for another device, or MissingExtra.
        """
        if not isinstance(model, FunctionModel):
            raise EngineError(f"{model.card.name}: the classic engine runs classic features, not networks")
        if options.device != "cpu" or options.precision != "f32":
            asked = f"--device {options.device}" if options.device != "cpu" else f"--precision {options.precision}"
            raise UsageError(f"{asked}: {model.card.name} is computed on the CPU in float32")
        return ClassicNetwork(model, options)


class ClassicNetwork:
    """A model's functions; each input is computed by itself, so its numbers do not depend on the batch."""

    def __init__(self, model: FunctionModel, options: NetworkOptions) -> None:
        self.layers: tuple[LayerSpec, ...] = tuple(model.card.layer(name) for name in options.layers)
        self.batch_size = options.whole_rows(DEFAULT_BATCH_SIZE)
        self._functions = {spec.name: model.functions[spec.name] for spec in self.layers}
        self._threads = options.threads or cores()
        self._plain_products = plain_products()
        self.facts: Mapping[str, str] = {
            "engine": "classic",
            "device": "cpu",
            "cpu_features": " ".join(cpu_features()),
            "precision": "f32",
            "batch_size": str(self.batch_size),
        } | _versions()

    def stream(self, batches: Iterable[tuple[Tag, NDArray[np.uint8]]]) -> Iterator[tuple[Tag, Outputs]]:
        """Compute batches uint8 ``(B, T, H, W, C)`` one after the other, the inputs of each side by side."""
        with self._plain_products, ThreadPoolExecutor(self._threads, "visfeat-classic") as pool:
            for tag, pixels in batches:
                if pixels.dtype != np.uint8 or pixels.ndim != 5 or len(pixels) != self.batch_size:
                    expected = f"uint8 ({self.batch_size}, T, H, W, C)"
                    raise EngineError(f"classic: a batch must be {expected}; got {pixels.dtype} {pixels.shape}")
                rows = list(pool.map(self._row, pixels))
                yield tag, {name: np.stack([row[name] for row in rows]) for name in self._functions}

    def _row(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """All layers of one input ``(T, H, W, C)``."""
        return {name: compute(pixels) for name, compute in self._functions.items()}


def _versions() -> dict[str, str]:
    """Of what computes."""
    found = {"numpy": version("numpy")}
    try:
        return found | {"opencv": version(_OPENCV)}
    except PackageNotFoundError:
        return found

"""Flow by RAFT, run by OpenVINO: packed once for its weights, compiled for each size of picture."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visfeat.errors import EngineError, MissingExtra
from visfeat.flow.field import Flow, Picture
from visfeat.models.cache import cache_key, cached
from visfeat.models.cache import store as keep
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel

MULTIPLE_PX, SMALLEST_PX = 8, 128
"""Its feature maps have an eighth of the sides, and the last of four levels of their correlations must have two."""
_COMPILED = 4
"""How many sizes stay compiled: a folder's videos have few."""


class RaftFlow:
    """RAFT with some weights, see ``FlowEstimator``; several threads may call it at once."""

    def __init__(self, packed: PackedModel) -> None:
        """``packed`` is what ``models.raft.pack_raft`` gives."""
        self.digest = packed.card.weights_digest
        self._card = packed.card
        self._core = ov.Core()
        self._graph = self._core.read_model(model=packed.graph_xml, weights=packed.weights)
        self._lock = threading.Lock()
        self._compiled: OrderedDict[tuple[int, int], Any] = OrderedDict()

    @classmethod
    def load(cls, weights: str) -> RaftFlow:
        """From the cache, else packed now and kept there; ``weights`` are a file or ``random:SEED``.

        Raises ModelError, WeightsMismatch, CannotPack, or MissingExtra where torch is needed and not there.
        """
        key = cache_key("torchvision/raft", weights=weights)
        packed = None if key is None else cached(key)
        if packed is None:
            try:
                from visfeat.models.raft import pack_raft
            except ModuleNotFoundError as error:
                raise MissingExtra(f"--flow raft ({error.name})", extra="torch") from None
            packed = pack_raft(weights)
            if key is not None:
                keep(key, packed)
        return cls(packed)

    @property
    def facts(self) -> Mapping[str, str]:
        """Which RAFT, and what it was packed with."""
        return {"flow": self._card.name} | {f"flow_packed_with_{k}": v for k, v in self._card.versions.items()}

    def __call__(self, before: Picture, after: Picture) -> Flow:
        """The flow between two pictures uint8 ``(H, W, 3)``; they are padded to the next size that the graph takes."""
        height, width = before.shape[:2]
        pads = padding(height), padding(width)
        both = np.concatenate([_padded(before, pads), _padded(after, pads)], axis=2)
        values = both.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(127.5) - np.float32(1)
        try:
            request = self._network((values.shape[2], values.shape[3])).create_infer_request()
            flow: NDArray[np.float32] = request.infer([np.ascontiguousarray(values)])[0]
        except RuntimeError as error:
            raise EngineError(f"{self._card.name}: {str(error).strip().splitlines()[-1]}") from error
        top, left = pads[0][0], pads[1][0]
        inside: Flow = flow[0].transpose(1, 2, 0)[top : top + height, left : left + width].copy()
        return inside

    def _network(self, size: tuple[int, int]) -> Any:
        """The graph compiled for one size; the last few are kept."""
        with self._lock:
            if size not in self._compiled:
                graph = self._graph.clone()
                graph.reshape([1, 6, *size])
                settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
                self._compiled[size] = self._core.compile_model(graph, "CPU", settings)
                while len(self._compiled) > _COMPILED:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(size)
            return self._compiled[size]


def padding(length_px: int) -> tuple[int, int]:
    """Pixels before and after a side that make it a multiple of 8, and at least 128.

    >>> padding(256), padding(341), padding(100)
    ((0, 0), (1, 2), (14, 14))
    """
    wanted = max(SMALLEST_PX, -(-length_px // MULTIPLE_PX) * MULTIPLE_PX)
    return (wanted - length_px) // 2, wanted - length_px - (wanted - length_px) // 2


def _padded(picture: Picture, pads: tuple[tuple[int, int], tuple[int, int]]) -> Picture:
    """The picture with its edges repeated."""
    return np.pad(picture, (*pads, (0, 0)), mode="edge")

